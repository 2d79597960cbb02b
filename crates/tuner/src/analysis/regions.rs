//! Good regions: which (learning rate, 1 - momentum) reach the goal within the question's budget.
//!
//! All trials that ended are shown, counted or not, as in figure 9 of Shallue et al. 2019: there, the
//! good region shrinks with the batch size under an epoch budget and grows under a step budget.

use serde::Serialize;

use super::goal::GoalAnalysis;
use super::resample::quantile;
use crate::record::{Question, Record, StudyFacts, StudyOutcomes, TrialOutcome};
use crate::store::TrialStatus;

/// How a trial of a region ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionClass {
    /// The study's result.
    Best,
    /// Reached the goal.
    Reached,
    /// Trained to the end of the budget without reaching the goal.
    NotReached,
    /// Stopped before, as by the rule `incumbent`: whether it would have reached the goal is not known.
    StoppedEarly,
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
    /// Of the points of which it is known: the share that reached the goal, the best among them; `None`
    /// without such points.
    pub share_reached: Option<f64>,
    /// The share that did not reach it.
    pub share_not_reached: Option<f64>,
    /// The share that diverged.
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

/// Good regions under one budget that is the same at every batch size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetRegions {
    /// The goal and the budget.
    pub question: Question,
    /// The regions by ascending batch size.
    pub studies: Vec<Region>,
}

impl BudgetRegions {
    /// The regions of a record under a question.
    #[must_use]
    pub fn of(record: &Record, question: &Question) -> BudgetRegions {
        let outcomes = record.outcomes(question);
        let studies = outcomes.iter().map(|study| Region::of(study, question)).collect();
        BudgetRegions { question: question.clone(), studies }
    }

    /// The regions under a budget of steps, twice the median of the steps to result over batch sizes,
    /// then under one of examples, twice the median of the examples to result: half of the batch sizes
    /// can then reach the goal with room to spare under either. Both are cut to what trials were given at
    /// every batch size, for beyond that nobody knows what a trial would have reached. None without a
    /// result.
    #[must_use]
    pub fn defaults(record: &Record, main: &GoalAnalysis) -> Vec<BudgetRegions> {
        let results = || main.studies.iter().filter_map(|study| study.result.as_ref());
        let twice_median = |values: &mut Vec<u64>| {
            values.sort_unstable();
            Some(quantile(values, 0.5)?.saturating_mul(2))
        };
        let facts = || record.studies.iter().map(|study| &study.facts);
        let given_steps = facts().filter_map(|facts| facts.budget_steps).min();
        let examples =
            |facts: &StudyFacts| Some(facts.budget_steps?.saturating_mul(facts.batch_size));
        let given_examples = facts().filter_map(examples).min();
        let at_most = |given: Option<u64>| move |budget: u64| budget.min(given.unwrap_or(u64::MAX));
        let max_steps = twice_median(&mut results().map(|result| result.steps).collect());
        let max_steps = max_steps.map(at_most(given_steps));
        let max_examples = twice_median(&mut results().map(|result| result.examples).collect());
        let max_examples = max_examples.map(at_most(given_examples));
        let goal = &main.question.goal;
        let by_steps =
            max_steps.map(|_| Question { goal: goal.clone(), max_steps, max_examples: None });
        let by_examples =
            max_examples.map(|_| Question { goal: goal.clone(), max_steps: None, max_examples });
        let questions = by_steps.into_iter().chain(by_examples);
        questions.map(|question| BudgetRegions::of(record, &question)).collect()
    }
}

impl Region {
    /// The region of a study under a question.
    #[must_use]
    pub fn of(outcomes: &StudyOutcomes, question: &Question) -> Region {
        let end = outcomes.budget_end(question).unwrap_or(0);
        let winner = outcomes.winner().map(|winner| winner.trial.trial_id);
        let point = |outcome: &TrialOutcome| {
            let trial = &outcome.trial;
            let steps = outcome.reached.map(|reached| reached.step);
            let class = match (trial.status, steps) {
                (TrialStatus::Incomplete, _) => return None,
                (TrialStatus::Infeasible, _) => RegionClass::Infeasible,
                (TrialStatus::Complete, _) if winner == Some(trial.trial_id) => RegionClass::Best,
                (TrialStatus::Complete, Some(_)) => RegionClass::Reached,
                (TrialStatus::Complete, None) if outcome.stopped_before(end).is_some() => {
                    RegionClass::StoppedEarly
                }
                (TrialStatus::Complete, None) => RegionClass::NotReached,
            };
            Some(RegionPoint {
                trial_id: trial.trial_id,
                learning_rate: *trial.parameters.get("learning_rate")?,
                one_minus_momentum: 1.0 - trial.parameters.get("momentum").unwrap_or(&0.0),
                class,
                steps: steps.filter(|_| trial.status == TrialStatus::Complete),
            })
        };
        let points: Vec<RegionPoint> = outcomes.trials.iter().filter_map(point).collect();
        let known = || points.iter().filter(|point| point.class != RegionClass::StoppedEarly);
        let n_known = known().count();
        let share = |classes: &[RegionClass]| {
            let n = known().filter(|point| classes.contains(&point.class)).count();
            (n_known > 0).then(|| n as f64 / n_known as f64)
        };
        Region {
            batch_size: outcomes.facts.batch_size,
            share_reached: share(&[RegionClass::Best, RegionClass::Reached]),
            share_not_reached: share(&[RegionClass::NotReached]),
            share_infeasible: share(&[RegionClass::Infeasible]),
            points,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{BUDGET_STEPS, Outcome, question, record, study, trial_curve};
    use crate::analysis::{Analysis, AnalysisOptions};
    use crate::experiment::{Goal, Threshold};

    #[test]
    fn trials_have_a_class_and_classes_a_share() {
        let at = |outcome: Outcome| outcome.at("learning_rate", 0.1).at("momentum", 0.75);
        let outcomes = [
            at(Outcome::reached(20)),
            at(Outcome::reached(10)),
            at(Outcome::missed()),
            at(Outcome::diverged()),
            at(Outcome::running()),
            Outcome::reached(30),
        ];
        let mut study = study(8, &outcomes);
        let region = Region::of(&study, &question());
        let classes: Vec<RegionClass> = region.points.iter().map(|point| point.class).collect();
        let expected = [
            RegionClass::Reached,
            RegionClass::Best,
            RegionClass::NotReached,
            RegionClass::Infeasible,
        ];
        assert_eq!(classes, expected);
        assert_eq!(region.points[0].one_minus_momentum, 0.25);
        let shares = (region.share_reached, region.share_not_reached, region.share_infeasible);
        assert_eq!(shares, (Some(0.5), Some(0.25), Some(0.25)));
        // Trials beyond those that count are shown, but cannot be the best.
        study.facts.n_trials = Some(1);
        let classes: Vec<RegionClass> =
            Region::of(&study, &question()).points.iter().map(|point| point.class).collect();
        assert_eq!(classes[..2], [RegionClass::Best, RegionClass::Reached]);
        study.trials.clear();
        assert_eq!(Region::of(&study, &question()).share_reached, None);
    }

    #[test]
    fn without_momentum_one_minus_it_is_one() {
        let study = study(8, &[Outcome::reached(1).at("learning_rate", 0.5)]);
        let region = Region::of(&study, &question());
        assert_eq!(region.points[0].one_minus_momentum, 1.0);
    }

    #[test]
    fn nobody_knows_what_a_trial_that_was_stopped_early_would_have_reached() {
        let outcomes = [Outcome::reached(20), Outcome::stopped(20), Outcome::missed()];
        let study = study(8, &outcomes.map(|outcome| outcome.at("learning_rate", 0.1)));
        let region = Region::of(&study, &question());
        assert_eq!(region.points[1].class, RegionClass::StoppedEarly);
        assert_eq!((region.share_reached, region.share_not_reached), (Some(0.5), Some(0.5)));
        // Under a budget that ends where it was stopped it is known.
        let short = Question { max_steps: Some(20), ..question() };
        let class = Region::of(&study, &short).points[1].class;
        assert_eq!((class, BUDGET_STEPS > 20), (RegionClass::NotReached, true));
    }

    #[test]
    fn budgets_are_what_trials_were_given_at_every_batch_size() {
        let reached = |step| [trial_curve(0, &[(step, 0.05)])];
        let mut record = record(&[(8, &reached(400)), (16, &reached(200)), (32, &reached(100))]);
        let budgets = |record: &Record| {
            let question = Question {
                goal: Goal { metric: "val/error".to_owned(), threshold: Threshold::Below(0.1) },
                ..question()
            };
            let analysis = Analysis::of(record, &[question], &AnalysisOptions::default());
            let questions = analysis.regions.into_iter().map(|regions| regions.question);
            questions.map(|q| (q.max_steps, q.max_examples)).collect::<Vec<_>>()
        };
        assert_eq!(budgets(&record), [(Some(400), None), (None, Some(6400))]);
        record.studies[2].facts.budget_steps = Some(150);
        record.studies[0].facts.budget_steps = Some(500);
        assert_eq!(budgets(&record), [(Some(150), None), (None, Some(4000))]);
    }
}
