//! Which points of the curve cannot be trusted, and why.

use serde::Serialize;

use super::boundary::Verdict;
use super::uncertainty::StepsQuantile;

/// A reason not to trust a study's point, with its numbers. Displayed as one plain sentence that says
/// what to do, without the batch size.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Warning {
    /// No trial that counts reached the goal.
    NoResult {
        /// Trials that count.
        n_complete: u64,
        /// Trials that diverged.
        n_infeasible: u64,
        /// The most steps a trial may train.
        budget_steps: Option<u64>,
    },
    /// Fewer trials are complete than were asked for.
    TooFewComplete {
        /// Trials that count.
        n_complete: u64,
        /// Trials asked for.
        n_wanted: u64,
        /// Trials under way.
        n_incomplete: u64,
        /// Trials that diverged.
        n_infeasible: u64,
    },
    /// The best point lies at an end of the searched box.
    Edge {
        /// Of which metaparameter.
        metaparameter: String,
        /// Which end.
        verdict: Verdict,
        /// The best value.
        value: f64,
        /// The box's end.
        bound: f64,
        /// Whether `critbatch widen` can extend the scale; points are added by hand.
        can_be_widened: bool,
    },
    /// So few trials reached the goal that a few more may well find a better point.
    FewReached {
        /// Trials that reached the goal.
        n_reached: u64,
        /// Trials that count.
        n_complete: u64,
    },
    /// The measurement before the result lies far before it.
    CoarseGrid {
        /// Steps to result.
        steps: u64,
        /// The measurement before.
        previous_step: u64,
        /// The gap between them, relative to the steps to result.
        relative_gap: f64,
    },
    /// The goal was met before training.
    MetBeforeTraining,
    /// The goal was met at the first measurement: it may have been long before.
    MetAtFirstMeasurement {
        /// Steps to result.
        steps: u64,
    },
    /// The goal was reached just before the budget ended: slower trials were cut off.
    NearBudgetEnd {
        /// Steps to result.
        steps: u64,
        /// The end of the budget, in steps.
        budget_steps: u64,
    },
    /// Trials were stopped, for another goal, before the result: they may have been faster.
    StoppedBeforeResult {
        /// How many.
        n_stopped: u64,
        /// Steps to result; `None` where there is none.
        steps: Option<u64>,
    },
    /// Repeats of the best point with fresh seeds take other steps than it did.
    RepeatsDisagree {
        /// Steps to result.
        steps: u64,
        /// The median of the repeats.
        median: StepsQuantile,
        /// Repeats that ended.
        n_repeats: u64,
    },
}
