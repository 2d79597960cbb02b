//! Which points of the curve cannot be trusted, and why.

use serde::Serialize;

use super::boundary::Verdict;
use super::goal::StudyAnalysis;
use super::options::Tolerances;
use super::scaling::CurvePoint;
use super::steps_to_result::{StudyResult, TrialCounts};
use super::uncertainty::StepsQuantile;
use super::widen::not_widened;
use crate::record::{Question, StudyOutcomes};

/// A reason not to trust a study's point, with its numbers. Displayed as one plain sentence that says
/// what to do, without the batch size.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Warning {
    /// No trial that counts reached the goal.
    NoResult {
        /// Trials that count.
        n_complete: u64,
        /// Trials that diverged.
        n_infeasible: u64,
        /// Whether some trial has not ended.
        is_under_way: bool,
        /// The most steps a trial may train.
        budget_steps: Option<u64>,
    },
    /// Fewer trials are complete than were asked for.
    TooFewComplete {
        /// Trials that count.
        n_complete: u64,
        /// Trials asked for.
        n_wanted: u64,
        /// Trials under way.
        n_incomplete: u64,
        /// Trials that diverged.
        n_infeasible: u64,
    },
    /// The best point lies at an end of the searched box.
    Edge {
        /// Of which metaparameter.
        metaparameter: String,
        /// Which end.
        verdict: Verdict,
        /// The best value.
        value: f64,
        /// The box's end.
        bound: f64,
        /// Whether `critbatch widen` can extend the scale; points are added by hand.
        can_be_widened: bool,
    },
    /// So few trials reached the goal that a few more may well find a better point.
    FewReached {
        /// Trials that reached the goal.
        n_reached: u64,
        /// Trials that count.
        n_complete: u64,
    },
    /// The measurement before the result lies far before it.
    CoarseGrid {
        /// Steps to result.
        steps: u64,
        /// The measurement before.
        previous_step: u64,
        /// The gap between them, relative to the steps to result.
        relative_gap: f64,
    },
    /// The goal was met before training.
    MetBeforeTraining,
    /// The goal was met at the first measurement: it may have been long before.
    MetAtFirstMeasurement {
        /// Steps to result.
        steps: u64,
    },
    /// The goal was reached just before the budget ended: slower trials were cut off.
    NearBudgetEnd {
        /// Steps to result.
        steps: u64,
        /// The end of the budget, in steps.
        budget_steps: u64,
    },
    /// Trials were stopped, for another goal, before the result: they may have been faster.
    StoppedBeforeResult {
        /// How many.
        n_stopped: u64,
        /// Steps to result; `None` where there is none.
        steps: Option<u64>,
    },
    /// A larger batch size takes far fewer examples: two steps do at least what one of twice the batch
    /// does, so this study's search missed the optimum or the other's best trial was luck.
    MoreExamplesThanLarger {
        /// The other batch size.
        batch_size: u64,
        /// Examples to this study's result over those to the other's.
        factor: f64,
    },
    /// A smaller batch size takes far fewer steps: a larger batch is no worse, so this study's search
    /// missed the optimum or the other's best trial was luck.
    MoreStepsThanSmaller {
        /// The other batch size.
        batch_size: u64,
        /// Steps to this study's result over those to the other's.
        factor: f64,
    },
    /// Repeats of the best point with fresh seeds take other steps than it did.
    RepeatsDisagree {
        /// Steps to result.
        steps: u64,
        /// The median of the repeats.
        median: StepsQuantile,
        /// Repeats that ended.
        n_repeats: u64,
    },
}

impl Warning {
    /// The warnings on one study, the gravest first.
    pub(super) fn of(
        outcomes: &StudyOutcomes,
        question: &Question,
        study: &StudyAnalysis,
        tolerances: &Tolerances,
    ) -> Vec<Warning> {
        let budget_steps = outcomes.budget_end(question);
        let steps = study.result.as_ref().map(|result| result.steps);
        let TrialCounts { n_complete, n_infeasible, n_incomplete, .. } = study.counts;
        let is_under_way = n_incomplete > 0;
        let no_result = Warning::NoResult { n_complete, n_infeasible, is_under_way, budget_steps };
        let mut warnings: Vec<Warning> = steps.is_none().then_some(no_result).into_iter().collect();
        warnings.extend(too_few_complete(&study.counts));
        warnings.extend(stopped_before(outcomes, question, steps));
        let Some(result) = &study.result else { return warnings };
        warnings.extend(edges(study));
        warnings.extend(few_reached(&study.counts, tolerances));
        warnings.extend(grid(result, tolerances));
        warnings.extend(near_end(result.steps, budget_steps, tolerances));
        warnings.extend(repeats_disagree(study, result, tolerances.repeats_factor));
        warnings
    }

    /// What a point says beside the others of its curve, if it stands out by more than the factor.
    pub(super) fn of_curve(point: CurvePoint, curve: &[CurvePoint], factor: f64) -> Vec<Warning> {
        let larger = curve.iter().filter(|other| other.batch_size > point.batch_size);
        let frugal = larger.min_by(|a, b| a.n_examples().total_cmp(&b.n_examples()));
        let smaller = curve.iter().filter(|other| other.batch_size < point.batch_size);
        let fast = smaller.min_by_key(|other| other.steps);
        let examples = frugal.and_then(|&other| {
            let found = point.n_examples() / other.n_examples().max(1.0);
            let batch_size = other.batch_size;
            let warning = Warning::MoreExamplesThanLarger { batch_size, factor: found };
            (found > factor).then_some(warning)
        });
        let steps = fast.and_then(|&CurvePoint { batch_size, steps }| {
            let found = point.steps as f64 / steps.max(1) as f64;
            let warning = Warning::MoreStepsThanSmaller { batch_size, factor: found };
            (found > factor).then_some(warning)
        });
        examples.into_iter().chain(steps).collect()
    }
}

fn too_few_complete(counts: &TrialCounts) -> Option<Warning> {
    let TrialCounts { n_complete, n_wanted, n_incomplete, n_infeasible, .. } = *counts;
    let n_wanted = n_wanted.filter(|n_wanted| n_complete < *n_wanted)?;
    Some(Warning::TooFewComplete { n_complete, n_wanted, n_incomplete, n_infeasible })
}

/// Trials stopped early that may have been faster than the result, or the only ones.
fn stopped_before(
    outcomes: &StudyOutcomes,
    question: &Question,
    steps: Option<u64>,
) -> Option<Warning> {
    // One that was stopped where the result is could only have come later.
    let is_before = |stopped: &u64| steps.is_none_or(|steps| *stopped < steps);
    let n_stopped = outcomes.stopped_early(question).filter(is_before).count() as u64;
    (n_stopped > 0).then_some(Warning::StoppedBeforeResult { n_stopped, steps })
}

fn edges(study: &StudyAnalysis) -> impl Iterator<Item = Warning> {
    let by_hand = not_widened(&study.facts.space, &study.boundaries);
    let on_edge = study.boundaries.iter().filter(|(_, boundary)| boundary.verdict.is_edge());
    on_edge.map(move |(name, boundary)| Warning::Edge {
        metaparameter: name.clone(),
        verdict: boundary.verdict,
        value: boundary.value,
        bound: boundary.bound,
        can_be_widened: !by_hand.contains(name),
    })
}

fn few_reached(counts: &TrialCounts, tolerances: &Tolerances) -> Option<Warning> {
    let TrialCounts { n_reached, n_complete, n_stopped_early, .. } = *counts;
    // Trials stopped early, as by the rule `incumbent`, cannot be said to have missed the goal.
    let at_most = n_reached + n_stopped_early;
    let is_few = at_most < tolerances.n_reached
        || (at_most as f64) < tolerances.share_reached * n_complete as f64;
    is_few.then_some(Warning::FewReached { n_reached, n_complete })
}

fn grid(result: &StudyResult, tolerances: &Tolerances) -> Option<Warning> {
    let steps = result.steps;
    match result.previous_step {
        _ if steps == 0 => Some(Warning::MetBeforeTraining),
        None => Some(Warning::MetAtFirstMeasurement { steps }),
        Some(previous_step) => {
            let gap = steps.saturating_sub(previous_step);
            let relative_gap = gap as f64 / steps as f64;
            // Steps are whole: a gap of one cannot be finer.
            let is_coarse = gap > 1 && relative_gap > tolerances.grid_gap;
            is_coarse.then_some(Warning::CoarseGrid { steps, previous_step, relative_gap })
        }
    }
}

fn near_end(steps: u64, budget_steps: Option<u64>, tolerances: &Tolerances) -> Option<Warning> {
    let budget_steps = budget_steps?;
    let is_near = steps as f64 >= (1.0 - tolerances.budget_end) * budget_steps as f64;
    is_near.then_some(Warning::NearBudgetEnd { steps, budget_steps })
}

fn repeats_disagree(study: &StudyAnalysis, result: &StudyResult, factor: f64) -> Option<Warning> {
    let points = &study.repeats.as_ref()?.points;
    let point = points.iter().find(|point| point.trial_id == result.trial_id)?;
    let (steps, median) = (result.steps, point.median?);
    let most = factor * steps.max(1) as f64;
    let agrees = match median {
        StepsQuantile::Steps(median) if median < steps => {
            steps as f64 <= factor * median.max(1) as f64
        }
        // As far as repeats that were stopped early tell.
        StepsQuantile::Steps(median) | StepsQuantile::After(median) => median as f64 <= most,
        StepsQuantile::NotReached => false,
    };
    let n_repeats = point.repeat_steps.len() as u64;
    (!agrees).then_some(Warning::RepeatsDisagree { steps, median, n_repeats })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::goal::GoalAnalysis;
    use crate::analysis::options::AnalysisOptions;
    use crate::analysis::testing::{BUDGET_STEPS, Outcome, question, study, study_in};
    use crate::space::{Scale, Space};

    fn warnings_on(study: StudyOutcomes) -> Vec<Warning> {
        let analysis = GoalAnalysis::of(&[study], &question(), &AnalysisOptions::default());
        analysis.studies[0].warnings.clone()
    }

    fn warnings(outcomes: &[Outcome]) -> Vec<Warning> {
        warnings_on(study(8, outcomes))
    }

    /// Three trials that reached the goal, beside others.
    fn sound(best: Outcome) -> Vec<Outcome> {
        vec![best, Outcome::reached(500), Outcome::reached(600)]
    }

    #[test]
    fn a_sound_study_has_none() {
        assert_eq!(warnings(&sound(Outcome::reached(400))), []);
        // A gap of one step cannot be finer, however large it is beside the result.
        assert_eq!(warnings(&sound(Outcome::reached(2))), []);
        assert_eq!(warnings(&sound(Outcome::reached(100).after(Some(91)))), []);
    }

    #[test]
    fn measurements_too_far_apart() {
        let coarse = warnings(&sound(Outcome::reached(100).after(Some(80))));
        let expected = Warning::CoarseGrid { steps: 100, previous_step: 80, relative_gap: 0.2 };
        assert_eq!(coarse, [expected]);
        let first = warnings(&sound(Outcome::reached(100).after(None)));
        assert_eq!(first, [Warning::MetAtFirstMeasurement { steps: 100 }]);
        assert_eq!(warnings(&sound(Outcome::reached(0))), [Warning::MetBeforeTraining]);
    }

    #[test]
    fn too_few_trials_and_too_short_budgets() {
        let mut few = vec![Outcome::missed(); 38];
        few.extend([Outcome::reached(10), Outcome::reached(11)]);
        assert_eq!(warnings(&few), [Warning::FewReached { n_reached: 2, n_complete: 40 }]);
        let mut rare = vec![Outcome::missed(); 97];
        rare.extend(sound(Outcome::reached(10)));
        assert_eq!(warnings(&rare), [Warning::FewReached { n_reached: 3, n_complete: 100 }]);
        let late = [960, 970, 980].map(Outcome::reached);
        let expected = Warning::NearBudgetEnd { steps: 960, budget_steps: BUDGET_STEPS };
        assert_eq!(warnings(&late), [expected]);
        let mut short = study(8, &sound(Outcome::reached(10)));
        short.facts.n_trials = Some(5);
        let expected = Warning::TooFewComplete {
            n_complete: 3,
            n_wanted: 5,
            n_incomplete: 0,
            n_infeasible: 0,
        };
        assert_eq!(warnings_on(short), [expected]);
    }

    #[test]
    fn no_result_is_said_first() {
        let expected = |is_under_way| {
            let budget_steps = Some(BUDGET_STEPS);
            Warning::NoResult { n_complete: 1, n_infeasible: 1, is_under_way, budget_steps }
        };
        let [missed, diverged] = [Outcome::missed(), Outcome::diverged()];
        assert_eq!(warnings(&[missed.clone(), diverged.clone()]), [expected(false)]);
        assert_eq!(warnings(&[missed, diverged, Outcome::running()]), [expected(true)]);
    }

    #[test]
    fn trials_stopped_before_the_result() {
        let mut outcomes = sound(Outcome::reached(400));
        outcomes.push(Outcome::stopped(300));
        let expected = Warning::StoppedBeforeResult { n_stopped: 1, steps: Some(400) };
        assert_eq!(warnings(&outcomes), [expected]);
        // The rule `incumbent`: all others stopped where the best arrived, so nothing is lost.
        let mut incumbent = vec![Outcome::stopped(400); 9];
        incumbent.push(Outcome::reached(400));
        assert_eq!(warnings(&incumbent), []);
        let nothing = warnings(&[Outcome::stopped(30)]);
        let expected = Warning::StoppedBeforeResult { n_stopped: 1, steps: None };
        assert_eq!(nothing[1..], [expected]);
    }

    #[test]
    fn edges_are_named_with_what_to_do() {
        let scales = [
            ("learning_rate", Scale::Log(0.01, 1.0)),
            ("label_smoothing", Scale::Discrete(vec![0.0, 0.05, 0.1])),
            ("momentum", Scale::ReverseLog(0.0, 0.99)),
        ];
        let space = Space { scales: scales.map(|(name, scale)| (name.to_owned(), scale)).into() };
        let best = Outcome::reached(10).at("learning_rate", 0.011).at("label_smoothing", 0.1);
        let outcomes = sound(best.at("momentum", 0.0));
        let found = warnings_on(study_in(8, space, &outcomes));
        let texts: Vec<String> = found.iter().map(Warning::to_string).collect();
        assert_eq!(
            texts,
            [
                "the best label_smoothing, 0.1, lies at the upper end of its box, 0.1, and a better \
                 one may lie beyond: add a point beyond it by hand",
                "the best learning_rate, 0.011, lies at the lower end of its box, 0.01, and a better \
                 one may lie beyond: widen the box ('critbatch widen' does, for the experiment's own goal)",
            ]
        );
    }

    #[test]
    fn repeats_that_disagree() {
        let of = |steps: [u64; 3]| {
            let mut study = study(8, &sound(Outcome::reached(100)));
            let repeats = (1..).zip(steps);
            study.repeats = repeats.map(|(n, s)| Outcome::reached(s).trial(8, 0, n)).collect();
            warnings_on(study)
        };
        assert_eq!(of([90, 119, 400]), []);
        let expected = Warning::RepeatsDisagree {
            steps: 100,
            median: StepsQuantile::Steps(121),
            n_repeats: 3,
        };
        assert_eq!(of([90, 121, 400]), [expected]);
    }

    #[test]
    fn points_that_stand_out_of_the_curve() {
        let of = |steps: [u64; 5]| {
            let studies = (1..).zip(steps).map(|(power, steps)| {
                let best = [steps, steps + 1, steps + 2].map(Outcome::reached);
                study(1 << power, &best)
            });
            let studies: Vec<StudyOutcomes> = studies.collect();
            let analysis = GoalAnalysis::of(&studies, &question(), &AnalysisOptions::default());
            analysis.warnings().map(|(size, warning)| (size, warning.clone())).collect::<Vec<_>>()
        };
        assert_eq!(of([800, 400, 210, 150, 140]), []);
        // 1200 and 1600 examples, and 960 at a batch size of 8.
        let expected = Warning::MoreExamplesThanLarger { batch_size: 8, factor: 1.6 / 0.96 };
        assert_eq!(of([600, 400, 120, 80, 70]), [(4, expected)]);
        let expected = Warning::MoreStepsThanSmaller { batch_size: 16, factor: 1.5 };
        assert_eq!(of([800, 400, 210, 140, 210]), [(32, expected)]);
    }

    #[test]
    fn repeats_that_were_stopped_for_another_goal_do_not_disagree() {
        let of = |stopped_at: u64| {
            let mut study = study(8, &sound(Outcome::reached(100)));
            let repeats = (1..4).map(|n| Outcome::stopped(stopped_at).trial(8, 0, n));
            study.repeats = repeats.collect();
            warnings_on(study)
        };
        assert_eq!(of(110), []);
        let median = StepsQuantile::After(300);
        assert_eq!(of(300), [Warning::RepeatsDisagree { steps: 100, median, n_repeats: 3 }]);
    }
}
