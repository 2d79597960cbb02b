//! Everything measured on one workload, in memory: what all analysis reads, wherever it came from.
//!
//! A [`Record`] comes out of a [`Store`] or out of a published archive. A [`Question`] (a goal under
//! a budget) reduces each trial's curve to its [`TrialOutcome`]; steps to result, their uncertainty,
//! regimes and verdicts need no more than those [`StudyOutcomes`], so an archive too large for the
//! memory can be reduced while it is read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::TunerError;
use crate::experiment::{EvaluationSplit, Goal, Workload};
use crate::space::Space;
use crate::store::{Store, TrialRecord, TrialStatus};

/// The measurements of one workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What was trained.
    pub workload: Workload,
    /// The goal at which evaluations of its split [ended early](crate::EvaluatedExamples::UntilDecided);
    /// `None` where they looked at every example.
    pub decided_goal: Option<Goal>,
    /// The studies by ascending batch size.
    pub studies: Vec<StudyRecord>,
    /// What could not be read and was left out.
    pub omissions: Vec<Omission>,
}

/// The measurements of one study.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyRecord {
    /// What is known of the study besides its trials.
    pub facts: StudyFacts,
    /// The trials of the search by ascending id.
    pub trials: Vec<TrialCurve>,
    /// Best trials run again with fresh seeds, by ascending (trial id, repeat).
    pub repeats: Vec<TrialCurve>,
}

/// What is known of a study besides its trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyFacts {
    /// Examples per update.
    pub batch_size: u64,
    /// What was searched.
    pub space: Space,
    /// The most steps a trial may train; `None` where the record does not say.
    pub budget_steps: Option<u64>,
    /// Complete trials that count, the first ones by id; `None` for all.
    pub n_trials: Option<u64>,
    /// Measured duration of one training step of one trial alone, in seconds.
    pub seconds_per_step: Option<f64>,
}

impl StudyFacts {
    /// The trials that count, of trials by ascending id: the first complete ones, as many as asked for.
    pub(crate) fn counted<'trials, T>(
        &self,
        trials: &'trials [T],
        status: impl Fn(&T) -> TrialStatus,
    ) -> impl Iterator<Item = &'trials T> {
        let n_trials = self.n_trials.and_then(|n| usize::try_from(n).ok());
        let is_complete = move |trial: &&T| status(*trial) == TrialStatus::Complete;
        trials.iter().filter(is_complete).take(n_trials.unwrap_or(usize::MAX))
    }
}

/// A trial and all that was measured on it.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialCurve {
    /// The trial.
    pub trial: TrialRecord,
    /// Its measurements.
    pub curve: Curve,
}

/// Metrics of one trial against steps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    /// Where it was measured; ascending, none twice.
    pub steps: Vec<u64>,
    /// One value per step for each metric, named `split/name`; NaN where there is none.
    pub metrics: BTreeMap<String, Vec<f64>>,
}

/// A part of a record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Omission {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; `None` where the whole file is meant.
    pub line: Option<u64>,
    /// What was found and what was expected, in one line.
    pub problem: String,
}

/// `path:line: problem`.
impl fmt::Display for Omission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.map_or_else(String::new, |line| format!(":{line}"));
        write!(formatter, "{}{line}: {}", self.path.display(), self.problem)
    }
}

/// When does a trial count as having got there?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What counts as a result.
    pub goal: Goal,
    /// Measurements after more steps do not count.
    pub max_steps: Option<u64>,
    /// Measurements after more examples (steps times batch size) do not count.
    pub max_examples: Option<u64>,
}

/// One study's answer to a [`Question`], trial by trial.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyOutcomes {
    /// What is known of the study.
    pub facts: StudyFacts,
    /// The trials of the search by ascending id, whatever their status.
    pub trials: Vec<TrialOutcome>,
    /// Best trials run again with fresh seeds, by ascending (trial id, repeat).
    pub repeats: Vec<TrialOutcome>,
}

/// One trial's answer to a [`Question`].
#[derive(Debug, Clone, PartialEq)]
pub struct TrialOutcome {
    /// The trial.
    pub trial: TrialRecord,
    /// Where it first got beyond the goal, within the budget.
    pub reached: Option<Reached>,
}

/// The first measurement of a trial beyond the goal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// Steps.
    pub step: u64,
    /// The goal metric's value.
    pub value: f64,
    /// The measurement of the goal metric before; `None` if this was the trial's first.
    pub previous_step: Option<u64>,
}

impl Question {
    /// The question of a goal without a budget.
    #[must_use]
    pub fn of_goal(goal: Goal) -> Question {
        Question { goal, max_steps: None, max_examples: None }
    }

    /// The most steps that count at a batch size: both budgets include their end.
    #[must_use]
    pub fn last_step(&self, batch_size: u64) -> u64 {
        let by_examples = self.max_examples.map(|examples| examples / batch_size.max(1));
        self.max_steps.into_iter().chain(by_examples).min().unwrap_or(u64::MAX)
    }

    /// The first row strictly beyond the goal and within the budget, of rows (step, value) that
    /// ascend in step. A value that is not a number was not measured.
    #[must_use]
    pub fn first_reached(
        &self,
        batch_size: u64,
        rows: impl IntoIterator<Item = (u64, f64)>,
    ) -> Option<Reached> {
        let last_step = self.last_step(batch_size);
        let mut previous_step = None;
        for (step, value) in rows.into_iter().take_while(|(step, _)| *step <= last_step) {
            if self.goal.is_reached_by(value) {
                return Some(Reached { step, value, previous_step });
            }
            if !value.is_nan() {
                previous_step = Some(step);
            }
        }
        None
    }
}

impl Curve {
    /// The rows (step, value) of a metric by ascending step; none if it was not measured.
    pub fn rows(&self, metric: &str) -> impl Iterator<Item = (u64, f64)> + '_ {
        let values = self.metrics.get(metric).map_or(&[][..], Vec::as_slice);
        self.steps.iter().copied().zip(values.iter().copied())
    }

    /// Adds a row after the last one. A metric that earlier rows lack is NaN there.
    pub fn push(&mut self, step: u64, metrics: impl IntoIterator<Item = (String, f64)>) {
        let n_before = self.steps.len();
        self.steps.push(step);
        for (name, value) in metrics {
            let values = self.metrics.entry(name).or_default();
            values.resize(n_before, f64::NAN);
            values.push(value);
        }
        self.metrics.values_mut().for_each(|values| values.resize(n_before + 1, f64::NAN));
    }
}

impl StudyRecord {
    /// The study's answer to a question.
    #[must_use]
    pub fn outcomes(&self, question: &Question) -> StudyOutcomes {
        let outcome = |TrialCurve { trial, curve }: &TrialCurve| TrialOutcome {
            trial: trial.clone(),
            reached: question
                .first_reached(self.facts.batch_size, curve.rows(&question.goal.metric)),
        };
        StudyOutcomes {
            facts: self.facts.clone(),
            trials: self.trials.iter().map(outcome).collect(),
            repeats: self.repeats.iter().map(outcome).collect(),
        }
    }
}

impl StudyOutcomes {
    /// The answer of one study of a store, without reading what the question is not about. Ask within
    /// [`Store::consistent`] to see one moment of a run.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read, or has no such study.
    pub fn of_store(
        store: &Store,
        batch_size: u64,
        question: &Question,
    ) -> Result<StudyOutcomes, TunerError> {
        let rows = store.metric(batch_size, &question.goal.metric)?;
        // Rows are sorted by (trial, step).
        let rows_of = |trial_id: u64| {
            let of_trial = &rows[rows.partition_point(|row| row.trial_id < trial_id)..];
            let of_trial = &of_trial[..of_trial.partition_point(|row| row.trial_id == trial_id)];
            of_trial.iter().map(|row| (row.step, row.value))
        };
        let outcome = |trial: TrialRecord| TrialOutcome {
            reached: question.first_reached(batch_size, rows_of(trial.trial_id)),
            trial,
        };
        Ok(StudyOutcomes {
            facts: store.study(batch_size)?,
            trials: store.trials(batch_size)?.into_iter().map(outcome).collect(),
            repeats: vec![],
        })
    }
}

impl Record {
    /// Whether its measurements tell where a goal was reached. Evaluations that ended early tell of the goal
    /// at which they ended and of harder ones.
    #[must_use]
    pub fn can_answer(&self, goal: &Goal) -> bool {
        let implies = |own: &Goal| goal.implies(own);
        self.has_whole_values(&goal.metric) || self.decided_goal.as_ref().is_some_and(implies)
    }

    /// Whether each value of a metric is over all examples of its split, and so the best of them is one.
    #[must_use]
    pub fn has_whole_values(&self, metric: &str) -> bool {
        let is_on_split = |own: &Goal| {
            EvaluationSplit::of_metric(&own.metric) == EvaluationSplit::of_metric(metric)
        };
        !self.decided_goal.as_ref().is_some_and(is_on_split)
    }

    /// The answers of all studies to a question, by ascending batch size.
    #[must_use]
    pub fn outcomes(&self, question: &Question) -> Vec<StudyOutcomes> {
        self.studies.iter().map(|study| study.outcomes(question)).collect()
    }

    /// Reads all that a store holds, at one moment even while a run writes to it.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn of_store(store: &Store) -> Result<Record, TunerError> {
        store.consistent(|store| {
            let studies = store.studies()?.into_iter().map(|facts| study_of_store(store, facts));
            Ok(Record {
                workload: store.origin().workload().clone(),
                decided_goal: store.origin().decided_goal().cloned(),
                studies: studies.collect::<Result<_, _>>()?,
                omissions: store.omissions()?,
            })
        })
    }
}

fn study_of_store(store: &Store, facts: StudyFacts) -> Result<StudyRecord, TunerError> {
    let mut curves = store.curves(facts.batch_size)?;
    let mut with_curves = |trials: Vec<TrialRecord>| {
        let with_curve = |trial: TrialRecord| {
            let curve = curves.remove(&trial.name()).unwrap_or_default();
            TrialCurve { trial, curve }
        };
        trials.into_iter().map(with_curve).collect()
    };
    let trials = with_curves(store.trials(facts.batch_size)?);
    let repeats = with_curves(store.repeats(facts.batch_size)?);
    Ok(StudyRecord { facts, trials, repeats })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Threshold;

    fn question(max_steps: Option<u64>, max_examples: Option<u64>) -> Question {
        let goal = Goal { metric: "val/error".to_owned(), threshold: Threshold::Below(0.1) };
        Question { goal, max_steps, max_examples }
    }

    #[test]
    fn budgets_include_their_end_and_the_smaller_one_holds() {
        assert_eq!(question(Some(10), None).last_step(4), 10);
        assert_eq!(question(None, Some(10)).last_step(4), 2);
        assert_eq!(question(Some(1), Some(10)).last_step(4), 1);
        let rows = [(0, 0.9), (2, 0.05), (3, 0.01)];
        assert!(question(None, Some(7)).first_reached(4, rows).is_none());
        assert_eq!(question(None, Some(8)).first_reached(4, rows).map(|r| r.step), Some(2));
    }

    #[test]
    fn evaluations_that_ended_early_answer_their_goal_and_harder_ones() {
        let goal = |metric: &str, value| Goal {
            metric: metric.to_owned(),
            threshold: Threshold::Below(value),
        };
        let workload = Workload { dataset: "d".into(), model: "m".into(), optimizer: "o".into() };
        let whole = Record { workload, decided_goal: None, studies: vec![], omissions: vec![] };
        let ended = Record { decided_goal: Some(goal("val/error", 0.1)), ..whole.clone() };
        assert!(whole.has_whole_values("val/error") && ended.has_whole_values("train/error"));
        assert!(!ended.has_whole_values("val/error") && !ended.has_whole_values("val/loss"));
        let answers = |record: &Record| {
            let asked = [("val/error", 0.1), ("val/error", 0.05), ("test/error", 0.2)];
            let unknown = [("val/error", 0.2), ("val/loss", 0.05)];
            asked
                .into_iter()
                .chain(unknown)
                .map(|(metric, value)| record.can_answer(&goal(metric, value)))
                .collect::<Vec<bool>>()
        };
        assert_eq!(answers(&ended), [true, true, true, false, false]);
        assert_eq!(answers(&whole), [true; 5]);
    }

    #[test]
    fn the_row_before_is_the_last_one_measured() {
        let rows = [(0, 0.9), (5, f64::NAN), (6, 0.1), (7, 0.09), (8, 0.0)];
        let reached = question(None, None).first_reached(1, rows);
        assert_eq!(reached, Some(Reached { step: 7, value: 0.09, previous_step: Some(6) }));
        let at_once = question(None, None).first_reached(1, [(0, f64::NAN), (1, 0.0)]);
        assert_eq!(at_once.and_then(|reached| reached.previous_step), None);
    }

    #[test]
    fn metrics_that_come_and_go_are_not_numbers_in_between() {
        let mut curve = Curve::default();
        curve.push(0, [("a".to_owned(), 1.0)]);
        curve.push(3, [("b".to_owned(), 2.0)]);
        let rows = |metric| curve.rows(metric).map(|(s, v)| (s, v.to_bits())).collect::<Vec<_>>();
        let nan = f64::NAN.to_bits();
        assert_eq!(rows("a"), [(0, 1.0_f64.to_bits()), (3, nan)]);
        assert_eq!(rows("b"), [(0, nan), (3, 2.0_f64.to_bits())]);
        assert!(rows("c").is_empty());
    }
}
