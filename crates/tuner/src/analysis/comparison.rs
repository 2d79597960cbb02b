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
    /// Their interval.
    pub interval: StepsInterval,
    /// steps(B) / steps(B_norm); `None` where this experiment has no result at B_norm.
    pub relative_steps: Option<f64>,
}

impl Comparison {
    /// Compares experiments at `normalising_batch_size`, by default the smallest at which all that
    /// have any result have one.
    #[must_use]
    pub fn of(
        experiments: &[(String, GoalAnalysis)],
        normalising_batch_size: Option<u64>,
    ) -> Comparison {
        let chosen = normalising_batch_size.or_else(|| smallest_common(experiments));
        let experiments = experiments.iter().map(|(label, goal)| compared(label, goal, chosen));
        Comparison { normalising_batch_size: chosen, experiments: experiments.collect() }
    }
}

fn smallest_common(experiments: &[(String, GoalAnalysis)]) -> Option<u64> {
    let sizes = |(_, goal): &(String, GoalAnalysis)| -> BTreeSet<u64> {
        goal.curve().iter().map(|point| point.batch_size).collect()
    };
    let all = experiments.iter().map(sizes).filter(|sizes| !sizes.is_empty());
    let common = all.reduce(|common, sizes| common.intersection(&sizes).copied().collect())?;
    common.first().copied()
}

fn compared(label: &str, goal: &GoalAnalysis, normalising: Option<u64>) -> ComparedExperiment {
    let curve = goal.curve();
    let base = curve.iter().find(|point| Some(point.batch_size) == normalising);
    let point = |study: &StudyAnalysis| {
        let steps = study.result.as_ref()?.steps;
        Some(ComparedPoint {
            batch_size: study.facts.batch_size,
            steps,
            interval: study.interval?,
            // A base of 0 steps, reached before training, has no ratio.
            relative_steps: base
                .filter(|base| base.steps > 0)
                .map(|base| steps as f64 / base.steps as f64),
        })
    };
    ComparedExperiment {
        label: label.to_owned(),
        question: goal.question.clone(),
        points: goal.studies.iter().filter_map(point).collect(),
        regimes: goal.regimes.clone(),
    }
}
