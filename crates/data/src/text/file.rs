//! Rows of tokens in a file that is mapped into memory.
//!
//! # Format
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | magic, `CBTOKENS` |
//! | payload | the rows of each part, one after another |
//! | footer | JSON: version, key, parts, vocabulary, SHA-256 of the payload, tokenizer |
//! | 8 | bytes of the footer, little-endian |
//!
//! The key is the SHA-256 of everything that the rows are a function of: the corpus's description and
//! path, size and time of change of each source file. What is said of trust in `cache.rs` holds here
//! too; whatever does not check is made anew.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Sentences, TextDataset, row_bytes};
use crate::cache::map;
use crate::load::hexadecimal;

const MAGIC: [u8; 8] = *b"CBTOKENS";

/// Version of the file's format and of how rows are made.
pub(crate) const VERSION: u32 = 1;

/// Bytes of the number at the end.
const LEN_BYTES: usize = size_of::<u64>();

/// What a part of the file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PartOf {
    Train,
    Validation,
    Test,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    of: PartOf,
    length: usize,
    n_rows: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Footer {
    version: u32,
    key: String,
    vocabulary: usize,
    parts: Vec<Part>,
    sha256: String,
    tokenizer: serde_json::Value,
}

/// Why a file was not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Miss {
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("it is not a file of tokens, or not a whole one")]
    Foreign,
    #[error("it has another version, or was made from other source files, or those have changed")]
    Source,
    #[error("its content does not have the sha-256 that it says")]
    Digest,
}

/// Writes rows, part by part.
pub(crate) struct TokenWriter<'f> {
    writer: BufWriter<&'f mut File>,
    digest: Sha256,
    parts: Vec<Part>,
}

impl<'f> TokenWriter<'f> {
    pub(crate) fn new(file: &'f mut File) -> io::Result<Self> {
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        writer.write_all(&MAGIC)?;
        Ok(Self { writer, digest: Sha256::new(), parts: vec![] })
    }

    /// Rows that follow belong to another part.
    pub(crate) fn begin(&mut self, of: PartOf, length: usize) {
        self.parts.push(Part { of, length, n_rows: 0 });
    }

    /// Appends whole rows to the part.
    pub(crate) fn push(&mut self, rows: &[u8]) -> io::Result<()> {
        let part = self.parts.last_mut().expect("a part has begun");
        part.n_rows += rows.len() / row_bytes(part.length);
        self.digest.update(rows);
        self.writer.write_all(rows)
    }

    /// Ends the file.
    pub(crate) fn finish(
        mut self,
        key: &[u8],
        vocabulary: usize,
        tokenizer: &str,
    ) -> io::Result<()> {
        let footer = Footer {
            version: VERSION,
            key: hexadecimal(key),
            vocabulary,
            parts: self.parts,
            sha256: hexadecimal(&self.digest.finalize()),
            tokenizer: serde_json::from_str(tokenizer)?,
        };
        let footer = serde_json::to_vec(&footer)?;
        self.writer.write_all(&footer)?;
        self.writer.write_all(&(footer.len() as u64).to_le_bytes())?;
        self.writer.flush()
    }
}

/// The corpus of a file, mapped into memory.
pub(crate) fn open(file: &mut File, name: &'static str, key: &[u8]) -> Result<TextDataset, Miss> {
    if file.seek(SeekFrom::End(0))? < (MAGIC.len() + LEN_BYTES) as u64 {
        return Err(Miss::Foreign);
    }
    let content = map(file)?;
    let (content_start, end) = content.split_at(content.len() - LEN_BYTES);
    let footer_len = u64::from_le_bytes(end.try_into().expect("eight bytes"));
    let footer_len = usize::try_from(footer_len).map_err(|_| Miss::Foreign)?;
    let payload_end = content_start.len().checked_sub(footer_len).ok_or(Miss::Foreign)?;
    let (start, footer) = content_start.split_at(payload_end);
    let payload = start.strip_prefix(&MAGIC).ok_or(Miss::Foreign)?;
    let footer: Footer = serde_json::from_slice(footer).map_err(|_| Miss::Foreign)?;
    if footer.version != VERSION || footer.key != hexadecimal(key) {
        return Err(Miss::Source);
    }
    let bytes = |part: &Part| part.n_rows.checked_mul(row_bytes(part.length));
    let declared = footer.parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(bytes(part)?));
    if declared != Some(payload.len()) {
        return Err(Miss::Foreign);
    }
    if hexadecimal(&Sha256::digest(payload)) != footer.sha256 {
        return Err(Miss::Digest);
    }
    Ok(dataset(name, &footer, &content.slice(MAGIC.len()..payload_end)))
}

/// Cuts the payload, whose length was checked.
fn dataset(name: &'static str, footer: &Footer, payload: &Bytes) -> TextDataset {
    let mut start = 0;
    let mut of = |wanted: PartOf| -> Vec<Sentences> {
        let mut found = vec![];
        start = 0;
        for part in &footer.parts {
            let end = start + part.n_rows * row_bytes(part.length);
            if part.of == wanted {
                found.push(Sentences::new(part.length, payload.slice(start..end)));
            }
            start = end;
        }
        found
    };
    let train = of(PartOf::Train).into_iter().next();
    TextDataset {
        name,
        vocabulary: footer.vocabulary,
        train: train.unwrap_or_else(|| Sentences::new(1, Bytes::new())),
        validation: of(PartOf::Validation),
        test: of(PartOf::Test),
        digest: footer.sha256.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [1, 2, 3, 4];

    fn written() -> File {
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = TokenWriter::new(&mut file).unwrap();
        writer.begin(PartOf::Train, 1);
        writer.push(&[0, 0, 5, 0]).unwrap();
        writer.push(&[0, 0, 6, 0, 0, 0, 7, 0]).unwrap();
        writer.begin(PartOf::Validation, 2);
        writer.push(&[0, 0, 8, 0, 0, 0]).unwrap();
        writer.begin(PartOf::Validation, 3);
        writer.push(&[0, 0, 9, 0, 9, 0, 0, 0]).unwrap();
        writer.finish(&KEY, 10, "{\"a\": 1}").unwrap();
        file
    }

    #[test]
    fn parts_come_back() {
        let found = open(&mut written(), "text", &KEY).unwrap();
        assert_eq!((found.name, found.vocabulary), ("text", 10));
        assert_eq!((found.train.len(), found.train.length()), (3, 1));
        assert_eq!(found.train.rows()[4..8], [0, 0, 6, 0]);
        let lengths: Vec<usize> = found.validation.iter().map(Sentences::length).collect();
        assert_eq!(lengths, [2, 3]);
        assert_eq!(found.validation[1].rows()[..], [0, 0, 9, 0, 9, 0, 0, 0]);
        assert!(found.test.is_empty());
    }

    #[test]
    fn another_source_is_a_miss() {
        assert!(matches!(open(&mut written(), "text", &[9; 4]), Err(Miss::Source)));
    }

    #[test]
    fn every_truncation_and_every_changed_byte_is_noticed() {
        let mut file = written();
        let len = file.seek(SeekFrom::End(0)).unwrap();
        let content = map(&file).unwrap().to_vec();
        let opened = |bytes: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            open(&mut file, "text", &KEY)
        };
        for len in 0..len as usize {
            assert!(opened(&content[..len]).is_err(), "{len} bytes");
        }
        // Magic, payload and the footer's length; in the footer a changed byte may lie in the
        // tokenizer, which the rows do not need.
        let payload_end = MAGIC.len() + 12 + 6 + 8;
        for place in (0..payload_end).chain(content.len() - LEN_BYTES..content.len()) {
            let mut changed = content.clone();
            changed[place] ^= 1;
            assert!(opened(&changed).is_err(), "byte {place}");
        }
    }
}
