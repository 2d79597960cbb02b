//! What every bootstrap shares: counter-based random numbers and percentiles.

use crate::hash::{below, hash, unit};

/// Random numbers of one bootstrap: a pure function of seed, purpose and position, so that intervals
/// do not change with the order of computation or with what else is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws {
    key: u64,
}

impl Draws {
    pub(super) fn new(seed: u64, purpose: &str) -> Draws {
        let words: Vec<u64> = purpose.bytes().map(u64::from).chain([seed]).collect();
        Draws { key: hash(&words) }
    }

    /// Draws of their own for one of several alike, such as a study.
    pub(super) fn stream(self, stream: u64) -> Draws {
        Draws { key: hash(&[self.key, stream]) }
    }

    /// A number in [0, 1) for a resample and an item.
    pub(super) fn unit(self, resample: u64, item: u64) -> f64 {
        unit(hash(&[self.key, resample, item]))
    }

    /// Draws `n` indices below `n` with replacement.
    pub(super) fn indices(self, resample: u64, n: usize) -> impl Iterator<Item = usize> {
        (0..n as u64).map(move |item| below(hash(&[self.key, resample, item]), n as u64) as usize)
    }
}

/// The p-quantile of ascending values: the least value v with a share of at least p up to v.
/// `None` for no values.
pub(super) fn quantile<T: Copy>(ascending: &[T], probability: f64) -> Option<T> {
    let rank = least_rank(ascending.len(), probability);
    ascending.get(rank.min(ascending.len()).checked_sub(1)?).copied()
}

/// The least whole number k >= 1 with k / n >= share, where a share that is a multiple of 1 / n up
/// to rounding counts as that multiple.
pub(super) fn least_rank(n: usize, share: f64) -> usize {
    const ROUNDING: f64 = 1e-9;
    ((share * n as f64 - ROUNDING).ceil() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let values = [1, 2, 3, 4];
        let at = [0.0, 0.25, 0.26, 0.5, 0.75, 0.76, 1.0].map(|p| quantile(&values, p).unwrap());
        assert_eq!(at, [1, 1, 2, 2, 3, 4, 4]);
        assert_eq!(quantile::<u64>(&[], 0.5), None);
    }

    #[test]
    fn purposes_and_seeds_draw_apart() {
        let draws = [Draws::new(0, "a"), Draws::new(1, "a"), Draws::new(0, "b")];
        let units = draws.map(|draws| draws.unit(3, 4));
        assert!(units[0] != units[1] && units[0] != units[2]);
        let n = 1000;
        let mean = draws[0].indices(0, n).sum::<usize>() as f64 / n as f64;
        // Uniform on 0..1000: mean 499.5, standard deviation of the mean 9.1.
        assert!((mean - 499.5).abs() < 46.0, "{mean}");
        assert!(draws[0].indices(1, 3).all(|index| index < 3));
    }
}
