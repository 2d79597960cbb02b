//! Published experiments: what their READMEs say is what critbatch says of their records.
//!
//! A README of an experiment holds commands in comments, which run in its folder:
//!
//! ````text
//! <!-- $ critbatch table fc_64.sqlite.gz -->
//! ```text
//! what it printed
//! ```
//!
//! <!-- $ critbatch report fc_64.sqlite.gz --out fc_64 > /dev/null -->
//! ````
//!
//! The fence after a command holds what it printed. One that ends in `> /dev/null` has none: it only
//! writes files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::critbatch;

const COMMAND: &str = "<!-- $ critbatch ";
const COMMAND_END: &str = " -->";
const SILENT: &str = " > /dev/null";
const FENCE: &str = "```text";
const FENCE_END: &str = "```";

/// The folder of all experiments.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments")
}

/// Experiments with a README that holds commands, by name.
///
/// # Errors
///
/// Where the folder cannot be read.
pub fn published() -> io::Result<Vec<PathBuf>> {
    let mut published = Vec::new();
    for entry in fs::read_dir(folder())? {
        let readme = entry?.path().join("README.md");
        if fs::read_to_string(&readme).is_ok_and(|text| text.contains(COMMAND)) {
            published.extend(readme.parent().map(Path::to_owned));
        }
    }
    published.sort();
    Ok(published)
}

/// Runs all commands of an experiment's README in its folder, which writes their files, and puts what they
/// print into the README.
///
/// # Errors
///
/// Where a file cannot be read or written, a fence is missing, or a command fails; it is named.
pub fn rebuild(folder: &Path) -> io::Result<()> {
    let path = folder.join("README.md");
    let text = fs::read_to_string(&path)?;
    let mut lines = text.lines();
    let mut rebuilt = String::new();
    while let Some(line) = lines.next() {
        push_line(&mut rebuilt, line);
        let Some(command) = line.strip_prefix(COMMAND) else { continue };
        let problem = |what: &str| io::Error::other(format!("{}: '{line}' {what}", path.display()));
        let command = command.strip_suffix(COMMAND_END).ok_or_else(|| problem("does not end"))?;
        let (arguments, is_silent) = match command.strip_suffix(SILENT) {
            Some(arguments) => (arguments, true),
            None => (command, false),
        };
        let output = critbatch()
            .current_dir(folder)
            .args(words(arguments))
            .output()
            .map_err(io::Error::other)?;
        if !output.status.success() {
            return Err(problem(&String::from_utf8_lossy(&output.stderr)));
        }
        if is_silent {
            continue;
        }
        if lines.next() != Some(FENCE) || !lines.by_ref().any(|line| line == FENCE_END) {
            return Err(problem("has no fence after it"));
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        push_line(&mut rebuilt, FENCE);
        printed.trim_end().lines().for_each(|line| push_line(&mut rebuilt, line.trim_end()));
        push_line(&mut rebuilt, FENCE_END);
    }
    fs::write(&path, rebuilt)
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// Words of a command line, in which double quotes hold together what has spaces.
fn words(command: &str) -> Vec<String> {
    let quoted = command.split('"').enumerate();
    quoted
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(
            words(r#"compare a b --label "two words" --out c"#),
            ["compare", "a", "b", "--label", "two words", "--out", "c"]
        );
    }

    #[test]
    fn what_is_printed_goes_into_the_fence_and_a_failure_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let readme = folder.path().join("README.md");
        let text = |printed: &str| {
            format!(
                "a\n<!-- $ critbatch --version -->\n```text\n{printed}```\nb\n<!-- $ critbatch devices > /dev/null -->\nc\n"
            )
        };
        fs::write(&readme, text("typed by hand\n")).unwrap();
        rebuild(folder.path()).unwrap();
        let version = format!("critbatch {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(fs::read_to_string(&readme).unwrap(), text(&version));
        fs::write(&readme, "<!-- $ critbatch table nothing -->\n```text\n```\n").unwrap();
        let error = rebuild(folder.path()).unwrap_err().to_string();
        assert!(error.contains("critbatch table nothing") && error.contains("'nothing"), "{error}");
        fs::write(&readme, "<!-- $ critbatch --version -->\n").unwrap();
        assert!(rebuild(folder.path()).unwrap_err().to_string().contains("no fence"));
    }
}
