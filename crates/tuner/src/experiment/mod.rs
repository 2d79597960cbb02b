//! The experiment: what a user's TOML file asks for.
//!
//! `document` turns text into values that know their lines, `parse` turns those into an
//! [`Experiment`], `check` holds it against the workload and gives a [`CheckedExperiment`], whose
//! serialised form is its identity (`identity`).

mod budget;
mod check;
mod document;
mod identity;
mod parse;
mod problem;
mod space;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use budget::Budget;
pub use identity::Difference;
pub use problem::Problem;
pub use space::{RelativeScale, SearchSpace};

use crate::error::TunerError;
use crate::sampler::SamplerKind;
use crate::space::Space;
use document::Source;

/// Largest experiment file; anything longer is some other file given by mistake.
const LARGEST_FILE_SIZE_BYTES: usize = 1 << 20;

/// Largest batch size and largest number of steps: far beyond use, far from overflow.
const LARGEST_COUNT: u64 = 1 << 40;

/// Data set, model and optimizer: what is trained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Name of the data set.
    pub dataset: String,
    /// Name of the model.
    pub model: String,
    /// Name of the optimizer.
    pub optimizer: String,
}

/// What counts as a result: a metric strictly beyond a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Name of the metric, as `split/name`.
    pub metric: String,
    /// On which side of which value.
    #[serde(flatten)]
    pub threshold: Threshold,
}

/// A side of a value; the value itself is on neither.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// Lower is better.
    Below(f64),
    /// Higher is better.
    Above(f64),
}

impl Goal {
    /// Whether whatever reaches this goal reaches another, too.
    #[must_use]
    pub fn implies(&self, other: &Goal) -> bool {
        let is_beyond = match (self.threshold, other.threshold) {
            (Threshold::Below(own), Threshold::Below(other)) => own <= other,
            (Threshold::Above(own), Threshold::Above(other)) => own >= other,
            _ => false,
        };
        self.metric == other.metric && is_beyond
    }

    /// Whether a value is strictly beyond the threshold. NaN never is.
    #[must_use]
    pub fn is_reached_by(&self, value: f64) -> bool {
        match self.threshold {
            Threshold::Below(threshold) => value < threshold,
            Threshold::Above(threshold) => value > threshold,
        }
    }
}

/// A batch size as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BatchSize {
    /// So many examples.
    Examples(u64),
    /// The whole training set.
    Full,
}

impl BatchSize {
    /// Number of examples, given those of the training set.
    #[must_use]
    pub fn resolve(self, n_train: u64) -> u64 {
        match self {
            BatchSize::Examples(n) => n,
            BatchSize::Full => n_train,
        }
    }
}

impl std::fmt::Display for BatchSize {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BatchSize::Examples(n) => write!(formatter, "{n}"),
            BatchSize::Full => write!(formatter, "full"),
        }
    }
}

/// How metaparameters are searched at each batch size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Where the points come from.
    pub sampler: SamplerKind,
    /// Complete trials per batch size.
    #[serde(rename = "trials")]
    pub n_trials: u64,
    /// Trials started per batch size at most; the rest of them diverged.
    pub max_trials: u64,
    /// Fixes the points and every trial.
    pub seed: u64,
    /// Which trials are run again after the search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
}

/// Best trials of each study run again with fresh seeds, to see what is luck. They never count in
/// steps to result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// Trials to be repeated: the first ones to the goal; fewer if fewer got there.
    #[serde(rename = "best")]
    pub n_best: u64,
    /// Repeats of each.
    #[serde(rename = "seeds")]
    pub n_seeds: u64,
}

/// When a trial ends, if it does not diverge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopRule {
    /// At the first measurement beyond the goal, or when its budget is spent.
    Goal,
    /// When its budget is spent: whole curves.
    Budget,
    /// As `Goal`, and when it can no longer be the first of its study to get there. Steps to result
    /// and the winning trial are those of whole curves, as the documentation of the runner proves.
    Incumbent,
}

/// When and on what trials are measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Spacing of the [`EvaluationGrid`](crate::EvaluationGrid), in (0, 1].
    pub relative_spacing: f64,
    /// Splits to measure on.
    pub splits: Vec<EvaluationSplit>,
    /// How many of the examples of the goal's split are measured on.
    #[serde(default)]
    pub examples: EvaluatedExamples,
    /// Whether the [gradient noise](crate::SQUARED_GRADIENT_NORM) is measured too, at
    /// [some](crate::EvaluationGrid::is_noise_point) of the points.
    #[serde(default)]
    pub gradient_noise_scale: bool,
}

/// How many examples of the goal's split an evaluation looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluatedExamples {
    /// Every one: values that can be held against any goal.
    #[default]
    All,
    /// The first ones, until it is clear that the goal is not reached. Steps to result are those of whole
    /// evaluations, and so is a value that reaches the goal; one that misses it is the mean over the
    /// examples up to there. An evaluation that would reach the goal ends early with a chance of at most
    /// 1e-9.
    UntilDecided,
}

/// A part of the data set that trials are measured on; the first half of a metric's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationSplit {
    /// As many of the examples that are trained on as there are validation examples, always the same, without
    /// dropout.
    Train,
    /// Held out for the goal.
    Val,
    /// Held out for reports only.
    Test,
}

impl EvaluationSplit {
    /// All splits with their names.
    pub(crate) const NAMES: [(&'static str, EvaluationSplit); 3] = {
        let [train, val, test] =
            [EvaluationSplit::Train, EvaluationSplit::Val, EvaluationSplit::Test];
        [(train.name(), train), (val.name(), val), (test.name(), test)]
    };

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            EvaluationSplit::Train => "train",
            EvaluationSplit::Val => "val",
            EvaluationSplit::Test => "test",
        }
    }

    /// The split of a metric named `split/name`.
    #[must_use]
    pub fn of_metric(metric: &str) -> Option<EvaluationSplit> {
        let (split, name) = metric.split_once('/')?;
        let found =
            EvaluationSplit::NAMES.iter().find(|(known, _)| *known == split && !name.is_empty());
        found.map(|(_, split)| *split)
    }
}

/// An experiment file, sound in itself but not yet held against its workload.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// What is trained.
    pub workload: Workload,
    /// What counts as a result.
    pub goal: Goal,
    /// One study each.
    pub batch_sizes: Vec<BatchSize>,
    /// How metaparameters are searched.
    pub search: Search,
    /// What is searched, as written; the workload's defaults are not in it.
    pub space: SearchSpace,
    /// How long a trial may train.
    pub budget: Budget,
    /// When a trial ends.
    pub stop: StopRule,
    /// When and on what trials are measured.
    pub evaluation: Evaluation,
    source: Source,
}

impl Experiment {
    /// Reads an experiment from a file.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, and as [`parse`](Experiment::parse).
    pub fn read(path: &Path) -> Result<Experiment, TunerError> {
        let failure = |source| TunerError::File {
            action: "read the experiment file",
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        // One byte more than allowed shows that a file is too long without reading all of it.
        let limit = LARGEST_FILE_SIZE_BYTES as u64 + 1;
        let file = File::open(path).map_err(failure)?;
        file.take(limit).read_to_string(&mut text).map_err(failure)?;
        Experiment::parse(&text, &path.display().to_string())
    }

    /// Reads an experiment from text; `source_name` begins the error messages.
    ///
    /// # Errors
    ///
    /// Unknown keys and impossible values, with their line and what would be accepted.
    pub fn parse(text: &str, source_name: &str) -> Result<Experiment, TunerError> {
        let source = Source::new(source_name);
        parse::experiment(text, source.clone()).map_err(|located| source.error(located))
    }

    /// Holds the experiment against its workload: resolves `"full"`, fills in defaults of
    /// metaparameters, computes the budget of each batch size.
    ///
    /// # Errors
    ///
    /// Whatever the workload does not have or allow, with its line and what would be accepted.
    pub fn check(
        &self,
        facts: &crate::trainer::WorkloadFacts,
    ) -> Result<CheckedExperiment, TunerError> {
        check::experiment(self, facts).map_err(|located| self.source.error(located))
    }
}

/// An experiment that fits its workload: what is run and what a store belongs to.
///
/// Its serialised form is its identity: two files that ask for the same measurements in other
/// words (`"full"` or its number, a default spelled out) are the same experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckedExperiment {
    /// What is trained.
    pub workload: Workload,
    /// Examples in the training set.
    pub n_train: u64,
    /// What tells the data from other data of that name; `None` where the name says it all, or where
    /// nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_digest: Option<String>,
    /// What counts as a result.
    pub goal: Goal,
    /// The studies: batch size to the most steps a trial may train.
    pub budget_steps: BTreeMap<u64, u64>,
    /// How metaparameters are searched.
    pub search: Search,
    /// What is searched at each batch size; every space names every metaparameter of the workload.
    pub spaces: BTreeMap<u64, Space>,
    /// When a trial ends.
    pub stop: StopRule,
    /// When and on what trials are measured.
    pub evaluation: Evaluation,
}

impl CheckedExperiment {
    /// The goal at which evaluations of its split end early; `None` where they look at every example.
    #[must_use]
    pub fn decided_goal(&self) -> Option<&Goal> {
        (self.evaluation.examples == EvaluatedExamples::UntilDecided).then_some(&self.goal)
    }
}

#[cfg(test)]
mod tests;
