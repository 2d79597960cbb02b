//! Solution quality: the best value of a metric at each batch size, under several budgets.
//!
//! The best value is that of the single best measurement within the budget, over all trials that
//! count and all steps (Shallue et al. 2019, figures 7, 10 and 11). It is a minimum over noisy
//! measurements, so it grows lucky with their number, which is the same at no two batch sizes.

use serde::Serialize;

/// Up to where measurements count; both include their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QualityBudget {
    /// All measurements.
    Unlimited,
    /// Up to so many steps at every batch size.
    Steps(u64),
    /// Up to so many examples (steps times batch size) at every batch size.
    Examples(u64),
}

/// Best values of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// Name of the metric, as `split/name`.
    pub metric: String,
    /// Whether lower values are better.
    pub is_lower_better: bool,
    /// One curve for each budget.
    pub curves: Vec<QualityCurve>,
}

/// Best values against batch size under one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualityCurve {
    /// The budget.
    pub budget: QualityBudget,
    /// Batch sizes with at least one measurement within the budget, ascending.
    pub points: Vec<QualityPoint>,
}

/// The best measurement of a study within a budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QualityPoint {
    /// Examples per update.
    pub batch_size: u64,
    /// The best value.
    pub value: f64,
    /// Where it was measured; of several equal ones the first.
    pub step: u64,
    /// On which trial; of several equal ones at this step the lowest id.
    pub trial_id: u64,
    /// Whether a trial that counts ended before the budget did: the value might be better.
    pub is_cut_short: bool,
}

/// Steps to result and best values by label smoothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelSmoothing {
    /// Name of the metric of the best values.
    pub metric: String,
    /// Each value of label smoothing, ascending. A trial without one has 0.
    pub values: Vec<SmoothingCurve>,
}

/// What one value of label smoothing gives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SmoothingCurve {
    /// The value.
    pub label_smoothing: f64,
    /// Batch sizes at which it was tried, ascending.
    pub points: Vec<SmoothingPoint>,
}

/// What one value of label smoothing gives at one batch size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SmoothingPoint {
    /// Examples per update.
    pub batch_size: u64,
    /// Trials that count with this value: fewer than the study has, so their best is less lucky.
    pub n_trials: u64,
    /// Fewest steps to the goal among them.
    pub steps_to_result: Option<u64>,
    /// The best value of the metric among them within the question's budget.
    pub best: Option<f64>,
}
