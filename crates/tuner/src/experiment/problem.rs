//! What can be wrong in an experiment file.

/// What is wrong at a line of an experiment file, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// More than any experiment needs.
    #[error("file is larger than {limit_bytes} bytes; give an experiment file")]
    TooLarge {
        /// Accepted size.
        limit_bytes: usize,
    },
    /// Not TOML.
    #[error("not valid TOML: {message}")]
    Syntax {
        /// The parser's words.
        message: String,
    },
    /// A key that means nothing here.
    #[error("unknown key '{key}' in {section}; {}accepted: {}", hint(suggestion), list(accepted))]
    UnknownKey {
        /// As found.
        key: String,
        /// Where.
        section: String,
        /// The accepted key it resembles.
        suggestion: Option<String>,
        /// All accepted keys.
        accepted: Vec<String>,
    },
    /// A key that must be there.
    #[error("missing key '{key}' in {section}; expected {expected}")]
    MissingKey {
        /// The key.
        key: String,
        /// Where.
        section: String,
        /// What its value would be.
        expected: String,
    },
    /// A value of the wrong type or out of range.
    #[error("'{key}' is {found}; expected {expected}")]
    Value {
        /// Full name of the key.
        key: String,
        /// Its value.
        found: String,
        /// What would be accepted.
        expected: String,
    },
    /// None or several of some alternatives.
    #[error("{section} has {}; expected exactly one of {}", found(present), list(accepted))]
    NotExactlyOne {
        /// Where.
        section: String,
        /// Alternatives found.
        present: Vec<String>,
        /// All alternatives.
        accepted: Vec<String>,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn found(present: &[String]) -> String {
    if present.is_empty() { "neither".to_owned() } else { present.join(" and ") }
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map_or(String::new(), |name| format!("did you mean '{name}'? "))
}

/// The accepted name closest to a misspelt one, if it is close at all.
pub(super) fn closest(name: &str, accepted: &[String]) -> Option<String> {
    let distance = |candidate: &&String| edit_distance(name, candidate);
    let best = accepted.iter().min_by_key(distance)?;
    (distance(&best) <= 1 + best.len() / 5).then(|| best.clone())
}

/// Insertions, deletions and substitutions between two names (Levenshtein).
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, left_char) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &right_char) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(left_char != right_char);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_edits() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn only_near_names_are_suggested() {
        let accepted = ["learning_rate", "momentum"].map(str::to_owned);
        assert_eq!(closest("learning_rte", &accepted).as_deref(), Some("learning_rate"));
        assert_eq!(closest("weight_decay", &accepted), None);
    }
}
