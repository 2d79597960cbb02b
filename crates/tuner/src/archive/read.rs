//! A workload's folder into memory, whole or reduced to the answers of a question.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::discover::{self, Numbered};
use super::json::{self, StudyFile, TrialFile};
use super::measurements::Measurements;
use super::write::odd_name;
use super::{MEASUREMENTS_FILE_NAME, METADATA_FILE_NAME, STUDY_FILE_NAME, omission, quotation};
use crate::error::TunerError;
use crate::experiment::Workload;
use crate::record::{
    Curve, Omission, Question, Record, StudyFacts, StudyOutcomes, StudyRecord, TrialCurve,
    TrialOutcome,
};
use crate::store::TrialRecord;

/// Largest file that is read; anything longer is no file of an archive.
const LARGEST_FILE_SIZE_BYTES: u64 = 1 << 30;

/// The answers of a workload's studies to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchiveOutcomes {
    /// What was trained.
    pub workload: Workload,
    /// The answers by ascending batch size.
    pub studies: Vec<StudyOutcomes>,
    /// The metrics that were measured, that of the question among them or not.
    pub metrics: BTreeSet<String>,
    /// What could not be read and was left out.
    pub omissions: Vec<Omission>,
}

/// Reads which workload a folder holds.
///
/// # Errors
///
/// Where the folder cannot be read or is no workload's.
pub fn read_workload(folder: &Path) -> Result<Workload, TunerError> {
    studies(folder).map(|found| found.workload)
}

/// Reads all measurements of the workload in a folder, on all cores.
///
/// # Errors
///
/// Where the folder cannot be read or is no workload's.
pub fn read_record(folder: &Path) -> Result<Record, TunerError> {
    let found = read(folder, |_, measurements| measurements.curve())?;
    let study = |study: Study<Curve>| StudyRecord {
        facts: study.facts,
        trials: study
            .trials
            .into_iter()
            .map(|(trial, curve)| TrialCurve { trial, curve })
            .collect(),
        repeats: vec![],
    };
    Ok(Record {
        workload: found.workload,
        decided_goal: None,
        studies: found.studies.into_iter().map(study).collect(),
        omissions: found.omissions,
    })
}

/// Reads the answers to a question of the workload in a folder, on all cores. No more than one
/// trial's measurements per thread are in memory, so the archive may be larger than it.
///
/// The same as `read_record(folder)?.outcomes(question)`.
///
/// # Errors
///
/// Where the folder cannot be read or is no workload's.
pub fn read_outcomes(folder: &Path, question: &Question) -> Result<ArchiveOutcomes, TunerError> {
    let found = read(folder, |facts, measurements| {
        let rows = measurements.rows(&question.goal.metric);
        (question.first_reached(facts.batch_size, rows), measurements.metrics().to_vec())
    })?;
    let mut metrics = BTreeSet::new();
    let mut outcome = |(trial, (reached, measured))| {
        metrics.extend(measured);
        TrialOutcome { trial, reached }
    };
    let study = |study: Study<_>| StudyOutcomes {
        facts: study.facts,
        trials: study.trials.into_iter().map(&mut outcome).collect(),
        repeats: vec![],
    };
    Ok(ArchiveOutcomes {
        workload: found.workload,
        studies: found.studies.into_iter().map(study).collect(),
        metrics,
        omissions: found.omissions,
    })
}

/// What a folder holds, with a `T` for each study.
struct Found<T> {
    workload: Workload,
    studies: Vec<T>,
    omissions: Vec<Omission>,
}

/// A study with a `T` for each trial.
struct Study<T> {
    facts: StudyFacts,
    trials: Vec<(TrialRecord, T)>,
}

/// Text and numbers of the file that a thread is reading.
#[derive(Default)]
struct Buffers {
    text: Vec<u8>,
    measurements: Measurements,
}

/// Reads every trial and keeps what `reduce` makes of its measurements.
fn read<T: Send>(
    folder: &Path,
    reduce: impl Fn(&StudyFacts, &Measurements) -> T + Sync,
) -> Result<Found<Study<T>>, TunerError> {
    let Found { workload, studies, mut omissions } = studies(folder)?;
    let mut trials: Vec<(usize, &StudyFacts, Numbered)> = vec![];
    for (index, (facts, path)) in studies.iter().enumerate() {
        match discover::numbered(path, "a trial id, a whole number", &mut omissions) {
            Ok(folders) => trials.extend(folders.into_iter().map(|trial| (index, facts, trial))),
            Err(error) => omissions.push(unreadable(path, &error, "the study")),
        }
    }
    // The order of the results is that of the trials, whichever thread reads them.
    let results: Vec<_> = trials
        .par_iter()
        .map_init(Buffers::default, |buffers, (_, facts, folder)| {
            let mut row_omissions = vec![];
            let trial = read_trial(folder, facts.batch_size, buffers, &mut row_omissions);
            let reduced = trial.map(|trial| (trial, reduce(facts, &buffers.measurements)));
            (reduced, row_omissions)
        })
        .collect();
    let study_indices: Vec<usize> = trials.iter().map(|(index, ..)| *index).collect();
    let without_trials = |(facts, _)| Study { facts, trials: vec![] };
    let mut studies: Vec<Study<T>> = studies.into_iter().map(without_trials).collect();
    for (index, (trial, row_omissions)) in study_indices.into_iter().zip(results) {
        omissions.extend(row_omissions);
        match trial {
            Ok(trial) => studies[index].trials.push(trial),
            Err(omission) => omissions.push(omission),
        }
    }
    Ok(Found { workload, studies, omissions })
}

/// What is known of each study, and its folder, by ascending batch size.
fn studies(folder: &Path) -> Result<Found<(StudyFacts, PathBuf)>, TunerError> {
    let failure =
        |source| TunerError::File { action: "read the directory", path: folder.to_owned(), source };
    if !discover::is_workload(folder).map_err(failure)? {
        return Err(TunerError::NoWorkload { path: folder.to_owned() });
    }
    let (mut studies, mut omissions, mut first) = (vec![], vec![], None);
    let expected = "a batch size, a whole number";
    for study in discover::numbered(folder, expected, &mut omissions).map_err(failure)? {
        match read_study(&study, first.as_ref()) {
            Ok((facts, workload)) => {
                first.get_or_insert(workload);
                studies.push((facts, study.path));
            }
            Err(omission) => omissions.push(omission),
        }
    }
    let of_folders = discover::workload_of_folders(folder);
    let workload = match first {
        None => of_folders,
        Some(workload) if discover::is_grouped(&of_folders.dataset) => {
            Workload { dataset: of_folders.dataset, ..workload }
        }
        Some(workload) => workload,
    };
    Ok(Found { workload, studies, omissions })
}

/// Reads `study.json`, which must be of the same workload as the first one.
fn read_study(
    folder: &Numbered,
    first: Option<&Workload>,
) -> Result<(StudyFacts, Workload), Omission> {
    let path = folder.path.join(STUDY_FILE_NAME);
    let mut text = vec![];
    read_file(&path, &mut text).map_err(|error| unreadable(&path, &error, "the study"))?;
    let study: StudyFile = json::parse(&path, &text, "the study")?;
    let bad = |key: &str, problem: String| {
        let problem = format!("{problem}; the study is left out");
        omission(&path, json::line_of(&text, key), problem)
    };
    if study.batch_size != folder.number {
        let found = format!("batch_size {} in folder {}", study.batch_size, folder.number);
        return Err(bad("batch_size", format!("{found}, expected the same")));
    }
    let workload = study.workload();
    if let Some(name) = odd_name(&workload) {
        let found = format!("name {}", quotation(name.as_bytes()));
        return Err(bad("dataset", format!("{found}, expected one that a folder can have")));
    }
    if let Some(first) = first.filter(|first| **first != workload) {
        let name = |w: &Workload| format!("{}/{}/{}", w.dataset, w.model, w.optimizer);
        let (found, expected) = (name(&workload), name(first));
        return Err(bad("dataset", format!("workload {found}, expected {expected} as before")));
    }
    let facts = study.facts().map_err(|(key, problem)| bad(&key, problem))?;
    Ok((facts, workload))
}

/// Reads a trial; its measurements are then in the buffers.
fn read_trial(
    folder: &Numbered,
    batch_size: u64,
    buffers: &mut Buffers,
    omissions: &mut Vec<Omission>,
) -> Result<TrialRecord, Omission> {
    let what = "the trial";
    let path = folder.path.join(METADATA_FILE_NAME);
    read_file(&path, &mut buffers.text).map_err(|error| unreadable(&path, &error, what))?;
    let trial: TrialFile = json::parse(&path, &buffers.text, what)?;
    if trial.trial_id != folder.number {
        let found = format!("trial_id {} in folder {}", trial.trial_id, folder.number);
        let problem = format!("{found}, expected the same; {what} is left out");
        return Err(omission(&path, json::line_of(&buffers.text, "trial_id"), problem));
    }
    let path = folder.path.join(MEASUREMENTS_FILE_NAME);
    read_file(&path, &mut buffers.text).map_err(|error| unreadable(&path, &error, what))?;
    buffers.measurements.parse(&path, &buffers.text, omissions)?;
    Ok(trial.record(batch_size))
}

/// Reads a file in place of the buffer's text.
fn read_file(path: &Path, text: &mut Vec<u8>) -> io::Result<()> {
    text.clear();
    let n_bytes = File::open(path)?.take(LARGEST_FILE_SIZE_BYTES + 1).read_to_end(text)?;
    match n_bytes as u64 > LARGEST_FILE_SIZE_BYTES {
        true => Err(io::Error::other("the file is larger than 1 GiB")),
        false => Ok(()),
    }
}

fn unreadable(path: &Path, error: &io::Error, what: &str) -> Omission {
    omission(path, None, format!("{error}, expected a file that can be read; {what} is left out"))
}
