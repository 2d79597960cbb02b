//! What is wrong with an experiment's directory, and what of it can be saved.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;

use crate::error::TunerError;
use crate::experiment::CheckedExperiment;
use crate::grid::EvaluationGrid;
use crate::runner::{CHECKPOINTS_DIRECTORY_NAME, read_checkpoint, trial_of_checkpoint};
use crate::store::{Durability, Store, TrialName, TrialRecord, TrialStatus};
use crate::trainer::Metrics;

/// Findings of SQLite about its own file that are told at most.
const MAX_FINDINGS: u32 = 10;

/// How an experiment's directory stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// What is wrong with what was measured, a sentence each.
    pub problems: Vec<String>,
    /// What costs time or room, and no measurement.
    pub remarks: Vec<String>,
    /// Trials and repeats that have ended and whose measurements are all there.
    pub n_ended: u64,
    /// The same, of those that have not ended.
    pub n_half_run: u64,
    /// Half-run ones with a checkpoint.
    pub n_checkpoints: u64,
    /// Trials and repeats with something missing.
    pub n_damaged: u64,
}

/// A trial and what was measured on it, step by step.
type Measured = (TrialRecord, Vec<(u64, Metrics)>);

/// Looks at every measurement and every checkpoint of a directory; changes nothing.
///
/// # Errors
///
/// Where there is no store of this version, or one that does not even say what it holds.
pub fn examine(directory: &Path) -> Result<Diagnosis, TunerError> {
    let (store, problem) = open(directory)?;
    let problems = problem.into_iter().chain(store.integrity(MAX_FINDINGS)).collect();
    let mut diagnosis = Diagnosis { problems, ..Diagnosis::default() };
    let Ok(experiment) = store.experiment() else {
        let counted = store.n_measurements().and_then(|n| Ok((n, store.n_ended_trials()?)));
        match counted {
            Ok((n_measurements, n_ended)) => {
                diagnosis.n_ended = n_ended;
                diagnosis.remarks.push(format!("imported, with {n_measurements} measurements"));
            }
            Err(error) => diagnosis.problems.push(error.to_string()),
        }
        return Ok(diagnosis);
    };
    let (mut half_run, mut unreadable) = (BTreeSet::new(), BTreeSet::new());
    for name in names(&store, experiment) {
        match measured(&store, experiment, name) {
            Ok(None) => (),
            Ok(Some((trial, _))) if trial.status == TrialStatus::Incomplete => {
                half_run.insert(name);
            }
            Ok(Some(_)) => diagnosis.n_ended += 1,
            Err(Damage::OfTrial(problem)) => {
                diagnosis.n_damaged += 1;
                diagnosis.problems.push(format!("{}: {problem}", describe(name)));
            }
            // Of names that perhaps were never given to a trial.
            Err(Damage::OfFile(problem)) => {
                if unreadable.insert(name.batch_size) {
                    let study = format!("trials of batch size {}", name.batch_size);
                    diagnosis.problems.push(format!("{study} cannot be read: {problem}"));
                }
            }
        }
    }
    diagnosis.n_half_run = half_run.len() as u64;
    examine_checkpoints(&directory.join(CHECKPOINTS_DIRECTORY_NAME), &half_run, &mut diagnosis);
    Ok(diagnosis)
}

/// Copies every trial that is whole into the store of a new directory, in which the experiment then goes
/// on; returns their number.
///
/// # Errors
///
/// Where the damaged store does not say what it holds or was imported, or the new one cannot be written.
pub fn rescue(directory: &Path, new_directory: &Path) -> Result<u64, TunerError> {
    let (damaged, _) = open(directory)?;
    let experiment = damaged.experiment()?;
    if fs::read_dir(new_directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(TunerError::NotANewDirectory { directory: new_directory.to_owned() });
    }
    let mut store = Store::open_or_create(new_directory, experiment, damaged.provenance())?;
    for &batch_size in experiment.budget_steps.keys() {
        let boxes = damaged.boxes(batch_size).unwrap_or_default();
        store.set_wider_boxes(batch_size, boxes.get(1..).unwrap_or_default())?;
    }
    let mut n_saved = 0;
    let mut round = store.begin(Durability::Power)?;
    for name in names(&damaged, experiment) {
        let Ok(Some((trial, measurements))) = measured(&damaged, experiment, name) else {
            continue;
        };
        round.claim(name, &trial.parameters)?;
        for (step, metrics) in &measurements {
            round.append(name, *step, metrics)?;
        }
        round.finish(name, trial.status, trial.steps)?;
        n_saved += 1;
    }
    round.commit()?;
    Ok(n_saved)
}

/// What of a trial is not as it should be.
enum Damage {
    /// The trial is known, and this is wrong with it.
    OfTrial(String),
    /// The file does not say whether there is such a trial.
    OfFile(String),
}

/// The store, also of a file that has lost its end, and that it has.
fn open(directory: &Path) -> Result<(Store, Option<String>), TunerError> {
    match Store::open_read_only(directory) {
        Err(TunerError::Damaged { path, problem }) => {
            let lost = TunerError::BeyondRescue { path: path.clone(), problem };
            let (store, n_lost) = Store::without_its_end(&path).map_err(|_| lost)?;
            Ok((store, Some(format!("the file lost its last {n_lost} bytes"))))
        }
        opened => Ok((opened?, None)),
    }
}

/// All trials and repeats that an experiment may have.
fn names(store: &Store, experiment: &CheckedExperiment) -> Vec<TrialName> {
    let n_seeds = experiment.search.repeats.map_or(0, |repeats| repeats.n_seeds);
    let of_study = |&batch_size: &u64| {
        let boxes = store.boxes(batch_size).unwrap_or_default();
        let max_trials = boxes.last().map_or(experiment.search.max_trials, |last| last.max_trials);
        let repeats = move |trial_id| {
            (0..=n_seeds).map(move |repeat| TrialName { batch_size, trial_id, repeat })
        };
        (0..max_trials).flat_map(repeats)
    };
    experiment.budget_steps.keys().flat_map(of_study).collect()
}

/// A trial with all its measurements, `None` if it was never started.
fn measured(
    store: &Store,
    experiment: &CheckedExperiment,
    name: TrialName,
) -> Result<Option<Measured>, Damage> {
    let trial = store.trial(name).map_err(|error| match error {
        TunerError::Damaged { problem, .. } => Damage::OfFile(problem),
        error => Damage::OfTrial(error.to_string()),
    });
    let Some(trial) = trial? else { return Ok(None) };
    let measurements = store.measurements(name).map_err(|error| {
        Damage::OfTrial(match error {
            TunerError::Damaged { problem, .. } => problem,
            error => error.to_string(),
        })
    })?;
    let budget_steps = experiment.budget_steps.get(&name.batch_size).copied().unwrap_or(1);
    let grid = EvaluationGrid::new(experiment.evaluation.relative_spacing, budget_steps);
    // A trial that diverged need not have been measured where it did.
    let end = trial.steps + u64::from(trial.status != TrialStatus::Infeasible);
    if let Some(step) = grid.first_missing(end, |step| measurements.contains_key(&step)) {
        return Err(Damage::OfTrial(format!("the measurement at step {step} is missing")));
    }
    let goal = &experiment.goal.metric;
    match measurements.iter().find(|(_, metrics)| !metrics.contains_key(goal)) {
        Some((step, _)) => {
            Err(Damage::OfTrial(format!("the measurement at step {step} has no '{goal}'")))
        }
        None => Ok(Some((trial, measurements.into_iter().collect()))),
    }
}

fn examine_checkpoints(
    directory: &Path,
    half_run: &BTreeSet<TrialName>,
    diagnosis: &mut Diagnosis,
) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort_unstable();
    for path in paths {
        let trial = path.file_name().and_then(|name| trial_of_checkpoint(name.to_str()?));
        let remark = match trial {
            None => "is no checkpoint; it only takes room",
            Some(trial) if !half_run.contains(&trial) => {
                "belongs to no half-run trial; the next run removes it"
            }
            Some(_)
                if read_checkpoint(&path)
                    .is_ok_and(|state| SafeTensors::read_metadata(&state).is_ok()) =>
            {
                diagnosis.n_checkpoints += 1;
                continue;
            }
            Some(_) => "is damaged; its trial runs again from its beginning",
        };
        diagnosis.remarks.push(format!("'{}' {remark}", path.display()));
    }
}

fn describe(TrialName { batch_size, trial_id, repeat }: TrialName) -> String {
    match repeat {
        0 => format!("trial {trial_id} of batch size {batch_size}"),
        _ => format!("repeat {repeat} of trial {trial_id} of batch size {batch_size}"),
    }
}
