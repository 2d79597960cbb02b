//! Solution quality: the best value of a metric at each batch size, under several budgets.
//!
//! The best value is that of the single best measurement within the budget, over all trials that
//! count and all steps (Shallue et al. 2019, figures 7, 10 and 11). It is a minimum over noisy
//! measurements, so it grows lucky with their number, which is the same at no two batch sizes.

use serde::Serialize;

use crate::experiment::{Goal, Threshold};
use crate::record::{Question, Record, StudyOutcomes, StudyRecord, TrialCurve};
use crate::store::TrialStatus;
use crate::trainer::Parameters;

const LABEL_SMOOTHING: &str = "label_smoothing";

/// More values of label smoothing than these were searched on a scale: hardly two trials share one.
const MOST_SMOOTHING_VALUES: usize = 12;

/// Up to where measurements count; both include their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QualityBudget {
    /// All measurements.
    Unlimited,
    /// Up to so many steps at every batch size.
    Steps(u64),
    /// Up to so many examples (steps times batch size) at every batch size.
    Examples(u64),
}

/// Best values of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// Name of the metric, as `split/name`.
    pub metric: String,
    /// Whether lower values are better.
    pub is_lower_better: bool,
    /// One curve for each budget.
    pub curves: Vec<QualityCurve>,
}

/// Best values against batch size under one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualityCurve {
    /// The budget.
    pub budget: QualityBudget,
    /// Batch sizes with at least one measurement within the budget, ascending.
    pub points: Vec<QualityPoint>,
}

/// The best measurement of a study within a budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QualityPoint {
    /// Examples per update.
    pub batch_size: u64,
    /// The best value.
    pub value: f64,
    /// Where it was measured; of several equal ones the first.
    pub step: u64,
    /// On which trial; of several equal ones at this step the lowest id.
    pub trial_id: u64,
    /// Whether a trial that counts ended before the budget did: the value might be better.
    pub is_cut_short: bool,
}

/// Steps to result and best values by label smoothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelSmoothing {
    /// Name of the metric of the best values.
    pub metric: String,
    /// Each value of label smoothing, ascending. A trial without one has 0.
    pub values: Vec<SmoothingCurve>,
}

/// What one value of label smoothing gives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SmoothingCurve {
    /// The value.
    pub label_smoothing: f64,
    /// Batch sizes at which it was tried, ascending.
    pub points: Vec<SmoothingPoint>,
}

/// What one value of label smoothing gives at one batch size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SmoothingPoint {
    /// Examples per update.
    pub batch_size: u64,
    /// Trials that count with this value: fewer than the study has, so their best is less lucky.
    pub n_trials: u64,
    /// Fewest steps to the goal among them.
    pub steps_to_result: Option<u64>,
    /// The best value of the metric among them within the question's budget.
    pub best: Option<f64>,
}

impl QualityBudget {
    /// The last step that counts.
    #[must_use]
    pub fn last_step(self, batch_size: u64) -> u64 {
        match self {
            QualityBudget::Unlimited => u64::MAX,
            QualityBudget::Steps(steps) => steps,
            QualityBudget::Examples(examples) => examples / batch_size.max(1),
        }
    }

    /// No limit, then four budgets of each kind: the largest that every batch size trained for, and
    /// a third, a ninth and a twenty-seventh of it. Budgets below one step are left out.
    #[must_use]
    pub fn defaults(record: &Record) -> Vec<QualityBudget> {
        let longest = |study: &StudyRecord| {
            let steps = study.trials.iter().filter_map(|trial| trial.curve.steps.last().copied());
            steps.max().unwrap_or(0)
        };
        let studies = || record.studies.iter().filter(|study| !study.trials.is_empty());
        let steps = studies().map(longest).min().unwrap_or(0);
        let examples = studies().map(|study| longest(study).saturating_mul(study.facts.batch_size));
        let examples = examples.min().unwrap_or(0);
        let largest_batch = studies().map(|study| study.facts.batch_size).max().unwrap_or(1);
        let parts = |largest: u64, least: u64| {
            [27, 9, 3, 1].map(|part| largest / part).into_iter().filter(move |n| *n >= least)
        };
        let mut budgets = vec![QualityBudget::Unlimited];
        budgets.extend(parts(steps, 1).map(QualityBudget::Steps));
        budgets.extend(parts(examples, largest_batch).map(QualityBudget::Examples));
        budgets
    }
}

impl Quality {
    /// The best values of the goal's metric, in the goal's direction, under each budget.
    #[must_use]
    pub fn of(record: &Record, goal: &Goal, budgets: &[QualityBudget]) -> Quality {
        let curve = |budget: &QualityBudget| {
            let points = record.studies.iter().filter_map(|study| best(study, goal, *budget));
            QualityCurve { budget: *budget, points: points.collect() }
        };
        Quality {
            metric: goal.metric.clone(),
            is_lower_better: matches!(goal.threshold, Threshold::Below(_)),
            curves: budgets.iter().map(curve).collect(),
        }
    }
}

fn best(study: &StudyRecord, goal: &Goal, budget: QualityBudget) -> Option<QualityPoint> {
    let batch_size = study.facts.batch_size;
    let last_step = budget.last_step(batch_size);
    let trials: Vec<&TrialCurve> = study.counted().collect();
    let rows = trials.iter().flat_map(|TrialCurve { trial, curve }| {
        let rows = curve.rows(&goal.metric).take_while(|(step, _)| *step <= last_step);
        let measured = rows.filter(|(_, value)| !value.is_nan());
        measured.map(|(step, value)| (value, step, trial.trial_id))
    });
    let (value, step, trial_id) = rows.min_by(|a, b| {
        let by_value = match goal.threshold {
            Threshold::Below(_) => a.0.total_cmp(&b.0),
            Threshold::Above(_) => b.0.total_cmp(&a.0),
        };
        by_value.then((a.1, a.2).cmp(&(b.1, b.2)))
    })?;
    // Where the record does not say how long trials may train, the budget alone tells.
    let end = study.facts.budget_steps.map_or(last_step, |steps| steps.min(last_step));
    let ended_before = |trial: &&TrialCurve| end < u64::MAX && trial.trial.steps < end;
    Some(QualityPoint {
        batch_size,
        value,
        step,
        trial_id,
        is_cut_short: trials.iter().any(ended_before),
    })
}

impl LabelSmoothing {
    /// The question by label smoothing; `None` where the trials have one value only, or so many that
    /// it was searched on a scale.
    ///
    /// The study's trials are shared out over the values, not drawn anew for each.
    #[must_use]
    pub fn of(record: &Record, question: &Question) -> Option<LabelSmoothing> {
        let counted = record.studies.iter().flat_map(StudyRecord::counted);
        let mut values: Vec<f64> =
            counted.map(|trial| smoothing(&trial.trial.parameters)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let is_split = (2..=MOST_SMOOTHING_VALUES).contains(&values.len());
        is_split.then(|| LabelSmoothing {
            metric: question.goal.metric.clone(),
            values: values.iter().map(|value| smoothing_curve(record, question, *value)).collect(),
        })
    }
}

fn smoothing(parameters: &Parameters) -> f64 {
    parameters.get(LABEL_SMOOTHING).copied().unwrap_or(0.0)
}

fn smoothing_curve(record: &Record, question: &Question, label_smoothing: f64) -> SmoothingCurve {
    let has_value = |trial: &&TrialCurve| smoothing(&trial.trial.parameters) == label_smoothing;
    let share = |study: &StudyRecord| StudyRecord {
        facts: study.facts.clone(),
        trials: study.counted().filter(has_value).cloned().collect(),
        repeats: vec![],
    };
    let point = |study: StudyRecord| {
        let outcomes: StudyOutcomes = study.outcomes(question);
        let batch_size = study.facts.batch_size;
        let budget = QualityBudget::Steps(question.last_step(batch_size));
        SmoothingPoint {
            batch_size,
            n_trials: outcomes.trials.len() as u64,
            steps_to_result: outcomes.result().map(|result| result.steps),
            best: best(&study, &question.goal, budget).map(|best| best.value),
        }
    };
    let shares = record.studies.iter().map(share).filter(|study| !study.trials.is_empty());
    SmoothingCurve { label_smoothing, points: shares.map(point).collect() }
}

impl StudyRecord {
    /// The trials that count: the first complete ones by id, as many as asked for, in that order.
    pub fn counted(&self) -> impl Iterator<Item = &TrialCurve> {
        let n_trials = self.facts.n_trials.and_then(|n| usize::try_from(n).ok());
        let is_complete = |trial: &&TrialCurve| trial.trial.status == TrialStatus::Complete;
        self.trials.iter().filter(is_complete).take(n_trials.unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::QualityBudget::{Examples, Steps, Unlimited};
    use super::*;
    use crate::analysis::testing::{record_of, row, study_of};

    fn curve(errors: &[(u64, f64)]) -> Vec<(u64, Vec<(String, f64)>)> {
        errors.iter().map(|&(step, error)| row(step, &[("val/error", error)])).collect()
    }

    fn record() -> (Record, Goal) {
        let small =
            [curve(&[(0, 0.9), (10, 0.4), (100, 0.2)]), curve(&[(0, 0.8), (100, f64::NAN)])];
        let (mut record, goal) = record_of(2, &small);
        record.studies.push(study_of(8, &[curve(&[(0, 0.9), (10, 0.3), (50, 0.3)])]));
        (record, goal)
    }

    fn points(record: &Record, goal: &Goal, budget: QualityBudget) -> Vec<QualityPoint> {
        Quality::of(record, goal, &[budget]).curves.remove(0).points
    }

    #[test]
    fn the_best_row_within_the_budget_wins_and_the_first_of_equals() {
        let (record, goal) = record();
        let seen = |budget| {
            let points = points(&record, &goal, budget);
            points.iter().map(|p| (p.value, p.step, p.trial_id)).collect::<Vec<_>>()
        };
        assert_eq!(seen(Steps(50)), [(0.4, 10, 0), (0.3, 10, 0)]);
        assert_eq!(seen(Unlimited), [(0.2, 100, 0), (0.3, 10, 0)]);
        assert_eq!(seen(Examples(400)), [(0.2, 100, 0), (0.3, 10, 0)]);
        // 79 examples are 39 steps of 2 and 9 of 8.
        assert_eq!(seen(Examples(79)), [(0.4, 10, 0), (0.9, 0, 0)]);
        let above = Goal { threshold: Threshold::Above(0.0), ..goal.clone() };
        let best = points(&record, &above, Steps(100))[0];
        assert_eq!((best.value, best.trial_id), (0.9, 0));
    }

    #[test]
    fn values_of_trials_that_ended_before_the_budget_might_be_better() {
        let (mut record, goal) = record();
        record.studies[1].facts.budget_steps = Some(60);
        let cut = |budget| points(&record, &goal, budget)[1].is_cut_short;
        assert!(cut(Steps(1000)) && cut(Unlimited));
        assert!(!cut(Steps(50)));
        record.studies[1].facts.budget_steps = Some(50);
        assert!(!points(&record, &goal, Unlimited)[1].is_cut_short);
    }

    #[test]
    fn default_budgets_are_ones_that_every_batch_size_trained_for() {
        let budgets = QualityBudget::defaults(&record().0);
        assert_eq!(budgets[..5], [Unlimited, Steps(1), Steps(5), Steps(16), Steps(50)]);
        // 100 steps of 2 against 50 of 8; 7 examples would be no step of 8.
        assert_eq!(budgets[5..], [Examples(22), Examples(66), Examples(200)]);
    }

    fn smoothed(values: &[Option<f64>]) -> (Record, Goal) {
        let trial = |index: usize| curve(&[(0, 0.9), (10 + index as u64, 0.05)]);
        let (mut record, goal) = record_of(4, &(0..values.len()).map(trial).collect::<Vec<_>>());
        for (trial, value) in record.studies[0].trials.iter_mut().zip(values) {
            let value = value.map(|value| (LABEL_SMOOTHING.to_owned(), value));
            trial.trial.parameters.extend(value);
        }
        (record, goal)
    }

    #[test]
    fn trials_are_shared_out_by_smoothing_and_a_missing_one_is_zero() {
        let (mut record, goal) = smoothed(&[Some(0.1), None, Some(0.0), Some(0.1)]);
        record.studies[0].facts.n_trials = Some(3);
        let question = Question { max_steps: Some(11), ..Question::of_goal(goal) };
        let split = LabelSmoothing::of(&record, &question).unwrap();
        let seen: Vec<_> = split
            .values
            .iter()
            .map(|curve| (curve.label_smoothing, curve.points[0].n_trials, curve.points[0].best))
            .collect();
        assert_eq!(seen, [(0.0, 2, Some(0.05)), (0.1, 1, Some(0.05))]);
        assert_eq!(split.values[0].points[0].steps_to_result, Some(11));
        let hard = Question { max_steps: Some(10), ..question };
        let split = LabelSmoothing::of(&record, &hard).unwrap();
        assert_eq!(split.values[0].points[0].steps_to_result, None);
        assert_eq!(split.values[0].points[0].best, Some(0.9));
    }

    #[test]
    fn one_value_is_no_split() {
        let (record, goal) = smoothed(&[Some(0.1), Some(0.1)]);
        assert!(LabelSmoothing::of(&record, &Question::of_goal(goal)).is_none());
    }
}
