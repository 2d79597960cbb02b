//! The order in which a trial sees the training set: shuffled epochs without a stored shuffle; and
//! draws apart from that order, for measurements.

use crate::random::{Purpose, philox4x32};

/// Rounds of the Feistel network, each with a random key of its own; four give a pseudo-random
/// permutation of a large domain, small ones need more.
const N_ROUNDS: usize = 8;

/// Halves of fewer bits leave the permutation visibly uneven.
const MIN_HALF_BITS: u32 = 4;

/// Index of the example at `position` of the given epoch's order over `n` examples.
///
/// For each key and epoch this is a permutation of `0..n`, computed point by point: a balanced
/// Feistel network over the smallest power of four (at least 256) that holds `n`, walked along its cycle until
/// it lands below `n` (Black and Rogaway 2002). So the device needs no index list and any lane
/// can start anywhere.
///
/// `position` must be below `n`, and `n` at most 2^30. The same function is in
/// `wgsl/sampling.wgsl`.
pub fn shuffled_index(key: [u32; 2], epoch: u32, position: u32, n: u32) -> u32 {
    let half_bits = half_bits(n);
    let mask = (1 << half_bits) - 1;
    let mut round_keys = [0; N_ROUNDS];
    for (half, block) in round_keys.as_chunks_mut::<4>().0.iter_mut().zip(0..) {
        *half = philox4x32(key, [epoch, block, Purpose::Shuffle as u32, 0]);
    }
    let mut index = position;
    loop {
        let mut left = index >> half_bits;
        let mut right = index & mask;
        for round_key in round_keys {
            (left, right) = (right, left ^ (mix(right ^ round_key) & mask));
        }
        index = left << half_bits | right;
        if index < n {
            return index;
        }
    }
}

/// Index of the example of the given draw out of `n`, uniform and with replacement.
///
/// Each training step has a stream of draws of its own, which no epoch's order shares. The upper
/// half of `bits n` has the least bias without rejection: no example's probability is off by more
/// than `n / 2^32` of itself.
///
/// `n` must be at most 2^30. The same function is in `wgsl/sampling.wgsl`.
pub fn drawn_index(key: [u32; 2], step: u32, draw: u32, n: u32) -> u32 {
    let bits = philox4x32(key, [draw / 4, step, Purpose::Draw as u32, 0])[draw as usize % 4];
    ((u64::from(bits) * u64::from(n)) >> 32) as u32
}

/// Half the bits of the smallest domain that holds `n`.
pub(crate) fn half_bits(n: u32) -> u32 {
    let bits = u32::BITS - n.saturating_sub(1).leading_zeros();
    bits.div_ceil(2).max(MIN_HALF_BITS)
}

/// A 32-bit finaliser with low bias (Wellons 2018, "lowbias32").
fn mix(value: u32) -> u32 {
    let mut x = value;
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_is_a_permutation() {
        for n in [1, 2, 3, 5, 16, 17, 1000, 4000] {
            for epoch in 0..3 {
                let mut seen = vec![false; n as usize];
                for position in 0..n {
                    let index = shuffled_index([7, 9], epoch, position, n);
                    assert!(!std::mem::replace(&mut seen[index as usize], true), "index twice");
                }
                assert!(seen.iter().all(|&seen| seen), "n = {n}, epoch {epoch}");
            }
        }
    }

    /// Chi-squared over (position, index) cells and over pairs of neighbours, many keys; ten equal
    /// parts of the positions and of the indices make the cells.
    #[test]
    fn orders_are_uniform() {
        for (n, n_keys) in [(10, 40_000), (1000, 400), (4000, 100)] {
            let part = |index: u32| (index * 10 / n) as usize;
            let mut cells = [0.0; 100];
            let mut neighbours = [0.0; 100];
            for key in 0..n_keys {
                let order: Vec<u32> =
                    (0..n).map(|p| shuffled_index([key, 3], key % 7, p, n)).collect();
                for (position, &index) in (0..n).zip(&order) {
                    cells[part(position) * 10 + part(index)] += 1.0;
                    let next = order[((position + 1) % n) as usize];
                    neighbours[part(index) * 10 + part(next)] += 1.0;
                }
            }
            // 81 degrees of freedom at most: mean 81, standard deviation 12.7; five of them.
            let statistic = chi_squared(&cells, &[f64::from(n_keys * n) / 100.0; 100]);
            assert!(statistic < 145.0, "n = {n}, positions: chi squared {statistic}");
            let total = f64::from(n_keys * n);
            let (size, pairs) = (f64::from(n) / 10.0, f64::from(n) * f64::from(n - 1));
            let expected: [f64; 100] = std::array::from_fn(|cell| {
                let same = if cell / 10 == cell % 10 { size } else { 0.0 };
                total * (size * size - same) / pairs
            });
            let statistic = chi_squared(&neighbours, &expected);
            assert!(statistic < 150.0, "n = {n}, neighbours: chi squared {statistic}");
        }
    }

    /// Chi-squared over examples and over pairs of neighbouring draws, of many steps and keys.
    #[test]
    fn draws_are_uniform_and_independent() {
        const N: u32 = 10;
        let (mut counts, mut pairs) = ([0.0; 10], [0.0; 100]);
        let n_streams = 2000;
        for stream in 0..n_streams {
            let draws: Vec<usize> = (0..101)
                .map(|draw| drawn_index([stream % 50, 3], stream / 50, draw, N) as usize)
                .collect();
            draws[..100].iter().for_each(|&index| counts[index] += 1.0);
            draws.windows(2).for_each(|pair| pairs[pair[0] * 10 + pair[1]] += 1.0);
        }
        let n_draws = f64::from(n_streams) * 100.0;
        // Means 9 and 99, standard deviations 4.2 and 14.1; five of them.
        let statistic = chi_squared(&counts, &[n_draws / 10.0; 10]);
        assert!(statistic < 31.0, "examples: chi squared {statistic}");
        let statistic = chi_squared(&pairs, &[n_draws / 100.0; 100]);
        assert!(statistic < 170.0, "neighbours: chi squared {statistic}");
    }

    #[test]
    fn draws_reach_every_example_and_differ_between_steps() {
        for n in [1, 2, 7, 1 << 30] {
            assert!((0..1000).all(|draw| drawn_index([1, 2], 3, draw, n) < n), "n = {n}");
        }
        let draws = |step| -> Vec<u32> {
            (0..1000).map(|draw| drawn_index([1, 2], step, draw, 1000)).collect()
        };
        let n_same = draws(0).iter().zip(draws(1)).filter(|(a, b)| *a == b).count();
        assert!(n_same < 10, "{n_same} of 1000 draws agree, 1 is expected");
    }

    fn chi_squared(counts: &[f64], expected: &[f64]) -> f64 {
        let term = |(&count, &mean): (&f64, &f64)| {
            if mean > 0.0 { (count - mean).powi(2) / mean } else { count }
        };
        counts.iter().zip(expected).map(term).sum()
    }

    #[test]
    fn epochs_and_keys_differ() {
        let order = |key, epoch| -> Vec<u32> {
            (0..1000).map(|p| shuffled_index(key, epoch, p, 1000)).collect()
        };
        let first = order([1, 2], 0);
        for other in [order([1, 2], 1), order([1, 3], 0), order([2, 2], 0)] {
            let fixed = first.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!(fixed < 10, "{fixed} of 1000 positions agree, 1 is expected");
        }
    }
}
