//! A record as a workload's folder of an archive.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{LARGEST_COUNT, MEASUREMENTS_FILE_NAME, METADATA_FILE_NAME, STUDY_FILE_NAME, json};
use crate::error::TunerError;
use crate::experiment::Workload;
use crate::record::{Curve, Record, StudyRecord, TrialCurve};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The workload's folder.
    pub directory: PathBuf,
    /// Studies.
    pub n_studies: u64,
    /// Trials of all studies.
    pub n_trials: u64,
    /// Rows of measurements of all trials.
    pub n_rows: u64,
    /// Repeats, which were left out: the format has no place for them, and as further trials they
    /// would change the result.
    pub n_repeats_left_out: u64,
}

/// The folder of a workload in an archive: `DATASET/MODEL/OPTIMIZER`. A data set's name may begin
/// with a group, as in `solution_quality/mnist`.
///
/// # Errors
///
/// Where a name cannot be one of a folder in the archive.
pub fn workload_folder(workload: &Workload) -> Result<PathBuf, TunerError> {
    match odd_name(workload) {
        None => Ok(names(workload).collect()),
        Some(name) => Err(TunerError::NotForArchive {
            found: format!("a workload with the name '{}'", name.escape_debug()),
            expected: "names without '/', '\\', ':' and leading dots",
        }),
    }
}

/// Names of a workload's folder and of those above it, from the top.
fn names(workload: &Workload) -> impl Iterator<Item = &str> {
    workload.dataset.split('/').chain([&*workload.model, &*workload.optimizer])
}

/// A name of a workload that no folder of an archive can have: empty, hidden or a path.
pub(super) fn odd_name(workload: &Workload) -> Option<&str> {
    let is_odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':');
    names(workload).find(|name| name.is_empty() || name.starts_with('.') || name.contains(is_odd))
}

/// Writes a record into its folder below `archive`, which appears whole or not at all.
///
/// Reading it back gives the same workload, studies, trials and bits of measurements; a `NaN` is an
/// empty cell. What the authors' format has no key for (the trials that count, the time of a step)
/// is in `study.json` under `critbatch`. [`Fixed`](crate::Scale::Fixed) is a `DISCRETE` metaparameter with one
/// feasible point, which a [`Discrete`](crate::Scale::Discrete) of one point comes back as, too. Repeats and
/// omissions are not written.
///
/// # Errors
///
/// Where the folder is not empty or cannot be written, or the format cannot express the record.
pub fn write_archive(record: &Record, archive: &Path) -> Result<Written, TunerError> {
    if let Some(goal) = &record.decided_goal {
        return Err(TunerError::NotForArchive {
            found: format!(
                "evaluations that ended once it was clear that the goal for {} is not reached, so that \
                 values are means over the first examples",
                goal.metric
            ),
            expected: "values over all examples; a NAME.sqlite.gz keeps what they are",
        });
    }
    record.studies.iter().try_for_each(check)?;
    let directory = archive.join(workload_folder(&record.workload)?);
    let failure = |source| TunerError::File {
        action: "write the archive's directory",
        path: directory.clone(),
        source,
    };
    let n_entries = match fs::read_dir(&directory) {
        Ok(entries) => entries.count(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(failure(error)),
    };
    if n_entries > 0 {
        return Err(TunerError::NotANewDirectory { directory });
    }
    // The process id keeps two programs from sharing one half-written folder; hidden ones are not
    // read.
    let name = format!(".{}.{}.tmp", record.workload.optimizer, std::process::id());
    let temporary = directory.with_file_name(name);
    let written = write_folder(record, &temporary).and_then(|()| replace(&temporary, &directory));
    if let Err(error) = written {
        // What cannot be written may be impossible to remove; the first error says why.
        let _ = fs::remove_dir_all(&temporary);
        return Err(failure(error));
    }
    let trials = || record.studies.iter().flat_map(|study| &study.trials);
    Ok(Written {
        n_studies: record.studies.len() as u64,
        n_trials: trials().count() as u64,
        n_rows: trials().map(|trial| trial.curve.steps.len() as u64).sum(),
        n_repeats_left_out: record.studies.iter().map(|study| study.repeats.len() as u64).sum(),
        directory,
    })
}

/// Moves a whole folder to where there is none, or an empty one.
fn replace(temporary: &Path, directory: &Path) -> io::Result<()> {
    if directory.exists() {
        fs::remove_dir(directory)?;
    }
    fs::rename(temporary, directory)
}

fn write_folder(record: &Record, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    record.studies.iter().try_for_each(|study| {
        let folder = folder.join(study.facts.batch_size.to_string());
        fs::create_dir(&folder)?;
        let text = json::study_text(&record.workload, &study.facts);
        fs::write(folder.join(STUDY_FILE_NAME), text)?;
        study.trials.par_iter().try_for_each(|trial| write_trial(study, trial, &folder))
    })
}

fn write_trial(study: &StudyRecord, trial: &TrialCurve, folder: &Path) -> io::Result<()> {
    let folder = folder.join(trial.trial.trial_id.to_string());
    fs::create_dir(&folder)?;
    let metadata = json::metadata_text(&trial.trial, &study.facts.space);
    fs::write(folder.join(METADATA_FILE_NAME), metadata)?;
    fs::write(folder.join(MEASUREMENTS_FILE_NAME), measurements_text(&trial.curve))
}

fn measurements_text(curve: &Curve) -> String {
    let mut text = "step".to_owned();
    curve.metrics.keys().for_each(|name| text.extend([",", name]));
    text.push('\n');
    for (row, step) in curve.steps.iter().enumerate() {
        write!(text, "{step}").expect("text takes any text");
        for values in curve.metrics.values() {
            text.push(',');
            // Debug writes the fewest digits that give the same bits again.
            if let Some(value) = values.get(row).filter(|value| !value.is_nan()) {
                write!(text, "{value:?}").expect("text takes any text");
            }
        }
        text.push('\n');
    }
    text
}

/// What the format cannot express.
fn check(study: &StudyRecord) -> Result<(), TunerError> {
    let refused = |found: String, expected| Err(TunerError::NotForArchive { found, expected });
    let facts = &study.facts;
    for (name, scale) in &facts.space.scales {
        if scale.broken_requirement().is_some() {
            return refused(format!("'{name}' with {scale:?}"), "a sound scale");
        }
    }
    let counts = [Some(facts.batch_size), facts.budget_steps, facts.n_trials];
    if counts.iter().flatten().any(|count| *count == 0 || *count > LARGEST_COUNT) {
        let found = format!("a study of batch size {}", facts.batch_size);
        return refused(found, "batch size, budget and trials from 1 to 2^53");
    }
    if facts.seconds_per_step.is_some_and(|seconds| !seconds.is_finite()) {
        return refused("a time of a step".to_owned(), "a finite number of seconds");
    }
    study.trials.iter().try_for_each(|TrialCurve { trial, curve }| {
        let found = |what: &str| {
            let (id, batch_size) = (trial.trial_id, trial.batch_size);
            format!("{what} of trial {id} at batch size {batch_size}")
        };
        if trial.parameters.values().any(|value| !value.is_finite()) {
            return refused(found("metaparameters"), "finite numbers");
        }
        let counts = curve.steps.iter().chain([&trial.steps, &trial.trial_id]);
        if counts.max().is_some_and(|count| *count > LARGEST_COUNT) {
            return refused(found("the steps"), "whole numbers up to 2^53");
        }
        let is_plain = |name: &String| {
            let is_odd = |c: char| c.is_control() || matches!(c, ',' | '"');
            let is_bare = !name.is_empty() && name.trim_ascii() == name;
            is_bare && name != "step" && !name.contains(is_odd)
        };
        match curve.metrics.keys().find(|name| !is_plain(name)) {
            Some(name) => {
                let found = found(&format!("the metric '{}'", name.escape_debug()));
                refused(found, "names without commas, quotation marks and outer space")
            }
            None => Ok(()),
        }
    })
}
