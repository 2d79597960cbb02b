//! From a corpus's files to rows of tokens.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::corpus::CorpusFiles;
use super::file::{self, PartOf, TokenWriter};
use super::held_out::{self, HeldOut, HeldOutFinder};
use super::lines::Lines;
use super::rows::{EvaluatedRows, push_training};
use super::tokenizer::Tokenizer;
use super::{TextDataset, VERSION};
use crate::cache::{Cache, stamp};
use crate::catalogue::TextInfo;
use crate::error::DataError;
use crate::load::hexadecimal;
use crate::locate::SearchPath;

/// Sentences that are turned into tokens at a time, on all cores.
const SENTENCES_AT_A_TIME: usize = 1 << 14;

/// Loads a corpus from its file of tokens, else makes that first; no file of tokens is made of less than
/// the published corpus.
pub(crate) fn load_text(
    info: &TextInfo,
    search_path: &SearchPath,
    cache: &Cache,
) -> Result<TextDataset, DataError> {
    let (corpus_folder, files) = search_path.find_corpus(info)?;
    let sources = files.all();
    let stamp =
        stamp(&sources).map_err(|source| DataError::Read { path: sources[0].clone(), source })?;
    let key = key(info, &stamp);
    let name = format!("{}-{}-v{VERSION}.tokens", info.name, &hexadecimal(&key)[..16]);
    let path = cache.folder.as_ref().map(|folder| folder.join(name));
    if let Some(dataset) = path.as_deref().and_then(|path| kept(path, info, &key)) {
        return checked(dataset, &sources);
    }
    count_sentences(info, &corpus_folder, &files)?;
    let (Some(folder), Some(path)) = (&cache.folder, path) else {
        return load_uncached(info, &files, &key);
    };
    let unwritable = |error: &dyn std::fmt::Display| {
        tracing::info!(
            "{} not kept, so the next start takes as long; {} cannot be written: {error}",
            info.name,
            path.display()
        );
    };
    let made = fs::create_dir_all(folder).and_then(|()| tempfile::NamedTempFile::new_in(folder));
    let mut made = match made {
        Ok(made) => made,
        Err(error) => {
            unwritable(&error);
            return load_uncached(info, &files, &key);
        }
    };
    match write(made.as_file_mut(), info, &files, &key) {
        Err(DataError::Write { source, .. }) => {
            unwritable(&source);
            drop(made);
            return load_uncached(info, &files, &key);
        }
        written => written?,
    }
    let dataset = reopen(made.as_file_mut(), info, &key, &path)?;
    if let Err(error) = made.persist(&path) {
        unwritable(&error);
    }
    checked(dataset, &sources)
}

/// The corpus of a file of tokens, if that is there and of these sources.
fn kept(path: &Path, info: &TextInfo, key: &[u8]) -> Option<TextDataset> {
    let mut kept = File::open(path).ok()?;
    let opened = file::open(&mut kept, info.name, key);
    opened
        .inspect_err(|miss| {
            tracing::debug!("{} read anew, not from {}: {miss}", info.name, path.display());
        })
        .ok()
}

/// Reads files of a corpus to their end and counts their lines. Empty ones count: published numbers of
/// sentences are numbers of lines.
pub(crate) fn count_lines(files: &[PathBuf], info: &TextInfo) -> Result<usize, DataError> {
    let mut lines = Lines::new(files, info.corpus.layout);
    lines.by_ref().try_for_each(|line| line.map(|_| ()))?;
    Ok(lines.n_lines())
}

/// Counts the sentences of a corpus of a published size, which takes seconds where learning its
/// vocabulary takes minutes.
fn count_sentences(info: &TextInfo, folder: &Path, files: &CorpusFiles) -> Result<(), DataError> {
    if info.sizes.is_none() {
        return Ok(());
    }
    let count = |files: &[PathBuf]| count_lines(files, info);
    let found = [count(&files.train)?, count(&files.validation)?, count(&files.test)?];
    check_sizes(info, folder, found)
}

/// Refuses a corpus that cannot be cut into splits, of which two sentences tell.
pub(crate) fn check_enough(info: &TextInfo, files: &CorpusFiles) -> Result<(), DataError> {
    let layout = info.corpus.layout;
    let n_seen = || Lines::new(&files.train, layout).take(2).filter(Result::is_ok).count();
    if layout.is_cut_by_us() && n_seen() < 2 {
        return Err(too_few(info.name, &files.all()));
    }
    Ok(())
}

fn too_few(name: &'static str, sources: &[PathBuf]) -> DataError {
    DataError::TooFewSentences { path: sources[0].clone(), name, n_files: sources.len() }
}

/// Refuses a corpus that has other numbers of sentences than the published one.
pub(crate) fn check_sizes(
    info: &TextInfo,
    folder: &Path,
    found: [usize; 3],
) -> Result<(), DataError> {
    match info.sizes {
        Some(expected) if found != expected => {
            let (path, name) = (folder.to_owned(), info.name);
            Err(DataError::SentenceCount { path, name, found, expected })
        }
        _ => Ok(()),
    }
}

/// In a file without a name, which the system removes.
fn load_uncached(
    info: &TextInfo,
    files: &CorpusFiles,
    key: &[u8],
) -> Result<TextDataset, DataError> {
    let path = std::env::temp_dir();
    let mut file = tempfile::tempfile().map_err(|error| written(&path, error))?;
    write(&mut file, info, files, key)?;
    let dataset = reopen(&mut file, info, key, &path)?;
    checked(dataset, &files.all())
}

fn reopen(
    file: &mut File,
    info: &TextInfo,
    key: &[u8],
    path: &Path,
) -> Result<TextDataset, DataError> {
    file::open(file, info.name, key)
        .map_err(|miss| written(path, std::io::Error::other(miss.to_string())))
}

/// Refuses a corpus without anything to train or to measure on.
fn checked(dataset: TextDataset, sources: &[PathBuf]) -> Result<TextDataset, DataError> {
    if dataset.train.is_empty() || dataset.validation.is_empty() {
        return Err(too_few(dataset.name, sources));
    }
    Ok(dataset)
}

fn written(path: &Path, source: std::io::Error) -> DataError {
    DataError::Write { path: path.to_owned(), source }
}

/// What the rows are a function of, beside this program.
fn key(info: &TextInfo, stamp: &[u8]) -> Vec<u8> {
    let rule = held_out::rule();
    // What was kept before sentences were counted is made anew.
    let sizes = info.sizes.map_or_else(String::new, |sizes| format!(" of {sizes:?}"));
    let description = format!("{rule}: {} {:?} v{VERSION}{sizes}", info.name, info.corpus);
    Sha256::new_with_prefix(description).chain_update(stamp).finalize().to_vec()
}

fn write(
    file: &mut File,
    info: &TextInfo,
    files: &CorpusFiles,
    key: &[u8],
) -> Result<(), DataError> {
    let corpus = &info.corpus;
    let lines = || Lines::new(&files.train, corpus.layout);
    let held_out = match corpus.layout.is_cut_by_us() {
        false => HeldOut::default(),
        true => {
            let mut finder = HeldOutFinder::new(info.name);
            for line in lines() {
                line?;
                finder.push();
            }
            finder.finish(info.has_test)
        }
    };
    tracing::info!("{}: learning a vocabulary, once", info.name);
    let is_trained_on = |place: u64| held_out.part_of(place) == PartOf::Train;
    let training =
        lines().zip(0..).filter(|(_, place)| is_trained_on(*place)).map(|(line, _)| line);
    let tokenizer = Tokenizer::train(corpus.vocabulary, training)?;
    tracing::info!("{}: {} tokens; turning its text into them", info.name, tokenizer.vocabulary());

    // An operating system's error of the file of tokens, which has no name yet.
    let failed = |error| written(Path::new("the file of tokens"), error);
    let mut writer = TokenWriter::new(file).map_err(failed)?;
    writer.begin(PartOf::Train, corpus.train_length);
    let mut validation = EvaluatedRows::new(corpus);
    let mut test = EvaluatedRows::new(corpus);
    for_each_batch(lines(), &tokenizer, |first, sentences| {
        let mut rows = vec![];
        for (tokens, place) in sentences.iter().zip(first..) {
            match held_out.part_of(place) {
                PartOf::Train => push_training(tokens, corpus, &mut rows),
                PartOf::Validation => validation.push(tokens),
                PartOf::Test => test.push(tokens),
            }
        }
        writer.push(&rows).map_err(failed)
    })?;
    for (files, rows) in [(&files.validation, &mut validation), (&files.test, &mut test)] {
        for_each_batch(Lines::new(files, corpus.layout), &tokenizer, |_, sentences| {
            sentences.iter().for_each(|tokens| rows.push(tokens));
            Ok(())
        })?;
    }
    for (of, rows) in [(PartOf::Validation, validation), (PartOf::Test, test)] {
        for (length, rows) in rows.parts() {
            writer.begin(of, length);
            writer.push(&rows).map_err(failed)?;
        }
    }
    writer.finish(key, tokenizer.vocabulary(), &tokenizer.to_json()?).map_err(failed)
}

/// Calls `work` with the place of the first sentence and the tokens of so many at a time.
fn for_each_batch(
    mut lines: Lines,
    tokenizer: &Tokenizer,
    mut work: impl FnMut(u64, &[Vec<u16>]) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut first = 0;
    loop {
        let batch: Vec<String> =
            lines.by_ref().take(SENTENCES_AT_A_TIME).collect::<Result<_, _>>()?;
        if batch.is_empty() {
            return Ok(());
        }
        let sentences = tokenizer.encode(batch)?;
        work(first, &sentences)?;
        first += sentences.len() as u64;
    }
}

impl HeldOut {
    /// Where the sentence at a place of the training files goes.
    fn part_of(&self, place: u64) -> PartOf {
        match (self.validation.binary_search(&place), self.test.binary_search(&place)) {
            (Ok(_), _) => PartOf::Validation,
            (_, Ok(_)) => PartOf::Test,
            _ => PartOf::Train,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{DatasetInfo, find};
    use crate::text::Sentences;
    use crate::text::corpus::benchmark_names;

    /// A corpus of numbered sentences in a folder of its own.
    fn folder(n: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let text: String = (0..n).map(|i| format!("sentence number {i} of all\n\n")).collect();
        fs::write(folder.path().join("a.txt"), text).unwrap();
        folder
    }

    fn info(name: &str) -> TextInfo {
        let DatasetInfo::Text(info) = find(name).unwrap() else { panic!("a corpus") };
        info.clone()
    }

    fn load(data_dir: &Path, cache: Option<&Path>) -> Result<TextDataset, DataError> {
        load_info(&info("text"), data_dir, cache)
    }

    fn load_info(
        info: &TextInfo,
        data_dir: &Path,
        cache: Option<&Path>,
    ) -> Result<TextDataset, DataError> {
        let search_path = SearchPath {
            data_dir: Some(data_dir.to_owned()),
            variable_dir: None,
            own_dir: None,
            system_dir: "/nowhere".into(),
        };
        load_text(info, &search_path, &Cache { folder: cache.map(Path::to_owned) })
    }

    #[test]
    fn a_folder_of_text_becomes_rows_and_is_kept() {
        let folder = folder(100);
        let cache = tempfile::tempdir().unwrap();
        let fresh = load(folder.path(), Some(cache.path())).unwrap();
        let n_rows = |part: &[Sentences]| part.iter().map(Sentences::len).sum::<usize>();
        let sizes = [fresh.train.len(), n_rows(&fresh.validation), n_rows(&fresh.test)];
        assert_eq!(sizes, [96, 2, 2], "a fiftieth each for validation and test");
        assert_eq!(fresh, load(folder.path(), None).unwrap(), "without a cache");
        let kept: Vec<PathBuf> =
            fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [path] = &kept[..] else { panic!("one file: {kept:?}") };
        let inode = fs::read(path).unwrap();
        assert_eq!(fresh, load(folder.path(), Some(cache.path())).unwrap(), "mapped");
        assert_eq!(inode, fs::read(path).unwrap());
        // A damaged file is made anew.
        fs::write(path, &inode[..inode.len() - 1]).unwrap();
        assert_eq!(fresh, load(folder.path(), Some(cache.path())).unwrap());
        assert_eq!(inode, fs::read(path).unwrap());
    }

    #[test]
    fn changed_text_is_read_anew() {
        let folder = folder(60);
        let cache = tempfile::tempdir().unwrap();
        let before = load(folder.path(), Some(cache.path())).unwrap();
        fs::write(folder.path().join("b.txt"), "one more sentence\n").unwrap();
        let after = load(folder.path(), Some(cache.path())).unwrap();
        let n =
            |data: &TextDataset| data.train.len() + data.validation[0].len() + data.test[0].len();
        assert_eq!((n(&before), n(&after)), (60, 61));
    }

    /// The one-billion-word benchmark's files, of a sentence each, and one with two.
    #[test]
    fn a_corpus_of_a_published_size_is_refused_in_any_other() {
        let [folder, cache] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        for name in benchmark_names() {
            let path = folder.path().join(&name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("a sentence of {name}\n")).unwrap();
        }
        let first = folder.path().join(&benchmark_names()[0]);
        fs::write(first, "two sentences\nof a file\n").unwrap();
        let load = |sizes| {
            let info = TextInfo { sizes: Some(sizes), ..info("lm1b") };
            load_info(&info, folder.path(), Some(cache.path()))
        };
        let whole = load([100, 1, 1]).unwrap();
        assert_eq!((whole.train.len(), whole.validation[0].len()), (100, 1));
        assert_eq!(whole, load([100, 1, 1]).unwrap(), "mapped");
        for sizes in [[101, 1, 1], [99, 1, 1], [100, 2, 1], [100, 1, 0]] {
            let message = load(sizes).unwrap_err().to_string();
            let [train, validation, test] = sizes;
            let expected = format!(
                "has 100 training, 1 validation and 1 test sentences, data set 'lm1b' has {train}, {validation} and {test};"
            );
            assert!(message.contains(&expected), "{message}");
        }
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1, "nothing else is kept");
    }

    #[test]
    fn what_is_missing_or_too_little_is_said() {
        let empty = tempfile::tempdir().unwrap();
        let message = load(empty.path(), None).unwrap_err().to_string();
        assert!(message.contains("no .txt or .txt.gz file"), "{message}");
        let message = load(folder(1).path(), None).unwrap_err().to_string();
        assert!(message.contains("too few sentences"), "{message}");
    }
}
