//! Bytes of one file, decompressed, never more of them than asked for.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::DataError;

/// Decompressed bytes of a file, with its path for messages.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// Reads a plain or a gzip-compressed (`.gz`) file whose content should have `limit_bytes`.
pub(crate) fn read_file(path: &Path, limit_bytes: usize) -> Result<Content, DataError> {
    let file =
        File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        read_gzip(path, BufReader::new(file), limit_bytes)
    } else {
        read_limited(file, limit_bytes).map_or_else(
            |source| Err(DataError::Read { path: path.to_owned(), source }),
            |bytes| check_limit(path, bytes, limit_bytes),
        )
    }
}

/// Decompresses bytes whose content should have `limit_bytes`; `path` is for messages.
pub(crate) fn read_gzip(
    path: &Path,
    compressed: impl io::BufRead,
    limit_bytes: usize,
) -> Result<Content, DataError> {
    let bytes = read_limited(MultiGzDecoder::new(compressed), limit_bytes).map_err(|source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidData
            | io::ErrorKind::UnexpectedEof => DataError::Gzip { path, source },
            _ => DataError::Read { path, source },
        }
    })?;
    check_limit(path, bytes, limit_bytes)
}

/// Reads one byte past the limit at most: enough to know that the content is too long, and to
/// have the decompressor check its own checksum at the end of a content that is not.
fn read_limited(reader: impl Read, limit_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take((limit_bytes as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn check_limit(path: &Path, bytes: Vec<u8>, limit_bytes: usize) -> Result<Content, DataError> {
    if bytes.len() > limit_bytes {
        return Err(DataError::TooLong { path: path.to_owned(), limit_bytes });
    }
    Ok(Content { path: path.to_owned(), bytes })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::gzip;

    fn decompress(compressed: &[u8], limit_bytes: usize) -> Result<Vec<u8>, DataError> {
        read_gzip(Path::new("a.gz"), compressed, limit_bytes).map(|content| content.bytes)
    }

    #[test]
    fn an_endless_reader_is_left_after_one_byte_too_many() {
        assert_eq!(read_limited(io::repeat(1), 1000).unwrap().len(), 1001);
    }

    #[test]
    fn a_gzip_bomb_stops_at_the_limit() {
        let bomb = gzip(&vec![0; 1 << 24]);
        assert_eq!(
            decompress(&bomb, 1000).unwrap_err().to_string(),
            "a.gz: holds more than the expected 1000 bytes; it is another file or has bytes added at its end"
        );
    }

    #[test]
    fn content_of_exactly_the_limit_is_read() {
        assert_eq!(decompress(&gzip(&[3; 1000]), 1000).unwrap(), [3; 1000]);
    }

    #[test]
    fn members_are_joined_and_anything_else_after_them_is_damage() {
        let two_members = [gzip(b"idx "), gzip(b"file")].concat();
        assert_eq!(decompress(&two_members, 100).unwrap(), b"idx file");
        let with_garbage = [gzip(b"idx file"), b"0123456789".to_vec()].concat();
        let error = decompress(&with_garbage, 100).unwrap_err();
        assert!(matches!(error, DataError::Gzip { .. }), "{error}");
    }

    #[test]
    fn every_truncation_of_a_gzip_is_damage() {
        let compressed = gzip(b"two zero bytes, a type byte");
        for len in 1..compressed.len() {
            let error = decompress(&compressed[..len], 100).unwrap_err();
            assert!(matches!(error, DataError::Gzip { .. }), "{len}: {error}");
        }
    }

    #[test]
    fn a_flipped_bit_in_data_or_trailer_is_damage() {
        let compressed = gzip(b"two zero bytes, a type byte");
        // Before byte 10 lie header fields that do not change the content, such as the time.
        for bit in 8 * 10..8 * compressed.len() {
            let mut damaged = compressed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let error = decompress(&damaged, 100).unwrap_err();
            assert!(
                matches!(error, DataError::Gzip { .. } | DataError::TooLong { .. }),
                "{bit}: {error}"
            );
        }
    }

    #[test]
    fn a_plain_file_under_a_gz_name_is_damage_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.gz");
        std::fs::write(&path, b"plain text").unwrap();
        let error = read_file(&path, 100).unwrap_err().to_string();
        assert!(error.contains("b.gz: gzip data is damaged: "), "{error}");
    }

    #[test]
    fn a_missing_file_and_a_folder_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("absent"), folder.path().to_owned()] {
            let error = read_file(&path, 100).unwrap_err();
            assert!(matches!(error, DataError::Read { .. }), "{error}");
        }
    }

    proptest! {
        #[test]
        fn compressed_bytes_read_back(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decompress(&gzip(&content), 300).unwrap(), content);
        }

        #[test]
        fn arbitrary_bytes_never_panic_nor_exceed_the_limit(
            compressed in proptest::collection::vec(any::<u8>(), 0..300), limit in 0_usize..50
        ) {
            // A right header in front takes the bytes past the first check.
            let with_header = [&gzip(b"")[..10], &compressed].concat();
            for input in [compressed, with_header] {
                if let Ok(content) = decompress(&input, limit) {
                    prop_assert!(content.len() <= limit);
                }
            }
        }
    }
}
