//! Solution quality: the best value of a metric at each batch size, under several budgets.
//!
//! The best value is that of the single best measurement within the budget, over all trials that
//! count and all steps (Shallue et al. 2019, figures 7, 10 and 11). It is a minimum over noisy
//! measurements, so it grows lucky with their number, which is the same at no two batch sizes.

use std::cmp::Ordering;

use serde::Serialize;

use crate::experiment::{Goal, Threshold};
use crate::record::{Question, Record, StudyRecord, TrialCurve};

/// Budgets of each kind that are chosen from a record.
const N_DEFAULT_BUDGETS: u32 = 4;

/// Smallest over largest of those, unless the studies' own budgets differ by more.
const SMALLEST_DEFAULT_BUDGET: f64 = 1.0 / 64.0;

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

impl QualityBudget {
    /// The last step that counts at a batch size.
    #[must_use]
    pub fn last_step(self, batch_size: u64) -> u64 {
        match self {
            QualityBudget::Unlimited => u64::MAX,
            QualityBudget::Steps(steps) => steps,
            QualityBudget::Examples(examples) => examples / batch_size.max(1),
        }
    }

    /// No limit, then four budgets of steps and four of examples: evenly spaced on a logarithmic
    /// scale from the shortest study's length (or a 64th of the longest one's, if that is less) to the
    /// longest one's. The length of a study is that of its longest trial that counts.
    #[must_use]
    pub fn defaults(record: &Record) -> Vec<QualityBudget> {
        let length = |study: &StudyRecord| {
            let steps = study.counted().map(|trial| trial.trial.steps).max()?;
            (steps > 0).then_some((study.facts.batch_size, steps))
        };
        let lengths: Vec<(u64, u64)> = record.studies.iter().filter_map(length).collect();
        let steps = ladder(lengths.iter().map(|(_, steps)| *steps));
        let examples = ladder(lengths.iter().map(|(size, steps)| size.saturating_mul(*steps)));
        let limited = steps.into_iter().map(QualityBudget::Steps);
        let limited = limited.chain(examples.into_iter().map(QualityBudget::Examples));
        [QualityBudget::Unlimited].into_iter().chain(limited).collect()
    }
}

/// Budgets from the least length to the greatest.
fn ladder(lengths: impl Iterator<Item = u64> + Clone) -> Vec<u64> {
    let (Some(least), Some(greatest)) = (lengths.clone().min(), lengths.max()) else {
        return vec![];
    };
    let low = (least as f64).min(SMALLEST_DEFAULT_BUDGET * greatest as f64).max(1.0);
    let ratio = greatest as f64 / low;
    let rung = |index: u32| {
        let part = f64::from(index) / f64::from(N_DEFAULT_BUDGETS - 1);
        (low * ratio.powf(part)).round() as u64
    };
    let mut rungs: Vec<u64> = (0..N_DEFAULT_BUDGETS).map(rung).collect();
    rungs.dedup();
    rungs
}

impl Quality {
    /// Best values of a goal's metric under the given budgets.
    #[must_use]
    pub fn of(record: &Record, goal: &Goal, budgets: &[QualityBudget]) -> Quality {
        let curve = |budget: &QualityBudget| QualityCurve {
            budget: *budget,
            points: record.studies.iter().filter_map(|s| quality_point(s, goal, *budget)).collect(),
        };
        Quality {
            metric: goal.metric.clone(),
            is_lower_better: matches!(goal.threshold, Threshold::Below(_)),
            curves: budgets.iter().map(curve).collect(),
        }
    }

    /// Best values of each metric that questions are about, in their order, none twice;
    /// nothing where evaluations ended early: means over few examples have too lucky a minimum.
    pub(super) fn of_questions(record: &Record, questions: &[Question]) -> Vec<Quality> {
        let budgets = QualityBudget::defaults(record);
        let mut qualities: Vec<Quality> = Vec::new();
        let has_best = |question: &&Question| record.has_whole_values(&question.goal.metric);
        for question in questions.iter().filter(has_best) {
            let quality = Quality::of(record, &question.goal, &budgets);
            let is_same = |other: &Quality| {
                (&other.metric, other.is_lower_better) == (&quality.metric, quality.is_lower_better)
            };
            if !qualities.iter().any(is_same) {
                qualities.push(quality);
            }
        }
        qualities
    }
}

impl StudyRecord {
    /// The trials that count: the first complete ones by id, as many as asked for, in that order.
    pub fn counted(&self) -> impl Iterator<Item = &TrialCurve> {
        self.facts.counted(&self.trials, |trial| trial.trial.status)
    }
}

fn quality_point(study: &StudyRecord, goal: &Goal, budget: QualityBudget) -> Option<QualityPoint> {
    let last_step = budget.last_step(study.facts.batch_size);
    let (value, step, trial_id) = best_row(study.counted(), goal, last_step)?;
    let end = match budget {
        QualityBudget::Unlimited => study.facts.budget_steps.unwrap_or(0),
        QualityBudget::Steps(_) | QualityBudget::Examples(_) => last_step,
    };
    Some(QualityPoint {
        batch_size: study.facts.batch_size,
        value,
        step,
        trial_id,
        is_cut_short: study.counted().any(|trial| trial.trial.steps < end),
    })
}

/// The best row (value, step, trial id) of a goal's metric up to a step, over trials by ascending id.
pub(super) fn best_row<'record>(
    trials: impl Iterator<Item = &'record TrialCurve>,
    goal: &Goal,
    last_step: u64,
) -> Option<(f64, u64, u64)> {
    let rows = trials.flat_map(|TrialCurve { trial, curve }| {
        let within = curve.rows(&goal.metric).take_while(|(step, _)| *step <= last_step);
        within.map(|(step, value)| (value, step, trial.trial_id))
    });
    let order = |a: f64, b: f64| match goal.threshold {
        Threshold::Below(_) => a.total_cmp(&b),
        Threshold::Above(_) => b.total_cmp(&a),
    };
    let by_value_step_and_id = |a: &(f64, u64, u64), b: &(f64, u64, u64)| -> Ordering {
        order(a.0, b.0).then((a.1, a.2).cmp(&(b.1, b.2)))
    };
    rows.filter(|(value, ..)| !value.is_nan()).min_by(by_value_step_and_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{record, trial_curve};
    use crate::store::TrialStatus;

    fn goal(threshold: Threshold) -> Goal {
        Goal { metric: "val/error".to_owned(), threshold }
    }

    fn two_studies() -> Record {
        let curves = [
            trial_curve(0, &[(0, 0.9), (10, 0.5), (100, 0.2)]),
            trial_curve(1, &[(0, 0.8), (10, 0.4), (40, f64::NAN), (100, 0.3)]),
        ];
        let large = [trial_curve(0, &[(0, 0.9), (5, 0.2), (25, 0.25)])];
        record(&[(4, &curves), (16, &large)])
    }

    #[test]
    fn the_single_best_row_within_the_budget_counts() {
        let budgets =
            [QualityBudget::Unlimited, QualityBudget::Steps(10), QualityBudget::Examples(400)];
        let quality = Quality::of(&two_studies(), &goal(Threshold::Below(0.1)), &budgets);
        assert!(quality.is_lower_better);
        let found: Vec<Vec<_>> = quality
            .curves
            .iter()
            .map(|curve| curve.points.iter().map(|p| (p.value, p.step, p.trial_id)).collect())
            .collect();
        let expected = [
            [(0.2, 100, 0), (0.2, 5, 0)],
            [(0.4, 10, 1), (0.2, 5, 0)],
            // 400 examples are 100 steps of 4, and 25 of 16.
            [(0.2, 100, 0), (0.2, 5, 0)],
        ];
        assert_eq!(found, expected);
        let cut: Vec<bool> = quality.curves[1].points.iter().map(|p| p.is_cut_short).collect();
        assert_eq!(cut, [false, false]);
        let long =
            Quality::of(&two_studies(), &goal(Threshold::Below(0.1)), &[QualityBudget::Steps(50)]);
        let cut: Vec<bool> = long.curves[0].points.iter().map(|p| p.is_cut_short).collect();
        assert_eq!(cut, [false, true]);
    }

    #[test]
    fn more_is_better_where_the_goal_is_above() {
        let quality =
            Quality::of(&two_studies(), &goal(Threshold::Above(0.5)), &[QualityBudget::Steps(99)]);
        let best = quality.curves[0].points[0];
        assert_eq!((best.value, best.step, best.trial_id), (0.9, 0, 0));
    }

    #[test]
    fn only_trials_that_count_do() {
        let mut record = two_studies();
        record.studies[0].facts.n_trials = Some(1);
        record.studies[1].trials[0].trial.status = TrialStatus::Infeasible;
        let quality =
            Quality::of(&record, &goal(Threshold::Below(0.1)), &[QualityBudget::Steps(10)]);
        let points = &quality.curves[0].points;
        assert_eq!(points.len(), 1);
        assert_eq!((points[0].value, points[0].trial_id), (0.5, 0));
    }

    #[test]
    fn default_budgets_span_the_studies() {
        let budgets = QualityBudget::defaults(&two_studies());
        // 100 / 64 to 100 steps, 400 / 64 to 400 examples, each by factors of 4.
        let expected = [
            QualityBudget::Unlimited,
            QualityBudget::Steps(2),
            QualityBudget::Steps(6),
            QualityBudget::Steps(25),
            QualityBudget::Steps(100),
            QualityBudget::Examples(6),
            QualityBudget::Examples(25),
            QualityBudget::Examples(100),
            QualityBudget::Examples(400),
        ];
        assert_eq!(budgets, expected);
        assert_eq!(QualityBudget::defaults(&record(&[])), [QualityBudget::Unlimited]);
    }

    #[test]
    fn each_metric_comes_once() {
        let question = |metric: &str, threshold| {
            Question::of_goal(Goal { metric: metric.to_owned(), threshold })
        };
        let questions = [
            question("val/error", Threshold::Below(0.1)),
            question("val/error", Threshold::Below(0.2)),
            question("test/error", Threshold::Below(0.2)),
        ];
        let qualities = Quality::of_questions(&two_studies(), &questions);
        let metrics: Vec<&str> = qualities.iter().map(|quality| quality.metric.as_str()).collect();
        assert_eq!(metrics, ["val/error", "test/error"]);
        assert!(qualities[1].curves.iter().all(|curve| curve.points.is_empty()));
    }
}
