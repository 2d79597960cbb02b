//! One run at a time in a directory, and the same directory all the time.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::TunerError;

pub(super) const LOCK_FILE_NAME: &str = "critbatch.lock";

/// Held while a store may write; the operating system releases it if the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// # Errors
    ///
    /// Where another process holds it, or its file cannot be written.
    pub(super) fn take(directory: &Path) -> Result<Lock, TunerError> {
        let path = directory.join(LOCK_FILE_NAME);
        let failure =
            |source| TunerError::File { action: "write the lock file", path: path.clone(), source };
        let mut options = File::options();
        let file = options.create(true).truncate(false).write(true).open(&path).map_err(failure)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { file, path }),
            Err(TryLockError::WouldBlock) => {
                Err(TunerError::Locked { directory: directory.to_owned() })
            }
            Err(TryLockError::Error(error)) => Err(failure(error)),
        }
    }

    /// Whether the directory is the one that was locked. It may have been removed meanwhile, and another
    /// run have begun in its place: SQLite would neither see that nor spare the other's files, which it
    /// removes by their names.
    pub(super) fn holds(&self) -> bool {
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(ours), Ok(there)) => is_same_file(&ours, &there),
            _ => false,
        }
    }
}

#[cfg(unix)]
fn is_same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Where open files cannot be removed, a file of that name is ours.
#[cfg(not(unix))]
fn is_same_file(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}
