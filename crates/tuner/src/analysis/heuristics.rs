//! Learning-rate heuristics against what was measured: what would following a rule have cost?
//!
//! A rule predicts the best effective learning rate, learning_rate / (1 - momentum), at a batch size B
//! from the best one at a base batch size B0: constant (unchanged), linear (times B / B0), square root
//! (times sqrt(B / B0)). Its cost is judged by the study's own trials near the predicted rate: the
//! fewest steps among those within a factor of it (1.5 as a rule), or among the nearest few if fewer
//! lie within. All other metaparameters are at their best among those trials, so the cost is a lower
//! bound of what the rule costs somebody who does not tune the rest.
//!
//! # Source
//!
//! Shallue et al. 2019, section 4.7 and figure 8.

use serde::Serialize;

/// A rule for the learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Heuristic {
    /// The same at every batch size.
    Constant,
    /// In proportion to the batch size.
    Linear,
    /// In proportion to the batch size's square root.
    SquareRoot,
}

impl Heuristic {
    /// All rules.
    pub const ALL: [Heuristic; 3] = [Heuristic::Constant, Heuristic::Linear, Heuristic::SquareRoot];

    /// The rate at `batch_size`, given that at `base_batch_size`.
    #[must_use]
    pub fn predict(self, base_rate: f64, base_batch_size: u64, batch_size: u64) -> f64 {
        let ratio = batch_size as f64 / base_batch_size as f64;
        match self {
            Heuristic::Constant => base_rate,
            Heuristic::Linear => base_rate * ratio,
            Heuristic::SquareRoot => base_rate * ratio.sqrt(),
        }
    }
}

/// What each rule would have cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeuristicScores {
    /// Where the rules are anchored.
    pub base_batch_size: u64,
    /// The best effective learning rate there.
    pub base_rate: f64,
    /// Each rule, in the order of [`Heuristic::ALL`].
    pub rules: Vec<HeuristicScore>,
}

/// What one rule would have cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeuristicScore {
    /// The rule.
    pub heuristic: Heuristic,
    /// Each batch size, ascending.
    pub points: Vec<HeuristicPoint>,
    /// The geometric mean of the steps lost as a factor, over batch sizes other than the base where
    /// both are known; `None` if there are none.
    pub mean_factor_lost: Option<f64>,
    /// Batch sizes with a result where no trial near the predicted rate reached the goal.
    pub n_failed: u64,
}

/// What a rule would have cost at one batch size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeuristicPoint {
    /// Examples per update.
    pub batch_size: u64,
    /// The effective learning rate that the rule predicts.
    pub predicted_rate: f64,
    /// That of the best trial; `None` without a result.
    pub best_rate: Option<f64>,
    /// Predicted over best.
    pub rate_ratio: Option<f64>,
    /// Trials near the predicted rate.
    pub n_near: u64,
    /// Whether fewer trials than asked for lay within the factor, so that the nearest were taken.
    pub is_nearest: bool,
    /// The fewest steps among them; `None` where none reached the goal.
    pub steps: Option<u64>,
    /// The study's result.
    pub best_steps: Option<u64>,
    /// Steps over the study's result: 1 where following the rule costs nothing.
    pub factor_lost: Option<f64>,
}
