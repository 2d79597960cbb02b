//! What a run tells while it runs. It has no clock: an observer that wants one brings its own.

use std::path::Path;

use super::StoppedEarly;
use crate::analysis::StudySummary;
use crate::store::TrialRecord;
use crate::trainer::Metrics;

/// Something that happened in a run.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Event<'run> {
    /// A study begins or goes on.
    StudyStarted {
        /// Trials trained side by side.
        lanes: usize,
        /// The most steps a trial may train.
        budget_steps: u64,
        /// Where the study stands.
        progress: Progress,
    },
    /// The device has no memory for as many lanes as were meant; measurements are the same in fewer.
    FewerLanes {
        /// Lanes meant.
        meant: usize,
        /// Lanes that it trains in.
        taken: usize,
    },
    /// Trials were put into free lanes; they are measured before their first step.
    LanesFilled,
    /// Every lane is filled and measured; the steps of a round begin.
    TrainingStarts,
    /// A round is done, and its measurements are stored.
    RoundFinished(Progress),
    /// A trial ended.
    TrialFinished {
        /// The trial.
        trial: &'run TrialRecord,
        /// Step of its first measurement beyond the goal.
        reached_at: Option<u64>,
        /// Its last measurement.
        metrics: &'run Metrics,
    },
    /// A checkpoint is of no use; the run goes on without it, and comes to the same measurements later.
    CheckpointFailed {
        /// Its file.
        path: &'run Path,
        /// Why.
        problem: &'run str,
    },
    /// A study is done.
    StudyFinished {
        /// What it found.
        summary: &'run StudySummary,
        /// What the rule `incumbent` saved.
        stopped_early: StoppedEarly,
    },
}

/// Where a study stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Examples per update.
    pub batch_size: u64,
    /// Number of complete trials asked for.
    pub n_trials: u64,
    /// Number of complete trials.
    pub n_complete: u64,
    /// Number of diverged trials.
    pub n_infeasible: u64,
    /// Number of trials in lanes.
    pub n_running: u64,
    /// Number of repeats asked for; as long as the search goes on, at most so many.
    pub n_repeats: u64,
    /// Number of repeats that have ended.
    pub n_repeats_done: u64,
    /// Fewest steps to beyond the goal of any complete trial.
    pub best_steps: Option<u64>,
    /// Examples that this round trained on, over all lanes.
    pub n_examples: u64,
    /// Part of this study that is done, in [0, 1]: ended trials and repeats count whole, running ones
    /// by the part of their budget they have spent.
    pub study_fraction: f64,
    /// Part of the experiment that is done, in [0, 1], with studies weighted by their budget in
    /// examples; the time left follows from its growth.
    pub experiment_fraction: f64,
}

/// Hears what happens in a run.
pub trait Observer {
    /// Called between rounds; the run waits for it.
    fn observe(&mut self, event: &Event<'_>);
}

/// A closure is an observer.
impl<F: FnMut(&Event<'_>)> Observer for F {
    fn observe(&mut self, event: &Event<'_>) {
        self(event);
    }
}
