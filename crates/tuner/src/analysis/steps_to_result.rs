//! Steps to result of one study: the fewest steps at which any trial's measurement beat the goal.
//!
//! # Source
//!
//! Shallue et al. 2019 and the `measurement_utils.py` published with it: take the measurements of
//! the first `n` complete trials by id; sort them by (step, trial id); the first one strictly
//! beyond the goal is the result. No interpolation, no smoothing, no averaging over trials, no need
//! to stay beyond the goal. NaN is beyond no goal.

use std::collections::BTreeSet;

use crate::experiment::Goal;
use crate::store::{MetricRow, TrialRecord, TrialStatus};

/// The measurement that is a study's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StudyResult {
    /// Steps to result.
    pub step: u64,
    /// Trial that got there; of several at the same step, the lowest id.
    pub trial_id: u64,
    /// The goal metric's value there.
    pub value: f64,
}

/// The trials that count: the first `n_trials` complete ones by id, in that order.
pub(super) fn counted_trials(trials: &[TrialRecord], n_trials: u64) -> Vec<&TrialRecord> {
    let is_complete = |trial: &&TrialRecord| trial.status == TrialStatus::Complete;
    let mut complete: Vec<&TrialRecord> = trials.iter().filter(is_complete).collect();
    complete.sort_by_key(|trial| trial.trial_id);
    complete.truncate(usize::try_from(n_trials).unwrap_or(usize::MAX));
    complete
}

/// The ids of the counted trials that got beyond the goal at some step.
pub(super) fn reached(counted: &[&TrialRecord], rows: &[MetricRow], goal: &Goal) -> BTreeSet<u64> {
    let counted: BTreeSet<u64> = counted.iter().map(|trial| trial.trial_id).collect();
    let beyond = rows.iter().filter(|row| goal.is_reached_by(row.value));
    beyond.map(|row| row.trial_id).filter(|trial_id| counted.contains(trial_id)).collect()
}

/// The result of a study from its trials and the goal metric's rows, both in any order; `None`
/// where no counted trial got beyond the goal.
#[must_use]
pub fn steps_to_result(
    trials: &[TrialRecord],
    rows: &[MetricRow],
    goal: &Goal,
    n_trials: u64,
) -> Option<StudyResult> {
    let counted: BTreeSet<u64> =
        counted_trials(trials, n_trials).iter().map(|trial| trial.trial_id).collect();
    let beyond =
        |row: &&MetricRow| counted.contains(&row.trial_id) && goal.is_reached_by(row.value);
    let first = rows.iter().filter(beyond).min_by_key(|row| (row.step, row.trial_id))?;
    Some(StudyResult { step: first.step, trial_id: first.trial_id, value: first.value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Threshold;
    use crate::trainer::Parameters;
    use TrialStatus::{Complete, Incomplete, Infeasible};

    fn goal(threshold: Threshold) -> Goal {
        Goal { metric: "val/classification_error".to_owned(), threshold }
    }

    fn trials(statuses: &[TrialStatus]) -> Vec<TrialRecord> {
        let record = |(trial_id, status): (u64, &TrialStatus)| TrialRecord {
            batch_size: 32,
            trial_id,
            repeat: 0,
            parameters: Parameters::new(),
            status: *status,
            steps: 100,
        };
        (0..).zip(statuses).map(record).collect()
    }

    fn rows(values: &[(u64, u64, f64)]) -> Vec<MetricRow> {
        values.iter().map(|&(step, trial_id, value)| MetricRow { step, trial_id, value }).collect()
    }

    fn answer(statuses: &[TrialStatus], values: &[(u64, u64, f64)], n: u64) -> Option<(u64, u64)> {
        let goal = goal(Threshold::Below(0.1));
        steps_to_result(&trials(statuses), &rows(values), &goal, n).map(|r| (r.step, r.trial_id))
    }

    #[test]
    fn fewest_steps_win_then_lowest_id() {
        let values = [(30, 0, 0.05), (20, 2, 0.05), (20, 1, 0.09), (10, 1, 0.2)];
        assert_eq!(answer(&[Complete; 3], &values, 3), Some((20, 1)));
    }

    #[test]
    fn the_goal_itself_is_not_enough() {
        assert_eq!(answer(&[Complete], &[(10, 0, 0.1)], 1), None);
        let above = goal(Threshold::Above(0.3));
        let rows = rows(&[(1, 0, 0.3), (2, 0, 0.31), (3, 0, 0.2)]);
        let result = steps_to_result(&trials(&[Complete]), &rows, &above, 1);
        assert_eq!(result, Some(StudyResult { step: 2, trial_id: 0, value: 0.31 }));
    }

    #[test]
    fn one_measurement_beyond_the_goal_counts_even_if_later_ones_are_not() {
        assert_eq!(answer(&[Complete], &[(5, 0, 0.05), (6, 0, 0.5)], 1), Some((5, 0)));
    }

    #[test]
    fn not_a_number_never_counts() {
        assert_eq!(answer(&[Complete], &[(5, 0, f64::NAN)], 1), None);
        let above = goal(Threshold::Above(0.3));
        let rows = rows(&[(5, 0, f64::NAN)]);
        assert_eq!(steps_to_result(&trials(&[Complete]), &rows, &above, 1), None);
    }

    #[test]
    fn only_the_first_complete_trials_count() {
        let statuses = [Infeasible, Complete, Incomplete, Complete, Complete];
        let values = [(1, 0, 0.0), (2, 2, 0.0), (3, 4, 0.0), (40, 3, 0.0), (50, 1, 0.0)];
        assert_eq!(answer(&statuses, &values, 2), Some((40, 3)));
        assert_eq!(answer(&statuses, &values, 3), Some((3, 4)));
        assert_eq!(answer(&statuses, &values, 1), Some((50, 1)));
    }

    #[test]
    fn a_trial_may_meet_the_goal_before_training() {
        assert_eq!(answer(&[Complete], &[(0, 0, 0.01)], 1), Some((0, 0)));
    }
}
