//! What an analysis may be told; every rule of thumb has its number here.

use serde::Serialize;

/// Settings of an analysis. They change no measurement, only what is said about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnalysisOptions {
    /// When something counts as near, few or coarse.
    pub tolerances: Tolerances,
    /// Resamples of each bootstrap that is not exact.
    pub n_resamples: u64,
    /// Probability that intervals aim at, in (0, 1).
    pub confidence: f64,
    /// Fixes every random number of intervals.
    pub seed: u64,
    /// Where learning-rate heuristics are anchored; `None` for the smallest batch size with a result.
    pub base_batch_size: Option<u64>,
    /// Numbers of ideal devices for which the time to result is projected.
    pub n_devices: Vec<u64>,
}

impl Default for AnalysisOptions {
    /// 1000 resamples, 95 % intervals, seed 0, 1 to 64 devices.
    fn default() -> AnalysisOptions {
        AnalysisOptions {
            tolerances: Tolerances::default(),
            n_resamples: 1000,
            confidence: 0.95,
            seed: 0,
            base_batch_size: None,
            n_devices: vec![1, 4, 16, 64],
        }
    }
}

impl AnalysisOptions {
    /// The lower and upper percentile of an interval, as probabilities.
    pub(super) fn percentiles(&self) -> (f64, f64) {
        let tail = (1.0 - self.confidence) / 2.0;
        (tail, 1.0 - tail)
    }
}

/// When something counts as near, few or coarse.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tolerances {
    /// More examples than the fewest, as a fraction, up to which scaling is perfect.
    pub perfect_scaling: f64,
    /// More steps than the fewest, as a fraction, that still count as the fewest.
    pub useful: f64,
    /// Outer part of a scale, in unit coordinates, that counts as its edge.
    pub edge: f64,
    /// Trials that have to reach the goal for a result to be trusted, at least.
    pub n_reached: u64,
    /// Share of complete trials that has to reach the goal for a result to be trusted, at least.
    pub share_reached: f64,
    /// Largest gap between the result and the measurement before it, relative to the result.
    pub grid_gap: f64,
    /// Last part of the budget in which a result counts as cut off by it, as a fraction.
    pub budget_end: f64,
    /// Factor by which the median of repeats may differ from the search's best steps.
    pub repeats_factor: f64,
    /// Factor by which a study may take more examples than a larger batch size, or more steps than a
    /// smaller one.
    pub curve_factor: f64,
    /// Factor by which the fit S(B) = S_min (1 + B_crit / B) may miss a point.
    pub fit_factor: f64,
    /// Factor within which an effective learning rate counts as the one a heuristic predicts.
    pub learning_rate_factor: f64,
    /// Trials by which a heuristic is judged at least: the nearest ones, if fewer lie within the
    /// factor.
    pub n_nearest: u64,
}

impl Default for Tolerances {
    fn default() -> Tolerances {
        Tolerances {
            perfect_scaling: 0.2,
            useful: 0.2,
            edge: 0.1,
            n_reached: 3,
            share_reached: 0.05,
            grid_gap: 0.1,
            budget_end: 0.05,
            repeats_factor: 1.2,
            curve_factor: 1.3,
            fit_factor: 1.5,
            learning_rate_factor: 1.5,
            n_nearest: 3,
        }
    }
}
