//! Everything that can go wrong in this crate, each in one line.

use std::path::{Path, PathBuf};

use crate::experiment::{Difference, Problem};
use crate::store::STORE_FILE_NAME;
use crate::trainer::TrainerError;

/// An error of the tuner.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TunerError {
    /// An experiment file that cannot be what the user meant.
    #[error("{source_name}:{line}: {problem}")]
    Experiment {
        /// Name of the file.
        source_name: String,
        /// Line in the file, from 1.
        line: usize,
        /// What is wrong there.
        problem: Box<Problem>,
    },
    /// A file or directory that the operating system refuses.
    #[error("cannot {action} '{}'", path.display())]
    File {
        /// What was tried, for example `create the directory`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// An output directory without a store, but with other things in it.
    #[error(
        "directory '{}' holds other files and no store of critbatch; \
         choose a new or an empty directory", directory.display()
    )]
    NotAStoreDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// No store where one should be read.
    #[error(
        "'{}' does not exist; give the output directory of an earlier 'critbatch run'",
        path.display()
    )]
    NoStore {
        /// The missing file.
        path: PathBuf,
    },
    /// A file where a directory is needed.
    #[error(
        "'{path}' is a file; expected the output directory of a run; if 'critbatch export' wrote it, \
         'critbatch import {path} --out DIR' makes a directory of it",
        path = path.display()
    )]
    NotADirectory {
        /// The file.
        path: PathBuf,
    },
    /// A compressed store was expected and a plain one found.
    #[error(
        "'{}' is a store that is not compressed; give the directory that holds it as 'critbatch.sqlite', or \
         compress it by gzip",
        path.display()
    )]
    NotCompressed {
        /// The file.
        path: PathBuf,
    },
    /// A file is in the place of an export.
    #[error(
        "'{}' is there and is no earlier export of this experiment; choose another name, or remove it",
        path.display()
    )]
    OtherExport {
        /// The file.
        path: PathBuf,
    },
    /// A file that is not a store.
    #[error("'{}' is not a store of critbatch; choose another directory", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// A store whose file does not hold together any more.
    #[error("store '{}' is damaged ({problem}); {}", path.display(), how_to_save(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// A store that has lost even what it says of its experiment.
    #[error(
        "store '{}' is damaged ({problem}), also where it says what it holds, so that nothing of it can be \
         saved; run the experiment in a new directory", path.display()
    )]
    BeyondRescue {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// A store of another schema version.
    #[error(
        "store '{}' has schema version {found}, this critbatch reads {supported}; \
         use the version of critbatch that wrote it", path.display()
    )]
    SchemaVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version of this program.
        supported: i64,
    },
    /// A second run in the same directory.
    #[error(
        "another critbatch is running in '{}'; wait for it to end or choose another directory",
        directory.display()
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// A directory that is not the one any more in which the run began.
    #[error(
        "'{}' was removed or replaced while this run wrote into it, so what it measured is lost; \
         run the same command again", directory.display()
    )]
    Replaced {
        /// The directory.
        directory: PathBuf,
    },
    /// A directory that holds another experiment.
    #[error(
        "'{}' holds another experiment: {}; choose another directory or restore the experiment file",
        directory.display(), list(differences)
    )]
    OtherExperiment {
        /// The directory.
        directory: PathBuf,
        /// What differs: old is the store's value, new the experiment file's.
        differences: Vec<Difference>,
    },
    /// A store that was measured elsewhere.
    #[error(
        "'{}' was measured with {what} '{stored}', this run has '{given}', which may give other \
         bits; go on with '{stored}', where that is to be had, or choose another directory", directory.display()
    )]
    OtherProvenance {
        /// The directory.
        directory: PathBuf,
        /// `device` or `version`.
        what: &'static str,
        /// The store's.
        stored: String,
        /// This run's.
        given: String,
    },
    /// A directory into which nothing can be imported.
    #[error("'{}' already holds measurements; choose a new or an empty directory", directory.display())]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
    },
    /// A question that only an experiment run here can answer.
    #[error(
        "store '{}' was imported from '{archive}' and holds no experiment that could be run; \
         choose the output directory of a 'critbatch run'", path.display()
    )]
    Imported {
        /// The file.
        path: PathBuf,
        /// Where its record comes from.
        archive: String,
    },
    /// A study that the store does not have.
    #[error("store '{}' has no study of batch size {batch_size}; give one that it has", path.display())]
    NoStudy {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        batch_size: u64,
    },
    /// A study that has to end before it can be widened.
    #[error(
        "the study of batch size {batch_size} in store '{}' has not ended; run it to its end before \
         widening it", path.display()
    )]
    NotEnded {
        /// The file.
        path: PathBuf,
        /// Of which study.
        batch_size: u64,
    },
    /// A search space that cannot follow on the present one.
    #[error("cannot widen the study of batch size {batch_size}: {problem}")]
    NotWider {
        /// Of which study.
        batch_size: u64,
        /// What was found and what was expected.
        problem: String,
    },
    /// The store's file cannot be read or written.
    #[error("cannot {action} store '{}': {message}", path.display())]
    Store {
        /// What was tried, for example `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        message: String,
    },
    /// A folder that should hold workloads of an archive.
    #[error(
        "'{}' holds no workload; expected the folder of one (a folder for each batch size, each \
         with a study.json) or a folder above", path.display()
    )]
    NoWorkload {
        /// The folder.
        path: PathBuf,
    },
    /// Measurements that would be mixed with what is already there.
    #[error(
        "'{}' exists and is not empty; choose another directory or remove it", directory.display()
    )]
    NotANewDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// A record that the archive's format cannot express.
    #[error("cannot write {found} to an archive; expected {expected}")]
    NotForArchive {
        /// What it is.
        found: String,
        /// What the format can express.
        expected: &'static str,
    },
    /// The trainer failed.
    #[error("cannot {action} at batch size {batch_size}")]
    Trainer {
        /// What was tried, for example `train`.
        action: &'static str,
        /// Of which study.
        batch_size: u64,
        /// Why not.
        source: TrainerError,
    },
    /// The trainer broke the contract of [`LaneTrainer`](crate::LaneTrainer).
    #[error("the trainer gave {found} at batch size {batch_size}; expected {expected}")]
    TrainerContract {
        /// Of which study.
        batch_size: u64,
        /// What it gave.
        found: String,
        /// What it should give.
        expected: String,
    },
    /// A trial measured again gave something else.
    #[error(
        "trial {trial_id} at batch size {batch_size} gave {measured} at step {step}, where the \
         store holds {stored}; the trial is not reproducible here, so measure in a new directory"
    )]
    NotReproducible {
        /// Of which study.
        batch_size: u64,
        /// Which trial.
        trial_id: u64,
        /// Where it differs first.
        step: u64,
        /// What the store holds.
        stored: String,
        /// What came out this time.
        measured: String,
    },
}

/// What to do about a damaged store: one that was exported is looked at where it is unpacked.
fn how_to_save(path: &Path) -> String {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match path.ends_with(STORE_FILE_NAME) {
        true => format!("'critbatch doctor {}' says what can be saved", directory.display()),
        false => format!(
            "unpack it by 'critbatch import {} --out DIR', then 'critbatch doctor DIR' says what can be saved",
            path.display()
        ),
    }
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
