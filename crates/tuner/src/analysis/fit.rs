//! The curve of steps against batch size as one formula.
//!
//! # Equation
//!
//! ```text
//! S(B) = S_min (1 + B_crit / B)
//! ```
//!
//! fitted by least squares in log S. Given B_crit, the best log S_min is the mean of
//! log S - log(1 + B_crit / B), which leaves a minimisation over log B_crit alone.
//!
//! # Source
//!
//! McCandlish et al., "An empirical model of large-batch training", 2018: the steps-examples
//! trade-off (S / S_min - 1)(E / E_min - 1) = 1 with E = B S and B_crit = E_min / S_min.

use serde::Serialize;

/// A number with a bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its interval; `None` where too few resamples gave a value.
    pub interval: Option<Interval>,
}

/// An interval of a real number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end; `None` where it is not bounded by the data.
    pub high: Option<f64>,
}

/// How much the measured batch sizes say about where a curve bends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Determination {
    /// The measured batch sizes lie on both sides of it.
    Determined,
    /// It lies beyond the largest batch sizes: the estimate is at best a lower bound.
    OnlyLowerBound,
    /// It lies before the smallest batch sizes: the estimate is at best an upper bound.
    OnlyUpperBound,
    /// These data do not determine it in either direction.
    NotDetermined,
    /// Some point is off the formula by more than the tolerance: the curve has another shape.
    PoorFit,
    /// Fewer points than the question needs.
    TooFewPoints,
}

/// The fit S(B) = S_min (1 + B_crit / B).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CurveFit {
    /// What the data say about B_crit. Read it before the numbers.
    pub determination: Determination,
    /// Batch sizes with a result.
    pub n_points: u64,
    /// The fitted numbers; `None` with too few points.
    pub parameters: Option<FitParameters>,
}

/// Numbers of a fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FitParameters {
    /// S_min: steps at an infinitely large batch.
    pub minimum_steps: Estimate,
    /// B_crit: where steps are twice S_min, and examples twice their least.
    pub critical_batch_size: Estimate,
    /// Explained share of the variance of log S; `None` where all steps are the same.
    pub r_squared: Option<f64>,
    /// The largest factor, at least 1, by which a point is off the fit.
    pub largest_residual_factor: f64,
}

impl FitParameters {
    /// Steps at a batch size by the fitted formula.
    #[must_use]
    pub fn steps(&self, batch_size: f64) -> f64 {
        self.minimum_steps.value * (1.0 + self.critical_batch_size.value / batch_size)
    }
}
