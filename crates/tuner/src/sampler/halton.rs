//! Scrambled Halton points.
//!
//! # Equation
//!
//! In dimension d with base b (the d-th prime), index i = sum over k of i_k b^k has the coordinate
//!
//! ```text
//! u = sum over k >= 0 of pi[d][k](i_k) b^-(k+1)
//! ```
//!
//! with an independent random permutation pi[d][k] of the digits for every dimension and digit
//! position. All digits of i beyond its last are 0, and pi maps them to random digits as well:
//! positions are summed until they no longer change an `f64`. So every point is uniform in [0, 1).
//!
//! The permutations hold a random shift, modulo b in every digit. A shift of the sum modulo 1
//! besides would spoil the points: it carries between digits, after which intervals
//! [j b^-m, (j + 1) b^-m) no longer hold one point each (measured: 8 % more centred L2 discrepancy
//! at 25 points in 5 dimensions, 25 % more at 200 points in 4).
//!
//! # Source
//!
//! Halton 1960; random digit scrambling: Matousek, "On the L2-discrepancy for anchored boxes",
//! J. Complexity 14, 1998, and Owen, "A randomized Halton algorithm in R", 2017; its use for
//! metaparameters: Bousquet et al., "Critical hyper-parameters: no random, no cry", 2017. The
//! smallest primes matter: with bases near 1000 the first 100 points are no more even than
//! independent ones.

use crate::hash::{below, hash};

/// A sequence of points in the unit cube; point i is a pure function of (seed, i).
#[derive(Debug, Clone)]
pub struct Halton {
    dimensions: Vec<Dimension>,
}

#[derive(Debug, Clone)]
struct Dimension {
    base: u64,
    /// `[digit position][digit]`, least significant digit of the index first.
    permutations: Vec<Vec<u64>>,
}

impl Halton {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64, n_dimensions: usize) -> Halton {
        let bases = smallest_primes(n_dimensions);
        let dimension = |(index, base)| Dimension::new(seed, index, base);
        Halton { dimensions: (0..).zip(bases).map(dimension).collect() }
    }

    /// Point `index`, one coordinate in [0, 1) per dimension.
    #[must_use]
    pub fn point(&self, index: u64) -> Vec<f64> {
        self.dimensions.iter().map(|dimension| dimension.coordinate(index)).collect()
    }
}

impl Dimension {
    fn new(seed: u64, dimension_index: u64, base: u64) -> Dimension {
        // b^-n < 2^-54: further digits change no f64 in [0, 1) by more than its rounding.
        let n_positions = (54.0 / (base as f64).log2()).ceil() as u64;
        let permutation = |position| permutation(&[seed, dimension_index, position], base);
        Dimension { base, permutations: (0..n_positions).map(permutation).collect() }
    }

    fn coordinate(&self, index: u64) -> f64 {
        let mut rest = index;
        let digits: Vec<u64> = self
            .permutations
            .iter()
            .map(|permutation| {
                let digit = rest % self.base;
                rest /= self.base;
                permutation[digit as usize]
            })
            .collect();
        // From the smallest term up, so that each addition rounds as little as possible.
        let sum = |fraction, digit: &u64| (fraction + *digit as f64) / self.base as f64;
        below_one(digits.iter().rev().fold(0.0, sum))
    }
}

/// Rounding may give 1 where the exact number is below it.
fn below_one(u: f64) -> f64 {
    u.min(1.0 - f64::EPSILON / 2.0)
}

/// A uniformly random order of 0..n (Fisher and Yates).
fn permutation(key: &[u64; 3], n: u64) -> Vec<u64> {
    let mut order: Vec<u64> = (0..n).collect();
    for last in (1..n).rev() {
        let [seed, dimension_index, position] = *key;
        let chosen = below(hash(&[seed, dimension_index, position, last]), last + 1);
        order.swap(last as usize, chosen as usize);
    }
    order
}

fn smallest_primes(n: usize) -> Vec<u64> {
    let mut primes: Vec<u64> = Vec::with_capacity(n);
    let mut candidate = 2;
    while primes.len() < n {
        if primes.iter().all(|prime| candidate % prime != 0) {
            primes.push(candidate);
        }
        candidate += 1;
    }
    primes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_the_smallest_primes() {
        assert_eq!(smallest_primes(8), [2, 3, 5, 7, 11, 13, 17, 19]);
    }

    #[test]
    fn first_points_hit_every_bin_once() {
        for seed in 0..10 {
            for (dimension_index, base) in [2_u64, 3, 5, 7].into_iter().enumerate() {
                let dimension = Dimension::new(seed, dimension_index as u64, base);
                for n_bins in [base, base.pow(2), base.pow(3)] {
                    let mut bins: Vec<u64> = (0..n_bins)
                        .map(|index| (dimension.coordinate(index) * n_bins as f64) as u64)
                        .collect();
                    bins.sort_unstable();
                    assert_eq!(bins, (0..n_bins).collect::<Vec<_>>(), "base {base}, seed {seed}");
                }
            }
        }
    }

    #[test]
    fn zeros_beyond_the_last_digit_are_scrambled() {
        // Index 0 is all zeros; unscrambled zeros would put it on a multiple of 1 / b.
        let values: Vec<f64> =
            (0..200).map(|seed| Dimension::new(seed, 0, 2).coordinate(0)).collect();
        let mean = values.iter().sum::<f64>() / 200.0;
        assert!((mean - 0.5).abs() < 0.1, "{mean}");
        assert!(values.iter().all(|value| (value * 1024.0).fract() != 0.0));
    }

    #[test]
    fn digit_positions_have_their_own_permutations() {
        let dimension = Dimension::new(3, 4, 11);
        assert!(dimension.permutations.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
