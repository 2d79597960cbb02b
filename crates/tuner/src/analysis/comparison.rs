//! Several experiments on one axis: curves relative to their own steps at a common batch size.
//!
//! # Source
//!
//! Shallue et al. 2019, figures 3 to 6: steps(B) / steps(B_norm).

use std::collections::BTreeSet;

use serde::Serialize;

use super::goal::{GoalAnalysis, StudyAnalysis};
use super::regimes::Regimes;
use super::uncertainty::StepsInterval;
use crate::record::Question;

/// Experiments side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// B_norm: where every normalised curve is 1; `None` where no batch size has a result in all.
    pub normalising_batch_size: Option<u64>,
    /// The experiments, in the order given.
    pub experiments: Vec<ComparedExperiment>,
}

/// One experiment of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedExperiment {
    /// Its name in the comparison.
    pub label: String,
    /// The goal and budget it is compared under.
    pub question: Question,
    /// Batch sizes with a result, ascending.
    pub points: Vec<ComparedPoint>,
    /// Batch sizes that were studied and have none, ascending.
    pub without_result: Vec<u64>,
    /// Batch sizes with fewer complete trials than asked for, ascending.
    pub too_few_trials: Vec<u64>,
    /// Batch sizes that give reason for doubt, as the experiment's own table says, ascending.
    pub doubtful: Vec<u64>,
    /// End of perfect scaling, maximum useful batch size, and fit, of the curve as it is.
    pub regimes: Regimes,
}

/// A point of a compared curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ComparedPoint {
    /// Examples per update.
    pub batch_size: u64,
    /// Steps to result.
    pub steps: u64,
    /// Their interval, where the trials tell.
    pub interval: Option<StepsInterval>,
    /// steps(B) / steps(B_norm); `None` where this experiment has no result at B_norm.
    pub relative_steps: Option<f64>,
}

impl Comparison {
    /// Compares experiments, each with its own question. Curves are normalised at the given batch
    /// size, or else at the smallest one at which every experiment with any result has one.
    #[must_use]
    pub fn of(
        experiments: &[(String, GoalAnalysis)],
        normalising_batch_size: Option<u64>,
    ) -> Comparison {
        let normalising = normalising_batch_size.or_else(|| smallest_common(experiments));
        let experiments = experiments.iter().map(|(label, analysis)| {
            let at_norm = normalising.and_then(|batch_size| steps_at(analysis, batch_size));
            let sizes = |is_meant: fn(&StudyAnalysis) -> bool| {
                let studies = analysis.studies.iter().filter(|study| is_meant(study));
                studies.map(|study| study.facts.batch_size).collect()
            };
            ComparedExperiment {
                label: label.clone(),
                question: analysis.question.clone(),
                points: analysis.studies.iter().filter_map(|s| compared(s, at_norm)).collect(),
                without_result: sizes(|study| study.result.is_none()),
                too_few_trials: sizes(|study| study.counts.are_too_few()),
                doubtful: sizes(|study| !study.warnings.is_empty()),
                regimes: analysis.regimes.clone(),
            }
        });
        Comparison { normalising_batch_size: normalising, experiments: experiments.collect() }
    }
}

impl ComparedExperiment {
    /// Batch sizes that were studied, ascending.
    #[must_use]
    pub fn batch_sizes(&self) -> BTreeSet<u64> {
        let with_result = self.points.iter().map(|point| point.batch_size);
        with_result.chain(self.without_result.iter().copied()).collect()
    }

    /// The point at a batch size, if it has a result.
    #[must_use]
    pub fn at(&self, batch_size: u64) -> Option<&ComparedPoint> {
        self.points.iter().find(|point| point.batch_size == batch_size)
    }
}

fn compared(study: &StudyAnalysis, steps_at_norm: Option<u64>) -> Option<ComparedPoint> {
    let steps = study.result.as_ref()?.steps;
    let norm = steps_at_norm.filter(|norm| *norm > 0);
    Some(ComparedPoint {
        batch_size: study.facts.batch_size,
        steps,
        interval: study.interval,
        relative_steps: norm.map(|norm| steps as f64 / norm as f64),
    })
}

fn steps_at(analysis: &GoalAnalysis, batch_size: u64) -> Option<u64> {
    let point = analysis.curve().into_iter().find(|point| point.batch_size == batch_size)?;
    Some(point.steps)
}

/// The smallest batch size at which every experiment with any result has one.
fn smallest_common(experiments: &[(String, GoalAnalysis)]) -> Option<u64> {
    let curves = experiments.iter().map(|(_, analysis)| analysis.curve());
    let sizes = curves.map(|curve| curve.iter().map(|point| point.batch_size).collect());
    let with_result = sizes.filter(|sizes: &BTreeSet<u64>| !sizes.is_empty());
    let common = with_result.reduce(|common, sizes| &common & &sizes)?;
    common.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::options::AnalysisOptions;
    use crate::analysis::testing::{Outcome, question, study};

    fn experiment(label: &str, table: &[(u64, Option<u64>)]) -> (String, GoalAnalysis) {
        let studies: Vec<_> = table
            .iter()
            .map(|(batch_size, steps)| {
                study(*batch_size, &[steps.map_or(Outcome::missed(), Outcome::reached)])
            })
            .collect();
        let analysis = GoalAnalysis::of(&studies, &question(), &AnalysisOptions::default());
        (label.to_owned(), analysis)
    }

    #[test]
    fn curves_meet_at_the_smallest_common_batch_size() {
        let experiments = [
            experiment("sgd", &[(1, Some(800)), (2, Some(400)), (4, Some(300))]),
            experiment("momentum", &[(1, None), (2, Some(200)), (8, Some(50))]),
        ];
        let relative = |comparison: &Comparison, index: usize| -> Vec<Option<f64>> {
            comparison.experiments[index].points.iter().map(|p| p.relative_steps).collect()
        };
        let comparison = Comparison::of(&experiments, None);
        assert_eq!(comparison.normalising_batch_size, Some(2));
        assert_eq!(relative(&comparison, 0), [Some(2.0), Some(1.0), Some(0.75)]);
        assert_eq!(relative(&comparison, 1), [Some(1.0), Some(0.25)]);
        assert_eq!(comparison.experiments[1].regimes, experiments[1].1.regimes);
        let lacking = comparison.experiments.iter().map(|e| &e.without_result[..]);
        assert_eq!(lacking.collect::<Vec<_>>(), [&[][..], &[1]]);
        assert!(comparison.experiments.iter().all(|e| e.too_few_trials.is_empty()));
        // One trial a batch size is too few everywhere.
        assert_eq!(comparison.experiments[0].doubtful, [1, 2, 4]);
        let given = Comparison::of(&experiments, Some(4));
        assert_eq!(relative(&given, 0), [Some(800.0 / 300.0), Some(400.0 / 300.0), Some(1.0)]);
        assert_eq!(relative(&given, 1), [None, None], "no result at 4");
    }

    #[test]
    fn nothing_in_common_leaves_curves_as_they_are() {
        let experiments =
            [experiment("a", &[(1, Some(10))]), experiment("b", &[(2, Some(10)), (4, None)])];
        let comparison = Comparison::of(&experiments, None);
        assert_eq!(comparison.normalising_batch_size, None);
        assert_eq!(comparison.experiments[0].points[0].steps, 10);
        assert_eq!(comparison.experiments[0].points[0].relative_steps, None);
        assert!(Comparison::of(&[], None).experiments.is_empty());
        let without_any = [experiment("a", &[(1, Some(10))]), experiment("b", &[(1, None)])];
        assert_eq!(Comparison::of(&without_any, None).normalising_batch_size, Some(1));
    }
}
