//! How far steps to result may be off: the bootstrap of a minimum, exactly.
//!
//! # Equation
//!
//! A bootstrap resample draws m of the n trials that count, with replacement, and takes the minimum
//! of their steps to the goal, where a trial that did not reach it is plus infinity. With F(s) the
//! share of trials that reached the goal by step s,
//!
//! ```text
//! P(minimum > s) = (1 - F(s))^m
//! ```
//!
//! so every percentile is known without drawing: the p-quantile is the k-th smallest of the n steps,
//! with k the least whole number for which k / n >= 1 - (1 - p)^(1 / m).
//!
//! # What an interval says
//!
//! With m = n it shows how much the result hangs on its few best trials: would another search of the
//! same size have found as good a point? It cannot go below the observed minimum, because no
//! resample holds a better trial than the sample does; so it is an interval for the upward error
//! mostly, and its lower end is the result itself whenever n exceeds about 1 / (1 - confidence). It
//! says nothing on a point that the box left out (see [`boundary`](super::boundary)), and takes a
//! trial's steps as given: luck of the seed is seen in [`repeats`](super::repeats) only.
//!
//! # Trials that were stopped early
//!
//! Of a trial stopped at step c before it reached the goal it is known only that it would not have
//! by step c. A percentile is given where it is the same whatever such trials would have done, and
//! is [`StepsQuantile::After`] a step where it is not.

use serde::Serialize;

/// A percentile of steps to result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepsQuantile {
    /// So many steps.
    Steps(u64),
    /// Not reached within the budget.
    NotReached,
    /// More than so many steps, or not reached: trials that might tell were stopped early.
    After(u64),
}

/// Percentiles of steps to result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StepsInterval {
    /// Lower end.
    pub low: StepsQuantile,
    /// Median; of two middle values the lower one.
    pub median: StepsQuantile,
    /// Upper end.
    pub high: StepsQuantile,
}

/// What the estimate would be with fewer trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConvergencePoint {
    /// Trials drawn.
    pub n_trials: u64,
    /// Percentiles of the least steps among them.
    pub steps: StepsInterval,
}
