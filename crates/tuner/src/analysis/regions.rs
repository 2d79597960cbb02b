//! Good regions: which (learning rate, 1 - momentum) reach the goal within the question's budget.
//!
//! All trials that ended are shown, counted or not, as in figure 9 of Shallue et al. 2019: there, the
//! good region shrinks with the batch size under an epoch budget and grows under a step budget.

use serde::Serialize;

use crate::experiment::Goal;
use crate::record::{Question, Record, StudyOutcomes, TrialOutcome};
use crate::store::TrialStatus;

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

impl Region {
    /// The region of a study under the question that its outcomes answer.
    #[must_use]
    pub fn of(study: &StudyOutcomes) -> Region {
        let best = study.winner().map(|winner| winner.trial.trial_id);
        let points: Vec<RegionPoint> =
            study.trials.iter().filter_map(|outcome| point(outcome, best)).collect();
        let share = |is_in: fn(RegionClass) -> bool| {
            let n_in = points.iter().filter(|point| is_in(point.class)).count();
            (!points.is_empty()).then(|| n_in as f64 / points.len() as f64)
        };
        Region {
            batch_size: study.facts.batch_size,
            share_reached: share(|c| matches!(c, RegionClass::Best | RegionClass::Reached)),
            share_not_reached: share(|class| class == RegionClass::NotReached),
            share_infeasible: share(|class| class == RegionClass::Infeasible),
            points,
        }
    }
}

/// The regions under a budget of steps and under one of examples, each with its question.
///
/// Each budget is the geometric mean of the fewest and the most that any batch size needs to the
/// goal: there the region depends most on the batch size. None without a result.
#[must_use]
pub fn regions_under_budgets(record: &Record, goal: &Goal) -> Vec<(Question, Vec<Region>)> {
    let unlimited = Question::of_goal(goal.clone());
    let result = |study: &StudyOutcomes| {
        let result = study.result()?;
        Some((result.steps as f64, result.examples as f64))
    };
    let results: Vec<(f64, f64)> = record.outcomes(&unlimited).iter().filter_map(result).collect();
    if results.is_empty() {
        return vec![];
    }
    let middle = |of: fn(&(f64, f64)) -> f64| {
        let values = || results.iter().map(of);
        let (fewest, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        (fewest * most).sqrt().ceil() as u64
    };
    let by_steps = Question { max_steps: Some(middle(|r| r.0)), ..unlimited.clone() };
    let by_examples = Question { max_examples: Some(middle(|r| r.1)), ..unlimited };
    let regions = |question: Question| {
        let regions = record.outcomes(&question).iter().map(Region::of).collect();
        (question, regions)
    };
    [by_steps, by_examples].map(regions).into()
}

/// The trial's place; none for a trial that has not ended, or that has no learning rate.
fn point(outcome: &TrialOutcome, best: Option<u64>) -> Option<RegionPoint> {
    let TrialOutcome { trial, reached } = outcome;
    let class = match (trial.status, reached) {
        (TrialStatus::Incomplete, _) => return None,
        (TrialStatus::Infeasible, _) => RegionClass::Infeasible,
        (TrialStatus::Complete, Some(_)) if Some(trial.trial_id) == best => RegionClass::Best,
        (TrialStatus::Complete, Some(_)) => RegionClass::Reached,
        (TrialStatus::Complete, None) => RegionClass::NotReached,
    };
    Some(RegionPoint {
        trial_id: trial.trial_id,
        learning_rate: *trial.parameters.get("learning_rate")?,
        one_minus_momentum: 1.0 - trial.parameters.get("momentum").copied().unwrap_or(0.0),
        class,
        steps: reached.filter(|_| class != RegionClass::Infeasible).map(|reached| reached.step),
    })
}

#[cfg(test)]
mod tests {
    use super::RegionClass::{Best, Infeasible, NotReached, Reached};
    use super::*;
    use crate::analysis::testing::{record_of, row};

    fn record() -> (Record, Goal) {
        let at = |step: u64, error: f64| {
            vec![row(0, &[("val/error", 0.9)]), row(step, &[("val/error", error)])]
        };
        let trials = [at(100, 0.5), at(400, 0.0), at(100, 0.01), at(100, 0.02)];
        let (mut record, goal) = record_of(4, &trials);
        let points = [(0.1, 0.9), (0.2, 0.5), (0.3, 0.0), (9.0, 0.9)];
        for (trial, (rate, momentum)) in record.studies[0].trials.iter_mut().zip(points) {
            trial.trial.parameters.insert("learning_rate".to_owned(), rate);
            trial.trial.parameters.insert("momentum".to_owned(), momentum);
        }
        record.studies[0].trials[3].trial.status = TrialStatus::Infeasible;
        (record, goal)
    }

    fn region(record: &Record, question: &Question) -> Region {
        Region::of(&record.outcomes(question)[0])
    }

    #[test]
    fn every_trial_has_its_class() {
        let (record, goal) = record();
        let region = region(&record, &Question::of_goal(goal));
        let classes: Vec<RegionClass> = region.points.iter().map(|point| point.class).collect();
        assert_eq!(classes, [NotReached, Reached, Best, Infeasible]);
        let shares = [region.share_reached, region.share_not_reached, region.share_infeasible];
        assert_eq!(shares, [Some(0.5), Some(0.25), Some(0.25)]);
        assert!((region.points[0].one_minus_momentum - 0.1).abs() < 1e-15);
        assert_eq!(region.points[3].steps, None, "a diverged trial has no result");
    }

    #[test]
    fn a_budget_narrows_the_region() {
        let (record, goal) = record();
        let question = Question { max_examples: Some(400), ..Question::of_goal(goal.clone()) };
        let classes: Vec<_> = region(&record, &question).points.iter().map(|p| p.class).collect();
        assert_eq!(classes, [NotReached, NotReached, Best, Infeasible]);
    }

    #[test]
    fn both_budgets_lie_in_the_middle_of_what_batch_sizes_need() {
        let (mut record, goal) = record();
        let mut larger = record.studies[0].clone();
        larger.facts.batch_size = 400;
        larger.trials.remove(2);
        record.studies.push(larger);
        let both = regions_under_budgets(&record, &goal);
        // 100 and 400 steps; 400 and 160,000 examples.
        assert_eq!((both[0].0.max_steps, both[0].0.max_examples), (Some(200), None));
        assert_eq!((both[1].0.max_steps, both[1].0.max_examples), (None, Some(8000)));
        assert_eq!(both[1].1.len(), 2);
        let above = Goal { metric: "val/other".to_owned(), ..goal };
        assert!(regions_under_budgets(&record, &above).is_empty());
    }

    #[test]
    fn an_optimizer_without_momentum_has_one() {
        let (mut record, goal) = record();
        record.studies[0].trials[0].trial.parameters.remove("momentum");
        record.studies[0].trials[1].trial.parameters.remove("learning_rate");
        let region = region(&record, &Question::of_goal(goal));
        assert_eq!(region.points[0].one_minus_momentum, 1.0);
        assert_eq!(region.points.len(), 3, "no learning rate, no place");
    }
}
