//! Which examples go to which split: fixed for ever, on every platform, by a hash.
//!
//! Example `i` of data set `name` gets the key SHA-256("critbatch-data split 1: `name`" followed
//! by `i` as a little-endian `u64`). The examples sorted by key are a permutation; the first part
//! takes the first ones, the next part the following ones, and so on. Inside a part the examples
//! stand in their original order, so that a part is a set: whoever trains chooses an order.
//!
//! A hash and not a random number generator, because its definition cannot change under us and
//! ten lines of any language repeat it (`tests/fixtures/golden.py`).

use sha2::{Digest, Sha256};

/// Name of the rule, hashed before the data set's name; another rule gets another number.
pub(crate) const RULE: &str = "critbatch-data split 1";

/// Cuts `0..sizes.sum()` into parts of the given sizes; each part's indices ascend.
pub(crate) fn partition<const N_PARTS: usize>(
    name: &str,
    sizes: [usize; N_PARTS],
) -> [Vec<usize>; N_PARTS] {
    let n_examples = sizes.iter().sum();
    let seed = Sha256::new_with_prefix(format!("{RULE}: {name}"));
    let mut keyed: Vec<([u8; 32], usize)> = (0..n_examples)
        .map(|index| {
            let key = seed.clone().chain_update((index as u64).to_le_bytes()).finalize();
            (key.into(), index)
        })
        .collect();
    keyed.sort_unstable();
    let mut permutation = keyed.into_iter().map(|(_, index)| index);
    sizes.map(|size| {
        let mut part: Vec<usize> = permutation.by_ref().take(size).collect();
        part.sort_unstable();
        part
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::hexadecimal;

    fn hash(part: &[usize]) -> String {
        let bytes: Vec<u8> = part.iter().flat_map(|&index| (index as u64).to_le_bytes()).collect();
        hexadecimal(&Sha256::digest(bytes))
    }

    /// Goldens from `tests/fixtures/golden.py`, which shares no code with us.
    #[test]
    fn splits_are_the_ones_of_all_earlier_versions() {
        let [validation, train] = partition("mnist", [5_000, 55_000]);
        assert_eq!(validation[..4], [8, 15, 29, 125]);
        assert_eq!(
            [hash(&validation), hash(&train)],
            [
                "ce95f217fa6a354de737b5144a49b81d629f81d8ee0000d9ea1c31f0528cd610",
                "106d61778f324c6198ffc8bb30a494377ee9c44acd37bde40b1c202aff16d93b"
            ]
        );
        let [validation, train] = partition("fashion_mnist", [5_000, 55_000]);
        assert_eq!(
            [hash(&validation), hash(&train)],
            [
                "04c94a6f4c986785217ef958a6d99b43422223be060b7c51367ccac3a960e460",
                "f13fb18b05d6c6c7ae85e9472291371c5870482f3c5a5195838b999eb28921fd"
            ]
        );
        let [validation, train] = partition("cifar_10", [5_000, 45_000]);
        assert_eq!(
            [hash(&validation), hash(&train)],
            [
                "1e344608ee1de49ebda3a8c7817ddadbe2c938a4f4a1d6e4b36fd955aec0fd00",
                "881b3ecab6d4eda4f26476aacdaaded74ca3802488210b22a380da2a972f06df"
            ]
        );
        let [validation, test, train] = partition("mnist_5k", [500, 500, 4_000]);
        assert_eq!(
            [hash(&validation), hash(&test), hash(&train)],
            [
                "f529aacad8f490a052470acbd1ea922216a02a75d2349181a648ad9703196197",
                "a3e1624d5c6aa5497f3627e79354d0e0e10a79a47f9f3d3f2582e95b371fda12",
                "5a68db469d11f2eb6e2ebcd4e431bd8dc6f54898a825fa6dbfffc7eadad0cc77"
            ]
        );
    }

    /// 60,000 examples sorted by class, the worst case for a split that only looks random: each
    /// class's share of the validation set is hypergeometric with mean 500 and standard deviation
    /// sqrt(5000 * 0.1 * 0.9 * 55000 / 59999) = 20.3.
    #[test]
    fn classes_keep_their_shares() {
        for name in ["mnist", "fashion_mnist"] {
            let [validation, _] = partition(name, [5_000, 55_000]);
            for class in 0..10 {
                let count = validation.iter().filter(|&&index| index / 6_000 == class).count();
                assert!(count.abs_diff(500) < 4 * 21, "{name}: {count} of class {class}");
            }
        }
    }

    proptest! {
        #[test]
        fn parts_are_ascending_disjoint_and_cover_everything(
            name in "[a-z_]{0,8}", sizes in proptest::array::uniform3(0_usize..60)
        ) {
            let parts = partition(&name, sizes);
            for (part, size) in parts.iter().zip(sizes) {
                prop_assert_eq!(part.len(), size);
                prop_assert!(part.is_sorted_by(|a, b| a < b));
            }
            let mut all = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..sizes.iter().sum()).collect::<Vec<_>>());
        }
    }
}
