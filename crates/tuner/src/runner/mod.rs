//! Runs an experiment: study by study, trial by trial, in the lanes of a trainer.
//!
//! # Which trials run
//!
//! Trial ids are started in order, and only those that certainly have to run: the set of trials of a
//! study depends on nothing but the trials themselves, and no trial is trained in vain. [`tally`] has
//! the rules, one for each [`StopRule`](crate::StopRule), and the proofs. Then, if the experiment
//! asks for it, the best trials are repeated with fresh seeds.
//!
//! # Going on
//!
//! Complete and infeasible trials in the store are kept. A half-run one goes on from its last checkpoint,
//! or runs again from its beginning if it has none that can be used, and must give the values again
//! that the store has from there on: a difference breaks the contract that a trial is a function of
//! its name, and is an error. It may end earlier than before only because it has been overtaken in
//! the meantime. A study that was widened goes on in its wider box.

mod box_sampler;
mod checkpoints;
mod lanes;
mod observer;
mod round;
mod running;
mod stopped_early;
mod study;
mod tally;

use std::sync::atomic::{AtomicBool, Ordering};

pub use checkpoints::{CHECKPOINTS_DIRECTORY_NAME, Checkpoints};
pub(crate) use checkpoints::{read_checkpoint, trial_of_checkpoint};
pub use observer::{Event, Observer, Progress};
pub use stopped_early::StoppedEarly;
pub use study::has_ended;

use crate::analysis::StudySummary;
use crate::error::TunerError;
use crate::experiment::CheckedExperiment;
use crate::store::Store;
use crate::trainer::TrainerFactory;
use checkpoints::CheckpointFiles;
use lanes::RunningStudy;
use study::Study;
pub(crate) use study::n_repeats_left;

/// How to run; changes no measurement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Trials trained side by side; by default as many as the store's measurement of speed found
    /// best (see [`Plan`](crate::Plan)), else the first number that the trainer finds fit.
    pub lanes: Option<usize>,
    /// The most steps a round may train; by default as many as take a second or two, so that a request to
    /// stop is answered soon and checkpoints are written in time.
    pub max_steps_per_round: Option<u64>,
    /// How half-run trials are kept for the next run; by default they run again from their beginning.
    pub checkpoints: Option<Checkpoints>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All studies are done.
    Finished {
        /// Batch sizes whose studies have fewer complete trials than asked for, because
        /// `max_trials` were started and too many of them diverged.
        short_studies: Vec<u64>,
    },
    /// It was asked to stop; the same call goes on where it left off.
    Interrupted {
        /// The study it was in.
        batch_size: u64,
    },
}

/// Runs what is left of an experiment, in order of batch size, and stores every measurement.
///
/// Setting `stop` ends the run after the round in progress, with a checkpoint of every lane. `store` is the experiment's own, as
/// [`Store::open_or_create`] gives it.
///
/// # Errors
///
/// Where the trainer or the store fails, or where a trial is not reproducible.
pub fn run(
    experiment: &CheckedExperiment,
    factory: &mut dyn TrainerFactory,
    store: &mut Store,
    options: &RunOptions,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TunerError> {
    let mut short_studies = Vec::new();
    for &batch_size in experiment.budget_steps.keys() {
        let mut study = Study::open(experiment, batch_size, store)?;
        let lanes = study.lanes(options, factory)?;
        study.announce(lanes, observer);
        if study.can_launch() {
            let trainer = factory.build(batch_size, lanes).map_err(|source| {
                TunerError::Trainer { action: "build the trainer", batch_size, source }
            })?;
            let mut running = RunningStudy::new(study, trainer, lanes, options)?;
            if running.n_lanes() < lanes {
                let taken = running.n_lanes();
                observer.observe(&Event::FewerLanes { meant: lanes, taken });
            }
            while running.has_work() {
                if stop.load(Ordering::Relaxed) {
                    running.write_checkpoints(observer)?;
                    return Ok(Outcome::Interrupted { batch_size });
                }
                running.round(observer)?;
            }
        }
        if let Some(checkpoints) = &options.checkpoints {
            CheckpointFiles::new(checkpoints).remove_study(batch_size);
        }
        let summary = StudySummary::read(store, batch_size)?;
        if summary.trials_exhausted {
            short_studies.push(batch_size);
        }
        let stopped_early = StoppedEarly::read(store, batch_size)?;
        observer.observe(&Event::StudyFinished { summary: &summary, stopped_early });
    }
    Ok(Outcome::Finished { short_studies })
}
