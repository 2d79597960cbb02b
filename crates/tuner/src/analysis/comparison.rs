//! Several experiments on one axis: curves relative to their own steps at a common batch size.
//!
//! # Source
//!
//! Shallue et al. 2019, figures 3 to 6: steps(B) / steps(B_norm).

use serde::Serialize;

use super::regimes::Regimes;
use super::uncertainty::StepsInterval;
use crate::record::Question;

/// Experiments side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// B_norm: where every normalised curve is 1; `None` where no batch size has a result in all.
    pub normalising_batch_size: Option<u64>,
    /// The experiments, in the order given.
    pub experiments: Vec<ComparedExperiment>,
}

/// One experiment of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedExperiment {
    /// Its name in the comparison.
    pub label: String,
    /// The goal and budget it is compared under.
    pub question: Question,
    /// Batch sizes with a result, ascending.
    pub points: Vec<ComparedPoint>,
    /// End of perfect scaling, maximum useful batch size, and fit, of the curve as it is.
    pub regimes: Regimes,
}

/// A point of a compared curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ComparedPoint {
    /// Examples per update.
    pub batch_size: u64,
    /// Steps to result.
    pub steps: u64,
    /// Their interval.
    pub interval: StepsInterval,
    /// steps(B) / steps(B_norm); `None` where this experiment has no result at B_norm.
    pub relative_steps: Option<f64>,
}
