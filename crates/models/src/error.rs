//! What can go wrong between a workload's name and its training.

use critbatch_data::DataError;
use critbatch_tuner::TrainerError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No model, optimizer or evaluation split has this name.
    #[error("unknown {kind} '{name}'; accepted: {accepted}")]
    Unknown {
        /// What was looked up.
        kind: &'static str,
        /// The name given.
        name: String,
        /// All names there are.
        accepted: String,
    },
    /// How large the data set is, is not known without its files.
    #[error(
        "data set '{dataset}' is as large as the files that it is made of; run the experiment, which reads them"
    )]
    UnknownSize {
        /// Name of the data set.
        dataset: &'static str,
    },
    /// The data set has not the split that is to be evaluated.
    #[error("data set '{dataset}' has no {split} split; leave '{split}' out of evaluation.splits")]
    NoSplit {
        /// Name of the data set.
        dataset: String,
        /// The missing split.
        split: &'static str,
    },
    /// A trial lacks a metaparameter, or has one that the optimizer does not know.
    #[error("trial {trial_id}: {problem}; {optimizer} takes {accepted}")]
    Parameters {
        /// The trial.
        trial_id: u64,
        /// What is wrong.
        problem: String,
        /// Name of the optimizer.
        optimizer: &'static str,
        /// The metaparameters that it takes.
        accepted: String,
    },
    /// A number does not fit the engine's 32-bit counters, or the device's memory.
    #[error("{what} is {value}; at most {limit} is possible")]
    TooLarge {
        /// The number's meaning.
        what: &'static str,
        /// Its value.
        value: u64,
        /// Largest possible value.
        limit: u64,
    },
    /// A file is not a checkpoint of this trial of this workload.
    #[error("not a checkpoint of this trial: {0}")]
    Checkpoint(String),
    /// The lane holds no trial.
    #[error("lane {0} holds no trial")]
    EmptyLane(usize),
    /// The threads that train could not be had.
    #[error("cannot train on {n_threads} threads: {problem}")]
    Threads {
        /// The number asked for.
        n_threads: usize,
        /// What is in the way.
        problem: String,
    },
    /// Training diverged while its speed was measured.
    #[error("training diverged at step {0} while its speed was measured, so that it says nothing")]
    Diverged(u64),
    /// Training failed while its speed was measured.
    #[error("measuring the speed: {0}")]
    Trainer(TrainerError),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] critbatch_kernels::Error),
    /// The data set could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
}
