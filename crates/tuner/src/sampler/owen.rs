//! Owen's nested uniform scrambling in base 2, bit by bit and without a state.
//!
//! # Equation
//!
//! With x = 0.x_1 x_2 x_3 ... in binary, the scrambled number has the bits
//!
//! ```text
//! y_k = x_k xor r(x_1 .. x_(k-1))
//! ```
//!
//! where r is an independent fair bit for every prefix: all the bits before k decide whether bit k
//! is flipped. Points that share an elementary interval still do afterwards, so a digital net stays
//! one, and each point is uniform in [0, 1).
//!
//! # Source
//!
//! Owen, "Randomly permuted (t,m,s)-nets and (t,s)-sequences", 1995. The bits r come from a hash of
//! the prefix instead of a stored tree, as in Burley, "Practical hash-based Owen scrambling", JCGT
//! 9(4), 2020; a hash for each bit, where Burley trades exactness for speed.

use crate::hash::hash;

/// Bits of a scrambled number: as many as an `f64` in [0, 1) holds at even spacing.
const N_BITS: u32 = 53;

/// Scrambles the fraction `bits` / 2^64 with the permutations of `key`; gives a multiple of 2^-53
/// in [0, 1).
pub(super) fn scrambled(key: u64, bits: u64) -> f64 {
    // A 1 and the prefix behind it: the number of a node in the binary tree of prefixes.
    let node = |k: u32| (1_u64 << k) | bits.checked_shr(u64::BITS - k).unwrap_or(0);
    let flip = |k: u32| (hash(&[key, node(k)]) >> 63) << (N_BITS - 1 - k);
    let flips = (0..N_BITS).fold(0, |flips, k| flips | flip(k));
    ((bits >> (u64::BITS - N_BITS)) ^ flips) as f64 / (1_u64 << N_BITS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_elementary_interval_keeps_its_one_point() {
        for key in 0..20 {
            let mut bins: Vec<u64> =
                (0..256_u64).map(|i| (scrambled(key, i << 56) * 256.0) as u64).collect();
            bins.sort_unstable();
            assert_eq!(bins, (0..256).collect::<Vec<_>>(), "key {key}");
        }
    }

    #[test]
    fn prefixes_are_permuted_independently() {
        // Bit k + 1 of a number in each half: flipped in none, one or both of the halves, each in a
        // quarter, a half, a quarter of the keys. A digital shift would never flip just one.
        for k in [1, 2, 10, 30, 52] {
            let is_flipped = |key, half: u64| {
                let bit = scrambled(key, half << 63) * (1_u64 << (k + 1)) as f64;
                bit as u64 % 2 == 1
            };
            let n_one = (0..1000).filter(|&key| is_flipped(key, 0) != is_flipped(key, 1)).count();
            // Standard deviation 16; allow four of them.
            assert!((436..=564).contains(&n_one), "bit {k}: {n_one}");
        }
    }

    #[test]
    fn one_number_is_uniform_over_keys() {
        let n = 4096;
        let mut values: Vec<f64> = (0..n).map(|key| scrambled(key, 0x0123 << 50)).collect();
        values.sort_by(f64::total_cmp);
        let distance = |(i, value): (usize, &f64)| (value - (i as f64 + 0.5) / n as f64).abs();
        let largest = values.iter().enumerate().map(distance).fold(0.0, f64::max);
        // Kolmogorov and Smirnov: beyond 1.95 / sqrt(n) in one of a thousand.
        assert!(largest < 1.95 / (n as f64).sqrt(), "{largest}");
    }
}
