//! Good regions: which (learning rate, 1 - momentum) reach the goal within the question's budget.
//!
//! All trials that ended are shown, counted or not, as in figure 9 of Shallue et al. 2019: there, the
//! good region shrinks with the batch size under an epoch budget and grows under a step budget.

use serde::Serialize;

/// How a trial of a region ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionClass {
    /// The study's result.
    Best,
    /// Reached the goal.
    Reached,
    /// Trained to its end without reaching the goal.
    NotReached,
    /// Diverged.
    Infeasible,
}

/// A study's trials by learning rate and momentum.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Region {
    /// Examples per update.
    pub batch_size: u64,
    /// The trials that ended and have a learning rate, by ascending id.
    pub points: Vec<RegionPoint>,
    /// Share of the points that reached the goal, the best among them; `None` without points.
    pub share_reached: Option<f64>,
    /// Share of the points that did not reach it.
    pub share_not_reached: Option<f64>,
    /// Share of the points that diverged.
    pub share_infeasible: Option<f64>,
}

/// A trial of a region.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RegionPoint {
    /// Number of the trial within its study.
    pub trial_id: u64,
    /// Its learning rate.
    pub learning_rate: f64,
    /// 1 - momentum; 1 for an optimizer without one.
    pub one_minus_momentum: f64,
    /// How it ended.
    pub class: RegionClass,
    /// Its steps to the goal.
    pub steps: Option<u64>,
}
