//! Steps to result of one study: the fewest steps at which any trial's measurement beat the goal.
//!
//! # Source
//!
//! Shallue et al. 2019 and the `measurement_utils.py` published with it: take the measurements of
//! the first `n` complete trials by id; sort them by (step, trial id); the first one strictly
//! beyond the goal is the result. No interpolation, no smoothing, no averaging over trials, no need
//! to stay beyond the goal. NaN is beyond no goal. A trial's own first measurement beyond the goal is
//! its [`TrialOutcome`]; the first of those over the trials that count is the study's result.

use serde::Serialize;

use crate::record::{Question, Reached, StudyOutcomes, TrialOutcome};
use crate::store::{TrialRecord, TrialStatus};
use crate::trainer::Parameters;

/// The measurement that is a study's result, and the trial that it is of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyResult {
    /// Steps to result.
    pub steps: u64,
    /// Examples to result: steps times batch size.
    pub examples: u64,
    /// Trial that got there; of several at the same step, the lowest id.
    pub trial_id: u64,
    /// The goal metric's value there.
    pub value: f64,
    /// The trial's measurement before; `None` if this was its first.
    pub previous_step: Option<u64>,
    /// The trial's metaparameters.
    pub parameters: Parameters,
    /// Its [`effective_learning_rate`]; `None` where there is no learning rate.
    pub effective_learning_rate: Option<f64>,
}

/// How many trials a study has, by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TrialCounts {
    /// Complete trials that count: the first ones by id, as many as asked for.
    pub n_complete: u64,
    /// Complete trials asked for; `None` for all there are.
    pub n_wanted: Option<u64>,
    /// Trials that diverged.
    pub n_infeasible: u64,
    /// Trials begun and not ended.
    pub n_incomplete: u64,
    /// Trials that count and reached the goal within the question's budget.
    pub n_reached: u64,
    /// Trials that count, did not reach the goal, and were stopped before the end of the budget: what
    /// they would have done is not known. A record with the stop rule `goal` has them for harder
    /// goals than its own, one with `incumbent` for every goal.
    pub n_stopped_early: u64,
}

impl TrialCounts {
    /// Whether fewer trials are complete than were asked for.
    #[must_use]
    pub fn are_too_few(&self) -> bool {
        self.n_wanted.is_some_and(|n_wanted| self.n_complete < n_wanted)
    }
}

/// The effective learning rate of a point; momentum is 0 for an optimizer without one. `None` where
/// there is no learning rate or it comes to no positive number.
///
/// # Equation
///
/// `learning_rate / (1 - momentum)`
///
/// # Source
///
/// Shallue et al. 2019, section 4.7.
#[must_use]
pub fn effective_learning_rate(parameters: &Parameters) -> Option<f64> {
    let momentum = parameters.get("momentum").copied().unwrap_or(0.0);
    let rate = parameters.get("learning_rate")? / (1.0 - momentum);
    (rate > 0.0 && rate.is_finite()).then_some(rate)
}

impl StudyOutcomes {
    /// The trials that count: the first complete ones by id, as many as asked for, in that order.
    pub fn counted(&self) -> impl Iterator<Item = &TrialOutcome> {
        self.facts.counted(&self.trials, |outcome| outcome.trial.status)
    }

    /// The trial that got beyond the goal first; `None` where none that counts did.
    #[must_use]
    pub fn winner(&self) -> Option<&TrialOutcome> {
        let arrival = |outcome: &&TrialOutcome| {
            // Trials that did not arrive are filtered out, so they need no place in the order.
            (outcome.reached.map_or(u64::MAX, |reached| reached.step), outcome.trial.trial_id)
        };
        self.counted().filter(|outcome| outcome.reached.is_some()).min_by_key(arrival)
    }

    /// The study's result; `None` where no trial that counts got beyond the goal.
    #[must_use]
    pub fn result(&self) -> Option<StudyResult> {
        let winner = self.winner()?;
        let Reached { step, value, previous_step } = winner.reached?;
        Some(StudyResult {
            steps: step,
            examples: step.saturating_mul(self.facts.batch_size),
            trial_id: winner.trial.trial_id,
            value,
            previous_step,
            effective_learning_rate: effective_learning_rate(&winner.trial.parameters),
            parameters: winner.trial.parameters.clone(),
        })
    }

    /// The range of effective learning rates of trials that count and reached the goal in at most
    /// (1 + `tolerance`) times the fewest steps: any of them is as good as the best, as far as one search
    /// tells.
    pub(super) fn good_rates(&self, tolerance: f64) -> Option<(f64, f64)> {
        let most = (1.0 + tolerance) * self.winner()?.reached?.step as f64;
        let is_good =
            |outcome: &&TrialOutcome| outcome.reached.is_some_and(|r| r.step as f64 <= most);
        let rates = self.counted().filter(is_good);
        let rates = rates.filter_map(|outcome| effective_learning_rate(&outcome.trial.parameters));
        rates
            .map(|rate| (rate, rate))
            .reduce(|(low, high), (rate, _)| (low.min(rate), high.max(rate)))
    }

    /// How many trials there are, by how they ended.
    #[must_use]
    pub fn counts(&self, question: &Question) -> TrialCounts {
        let n_with = |status| {
            self.trials.iter().filter(|outcome| outcome.trial.status == status).count() as u64
        };
        TrialCounts {
            n_complete: self.counted().count() as u64,
            n_wanted: self.facts.n_trials,
            n_infeasible: n_with(TrialStatus::Infeasible),
            n_incomplete: n_with(TrialStatus::Incomplete),
            n_reached: self.counted().filter(|outcome| outcome.reached.is_some()).count() as u64,
            n_stopped_early: self.stopped_early(question).count() as u64,
        }
    }

    /// The last step that a trial may be measured at: the end of its budget or of the question's.
    /// `None` where the record does not say how long trials may train.
    #[must_use]
    pub fn budget_end(&self, question: &Question) -> Option<u64> {
        Some(self.facts.budget_steps?.min(question.last_step(self.facts.batch_size)))
    }

    /// The step at which each trial ended that counts, did not reach the goal, and was stopped before
    /// the end of the budget.
    pub(super) fn stopped_early(&self, question: &Question) -> impl Iterator<Item = u64> {
        let end = self.budget_end(question).unwrap_or(0);
        self.counted().filter_map(move |outcome| outcome.stopped_before(end))
    }
}

impl TrialOutcome {
    /// The step at which a trial was stopped, short of the goal and of the end of its budget, so that
    /// nobody knows whether it would have reached it; `None` where that is known.
    pub(super) fn stopped_before(&self, end: u64) -> Option<u64> {
        let TrialRecord { status, steps, .. } = self.trial;
        let is_stopped = status == TrialStatus::Complete && self.reached.is_none() && steps < end;
        is_stopped.then_some(steps)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::testing::{Outcome, question, record, study, trial_curve};
    use crate::experiment::{Goal, Threshold};

    fn winner(outcomes: &[Outcome], n_trials: Option<u64>) -> Option<(u64, u64)> {
        let mut study = study(32, outcomes);
        study.facts.n_trials = n_trials;
        study.result().map(|result| (result.steps, result.trial_id))
    }

    #[test]
    fn fewest_steps_win_then_lowest_id() {
        let outcomes = [Outcome::reached(30), Outcome::reached(20), Outcome::reached(20)];
        assert_eq!(winner(&outcomes, None), Some((20, 1)));
    }

    #[test]
    fn only_the_first_complete_trials_count() {
        let outcomes = [
            Outcome::diverged(),
            Outcome::reached(50),
            Outcome::running(),
            Outcome::reached(40),
            Outcome::reached(3),
        ];
        assert_eq!(winner(&outcomes, Some(2)), Some((40, 3)));
        assert_eq!(winner(&outcomes, Some(3)), Some((3, 4)));
        assert_eq!(winner(&outcomes, Some(1)), Some((50, 1)));
        assert_eq!(winner(&outcomes, None), Some((3, 4)));
        assert_eq!(winner(&[Outcome::missed()], None), None);
    }

    #[test]
    fn a_trial_may_meet_the_goal_before_training() {
        let result = study(32, &[Outcome::reached(0)]).result().unwrap();
        assert_eq!((result.steps, result.examples, result.previous_step), (0, 0, None));
    }

    #[test]
    fn the_result_is_that_of_its_trial() {
        let best = Outcome::reached(7).at("learning_rate", 0.5).at("momentum", 0.75);
        let result = study(32, &[Outcome::missed(), best]).result().unwrap();
        assert_eq!((result.examples, result.previous_step), (224, Some(6)));
        assert_eq!(result.effective_learning_rate, Some(2.0));
        assert_eq!(effective_learning_rate(&Parameters::new()), None);
        let others = [(8, 4.0), (8, 0.1), (9, 9.0)]
            .map(|(s, rate)| Outcome::reached(s).at("learning_rate", rate));
        let best = Outcome::reached(7).at("learning_rate", 0.5).at("momentum", 0.75);
        let near = study(32, &[&[best, Outcome::missed()][..], &others].concat());
        assert_eq!(near.good_rates(0.2), Some((0.1, 4.0)), "8.4 steps at most");
        assert_eq!(near.good_rates(0.0), Some((2.0, 2.0)));
        let broken = [("learning_rate", 0.5), ("momentum", 1.0)];
        let broken = broken.map(|(name, value)| (name.to_owned(), value)).into();
        assert_eq!(effective_learning_rate(&broken), None);
    }

    #[test]
    fn trials_are_counted_by_how_they_ended() {
        let outcomes = [
            Outcome::reached(9),
            Outcome::stopped(9),
            Outcome::missed(),
            Outcome::diverged(),
            Outcome::running(),
        ];
        let mut study = study(32, &outcomes);
        let counts = study.counts(&question());
        assert_eq!((counts.n_complete, counts.n_reached, counts.n_stopped_early), (3, 1, 1));
        assert_eq!((counts.n_infeasible, counts.n_incomplete, counts.n_wanted), (1, 1, None));
        // A budget that ends before the trial was stopped, and a record that knows no budget.
        let short = Question { max_steps: Some(9), ..question() };
        assert_eq!(study.counts(&short).n_stopped_early, 0);
        study.facts.budget_steps = None;
        assert_eq!(study.counts(&question()).n_stopped_early, 0);
    }

    /// The published rule, word for word: one table of all rows, sorted by (step, trial id).
    fn from_the_table(
        rows: &[(u64, u64, f64)],
        counted: &[u64],
        is_beyond: impl Fn(f64) -> bool,
        last_step: u64,
    ) -> Option<(u64, u64)> {
        let is_in = |row: &&(u64, u64, f64)| {
            counted.contains(&row.1) && row.0 <= last_step && is_beyond(row.2)
        };
        let mut rows: Vec<_> = rows.iter().filter(is_in).collect();
        rows.sort_by_key(|row| (row.0, row.1));
        rows.first().map(|row| (row.0, row.1))
    }

    proptest! {
        #[test]
        fn trial_by_trial_is_the_published_rule(
            curves in proptest::collection::vec(
                (proptest::collection::btree_map(0..40_u64, 0..12_u32, 0..9), 0..3_u8),
                0..9,
            ),
            n_trials in proptest::option::of(0..6_u64),
            max_steps in proptest::option::of(0..40_u64),
            is_above in any::<bool>(),
        ) {
            // Values on a coarse grid, so that some equal the threshold; the largest is no number.
            let value = |v: u32| if v == 11 { f64::NAN } else { f64::from(v) / 10.0 };
            let threshold = if is_above { Threshold::Above(0.5) } else { Threshold::Below(0.5) };
            let is_beyond = |value: f64| if is_above { value > 0.5 } else { value < 0.5 };
            let (mut trials, mut rows, mut complete) = (Vec::new(), Vec::new(), Vec::new());
            for (trial_id, (curve, status)) in (0..).zip(&curves) {
                let curve: Vec<_> = curve.iter().map(|(step, v)| (*step, value(*v))).collect();
                let mut trial = trial_curve(trial_id, &curve);
                trial.trial.status = [
                    TrialStatus::Complete, TrialStatus::Infeasible, TrialStatus::Incomplete,
                ][usize::from(*status)];
                if trial.trial.status == TrialStatus::Complete {
                    complete.push(trial_id);
                }
                rows.extend(curve.iter().map(|(step, value)| (*step, trial_id, *value)));
                trials.push(trial);
            }
            complete.truncate(n_trials.map_or(usize::MAX, |n| n as usize));
            let mut record = record(&[(8, &trials)]);
            record.studies[0].facts.n_trials = n_trials;
            let goal = Goal { metric: "val/error".to_owned(), threshold };
            let question = Question { max_steps, ..Question::of_goal(goal) };
            let found = record.studies[0].outcomes(&question).result();
            let expected =
                from_the_table(&rows, &complete, is_beyond, max_steps.unwrap_or(u64::MAX));
            prop_assert_eq!(found.map(|result| (result.steps, result.trial_id)), expected);
        }
    }
}
