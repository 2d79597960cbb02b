//! Everything that follows from the outcomes of one question.

use std::collections::BTreeMap;

use serde::Serialize;

use super::boundary::Boundary;
use super::heuristics::HeuristicScores;
use super::regimes::Regimes;
use super::regions::Region;
use super::repeats::RepeatAnalysis;
use super::scaling::CurvePoint;
use super::steps_to_result::{StudyResult, TrialCounts};
use super::time::TimeToResult;
use super::uncertainty::{ConvergencePoint, StepsInterval};
use super::warnings::Warning;
use crate::record::{Question, StudyFacts};

/// What a record says about one goal under one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GoalAnalysis {
    /// What was asked.
    pub question: Question,
    /// Each study, by ascending batch size, whether or not it has a result.
    pub studies: Vec<StudyAnalysis>,
    /// Where the curve bends.
    pub regimes: Regimes,
    /// What learning-rate heuristics would have cost; `None` without a result at the base batch size
    /// or without learning rates.
    pub heuristics: Option<HeuristicScores>,
    /// Time to result; `None` where no step's duration was measured.
    pub time: Option<TimeToResult>,
}

/// What one study says about one goal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StudyAnalysis {
    /// What is known of the study.
    pub facts: StudyFacts,
    /// How its trials ended.
    pub counts: TrialCounts,
    /// Steps to result; `None` where no trial reached the goal.
    pub result: Option<StudyResult>,
    /// Percentiles of steps to result over resamples of the trials; `None` without complete trials.
    pub interval: Option<StepsInterval>,
    /// The same with fewer trials, by ascending number; the last one has them all.
    pub convergence: Vec<ConvergencePoint>,
    /// What fresh seeds gave; `None` where nothing was repeated.
    pub repeats: Option<RepeatAnalysis>,
    /// Where the best point lies in the box, by metaparameter.
    pub boundaries: BTreeMap<String, Boundary>,
    /// The trials by learning rate and momentum.
    pub region: Region,
    /// Why the point cannot be trusted; none if it can.
    pub warnings: Vec<Warning>,
}

impl GoalAnalysis {
    /// Steps to result by ascending batch size, where there is one.
    #[must_use]
    pub fn curve(&self) -> Vec<CurvePoint> {
        let point = |study: &StudyAnalysis| {
            let steps = study.result.as_ref()?.steps;
            Some(CurvePoint { batch_size: study.facts.batch_size, steps })
        };
        self.studies.iter().filter_map(point).collect()
    }

    /// All warnings with their batch sizes, which ascend.
    pub fn warnings(&self) -> impl Iterator<Item = (u64, &Warning)> {
        let of_study = |study: &'_ StudyAnalysis| study.facts.batch_size;
        self.studies.iter().flat_map(move |study| {
            study.warnings.iter().map(move |warning| (of_study(study), warning))
        })
    }
}
