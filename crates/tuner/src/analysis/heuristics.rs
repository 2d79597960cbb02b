//! Learning-rate heuristics against what was measured: what would following a rule have cost?
//!
//! A rule predicts the best effective learning rate, learning_rate / (1 - momentum), at a batch size B
//! from the best one at a base batch size B0: constant (unchanged), linear (times B / B0), square root
//! (times sqrt(B / B0)). Its cost is judged by the study's own trials near the predicted rate: the
//! fewest steps among those within a factor of it (1.5 as a rule), or among the nearest few if fewer
//! lie within. All other metaparameters are at their best among those trials, as if the rest were
//! tuned; but the fewest steps of a few trials are held against the fewest of all, so that some of
//! the factor is the smaller number of trials: 1.3 in the mean for 6 of 30 trials whose log steps
//! scatter by 2.1 whatever the rate. A rate outside the box is judged by the trials nearest to it.
//!
//! # Source
//!
//! Shallue et al. 2019, section 4.7 and figure 8.

use serde::Serialize;

use super::options::{AnalysisOptions, Tolerances};
use super::steps_to_result::effective_learning_rate;
use crate::record::{Question, StudyOutcomes, TrialOutcome};
use crate::store::TrialStatus;

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
    /// Batch sizes with a result where no trial near the predicted rate reached the goal, nor was
    /// stopped before it was known.
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
    /// Those of them that were stopped early, as by the rule `incumbent`, without reaching the goal.
    pub n_stopped_early: u64,
    /// Whether fewer trials than asked for lay within the factor, so that the nearest were taken.
    pub is_nearest: bool,
    /// The fewest steps among them; `None` where none reached the goal.
    pub steps: Option<u64>,
    /// The study's result.
    pub best_steps: Option<u64>,
    /// Steps over the study's result: 1 where following the rule costs nothing.
    pub factor_lost: Option<f64>,
}

impl HeuristicScores {
    /// What each rule would have cost; `None` without a result at the base batch size (the one of the
    /// options, or else the smallest with a result) or without a learning rate there.
    #[must_use]
    pub fn of(
        studies: &[StudyOutcomes],
        question: &Question,
        options: &AnalysisOptions,
    ) -> Option<HeuristicScores> {
        let has_rate = |study: &&StudyOutcomes| best_rate(study).is_some();
        let is_base = |study: &&StudyOutcomes| {
            options.base_batch_size.is_none_or(|base| study.facts.batch_size == base)
        };
        let base = studies.iter().filter(has_rate).find(is_base)?;
        let (base_batch_size, base_rate) = (base.facts.batch_size, best_rate(base)?);
        let score = |heuristic: Heuristic| {
            let point = |study: &StudyOutcomes| {
                let batch_size = study.facts.batch_size;
                let predicted = heuristic.predict(base_rate, base_batch_size, batch_size);
                follow(study, question, predicted, &options.tolerances)
            };
            let points: Vec<HeuristicPoint> = studies.iter().map(point).collect();
            score(heuristic, points, base_batch_size)
        };
        let rules = Heuristic::ALL.map(score).into();
        Some(HeuristicScores { base_batch_size, base_rate, rules })
    }
}

fn best_rate(study: &StudyOutcomes) -> Option<f64> {
    study.result()?.effective_learning_rate
}

fn score(
    heuristic: Heuristic,
    points: Vec<HeuristicPoint>,
    base_batch_size: u64,
) -> HeuristicScore {
    let others = points.iter().filter(|point| point.batch_size != base_batch_size);
    let logs: Vec<f64> = others.filter_map(|point| Some(point.factor_lost?.ln())).collect();
    let mean = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
    HeuristicScore {
        heuristic,
        mean_factor_lost: (!logs.is_empty()).then(|| mean.exp()),
        n_failed: points.iter().filter(|point| point.has_failed()).count() as u64,
        points,
    }
}

impl HeuristicPoint {
    /// Whether there is a result, but not near the predicted rate.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.best_steps.is_some() && self.steps.is_none() && self.n_stopped_early == 0
    }
}

/// What a study's trials near a predicted rate took. Trials that diverged are among them: there, the
/// rule fails.
fn follow(
    study: &StudyOutcomes,
    question: &Question,
    predicted_rate: f64,
    tolerances: &Tolerances,
) -> HeuristicPoint {
    let end = study.budget_end(question).unwrap_or(0);
    let is_diverged = |outcome: &&TrialOutcome| outcome.trial.status == TrialStatus::Infeasible;
    let diverged = study.trials.iter().filter(is_diverged);
    // Distance, steps to the goal, and whether it was stopped before they were known.
    let mut by_distance: Vec<(f64, Option<u64>, bool)> = study
        .counted()
        .chain(diverged)
        .filter_map(|outcome| {
            let rate = effective_learning_rate(&outcome.trial.parameters)?;
            let is_complete = outcome.trial.status == TrialStatus::Complete;
            let steps = outcome.reached.filter(|_| is_complete).map(|reached| reached.step);
            let is_stopped = outcome.stopped_before(end).is_some();
            Some(((rate / predicted_rate).ln().abs(), steps, is_stopped))
        })
        .collect();
    by_distance.sort_by(|a, b| a.0.total_cmp(&b.0));
    // A hair wider, so that the factor itself counts as within it whatever logarithms round to.
    let window = tolerances.learning_rate_factor.ln() * (1.0 + 1e-9);
    let n_within = by_distance.partition_point(|(distance, ..)| *distance <= window);
    let n_nearest = usize::try_from(tolerances.n_nearest).unwrap_or(usize::MAX);
    let n_near = n_within.max(n_nearest).min(by_distance.len());
    let near = &by_distance[..n_near];
    let steps = near.iter().filter_map(|(_, steps, _)| *steps).min();
    let (best_rate, best_steps) = (best_rate(study), study.result().map(|result| result.steps));
    let factor = |steps: u64, best: u64| steps as f64 / best.max(1) as f64;
    HeuristicPoint {
        batch_size: study.facts.batch_size,
        predicted_rate,
        best_rate,
        rate_ratio: best_rate.map(|best| predicted_rate / best),
        n_near: n_near as u64,
        n_stopped_early: near.iter().filter(|(.., is_stopped)| *is_stopped).count() as u64,
        is_nearest: n_near > n_within,
        steps,
        best_steps,
        factor_lost: steps.zip(best_steps).map(|(steps, best)| factor(steps, best)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{Outcome, question, study};

    fn trial(steps: u64, rate: f64) -> Outcome {
        Outcome::reached(steps).at("learning_rate", rate)
    }

    /// Best rates 0.1 at 4 and 0.4 at 64; a trial at each power of two.
    fn studies() -> Vec<StudyOutcomes> {
        let of = |batch_size, steps: &[u64]| {
            let rates = [0.1, 0.2, 0.4, 0.8, 1.6];
            let outcomes: Vec<Outcome> =
                steps.iter().zip(rates).map(|(steps, rate)| trial(*steps, rate)).collect();
            study(batch_size, &outcomes)
        };
        vec![of(4, &[100, 110, 150, 300, 900]), of(64, &[80, 50, 20, 22, 30])]
    }

    #[test]
    fn rules_are_judged_by_the_trials_near_them() {
        let tolerances = Tolerances { n_nearest: 1, ..Tolerances::default() };
        let options = AnalysisOptions { tolerances, ..AnalysisOptions::default() };
        let scores = HeuristicScores::of(&studies(), &question(), &options).unwrap();
        assert_eq!((scores.base_batch_size, scores.base_rate), (4, 0.1));
        // At 64, 16 times the base: 0.1, 1.6 and 0.4.
        let at_64 = scores.rules.iter().map(|rule| rule.points[1]);
        let found: Vec<_> = at_64
            .map(|p| ((p.predicted_rate * 1e9).round() / 1e9, p.steps, p.factor_lost, p.n_near))
            .collect();
        let expected = [
            (0.1, Some(80), Some(4.0), 1),
            (1.6, Some(30), Some(1.5), 1),
            (0.4, Some(20), Some(1.0), 1),
        ];
        assert_eq!(found, expected);
        for rule in &scores.rules {
            assert_eq!(rule.points[0].factor_lost, Some(1.0), "nothing is lost at the base");
            assert_eq!(
                rule.mean_factor_lost.unwrap().ln(),
                rule.points[1].factor_lost.unwrap().ln()
            );
            assert!(!rule.points[1].is_nearest);
        }
        assert!((scores.rules[1].points[1].rate_ratio.unwrap() - 4.0).abs() < 1e-12);
    }

    #[test]
    fn too_few_trials_nearby_take_the_nearest() {
        let scores =
            HeuristicScores::of(&studies(), &question(), &AnalysisOptions::default()).unwrap();
        let linear = scores.rules[1].points[1];
        // Three nearest to 1.6: 1.6, 0.8, 0.4.
        assert_eq!((linear.n_near, linear.is_nearest, linear.steps), (3, true, Some(20)));
    }

    #[test]
    fn a_rule_that_leads_into_divergence_fails() {
        let diverged = Outcome::diverged().at("learning_rate", 1.6);
        let best = trial(20, 0.4);
        let mut all = studies();
        all[1] = study(64, &[best, diverged.clone(), diverged.clone(), diverged]);
        let scores = HeuristicScores::of(&all, &question(), &AnalysisOptions::default()).unwrap();
        let linear = &scores.rules[1];
        assert_eq!((linear.points[1].steps, linear.n_failed), (None, 1));
        assert_eq!((linear.points[1].best_steps, linear.mean_factor_lost), (Some(20), None));
    }

    #[test]
    fn the_rate_is_the_effective_one_and_the_base_can_be_chosen() {
        let mut all = studies();
        all[0] = study(4, &[trial(10, 0.1).at("momentum", 0.9)]);
        let scores = HeuristicScores::of(&all, &question(), &AnalysisOptions::default()).unwrap();
        assert!((scores.base_rate - 1.0).abs() < 1e-12);
        let at = |base| {
            let options = AnalysisOptions { base_batch_size: Some(base), ..Default::default() };
            HeuristicScores::of(&all, &question(), &options)
        };
        assert_eq!(at(64).unwrap().rules[1].points[0].predicted_rate, 0.4 / 16.0);
        assert_eq!(at(16), None);
        let without_rates = [study(4, &[Outcome::reached(10)])];
        assert_eq!(
            HeuristicScores::of(&without_rates, &question(), &AnalysisOptions::default()),
            None
        );
    }

    /// The constant rule at 64 meets only trials that were stopped when the best had arrived.
    #[test]
    fn a_rule_has_not_failed_where_nobody_knows() {
        let at = |outcome: Outcome, rate: f64| outcome.at("learning_rate", rate);
        let at_64 = |other: fn() -> Outcome| {
            study(64, &[at(Outcome::reached(20), 1.6), at(other(), 0.1), at(other(), 0.1)])
        };
        let base = study(4, &[trial(100, 0.1)]);
        let tolerances = Tolerances { n_nearest: 1, ..Tolerances::default() };
        let options = AnalysisOptions { tolerances, ..AnalysisOptions::default() };
        let n_failed = |at_64: StudyOutcomes| {
            let scores = HeuristicScores::of(&[base.clone(), at_64], &question(), &options);
            scores.unwrap().rules[0].n_failed
        };
        assert_eq!(n_failed(at_64(|| Outcome::stopped(20))), 0);
        assert_eq!(n_failed(at_64(Outcome::missed)), 1);
    }
}
