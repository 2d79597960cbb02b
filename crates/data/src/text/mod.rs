//! Text: sentences of a corpus as rows of tokens.
//!
//! A corpus is gone through as lines (`lines.rs`), each a sentence; `held_out.rs` says which of them
//! are evaluated on, `tokenizer.rs` learns a vocabulary from the others, `rows.rs` makes rows of one
//! length of their tokens, and `file.rs` keeps these in a file that is mapped into memory, so that a
//! corpus may be larger than it. `corpus.rs` knows the files of each corpus.

mod corpus;
mod file;
mod held_out;
mod lines;
mod load;
mod rows;
mod tokenizer;

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

pub(crate) use corpus::{Corpus, CorpusFiles, Layout, Long};
pub(crate) use file::VERSION;
#[cfg(fuzzing)]
pub(crate) use lines::Lines;
pub(crate) use load::{check_enough, check_sizes, count_lines, load_text};

/// What fills a row behind the end of its sentence.
pub const PADDING: u16 = u16::MAX;

/// Bytes of a token.
const TOKEN_BYTES: usize = size_of::<u16>();

/// A corpus as rows of tokens, which may lie in a memory-mapped file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextDataset {
    /// The name it was loaded by.
    pub name: &'static str,
    /// Tokens of the vocabulary. Token 0 stands before and behind every sentence.
    pub vocabulary: usize,
    /// What is trained on.
    pub train: Sentences,
    /// What goals are measured on, one part for each length of rows.
    pub validation: Vec<Sentences>,
    /// What is only reported, likewise; empty if there is none.
    pub test: Vec<Sentences>,
    /// SHA-256 of all rows, in hexadecimal.
    pub digest: String,
}

/// Sentences as rows of one length.
///
/// A row is `length + 1` tokens of 16 bits, little-endian: what comes before the first one to be
/// predicted, then those to be predicted, then [`PADDING`].
#[derive(Clone, PartialEq, Eq)]
pub struct Sentences {
    length: usize,
    rows: Bytes,
}

impl Sentences {
    /// Rows of `length` tokens to be predicted each.
    pub(crate) fn new(length: usize, rows: Bytes) -> Self {
        assert_eq!(rows.len() % row_bytes(length), 0, "whole rows");
        Self { length, rows }
    }

    /// Tokens to be predicted in a row at most.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// The rows, `[len, length + 1]` tokens, to be shared without a copy.
    #[must_use]
    pub fn rows(&self) -> &Bytes {
        &self.rows
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() / row_bytes(self.length)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first `n` rows, or all if there are fewer.
    #[must_use]
    pub fn first(&self, n: usize) -> Self {
        self.slice(0..n.min(self.len()))
    }

    /// The rows of a range, which share their memory with these.
    ///
    /// # Panics
    ///
    /// Where the range does not lie within the rows.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let [start, end] = [rows.start, rows.end].map(|row| row * row_bytes(self.length));
        Self { length: self.length, rows: self.rows.slice(start..end) }
    }

    /// Tokens to be predicted in all rows.
    #[must_use]
    pub fn n_labels(&self) -> usize {
        let of_row = |row: &[u8]| {
            let (tokens, _) = row[TOKEN_BYTES..].as_chunks::<TOKEN_BYTES>();
            tokens.iter().filter(|token| u16::from_le_bytes(**token) != PADDING).count()
        };
        self.rows.chunks_exact(row_bytes(self.length)).map(of_row).sum()
    }
}

impl fmt::Debug for Sentences {
    /// The shape: nobody reads a million tokens in a panic message.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sentences {{ rows: {}, length: {} }}", self.len(), self.length)
    }
}

fn row_bytes(length: usize) -> usize {
    (length + 1) * TOKEN_BYTES
}
