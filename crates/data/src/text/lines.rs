//! The sentences of a corpus, one after another, never a file at a time in memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;

use super::corpus::Layout;
use crate::error::DataError;

/// Bytes of a line; a longer one is several.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Words of a line of a web page that counts as a sentence: fewer are menus and buttons.
const MIN_WEB_WORDS: usize = 5;

/// The sentences of files, in order: lines without white space around them, empty ones left out.
/// Bytes that are no UTF-8 become replacement characters.
pub(crate) struct Lines {
    files: VecDeque<PathBuf>,
    is_web: bool,
    open: Option<Open>,
    n_lines: usize,
}

struct Open {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    is_gzip: bool,
    /// In a record of a web archive: what is left of it.
    record: Record,
}

/// Where in a web archive a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Record {
    Header { n_bytes: u64, is_text: bool },
    Content { n_bytes: u64, is_text: bool },
}

const BEFORE_RECORD: Record = Record::Header { n_bytes: 0, is_text: false };

impl Lines {
    pub(crate) fn new(files: &[PathBuf], layout: Layout) -> Self {
        let is_web = layout == Layout::Wet;
        Self { files: files.iter().cloned().collect(), is_web, open: None, n_lines: 0 }
    }

    /// Lines that were read, those that are no sentences too.
    pub(crate) fn n_lines(&self) -> usize {
        self.n_lines
    }

    /// The sentences of a single file's content.
    #[cfg(fuzzing)]
    pub(crate) fn of_bytes(bytes: Vec<u8>, is_gzip: bool, layout: Layout) -> Self {
        let bytes = io::Cursor::new(bytes);
        let reader: Box<dyn BufRead + Send> = match is_gzip {
            true => Box::new(BufReader::new(MultiGzDecoder::new(bytes))),
            false => Box::new(bytes),
        };
        let open = Open { path: "fuzzed".into(), reader, is_gzip, record: BEFORE_RECORD };
        Self { open: Some(open), ..Self::new(&[], layout) }
    }

    fn open_next(&mut self) -> Result<bool, DataError> {
        let Some(path) = self.files.pop_front() else { return Ok(false) };
        let file =
            File::open(&path).map_err(|source| DataError::Read { path: path.clone(), source })?;
        let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
        let reader: Box<dyn BufRead + Send> = match is_gzip {
            true => Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file)))),
            false => Box::new(BufReader::new(file)),
        };
        self.open = Some(Open { path, reader, is_gzip, record: BEFORE_RECORD });
        Ok(true)
    }

    fn next_line(&mut self) -> Result<Option<String>, DataError> {
        loop {
            if self.open.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(open) = &mut self.open else { continue };
            match open.line()? {
                None => self.open = None,
                Some(line) => {
                    self.n_lines += 1;
                    let is_text = !self.is_web || open.is_sentence(&line);
                    let line = line.trim_start_matches('\u{feff}').trim();
                    if is_text && !line.is_empty() {
                        return Ok(Some(line.to_owned()));
                    }
                }
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Result<String, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

impl Open {
    /// The next line with its end, or nothing at the end of the file.
    fn line(&mut self) -> Result<Option<String>, DataError> {
        let mut bytes = Vec::new();
        let mut limited = (&mut self.reader).take(MAX_LINE_BYTES);
        let found = limited.read_until(b'\n', &mut bytes).map_err(|source| {
            let path = self.path.clone();
            let is_damage = self.is_gzip
                && matches!(
                    source.kind(),
                    io::ErrorKind::InvalidInput
                        | io::ErrorKind::InvalidData
                        | io::ErrorKind::UnexpectedEof
                );
            if is_damage {
                DataError::Gzip { path, source }
            } else {
                DataError::Read { path, source }
            }
        })?;
        if found == 0 {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Goes on in a web archive by a line, and says whether it is a sentence: one of a record of
    /// type `conversion`, with some words.
    ///
    /// A record is a header, an empty line, and as many bytes as the header says; lines that are no
    /// UTF-8 may count a few bytes more than they had, which the next record's header mends.
    fn is_sentence(&mut self, line: &str) -> bool {
        let text = line.trim_end();
        if text.starts_with("WARC/1.") {
            self.record = BEFORE_RECORD;
            return false;
        }
        match &mut self.record {
            Record::Header { n_bytes, is_text } => {
                if let Some((name, value)) = text.split_once(':') {
                    let value = value.trim();
                    match name.to_ascii_lowercase().as_str() {
                        "content-length" => *n_bytes = value.parse().unwrap_or(0),
                        "warc-type" => *is_text = value == "conversion",
                        _ => {}
                    }
                } else if text.is_empty() {
                    let (n_bytes, is_text) = (*n_bytes, *is_text);
                    self.record = Record::Content { n_bytes, is_text };
                }
                false
            }
            Record::Content { n_bytes, is_text } => {
                let is_inside = *n_bytes > 0;
                *n_bytes = n_bytes.saturating_sub(line.len() as u64);
                is_inside && *is_text && text.split_whitespace().count() >= MIN_WEB_WORDS
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::testing::gzip;

    fn lines(layout: Layout, contents: &[(&str, &[u8])]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, content) in contents {
            fs::write(path(name), content).unwrap();
        }
        let files: Vec<PathBuf> = contents.iter().map(|(name, _)| path(name)).collect();
        Lines::new(&files, layout).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn lines_of_all_files_follow_each_other() {
        let zipped = gzip(b"fourth\n\n  \nfifth");
        let contents: [(&str, &[u8]); 2] =
            [("a.txt", b"\xef\xbb\xbffirst\r\n second \n\nth\xffird"), ("b.txt.gz", &zipped)];
        let expected = ["first", "second", "th\u{fffd}ird", "fourth", "fifth"];
        assert_eq!(lines(Layout::Text, &contents), expected);
    }

    #[test]
    fn empty_lines_count_as_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "first\n\n \nfourth").unwrap();
        let mut lines = Lines::new(&[path.clone(), path], Layout::Text);
        assert_eq!((lines.by_ref().count(), lines.n_lines()), (4, 8));
    }

    #[test]
    fn a_line_without_end_is_cut_and_not_held_whole() {
        let long = vec![b'x'; (2 << 20) + 5];
        let lengths: Vec<usize> =
            lines(Layout::Text, &[("a.txt", &long)]).iter().map(String::len).collect();
        assert_eq!(lengths, [1 << 20, 1 << 20, 5]);
    }

    #[test]
    fn damage_is_told_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt.gz");
        let zipped = gzip(b"some words of text to be cut\n");
        fs::write(&path, &zipped[..zipped.len() - 6]).unwrap();
        let all: Result<Vec<String>, DataError> = Lines::new(&[path], Layout::Text).collect();
        let message = all.unwrap_err().to_string();
        assert!(message.contains("a.txt.gz: gzip data is damaged"), "{message}");
        let absent = Path::new("absent.txt").to_owned();
        let error = Lines::new(&[absent], Layout::Text).next().unwrap().unwrap_err();
        assert!(matches!(error, DataError::Read { .. }), "{error}");
    }

    #[test]
    fn a_web_archive_gives_the_sentences_of_its_pages() {
        let info = "this is about the archive itself\r\n";
        let page = "Menu\r\nThe quick brown fox jumps over.\r\nNever: a header, but a long line.\n";
        let record = |kind: &str, content: &str| {
            format!(
                "WARC/1.0\r\nWARC-Type: {kind}\r\nContent-Length: {}\r\n\r\n{content}\r\n\r\n",
                content.len()
            )
        };
        let archive = [record("warcinfo", info), record("conversion", page)].concat();
        let expected = ["The quick brown fox jumps over.", "Never: a header, but a long line."];
        assert_eq!(lines(Layout::Wet, &[("a.wet", archive.as_bytes())]), expected);
    }
}
