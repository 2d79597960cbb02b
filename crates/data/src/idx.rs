//! The IDX format of MNIST: a header and a row-major array of unsigned bytes.
//!
//! Layout: two zero bytes, a type byte (0x08 for unsigned bytes), the number of dimensions, each
//! dimension as a big-endian `u32`, the elements.
//! Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", section
//! "FILE FORMATS".

use std::path::Path;

use crate::error::DataError;

const UNSIGNED_BYTE: u8 = 0x08;

/// Size in bytes of the header of an array of `n_dimensions`; the elements follow it.
pub(crate) const fn header_len(n_dimensions: usize) -> usize {
    4 + 4 * n_dimensions
}

/// Reads the dimensions out of the header and checks that exactly as many elements follow as it
/// declares. Allocates nothing on the word of the header. `path` is for messages.
pub(crate) fn parse<const N_DIMENSIONS: usize>(
    path: &Path,
    content: &[u8],
) -> Result<[usize; N_DIMENSIONS], DataError> {
    if let [first, second, ..] = *content
        && [first, second] != [0, 0]
    {
        return Err(DataError::NotIdx { path: path.to_owned(), found: [first, second] });
    }
    let truncated = || DataError::TruncatedHeader {
        path: path.to_owned(),
        found_bytes: content.len(),
        expected_bytes: header_len(N_DIMENSIONS),
        n_dimensions: N_DIMENSIONS,
    };
    let &[_, _, element_type, n_dimensions] = content.first_chunk().ok_or_else(truncated)?;
    if element_type != UNSIGNED_BYTE {
        return Err(DataError::ElementType { path: path.to_owned(), found: element_type });
    }
    if usize::from(n_dimensions) != N_DIMENSIONS {
        return Err(DataError::DimensionCount {
            path: path.to_owned(),
            found: n_dimensions,
            expected: N_DIMENSIONS,
        });
    }
    let elements = content.get(header_len(N_DIMENSIONS)..).ok_or_else(truncated)?;
    let (words, _) = content[4..header_len(N_DIMENSIONS)].as_chunks();
    let dimensions: Vec<u32> = words.iter().map(|word| u32::from_be_bytes(*word)).collect();
    check_len(path, &dimensions, elements.len())?;
    // No platform with files has a usize below 32 bits.
    Ok(std::array::from_fn(|axis| dimensions[axis] as usize))
}

fn check_len(path: &Path, dimensions: &[u32], found_bytes: usize) -> Result<(), DataError> {
    // Up to four dimensions of u32 the product fits; we read one and three.
    let declared_bytes: u128 = dimensions.iter().map(|&length| u128::from(length)).product();
    let path = || path.to_owned();
    let dimensions = || dimensions.to_vec();
    match (found_bytes as u128).cmp(&declared_bytes) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(DataError::Truncated {
            path: path(),
            dimensions: dimensions(),
            found_bytes,
            declared_bytes,
        }),
        std::cmp::Ordering::Greater => Err(DataError::TrailingBytes {
            path: path(),
            dimensions: dimensions(),
            found_bytes,
            declared_bytes,
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::idx_bytes;

    fn parse_3(content: &[u8]) -> Result<[usize; 3], DataError> {
        parse(Path::new("images"), content)
    }

    fn message(content: &[u8]) -> String {
        parse_3(content).unwrap_err().to_string()
    }

    #[test]
    fn dimensions_are_big_endian() {
        let mut content = vec![0, 0, 8, 1, 0, 0, 1, 2];
        content.extend([7; 258]);
        assert_eq!(parse::<1>(Path::new("labels"), &content).unwrap(), [258]);
    }

    #[test]
    fn a_wrong_start_is_named() {
        assert_eq!(
            message(b"\x1f\x8b"),
            "images: starts with bytes [1f, 8b], an idx file starts with [00, 00]; it is not an idx file"
        );
    }

    #[test]
    fn a_wrong_element_type_is_named() {
        assert_eq!(
            message(&[0, 0, 0x0d, 3]),
            "images: idx element type is 0x0d, expected 0x08 (unsigned byte)"
        );
    }

    #[test]
    fn labels_in_place_of_images_are_named() {
        assert_eq!(
            message(&idx_bytes(&[2], &[0, 1])),
            "images: idx header declares 1 dimensions, expected 3; images have 3 and labels 1, are the two files swapped?"
        );
    }

    #[test]
    fn every_prefix_is_truncated_and_every_extension_is_trailing() {
        let content = idx_bytes(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        for len in 0..header_len(3) {
            let error = parse_3(&content[..len]).unwrap_err();
            assert!(matches!(error, DataError::TruncatedHeader { .. }), "{len}: {error}");
        }
        for len in header_len(3)..content.len() {
            let error = parse_3(&content[..len]).unwrap_err();
            assert!(matches!(error, DataError::Truncated { .. }), "{len}: {error}");
        }
        let longer = [content.as_slice(), &[0]].concat();
        assert_eq!(
            message(&longer),
            "images: holds 7 bytes after the header, the header's dimensions [2, 1, 3] declare 6; there are trailing bytes, fetch the file again"
        );
    }

    #[test]
    fn the_largest_declaration_is_an_error_and_not_an_allocation() {
        let content = idx_bytes(&[u32::MAX; 3], &[0]);
        assert!(message(&content).contains("declare 79228162458924105385300197375"));
    }

    /// Mostly right headers, so that the bytes reach every check.
    fn nearly_idx() -> impl Strategy<Value = Vec<u8>> {
        let byte = |right: u8| prop_oneof![9 => Just(right), 1 => any::<u8>()];
        let dimension = prop_oneof![0..5_u32, any::<u32>()];
        (
            (byte(0), byte(0), byte(8), byte(3)),
            proptest::collection::vec(dimension, 0..4),
            proptest::collection::vec(any::<u8>(), 0..70),
        )
            .prop_map(|((first, second, element_type, n_dimensions), dimensions, body)| {
                let mut content = vec![first, second, element_type, n_dimensions];
                content.extend(dimensions.iter().flat_map(|length| length.to_be_bytes()));
                content.extend(body);
                content
            })
    }

    proptest! {
        #[test]
        fn what_is_accepted_writes_back_to_the_same_bytes(
            content in prop_oneof![nearly_idx(), proptest::collection::vec(any::<u8>(), 0..70)]
        ) {
            if let Ok(dimensions) = parse_3(&content) {
                let dimensions = dimensions.map(|length| u32::try_from(length).unwrap());
                prop_assert_eq!(idx_bytes(&dimensions, &content[header_len(3)..]), content);
            }
        }

        #[test]
        fn what_is_written_reads_back(
            dimensions in proptest::array::uniform3(0..6_u32), seed in any::<u8>()
        ) {
            let n_elements = dimensions.iter().product::<u32>() as usize;
            let elements: Vec<u8> = (0..n_elements).map(|i| (i as u8).wrapping_add(seed)).collect();
            let content = idx_bytes(&dimensions, &elements);
            prop_assert_eq!(parse_3(&content).unwrap(), dimensions.map(|length| length as usize));
            prop_assert_eq!(&content[header_len(3)..], &elements[..]);
        }
    }
}
