//! The measurement core of critbatch: how many steps does training take at each batch size?
//!
//! For one workload (data set, model, optimizer) and each batch size, a *study* searches the
//! metaparameters quasi-randomly and reports the fewest steps after which any trial's measurement
//! beat the goal (Shallue et al., "Measuring the Effects of Data Parallelism on Neural Network
//! Training", JMLR 20(112), 2019). The path of one experiment through this crate:
//!
//! 1. [`Experiment::parse`] reads the user's file; [`Experiment::check`] holds it against the
//!    workload's [`WorkloadFacts`] and gives a [`CheckedExperiment`];
//! 2. [`Store::open_or_create`] opens the directory that keeps every measurement;
//! 3. [`Plan`] says what is left to do and what that takes;
//! 4. [`run`] trains the points of [`StudySampler`] in the lanes of a [`LaneTrainer`], measures
//!    them on the [`EvaluationGrid`] and tells an [`Observer`] what happens;
//! 5. [`ExperimentSummary::read`] answers the question from the store;
//! 6. [`Analysis::of`] says what else follows from a [`Record`] of any origin: intervals, regimes,
//!    verdicts on the search space and warnings, each with its numbers.
//!
//! [`archive`] reads and writes the format in which the paper's measurements were published.
//!
//! This crate names no device and no model: it drives training through [`TrainerFactory`] and
//! [`LaneTrainer`] only. [`NoisyQuadratic`] implements both in closed form.

mod analysis;
pub mod archive;
mod doctor;
mod error;
mod experiment;
mod grid;
mod hash;
mod lane_counts;
mod noisy_quadratic;
mod plan;
mod record;
mod runner;
mod sampler;
mod search_box;
mod space;
mod speed;
mod store;
mod trainer;

pub use analysis::{
    Analysis, AnalysisOptions, BatchSizeEstimate, BatchSizeInterval, BestMedian, Boundary,
    BudgetRegions, ComparedExperiment, ComparedPoint, Comparison, ConvergencePoint, CurveFit,
    CurvePoint, Determination, Estimate, ExperimentSummary, FitParameters, GoalAnalysis, Heuristic,
    HeuristicPoint, HeuristicScore, HeuristicScores, IdealProjection, Interval, LabelSmoothing,
    NoIntervals, NoiseScale, NoiseScales, ProjectedPoint, Quality, QualityBudget, QualityCurve,
    QualityPoint, Regimes, Region, RegionClass, RegionPoint, RepeatAnalysis, RepeatedPoint,
    ScalingCurve, SmoothingCurve, SmoothingPoint, StepsInterval, StepsQuantile, StudyAnalysis,
    StudyNoiseScale, StudyResult, StudySummary, TimePoint, TimeToResult, Tolerances, TrialCounts,
    Verdict, WIDENING_FACTOR, Warning, effective_learning_rate, not_widened, perfect_scaling_line,
    widened_space,
};
pub use doctor::{Diagnosis, examine, rescue};
pub use error::TunerError;
pub use experiment::{
    BatchSize, Budget, CheckedExperiment, Difference, EvaluatedExamples, Evaluation,
    EvaluationSplit, Experiment, Goal, Problem, RelativeScale, Repeats, Search, SearchSpace,
    StopRule, Threshold, Workload,
};
pub use grid::EvaluationGrid;
pub use lane_counts::{LaneCounts, LanesReason};
pub use noisy_quadratic::NoisyQuadratic;
pub use plan::{Plan, StudyPlan};
pub use record::{
    Curve, Omission, Question, Reached, Record, StudyFacts, StudyOutcomes, StudyRecord, TrialCurve,
    TrialOutcome,
};
pub use runner::{
    CHECKPOINTS_DIRECTORY_NAME, Checkpoints, Event, Observer, Outcome, Progress, RunOptions,
    StoppedEarly, has_ended, run,
};
pub use sampler::{Halton, SamplerKind, Sobol, StudySampler, Uniform};
pub use space::{Scale, Space};
pub use speed::{MeasuredSpeed, SpeedMeter};
pub use store::{
    COMPRESSED_STORE_SUFFIX, Durability, EXPERIMENT_TEXT, MetricRow, Origin, Provenance,
    RUNNING_SECONDS, Round, STORE_FILE_NAME, SearchBox, Speed, Store, TrialName, TrialRecord,
    TrialStatus,
};
pub use trainer::{
    GRADIENT_NOISE_METRICS, GRADIENT_VARIANCE, LaneTrainer, Metaparameter, Metrics, Parameters,
    Range, SQUARED_GRADIENT_NORM, TrainerError, TrainerFactory, Trial, WorkloadFacts,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
