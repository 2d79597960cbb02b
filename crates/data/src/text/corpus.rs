//! Which files a corpus has, and how its text becomes rows.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::locate::existing_file;

/// How a corpus becomes rows of tokens.
#[derive(Debug, Clone)]
pub(crate) struct Corpus {
    pub(crate) layout: Layout,
    /// Tokens of the vocabulary at most.
    pub(crate) vocabulary: usize,
    /// What becomes of sentences with more tokens than a row.
    pub(crate) long: Long,
    /// Tokens of a training row.
    pub(crate) train_length: usize,
    /// Tokens of the rows that are evaluated on: a sentence goes to the shortest that holds it.
    pub(crate) evaluated_lengths: &'static [usize],
}

/// The files of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Text files, a sentence a line: all whose name ends in `.txt` or `.txt.gz`, in the folder and
    /// those below it.
    Text,
    /// The folder that the one-billion-word benchmark's archive unpacks to.
    OneBillionWords,
    /// Extracted text of web pages, `.wet` or `.wet.gz`.
    Wet,
}

/// What becomes of sentences with more tokens than a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Long {
    /// The rest is left out.
    Cut,
    /// The rest goes on in further rows.
    Continue,
}

/// Folder of the benchmark's training text.
const TRAINING: &str = "training-monolingual.tokenized.shuffled";

/// Files of it.
const N_TRAINING: usize = 99;

/// Folder of its held-out text.
const HELD_OUT: &str = "heldout-monolingual.tokenized.shuffled";

/// Files of each split.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CorpusFiles {
    pub(crate) train: Vec<PathBuf>,
    /// Empty where the validation sentences are taken out of the training files.
    pub(crate) validation: Vec<PathBuf>,
    pub(crate) test: Vec<PathBuf>,
}

impl CorpusFiles {
    pub(crate) fn all(&self) -> Vec<PathBuf> {
        [self.train.as_slice(), &self.validation, &self.test].concat()
    }
}

impl Layout {
    /// The folder that the publisher's archive unpacks to.
    pub(crate) fn folder(self) -> Option<&'static str> {
        match self {
            Layout::OneBillionWords => Some("1-billion-word-language-modeling-benchmark-r13output"),
            Layout::Text | Layout::Wet => None,
        }
    }

    /// What a user puts where the files are looked for.
    pub(crate) fn needs(self) -> &'static str {
        match self {
            Layout::Text => "files that end in .txt or .txt.gz, a sentence a line",
            Layout::OneBillionWords => {
                "its 99 files of training text and the first two of held-out text, in folders as the archive has them"
            }
            Layout::Wet => "files that end in .wet or .wet.gz",
        }
    }

    /// Whether the training sentences are those of all files but the held-out ones.
    pub(crate) fn is_cut_by_us(self) -> bool {
        self != Layout::OneBillionWords
    }

    /// The files in a folder, in the order of their names; `path` may be a single one of them.
    ///
    /// # Errors
    /// If the folder cannot be read. What it lacks is in `Ok(Err(..))`.
    pub(crate) fn files(self, path: &Path) -> io::Result<Result<CorpusFiles, String>> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Err("no such folder".to_owned()))
            }
            Err(error) => Err(error),
            Ok(_) => match self {
                Layout::Text => text_files(path, &[".txt", ".txt.gz"]),
                Layout::Wet => text_files(path, &[".wet", ".wet.gz"]),
                Layout::OneBillionWords => benchmark_files(path),
            },
        }
    }
}

/// The files below a path whose names end so, all of them to train on.
fn text_files(path: &Path, suffixes: &[&str]) -> io::Result<Result<CorpusFiles, String>> {
    let mut train = vec![];
    collect(path, suffixes, &mut train)?;
    train.sort();
    // A file and its compressed copy have the same sentences; twins of what is held out would be
    // trained on.
    let plain: HashSet<PathBuf> = train.iter().cloned().collect();
    train.retain(|file| {
        file.extension().is_none_or(|kind| kind != "gz")
            || !plain.contains(&file.with_extension(""))
    });
    Ok(match train.is_empty() {
        true => Err(format!("no {} file", suffixes.join(" or "))),
        false => Ok(CorpusFiles { train, ..CorpusFiles::default() }),
    })
}

/// Names of the benchmark's files that are read: all that are trained on, then two held-out ones. Its
/// recipes validate on the first held-out part and test on the second.
pub(super) fn benchmark_names() -> Vec<String> {
    // Of a hundred parts the first one is the held-out text, again in parts.
    let training = (1..=N_TRAINING).map(|part| format!("{TRAINING}/news.en-{part:05}-of-00100"));
    let held_out = (0..2).map(|part| format!("{HELD_OUT}/news.en.heldout-{part:05}-of-00050"));
    training.chain(held_out).collect()
}

/// The benchmark's files, each plain or `.gz`. A part of them is not the benchmark.
fn benchmark_files(path: &Path) -> io::Result<Result<CorpusFiles, String>> {
    let names = benchmark_names();
    let (mut found, mut missing) = (vec![], vec![]);
    for name in &names {
        match existing_file(path, name)? {
            Some(file) => found.push(file),
            None => missing.push(name),
        }
    }
    if let Some(first) = missing.first() {
        let (n_missing, n) = (missing.len(), names.len());
        return Ok(Err(format!("lacks {n_missing} of {n} files, the first of them {first}")));
    }
    let test = found.split_off(N_TRAINING + 1);
    let validation = found.split_off(N_TRAINING);
    Ok(Ok(CorpusFiles { train: found, validation, test }))
}

/// The files below a path whose names end so. Links to folders are not followed: they lead to what is
/// there already, or round in circles.
fn collect(path: &Path, suffixes: &[&str], found: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if !(entry.file_type()?.is_symlink() && entry.path().is_dir()) {
                collect(&entry.path(), suffixes, found)?;
            }
        }
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if suffixes.iter().any(|suffix| name.ends_with(suffix)) {
        found.push(path.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "a sentence\n").unwrap();
        }
        folder
    }

    #[test]
    fn text_files_are_found_at_any_depth_in_the_order_of_their_names() {
        let folder = folder_with(&["b.txt", "a/c.txt.gz", "a/index.csv", "d.txt.bak"]);
        let files = Layout::Text.files(folder.path()).unwrap().unwrap();
        let names = ["a/c.txt.gz", "b.txt"].map(|name| folder.path().join(name));
        assert_eq!(files, CorpusFiles { train: names.to_vec(), ..CorpusFiles::default() });
        let single = Layout::Text.files(&names[1]).unwrap().unwrap();
        assert_eq!(single.train, names[1..]);
    }

    #[test]
    fn no_sentence_is_read_twice() {
        let folder = folder_with(&["a.txt", "a.txt.gz", "b.txt.gz", "c/d.txt"]);
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path(), folder.path().join("c/round")).unwrap();
        let files = Layout::Text.files(folder.path()).unwrap().unwrap();
        assert_eq!(
            files.train,
            ["a.txt", "b.txt.gz", "c/d.txt"].map(|name| folder.path().join(name))
        );
    }

    #[test]
    fn the_benchmark_has_its_own_held_out_text() {
        let names = benchmark_names();
        let folder = folder_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
        fs::write(folder.path().join(HELD_OUT).join("news.en.heldout-00002-of-00050"), "").unwrap();
        let files = Layout::OneBillionWords.files(folder.path()).unwrap().unwrap();
        assert_eq!((files.train.len(), files.validation.len(), files.test.len()), (99, 1, 1));
        assert!(files.train[0].ends_with("news.en-00001-of-00100"));
        assert!(files.train[98].ends_with("news.en-00099-of-00100"));
        assert!(files.validation[0].ends_with("news.en.heldout-00000-of-00050"));
        assert!(files.test[0].ends_with("news.en.heldout-00001-of-00050"));
    }

    #[test]
    fn a_part_of_the_benchmark_is_not_the_benchmark() {
        let names = benchmark_names();
        let folder = folder_with(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let path = |name: &str| folder.path().join(name);
        fs::rename(path(&names[5]), path(&format!("{}.gz", names[5]))).unwrap();
        let files = Layout::OneBillionWords.files(folder.path()).unwrap().unwrap();
        assert!(files.train[5].ends_with("news.en-00006-of-00100.gz"), "in its place");
        for name in [&names[98], &names[100]] {
            fs::remove_file(path(name)).unwrap();
        }
        let lack = Layout::OneBillionWords.files(folder.path()).unwrap().unwrap_err();
        let first = "training-monolingual.tokenized.shuffled/news.en-00099-of-00100";
        assert_eq!(lack, format!("lacks 2 of 101 files, the first of them {first}"));
    }

    #[test]
    fn what_a_folder_lacks_is_said() {
        let folder = folder_with(&["a.csv"]);
        let lack = |layout: Layout| layout.files(folder.path()).unwrap().unwrap_err();
        assert_eq!(lack(Layout::Text), "no .txt or .txt.gz file");
        assert_eq!(lack(Layout::Wet), "no .wet or .wet.gz file");
        assert!(lack(Layout::OneBillionWords).starts_with("lacks 101 of 101 files"));
        let absent = folder.path().join("absent");
        assert_eq!(Layout::Text.files(&absent).unwrap().unwrap_err(), "no such folder");
    }
}
