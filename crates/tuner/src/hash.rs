//! Counter-based random numbers: a hash of what a number is for, so that no generator has a state.
//!
//! Each word goes through the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable
//! pseudorandom number generators", OOPSLA 2014, with Stafford's constants, variant 13).

/// 2^64 divided by the golden ratio, the increment of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Hash of a sequence of words; sequences that differ in a word or in their order differ.
pub(crate) fn hash(words: &[u64]) -> u64 {
    words.iter().fold(GOLDEN, |state, &word| mix(state.wrapping_add(GOLDEN) ^ mix(word ^ GOLDEN)))
}

/// The hash as a number in [0, 1), a multiple of 2^-53.
pub(crate) fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// The hash as an integer in [0, n), off uniform by less than n / 2^64.
pub(crate) fn below(hash: u64, n: u64) -> u64 {
    ((u128::from(hash) * u128::from(n)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_as_the_published_generator() {
        // First outputs of SplitMix64 seeded with 1234567, as listed at
        // https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
        let outputs: Vec<u64> =
            (1..=3_u64).map(|i| mix(1_234_567_u64.wrapping_add(GOLDEN.wrapping_mul(i)))).collect();
        let published =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(outputs, published);
    }

    #[test]
    fn order_length_and_words_matter() {
        let hashes = [hash(&[1, 2]), hash(&[2, 1]), hash(&[1, 2, 0]), hash(&[1, 3]), hash(&[])];
        for (i, a) in hashes.iter().enumerate() {
            assert!(hashes[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn units_and_integers_are_uniform() {
        let n = 20_000_u64;
        let mean = (0..n).map(|i| unit(hash(&[7, i]))).sum::<f64>() / n as f64;
        // Standard deviation of the mean is sqrt(1 / 12 / n) = 0.002; allow five of them.
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let mut counts = [0_u32; 7];
        (0..n).for_each(|i| counts[below(hash(&[8, i]), 7) as usize] += 1);
        // Expected 2857 each, standard deviation 49.
        assert!(counts.iter().all(|&count| (2600..3120).contains(&count)), "{counts:?}");
        assert_eq!(below(u64::MAX, 7), 6);
        assert!(unit(u64::MAX) < 1.0);
    }
}
