//! Independent uniform points: random search, which quasi-random points are measured against.

use crate::hash::{hash, unit};

/// A sequence of points in the unit cube; point i is a pure function of (seed, i).
#[derive(Debug, Clone)]
pub struct Uniform {
    seed: u64,
    n_dimensions: usize,
}

impl Uniform {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64, n_dimensions: usize) -> Uniform {
        Uniform { seed, n_dimensions }
    }

    /// Point `index`, one coordinate in [0, 1) per dimension.
    #[must_use]
    pub fn point(&self, index: u64) -> Vec<f64> {
        let coordinate = |dimension| unit(hash(&[self.seed, dimension as u64, index]));
        (0..self.n_dimensions).map(coordinate).collect()
    }
}
