//! Checkpoints: the state of every half-run trial, in files, so that an interruption costs little.
//!
//! One file a trial, replaced whole by a rename and removed when the trial has ended; so a directory
//! holds at most one state for each lane, one more while it is written, and those of trials that an
//! earlier run had in more lanes. It is the trainer's bytes and their CRC-32, little-endian: a bit that flips in
//! a weight shows nowhere else. A checkpoint saves time and nothing else: one that cannot be
//! written or used costs the steps since the last one, and its trial comes to the same measurements.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::Crc;

use crate::store::TrialName;

/// Name of the folder of checkpoints in an experiment's directory.
pub const CHECKPOINTS_DIRECTORY_NAME: &str = "checkpoints";

/// Writing takes at most one part in so many of the time.
const LEAST_INTERVAL: u32 = 20;

/// When checkpoints are written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoints {
    /// Their folder; made when the first one is written.
    pub directory: PathBuf,
    /// Time between two of a trial, where writing takes less than a twentieth of it.
    pub every: Duration,
}

/// The checkpoints of a run.
pub(super) struct CheckpointFiles<'run> {
    directory: &'run Path,
    every: Duration,
    last: Instant,
    /// What the last ones took.
    took: Duration,
}

impl<'run> CheckpointFiles<'run> {
    pub(super) fn new(checkpoints: &'run Checkpoints) -> Self {
        let Checkpoints { directory, every } = checkpoints;
        Self { directory, every: *every, last: Instant::now(), took: Duration::ZERO }
    }

    /// Whether it is time to write.
    pub(super) fn are_due(&self) -> bool {
        self.last.elapsed() >= self.every.max(self.took * LEAST_INTERVAL)
    }

    /// To be called when all of them have been written since `began`.
    pub(super) fn written(&mut self, began: Instant) {
        self.last = Instant::now();
        self.took = began.elapsed();
    }

    /// Puts the state of a trial in the place of its last one: all or nothing, also when the power fails.
    pub(super) fn write(&self, name: TrialName, state: &[u8]) -> Result<(), (PathBuf, io::Error)> {
        let path = self.path(name);
        let unfinished = path.with_extension("unfinished");
        let write = || {
            fs::create_dir_all(self.directory)?;
            let mut file = File::create(&unfinished)?;
            file.write_all(state)?;
            file.write_all(&check_sum(state))?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        write().map_err(|error| {
            // What could be written of it only takes room.
            let _ = fs::remove_file(&unfinished);
            (path.clone(), error)
        })
    }

    /// The last state of a trial, with its file, if there is one.
    pub(super) fn read(&self, name: TrialName) -> Option<(PathBuf, io::Result<Vec<u8>>)> {
        let path = self.path(name);
        match read_checkpoint(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            state => Some((path, state)),
        }
    }

    /// Forgets a trial that has ended. A file that stays is taken by the end of the study.
    pub(super) fn remove(&self, name: TrialName) {
        let _ = fs::remove_file(self.path(name));
    }

    /// Forgets all trials of a study, and the folder with the last of them. What cannot be removed does no
    /// harm: nobody asks for an ended trial.
    pub(super) fn remove_study(&self, batch_size: u64) {
        let prefix = study_prefix(batch_size);
        let Ok(entries) = fs::read_dir(self.directory) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
                let _ = fs::remove_file(entry.path());
            }
        }
        let _ = fs::remove_dir(self.directory);
    }

    fn path(&self, name: TrialName) -> PathBuf {
        self.directory.join(file_name(name))
    }
}

/// The state in a checkpoint's file, whole by its check sum.
pub(crate) fn read_checkpoint(path: &Path) -> io::Result<Vec<u8>> {
    let mut state = fs::read(path)?;
    let sum = state.split_off(state.len().saturating_sub(size_of::<u32>()));
    match sum == check_sum(&state) {
        true => Ok(state),
        false => Err(io::Error::new(ErrorKind::InvalidData, "its check sum is of other bytes")),
    }
}

fn check_sum(state: &[u8]) -> [u8; 4] {
    let mut sum = Crc::new();
    sum.update(state);
    sum.sum().to_le_bytes()
}

fn file_name(TrialName { batch_size, trial_id, repeat }: TrialName) -> String {
    format!("{}{trial_id}-repeat-{repeat}.checkpoint", study_prefix(batch_size))
}

/// The trial whose checkpoint has this name.
pub(crate) fn trial_of_checkpoint(name: &str) -> Option<TrialName> {
    let mut numbers = name.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let mut next = || numbers.next()?.parse().ok();
    let trial = TrialName { batch_size: next()?, trial_id: next()?, repeat: next()? };
    (file_name(trial) == name).then_some(trial)
}

/// What the names of a study's checkpoints begin with.
fn study_prefix(batch_size: u64) -> String {
    format!("batch-{batch_size}-trial-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: TrialName = TrialName { batch_size: 64, trial_id: 3, repeat: 0 };

    fn checkpoints(directory: &Path) -> Checkpoints {
        let directory = directory.join(CHECKPOINTS_DIRECTORY_NAME);
        Checkpoints { directory, every: Duration::ZERO }
    }

    #[test]
    fn a_state_is_replaced_and_removed_with_its_folder() {
        let directory = tempfile::tempdir().unwrap();
        let checkpoints = checkpoints(directory.path());
        let files = CheckpointFiles::new(&checkpoints);
        assert!(files.read(NAME).is_none());
        files.write(NAME, b"long first").unwrap();
        files.write(NAME, b"second").unwrap();
        files.write(TrialName { repeat: 1, ..NAME }, b"repeat").unwrap();
        files.write(TrialName { batch_size: 640, ..NAME }, b"other").unwrap();
        assert_eq!(files.read(NAME).unwrap().1.unwrap(), b"second");
        let mut damaged = fs::read(files.path(NAME)).unwrap();
        let place = damaged.windows(6).position(|bytes| bytes == b"second").unwrap();
        damaged[place] ^= 1;
        fs::write(files.path(NAME), damaged).unwrap();
        assert!(files.read(NAME).unwrap().1.is_err());
        files.write(NAME, b"second").unwrap();
        assert_eq!(fs::read_dir(&checkpoints.directory).unwrap().count(), 3, "nothing beside them");
        for entry in fs::read_dir(&checkpoints.directory).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(files.read(trial_of_checkpoint(&name).unwrap()).is_some());
            assert_eq!(trial_of_checkpoint(&format!("{name}.bak")), None);
        }
        files.remove(NAME);
        assert!(files.read(NAME).is_none());
        files.remove_study(64);
        assert_eq!(fs::read_dir(&checkpoints.directory).unwrap().count(), 1);
        files.remove_study(640);
        assert!(!checkpoints.directory.exists());
    }

    #[test]
    fn what_cannot_be_written_leaves_the_last_state() {
        let directory = tempfile::tempdir().unwrap();
        let checkpoints = checkpoints(directory.path());
        let files = CheckpointFiles::new(&checkpoints);
        files.write(NAME, b"first").unwrap();
        // A folder stands where the next one would be written.
        let unfinished = files.path(NAME).with_extension("unfinished");
        fs::create_dir(unfinished).unwrap();
        let (path, _) = files.write(NAME, b"second").unwrap_err();
        assert_eq!(path, files.path(NAME));
        assert_eq!(files.read(NAME).unwrap().1.unwrap(), b"first");
    }

    #[test]
    fn slow_disks_are_written_to_less_often() {
        let directory = tempfile::tempdir().unwrap();
        let checkpoints = checkpoints(directory.path());
        let mut files = CheckpointFiles::new(&checkpoints);
        assert!(files.are_due());
        files.written(Instant::now().checked_sub(Duration::from_secs(600)).unwrap());
        assert!(!files.are_due());
    }
}
