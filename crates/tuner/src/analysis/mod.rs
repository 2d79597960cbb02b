//! What the measurements say: numbers first, drawing apart.
//!
//! [`Analysis`] is the root: everything one record says about some questions. What needs only the
//! outcomes of one question, and so also works on an archive too large for the memory, is
//! [`GoalAnalysis`]; what needs whole curves (solution quality, label smoothing, the gradient noise
//! scale) is in `Analysis` itself. One file for each question.

mod boundary;
mod comparison;
mod fit;
mod goal;
mod heuristics;
mod label_smoothing;
mod natural_limits;
mod nearest_point;
mod noise_scale;
mod options;
mod quality;
mod regimes;
mod regions;
mod repeats;
mod resample;
mod scaling;
mod search_error;
mod steps_to_result;
mod summary;
#[cfg(test)]
mod testing;
mod time;
mod uncertainty;
mod warning_text;
mod warnings;
mod widen;

use serde::Serialize;

pub use boundary::{Boundary, Verdict};
pub use comparison::{ComparedExperiment, ComparedPoint, Comparison};
pub use fit::{CurveFit, Determination, Estimate, FitParameters, Interval};
pub use goal::{GoalAnalysis, StudyAnalysis};
pub use heuristics::{Heuristic, HeuristicPoint, HeuristicScore, HeuristicScores};
pub use label_smoothing::{LabelSmoothing, SmoothingCurve, SmoothingPoint};
pub use noise_scale::{NoiseScale, NoiseScales, StudyNoiseScale};
pub use options::{AnalysisOptions, Tolerances};
pub use quality::{Quality, QualityBudget, QualityCurve, QualityPoint};
pub use regimes::{BatchSizeEstimate, BatchSizeInterval, Regimes};
pub use regions::{BudgetRegions, Region, RegionClass, RegionPoint};
pub use repeats::{BestMedian, RepeatAnalysis, RepeatedPoint};
pub use scaling::{CurvePoint, ScalingCurve, perfect_scaling_line};
pub use search_error::NoIntervals;
pub use steps_to_result::{StudyResult, TrialCounts, effective_learning_rate};
pub use summary::{ExperimentSummary, StudySummary};
pub use time::{IdealProjection, ProjectedPoint, TimePoint, TimeToResult};
pub use uncertainty::{ConvergencePoint, StepsInterval, StepsQuantile};
pub use warnings::Warning;
pub use widen::{WIDENING_FACTOR, not_widened, widened_space};

use crate::experiment::Workload;
use crate::record::{Omission, Question, Record};

/// Everything a record says about some questions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// What was trained.
    pub workload: Workload,
    /// What the analysis was told.
    pub options: AnalysisOptions,
    /// One for each question, in their order; the first is the main one.
    pub goals: Vec<GoalAnalysis>,
    /// The main goal's good regions under one budget of steps and one of examples, for every batch
    /// size the same, as [`BudgetRegions::defaults`] chooses them.
    pub regions: Vec<BudgetRegions>,
    /// Best values of each metric that a question is about.
    pub quality: Vec<Quality>,
    /// The main question by label smoothing; `None` where it has one value only or too many.
    pub label_smoothing: Option<LabelSmoothing>,
    /// Gradient noise scales; `None` where none were measured.
    pub noise_scales: Option<NoiseScales>,
    /// What could not be read and was left out.
    pub omissions: Vec<Omission>,
}

impl Analysis {
    /// Analyses a record; the first question is the main one.
    #[must_use]
    pub fn of(record: &Record, questions: &[Question], options: &AnalysisOptions) -> Analysis {
        let goals: Vec<GoalAnalysis> = questions
            .iter()
            .map(|question| GoalAnalysis::of(&record.outcomes(question), question, options))
            .collect();
        let main = goals.first();
        let smoothing = questions.first().and_then(|main| LabelSmoothing::of(record, main));
        Analysis {
            workload: record.workload.clone(),
            options: options.clone(),
            regions: main.map_or(vec![], |main| BudgetRegions::defaults(record, main)),
            quality: Quality::of_questions(record, questions),
            label_smoothing: smoothing,
            noise_scales: main.and_then(|main| NoiseScales::of(record, main, options)),
            omissions: record.omissions.clone(),
            goals,
        }
    }
}
