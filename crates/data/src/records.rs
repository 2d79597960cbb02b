//! Records of a label and an image: the binary version of CIFAR-10.
//!
//! Layout of a record: a label byte, then one plane for each channel, each row-major.
//! Source: Krizhevsky, "The CIFAR-10 dataset", section "Binary version".

use crate::error::DataError;
use crate::read::Content;

/// Bytes of a record.
pub(crate) fn record_len(example_shape: [usize; 3]) -> usize {
    1 + example_shape.iter().product::<usize>()
}

/// Whether a file, read no further than its right length, has so many records.
pub(crate) fn check_len(
    content: &Content,
    n_records: usize,
    example_shape: [usize; 3],
) -> Result<(), DataError> {
    let (found_bytes, record_bytes) = (content.bytes.len(), record_len(example_shape));
    if found_bytes == n_records * record_bytes {
        return Ok(());
    }
    let path = content.path.clone();
    Err(DataError::TruncatedRecords { path, found_bytes, n_records, record_bytes })
}

/// The labels of whole records.
pub(crate) fn labels(content: &[u8], example_shape: [usize; 3]) -> Vec<u8> {
    content.chunks_exact(record_len(example_shape)).map(|record| record[0]).collect()
}

/// Appends the images of whole records as `[height, width, channels]`.
pub(crate) fn append_pixels(content: &[u8], example_shape: [usize; 3], pixels: &mut Vec<u8>) {
    let [height, width, channels] = example_shape;
    let plane_len = height * width;
    for record in content.chunks_exact(record_len(example_shape)) {
        let planes = &record[1..];
        for pixel in 0..plane_len {
            pixels.extend((0..channels).map(|channel| planes[channel * plane_len + pixel]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two records of 1 x 2 pixels in 3 channels.
    const CONTENT: [u8; 14] = [7, 10, 11, 20, 21, 30, 31, 9, 40, 41, 50, 51, 60, 61];

    #[test]
    fn planes_become_channels_of_a_pixel() {
        assert_eq!(labels(&CONTENT, [1, 2, 3]), [7, 9]);
        let mut pixels = vec![1];
        append_pixels(&CONTENT, [1, 2, 3], &mut pixels);
        assert_eq!(pixels, [1, 10, 20, 30, 11, 21, 31, 40, 50, 60, 41, 51, 61]);
    }

    #[test]
    fn every_truncation_is_named() {
        for len in 0..CONTENT.len() {
            let content = Content { path: "batch.bin".into(), bytes: CONTENT[..len].to_vec() };
            assert_eq!(
                check_len(&content, 2, [1, 2, 3]).unwrap_err().to_string(),
                format!(
                    "batch.bin: holds {len} bytes, 2 records of 7 bytes each are 14; the file is truncated, fetch it again"
                )
            );
        }
        let content = Content { path: "batch.bin".into(), bytes: CONTENT.to_vec() };
        assert!(check_len(&content, 2, [1, 2, 3]).is_ok());
    }
}
