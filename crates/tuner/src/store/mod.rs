//! Everything measured, in one directory: nothing outside this module knows how it is kept.
//!
//! One SQLite file in WAL mode, so that a reader never blocks the run, and one lock file, so that
//! a directory has one run at a time. A commit always outlives the process. It outlives a loss of power
//! too where a trial has ended in it ([`Durability`]): a trial that has not ended can be measured again,
//! from its last checkpoint that the store has caught up with or from its beginning, so its
//! measurements are not worth a flush of the disk in every round, which takes milliseconds and more
//! than a round of a small network. Every write is
//! idempotent, so a trial that runs again overwrites its rows with the same values.
//!
//! A store holds either an experiment that is measured here, or a record from elsewhere, imported
//! whole; [`Origin`] says which. Both answer the same questions.

mod file;
mod grow;
mod import;
mod lock;
mod open;
mod rows;
mod schema;
mod studies;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

pub use file::COMPRESSED_STORE_SUFFIX;
pub use rows::{Durability, Round};
pub use studies::{EXPERIMENT_TEXT, RUNNING_SECONDS, SearchBox, Speed};

use self::lock::Lock;
use crate::error::TunerError;
use crate::experiment::{CheckedExperiment, Goal, Workload};
use crate::record::Record;
use crate::trainer::Parameters;

/// Name of the file that holds the measurements, in the output directory.
pub const STORE_FILE_NAME: &str = "critbatch.sqlite";

/// How a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialStatus {
    /// Started and not ended: it is running, or was when its run ended.
    Incomplete,
    /// Reached the goal, spent its budget, or was stopped when it could no longer be the first there.
    Complete,
    /// Diverged.
    Infeasible,
}

impl TrialStatus {
    const NAMES: [(&'static str, TrialStatus); 3] = [
        ("incomplete", TrialStatus::Incomplete),
        ("complete", TrialStatus::Complete),
        ("infeasible", TrialStatus::Infeasible),
    ];

    /// Name, as in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = TrialStatus::NAMES.iter().find(|(_, status)| *status == self);
        named.expect("each has a name").0
    }

    fn from_name(name: &str) -> Option<TrialStatus> {
        TrialStatus::NAMES.iter().find(|(known, _)| *known == name).map(|(_, status)| *status)
    }
}

/// A trial as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialRecord {
    /// Examples per update.
    pub batch_size: u64,
    /// Number within its study, from 0.
    pub trial_id: u64,
    /// 0 for the trial of the search; its repeats with fresh seeds count from 1.
    pub repeat: u64,
    /// Its metaparameters.
    pub parameters: Parameters,
    /// How it stands.
    pub status: TrialStatus,
    /// Steps it trained: where it ended, or was measured last.
    pub steps: u64,
}

/// Which training run is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrialName {
    /// Examples per update.
    pub batch_size: u64,
    /// Number within its study, from 0.
    pub trial_id: u64,
    /// 0 for the trial of the search; its repeats with fresh seeds count from 1.
    pub repeat: u64,
}

impl TrialRecord {
    /// Which training run it is.
    #[must_use]
    pub fn name(&self) -> TrialName {
        let TrialRecord { batch_size, trial_id, repeat, .. } = *self;
        TrialName { batch_size, trial_id, repeat }
    }
}

/// One value of a metric that is known from the question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricRow {
    /// Updates before the measurement.
    pub step: u64,
    /// Number of the trial within its study.
    pub trial_id: u64,
    /// The metric's value; NaN where it was not a number.
    pub value: f64,
}

/// Where measurements come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// What trained, as in [`WorkloadFacts::device`](crate::WorkloadFacts). Bits depend on it.
    pub device: String,
    /// Version of the program. Bits depend on it.
    pub version: String,
    /// Anything else worth knowing of the run that made the store or asked for more of it; kept, never
    /// compared.
    pub notes: BTreeMap<String, String>,
}

/// What a store holds the measurements of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An experiment that is run in this directory.
    Measured(CheckedExperiment),
    /// A record that was measured elsewhere.
    Imported {
        /// What was trained.
        workload: Workload,
        /// Where the record came from, for people.
        source: String,
    },
}

impl Origin {
    /// What was trained.
    #[must_use]
    pub fn workload(&self) -> &Workload {
        match self {
            Origin::Measured(experiment) => &experiment.workload,
            Origin::Imported { workload, .. } => workload,
        }
    }

    /// The goal at which evaluations of its split ended early; `None` where they looked at every example.
    #[must_use]
    pub fn decided_goal(&self) -> Option<&Goal> {
        match self {
            Origin::Measured(experiment) => experiment.decided_goal(),
            Origin::Imported { .. } => None,
        }
    }
}

/// The measurements of one experiment, or an imported record.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    origin: Origin,
    provenance: Provenance,
    /// Held while this store may write.
    lock: Option<Lock>,
}

impl Store {
    /// Opens the store of a directory for a run, and makes directory and store if need be (but not
    /// the directory's parents). An experiment that has grown by trials or batch sizes is the store's from
    /// then on.
    ///
    /// # Errors
    ///
    /// Where the directory cannot be made or written, holds other things, another experiment, or
    /// measurements of another device or version, or where another run uses it.
    pub fn open_or_create(
        directory: &Path,
        experiment: &CheckedExperiment,
        provenance: &Provenance,
    ) -> Result<Store, TunerError> {
        open::open_or_create(directory, experiment, provenance)
    }

    /// Makes a store of a whole record, in one transaction, in a directory that is new or empty.
    ///
    /// `archive` says for people where the record comes from.
    ///
    /// # Errors
    ///
    /// Where the directory cannot be made or written, or already holds something.
    pub fn import(
        directory: &Path,
        record: &Record,
        archive: &str,
        notes: BTreeMap<String, String>,
    ) -> Result<Store, TunerError> {
        import::import(directory, record, archive, notes)
    }

    /// Opens the store of a directory to read it, also while a run writes to it.
    ///
    /// # Errors
    ///
    /// Where there is no store, or one of another program or version.
    pub fn open_read_only(directory: &Path) -> Result<Store, TunerError> {
        open::open_read_only(directory)
    }

    /// What these are the measurements of.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The experiment whose measurements these are.
    ///
    /// # Errors
    ///
    /// Where they were imported: an archive does not say all that an experiment is.
    pub fn experiment(&self) -> Result<&CheckedExperiment, TunerError> {
        match &self.origin {
            Origin::Measured(experiment) => Ok(experiment),
            Origin::Imported { source, .. } => {
                Err(TunerError::Imported { path: self.path.clone(), archive: source.clone() })
            }
        }
    }

    /// Where the measurements come from.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Sees to it that an experiment's measurements on a device may be added to these: that it is the
    /// store's own, or asks for more trials or batch sizes of it.
    ///
    /// # Errors
    ///
    /// Where the store holds another experiment, or measurements of another device or version.
    pub fn expect_to_be_of(
        &self,
        experiment: &CheckedExperiment,
        provenance: &Provenance,
    ) -> Result<(), TunerError> {
        let differences = self.experiment()?.differences(experiment);
        if !differences.is_empty() && !self.may_grow_to(experiment)? {
            return Err(TunerError::OtherExperiment { directory: self.directory(), differences });
        }
        let stored = &self.provenance;
        let compared = [
            ("device", &stored.device, &provenance.device),
            ("version", &stored.version, &provenance.version),
        ];
        match compared.into_iter().find(|(_, stored, given)| stored != given) {
            None => Ok(()),
            Some((what, stored, given)) => Err(TunerError::OtherProvenance {
                directory: self.directory(),
                what,
                stored: stored.clone(),
                given: given.clone(),
            }),
        }
    }

    fn directory(&self) -> PathBuf {
        self.path.parent().map(Path::to_owned).unwrap_or_default()
    }

    /// What SQLite finds wrong with its own file, at most so many sentences.
    pub(crate) fn integrity(&self, at_most: u32) -> Vec<String> {
        open::findings(&self.connection, &format!("integrity_check({at_most})"))
    }

    fn failure(&self, action: &'static str) -> impl Fn(rusqlite::Error) -> TunerError + use<> {
        failure(&self.path, action)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.lock.as_ref().is_some_and(|lock| !lock.holds()) {
            // Another run's files may have these names by now. Closing would remove them, so nothing is closed.
            if let Ok(nothing) = Connection::open_in_memory() {
                std::mem::forget(std::mem::replace(&mut self.connection, nothing));
            }
        } else if self.lock.is_some() {
            // Leaves one plain file that opens even from a read-only disk. A reader may hold it
            // back, and then the file simply stays as it is: nothing depends on this, and it is
            // not worth waiting for.
            let _ = self.connection.busy_timeout(Duration::ZERO);
            let _ = self.connection.pragma_update(None, "journal_mode", "DELETE");
        }
    }
}

fn failure(path: &Path, action: &'static str) -> impl Fn(rusqlite::Error) -> TunerError + use<> {
    let path = path.to_owned();
    move |error| match error.sqlite_error_code() {
        _ if is_to_be_undone(&error) => {
            let message = "a write that was interrupted has to be undone first, and the directory cannot \
                           be written; make it writable, or copy it";
            TunerError::Store { action, path: path.clone(), message: message.to_owned() }
        }
        Some(rusqlite::ErrorCode::NotADatabase) => TunerError::NotAStore { path: path.clone() },
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            TunerError::Damaged { path: path.clone(), problem: error.to_string() }
        }
        Some(rusqlite::ErrorCode::DiskFull) => {
            let message = "the disk is full; what was measured before is kept, so make room and run \
                           the same command again";
            TunerError::Store { action, path: path.clone(), message: message.to_owned() }
        }
        _ => TunerError::Store { action, path: path.clone(), message: error.to_string() },
    }
}

/// Whether the file needs a journal undone which may not be undone from here.
fn is_to_be_undone(error: &rusqlite::Error) -> bool {
    let found = error.sqlite_error().map(|error| error.extended_code);
    found == Some(rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

#[cfg(test)]
mod tests;
