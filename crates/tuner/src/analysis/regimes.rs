//! Where perfect scaling ends and where larger batches stop helping, with intervals.

use serde::Serialize;

use super::fit::{CurveFit, Determination};

/// The regimes of a curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Regimes {
    /// The largest batch size that takes hardly more than the fewest examples; `None` without any
    /// result.
    pub end_of_perfect_scaling: Option<BatchSizeEstimate>,
    /// The smallest batch size that takes hardly more than the fewest steps; `None` without any
    /// result.
    pub maximum_useful_batch_size: Option<BatchSizeEstimate>,
    /// The whole curve as one formula.
    pub fit: CurveFit,
    /// Whether intervals are missing because trials were stopped early, so that nobody knows what
    /// the next best would have done; measure with the stop rule `goal` or `budget` for intervals.
    pub is_cut_short: bool,
}

/// One of the measured batch sizes, as an estimate of where a regime ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BatchSizeEstimate {
    /// The estimate.
    pub value: u64,
    /// Lower and upper percentile over resamples.
    pub interval: Option<(u64, u64)>,
    /// Whether the regime's end was seen. The end of perfect scaling is only a lower bound at the
    /// largest batch size with a result, and only an upper bound at the smallest; the maximum useful
    /// batch size is only a lower bound at the largest.
    pub determination: Determination,
}
