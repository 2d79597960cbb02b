//! Does label smoothing help, and at which batch sizes? The trials of each study split by its value.
//!
//! The split uses the trials of the search as they are (Shallue et al. 2019, figure 7), so each value
//! has a part of them only, and its best is a minimum over fewer.

use serde::Serialize;

use super::quality::best_row;
use crate::record::{Question, Record, StudyRecord, TrialCurve};

/// More values than this are a scale that was searched, not a choice to compare.
const MOST_VALUES: usize = 8;

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
    /// The best value of the metric among them within the question's budget; `None` too where evaluations
    /// ended early.
    pub best: Option<f64>,
}

impl LabelSmoothing {
    /// Splits the trials that count by label smoothing; `None` where all have the same value, or more
    /// than eight differ.
    #[must_use]
    pub fn of(record: &Record, question: &Question) -> Option<LabelSmoothing> {
        let trials = record.studies.iter().flat_map(StudyRecord::counted);
        let mut values: Vec<f64> = trials.map(label_smoothing).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        if !(2..=MOST_VALUES).contains(&values.len()) {
            return None;
        }
        let has_best = record.has_whole_values(&question.goal.metric);
        let point = |study: &StudyRecord, value: f64| {
            let point = point(study, question, value)?;
            Some(SmoothingPoint { best: point.best.filter(|_| has_best), ..point })
        };
        let curve = |value: f64| SmoothingCurve {
            label_smoothing: value,
            points: record.studies.iter().filter_map(|study| point(study, value)).collect(),
        };
        let values = values.into_iter().map(curve).collect();
        Some(LabelSmoothing { metric: question.goal.metric.clone(), values })
    }
}

fn label_smoothing(trial: &TrialCurve) -> f64 {
    trial.trial.parameters.get("label_smoothing").copied().unwrap_or(0.0)
}

fn point(study: &StudyRecord, question: &Question, value: f64) -> Option<SmoothingPoint> {
    let batch_size = study.facts.batch_size;
    let trials = || study.counted().filter(|trial| label_smoothing(trial) == value);
    let n_trials = trials().count() as u64;
    let arrivals = trials().filter_map(|trial| {
        Some(question.first_reached(batch_size, trial.curve.rows(&question.goal.metric))?.step)
    });
    let best = best_row(trials(), &question.goal, question.last_step(batch_size));
    (n_trials > 0).then(|| SmoothingPoint {
        batch_size,
        n_trials,
        steps_to_result: arrivals.min(),
        best: best.map(|(value, ..)| value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{record, trial_curve};
    use crate::experiment::{Goal, Threshold};

    fn question() -> Question {
        let threshold = Threshold::Below(0.25);
        Question::of_goal(Goal { metric: "val/error".to_owned(), threshold })
    }

    fn with(value: f64, mut trial: TrialCurve) -> TrialCurve {
        trial.trial.parameters.insert("label_smoothing".to_owned(), value);
        trial
    }

    #[test]
    fn trials_are_split_by_value_and_a_missing_one_is_zero() {
        let small = [
            trial_curve(0, &[(0, 0.9), (10, 0.3), (20, 0.2)]),
            with(0.1, trial_curve(1, &[(0, 0.9), (10, 0.24), (20, 0.22)])),
            with(0.0, trial_curve(2, &[(0, 0.9), (10, 0.31), (20, 0.4)])),
        ];
        let large = [with(0.1, trial_curve(0, &[(0, 0.9), (5, 0.3)]))];
        let split = LabelSmoothing::of(&record(&[(4, &small), (16, &large)]), &question()).unwrap();
        let [none, some] = [0, 1].map(|index: usize| &split.values[index]);
        assert_eq!((none.label_smoothing, some.label_smoothing), (0.0, 0.1));
        let point = |batch_size, n_trials, steps_to_result, best| SmoothingPoint {
            batch_size,
            n_trials,
            steps_to_result,
            best: Some(best),
        };
        assert_eq!(none.points, [point(4, 2, Some(20), 0.2)]);
        assert_eq!(some.points, [point(4, 1, Some(10), 0.22), point(16, 1, None, 0.3)]);
    }

    #[test]
    fn values_over_the_first_examples_have_no_best() {
        let trials = [
            trial_curve(0, &[(0, 0.9), (20, 0.2)]),
            with(0.1, trial_curve(1, &[(0, 0.9), (10, 0.24)])),
        ];
        let mut record = record(&[(4, &trials)]);
        record.decided_goal = Some(question().goal);
        let split = LabelSmoothing::of(&record, &question()).unwrap();
        let points = split.values.iter().flat_map(|curve| &curve.points);
        let found = points.map(|point| (point.steps_to_result, point.best));
        assert_eq!(found.collect::<Vec<_>>(), [(Some(20), None), (Some(10), None)]);
    }

    #[test]
    fn one_value_or_a_scale_is_no_split() {
        let same = [trial_curve(0, &[(0, 0.9)]), with(0.0, trial_curve(1, &[(0, 0.9)]))];
        assert_eq!(LabelSmoothing::of(&record(&[(4, &same)]), &question()), None);
        let scale: Vec<TrialCurve> = (0..9_u32)
            .map(|id| with(f64::from(id) / 10.0, trial_curve(u64::from(id), &[(0, 0.9)])))
            .collect();
        assert!(LabelSmoothing::of(&record(&[(4, &scale[..8])]), &question()).is_some());
        assert_eq!(LabelSmoothing::of(&record(&[(4, &scale)]), &question()), None);
    }
}
