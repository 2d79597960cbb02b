//! Which files a corpus has, and how its text becomes rows.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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
                "its folders of training and of held-out text, as the archive has them"
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
        let is_none = |what: &str| Ok(Err(format!("no {what}")));
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Err("no such folder".to_owned()));
            }
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        if self != Layout::OneBillionWords {
            let (suffixes, what): (&[&str], _) = match self {
                Layout::Wet => (&[".wet", ".wet.gz"], ".wet or .wet.gz file"),
                _ => (&[".txt", ".txt.gz"], ".txt or .txt.gz file"),
            };
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
            return match train.is_empty() {
                true => is_none(what),
                false => Ok(Ok(CorpusFiles { train, ..CorpusFiles::default() })),
            };
        }
        let mut files = CorpusFiles::default();
        if !path.is_dir() {
            return is_none("folder of that name");
        }
        let numbered = |folder: &str, prefix: &str| -> io::Result<Vec<PathBuf>> {
            let folder = path.join(folder);
            if !folder.is_dir() {
                return Ok(vec![]);
            }
            let mut found = vec![];
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(prefix) {
                    found.push(entry.path());
                }
            }
            found.sort();
            Ok(found)
        };
        files.train = numbered(TRAINING, "news.en-")?;
        // The benchmark's recipes validate on the first held-out part and test on the second.
        files.validation = numbered(HELD_OUT, "news.en.heldout-00000-")?;
        files.test = numbered(HELD_OUT, "news.en.heldout-00001-")?;
        if files.train.is_empty() {
            return is_none(&format!("{TRAINING}/news.en-* in it"));
        }
        if files.validation.is_empty() {
            return is_none(&format!("{HELD_OUT}/news.en.heldout-00000-* in it"));
        }
        Ok(Ok(files))
    }
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
        let folder = folder_with(&[
            "training-monolingual.tokenized.shuffled/news.en-00002-of-00100",
            "training-monolingual.tokenized.shuffled/news.en-00001-of-00100",
            "heldout-monolingual.tokenized.shuffled/news.en.heldout-00000-of-00050",
            "heldout-monolingual.tokenized.shuffled/news.en.heldout-00001-of-00050",
            "heldout-monolingual.tokenized.shuffled/news.en.heldout-00002-of-00050",
        ]);
        let files = Layout::OneBillionWords.files(folder.path()).unwrap().unwrap();
        assert_eq!((files.train.len(), files.validation.len(), files.test.len()), (2, 1, 1));
        assert!(files.train[0].ends_with("news.en-00001-of-00100"));
        assert!(files.test[0].ends_with("news.en.heldout-00001-of-00050"));
    }

    #[test]
    fn what_a_folder_lacks_is_said() {
        let folder = folder_with(&["a.csv", "training-monolingual.tokenized.shuffled/news.en-1"]);
        let lack = |layout: Layout| layout.files(folder.path()).unwrap().unwrap_err();
        assert_eq!(lack(Layout::Text), "no .txt or .txt.gz file");
        assert_eq!(lack(Layout::Wet), "no .wet or .wet.gz file");
        assert!(lack(Layout::OneBillionWords).starts_with("no heldout-monolingual"));
        let absent = folder.path().join("absent");
        assert_eq!(Layout::Text.files(&absent).unwrap().unwrap_err(), "no such folder");
    }
}
