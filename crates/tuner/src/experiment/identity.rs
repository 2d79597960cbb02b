//! When are two experiments the same, and if they are not, where do they differ?

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::{CheckedExperiment, Search};

/// A key with different values in two experiments.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Full key, for example `search.trials`.
    pub key: String,
    /// Value in the first experiment; `None` where it lacks the key.
    pub old: Option<Value>,
    /// Value in the second.
    pub new: Option<Value>,
}

/// How the key of each batch size's budget begins.
const STEPS_OF: &str = "budget_steps.";

/// Key of what tells the data from other data of the same name.
const DATA_DIGEST: &str = "data_digest";

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key == DATA_DIGEST {
            return write!(formatter, "the data were others there, by the same name");
        }
        if let (Some(batch_size), true) = (self.key.strip_prefix(STEPS_OF), self.is_one_sided()) {
            let where_it_is =
                if self.old.is_some() { "there and not here" } else { "here and not there" };
            return write!(formatter, "batch size {batch_size} is studied {where_it_is}");
        }
        let text = |value: &Option<Value>| value.as_ref().map_or("absent".into(), Value::to_string);
        write!(formatter, "{} is {} there and {} here", self.key, text(&self.old), text(&self.new))
    }
}

impl Difference {
    /// Whether only one of the two has the key.
    fn is_one_sided(&self) -> bool {
        self.old.is_some() != self.new.is_some()
    }
}

impl CheckedExperiment {
    /// The canonical form: equal for two experiments if and only if they measure the same.
    #[must_use]
    pub fn identity(&self) -> Value {
        serde_json::to_value(self).expect("the fields are numbers, names and maps with text keys")
    }

    /// Whether this experiment asks for all that another asks for, and for more complete trials or more batch
    /// sizes beside: every trial of the other is one of this one's.
    ///
    /// Not where trials are repeated: the best of more trials may be others.
    #[must_use]
    pub fn is_grown_from(&self, other: &CheckedExperiment) -> bool {
        let has_all = |batch_size: &u64| {
            self.budget_steps.get(batch_size) == other.budget_steps.get(batch_size)
                && self.spaces.get(batch_size) == other.spaces.get(batch_size)
        };
        let Search { n_trials, max_trials, repeats, .. } = other.search;
        if !self.may_have_data_of(other) {
            return false;
        }
        let same_but_for_size = CheckedExperiment {
            data_digest: other.data_digest.clone(),
            budget_steps: other.budget_steps.clone(),
            spaces: other.spaces.clone(),
            search: Search { n_trials, max_trials, ..self.search },
            ..self.clone()
        };
        let has_more_trials =
            self.search.n_trials > n_trials || self.search.max_trials > max_trials;
        same_but_for_size == *other
            && self != other
            && other.budget_steps.keys().all(has_all)
            && self.search.n_trials >= n_trials
            && self.search.max_trials >= max_trials
            && !(has_more_trials && repeats.is_some())
    }

    /// Whether nothing says that the data are others.
    fn may_have_data_of(&self, other: &CheckedExperiment) -> bool {
        let digests = self.data_digest.as_ref().zip(other.data_digest.as_ref());
        digests.is_none_or(|(own, other)| own == other)
    }

    /// Where another experiment differs from this one; empty for the same experiment, and where one does
    /// not know which data it had.
    #[must_use]
    pub fn differences(&self, other: &CheckedExperiment) -> Vec<Difference> {
        let (old, new) = (leaves(&self.identity()), leaves(&other.identity()));
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let difference = |key: &String| Difference {
            key: key.clone(),
            old: old.get(key).cloned(),
            new: new.get(key).cloned(),
        };
        let is_known = |key: &&String| *key != DATA_DIGEST || !self.may_have_data_of(other);
        // Where only one has a batch size at all, its space says nothing more.
        let is_of_both = |key: &&String| {
            let batch_size = key.strip_prefix("spaces.").and_then(|key| key.split('.').next());
            let batch_size = batch_size.and_then(|size| size.parse().ok());
            batch_size.is_none_or(|size: u64| {
                self.spaces.contains_key(&size) == other.spaces.contains_key(&size)
            })
        };
        let differing = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
        differing.filter(is_known).filter(is_of_both).map(difference).collect()
    }
}

/// Full key to value, for every value that is not a table.
fn leaves(value: &Value) -> BTreeMap<String, Value> {
    fn walk(key: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(entries) => {
                for (name, entry) in entries {
                    let separator = if key.is_empty() { "" } else { "." };
                    walk(&format!("{key}{separator}{name}"), entry, leaves);
                }
            }
            leaf => {
                leaves.insert(key.to_owned(), leaf.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", value, &mut found);
    found
}
