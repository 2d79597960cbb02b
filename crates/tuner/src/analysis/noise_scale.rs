//! The gradient noise scale measured during training, against the measured critical batch size.
//!
//! # Equation
//!
//! B_simple = tr(Sigma) / |G|^2, with G the gradient and Sigma the covariance of the gradient of one
//! example. Trainers measure an unbiased estimate of each, as the metrics
//! [`GRADIENT_VARIANCE`] and [`SQUARED_GRADIENT_NORM`]; either may come out negative. Their ratio would
//! be biased, so they are averaged apart over training, then divided. Each measurement weighs as many
//! steps as it stands for (half of those to its neighbours, as in the trapezoid rule), so that the
//! average is one over training and not over the evaluation grid, which is dense at the start.
//!
//! # Source
//!
//! McCandlish et al. 2018, appendix A.

use serde::Serialize;

use super::fit::Interval;

/// The metric that estimates |G|^2 without bias.
pub const SQUARED_GRADIENT_NORM: &str = "train/squared_gradient_norm";

/// The metric that estimates tr(Sigma), per example, without bias.
pub const GRADIENT_VARIANCE: &str = "train/gradient_variance";

/// Noise scales of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseScales {
    /// Each study with measurements, by ascending batch size.
    pub studies: Vec<StudyNoiseScale>,
    /// B_crit of the fit to the main goal's curve, where the data determine it.
    pub critical_batch_size: Option<f64>,
}

/// Noise scales of a study.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StudyNoiseScale {
    /// Examples per update.
    pub batch_size: u64,
    /// Of the trial that is the study's result, up to there; the interval is over its measurements.
    pub winner: Option<NoiseScale>,
    /// Of all trials that count and reached the goal, each up to there; the interval is over trials.
    pub pooled: Option<NoiseScale>,
    /// The pooled noise scale over B_crit.
    pub ratio_to_critical_batch_size: Option<f64>,
}

/// A noise scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NoiseScale {
    /// Average of tr(Sigma).
    pub gradient_variance: f64,
    /// Average of |G|^2.
    pub squared_gradient_norm: f64,
    /// Their ratio, in examples; `None` where the average of |G|^2 is not positive: not determined.
    pub noise_scale: Option<f64>,
    /// Its bootstrap interval; `None` with a single unit to resample or without a noise scale.
    pub interval: Option<Interval>,
    /// Measurements averaged.
    pub n_measurements: u64,
    /// Trials averaged.
    pub n_trials: u64,
}
