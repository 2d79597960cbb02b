//! Opening a store: whose is it, may it be written, does it belong to this experiment?

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction};
use serde::de::DeserializeOwned;

use super::lock::{LOCK_FILE_NAME, Lock};
use super::schema::{self, APPLICATION_ID, SCHEMA_VERSION};
use super::{Origin, Provenance, STORE_FILE_NAME, Store, failure};
use crate::error::TunerError;
use crate::experiment::CheckedExperiment;

/// How long a reader or writer waits for the moments in which the file is locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn open_or_create(
    directory: &Path,
    experiment: &CheckedExperiment,
    provenance: &Provenance,
) -> Result<Store, TunerError> {
    let (mut connection, path, lock) = claim(directory)?;
    if is_empty(&connection).map_err(failure(&path, "open"))? {
        expect_nothing_else(directory, &path)?;
        let write = |transaction: &Transaction<'_>| {
            schema::create(transaction, &Origin::Measured(experiment.clone()), provenance)?;
            schema::add_studies_of(transaction, experiment)
        };
        in_one_transaction(&mut connection, write).map_err(failure(&path, "create"))?;
    }
    check_version(&connection, &path)?;
    if let Some(problem) = findings(&connection, "quick_check(1)").pop() {
        return Err(TunerError::Damaged { path, problem });
    }
    // FULL: a commit waits for the disk; rounds say for themselves whether theirs does.
    connection.execute_batch(WRITER_PRAGMAS).map_err(failure(&path, "write"))?;
    let mut store = with_meta(connection, path, Some(lock))?;
    store.expect_to_be_of(experiment, provenance)?;
    store.grow(experiment, &provenance.notes)?;
    Ok(store)
}

pub(super) fn open_read_only(directory: &Path) -> Result<Store, TunerError> {
    if directory.is_file() {
        return Err(TunerError::NotADirectory { path: directory.to_owned() });
    }
    let path = directory.join(STORE_FILE_NAME);
    if !path.is_file() {
        return Err(TunerError::NoStore { path });
    }
    let connection = read_only_connection(&path)?;
    check_version(&connection, &path)?;
    with_meta(connection, path, None)
}

pub(super) fn read_only_connection(path: &Path) -> Result<Connection, TunerError> {
    undo_interrupted_write(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failure(path, "open"))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failure(path, "open"))?;
    Ok(connection)
}

/// A program that was killed while it turned the log back into one plain file leaves a journal, which has to be
/// undone before anybody reads and which a reader may not undo. Where no run holds the directory it is
/// undone here; where that fails, opening tells.
fn undo_interrupted_write(path: &Path) {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    let directory = path.parent().filter(|_| Path::new(&journal).is_file());
    let Some(Ok(_lock)) = directory.map(Lock::take) else { return };
    if let Ok(connection) = Connection::open(path) {
        // Any look at the file undoes it.
        let _ = is_empty(&connection);
    }
}

/// A run writes at the ends of its tables, for which 256 KiB of pages are enough: SQLite's own 2 MB would
/// fill for thousands of trials, and look like memory that is lost.
const WRITER_PRAGMAS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -256;";

/// The file of a directory, perhaps empty, open for this process alone to write.
pub(super) fn claim(directory: &Path) -> Result<(Connection, PathBuf, Lock), TunerError> {
    prepare_directory(directory)?;
    let lock = Lock::take(directory)?;
    let path = directory.join(STORE_FILE_NAME);
    let connection = Connection::open(&path).map_err(failure(&path, "open"))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failure(&path, "open"))?;
    Ok((connection, path, lock))
}

/// What SQLite finds wrong with its own file.
pub(super) fn findings(connection: &Connection, check: &str) -> Vec<String> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare(&format!("PRAGMA {check}"))?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    let findings = read().unwrap_or_else(|error| vec![error.to_string()]);
    let lines = findings.iter().flat_map(|finding| finding.lines());
    let says_something = |line: &&str| *line != "ok" && !line.starts_with("***");
    lines.filter(says_something).map(str::to_owned).collect()
}

/// An empty file is that of a run that was killed when it began; beside results it is one that has lost what it held.
fn expect_nothing_else(directory: &Path, path: &Path) -> Result<(), TunerError> {
    let n_bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
    if n_bytes > 0 {
        let problem = format!("it has {n_bytes} bytes and no table");
        return Err(TunerError::Damaged { path: path.to_owned(), problem });
    }
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name == LOCK_FILE_NAME
            || name.to_str().is_some_and(|name| name.starts_with(STORE_FILE_NAME));
        if !is_ours {
            let problem = format!("it is empty, beside '{}'", name.display());
            return Err(TunerError::Damaged { path: path.to_owned(), problem });
        }
    }
    Ok(())
}

/// All or nothing: a program killed in here leaves an empty file, which the next takes for new.
pub(super) fn in_one_transaction(
    connection: &mut Connection,
    write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    write(&transaction)?;
    transaction.commit()
}

/// A store whose file says what it is.
pub(super) fn with_meta(
    connection: Connection,
    path: PathBuf,
    lock: Option<Lock>,
) -> Result<Store, TunerError> {
    let (origin, provenance) =
        (read_meta(&connection, &path, "origin")?, read_meta(&connection, &path, "provenance")?);
    Ok(Store { connection, path, origin, provenance, lock })
}

/// Makes the directory, or sees to it that an existing one is empty or a store's.
fn prepare_directory(directory: &Path) -> Result<(), TunerError> {
    let failure =
        |action| move |source| TunerError::File { action, path: directory.to_owned(), source };
    match fs::create_dir(directory) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => (),
        Err(error) => return Err(failure("create the directory")(error)),
    }
    if directory.join(STORE_FILE_NAME).is_file() {
        return Ok(());
    }
    for entry in fs::read_dir(directory).map_err(failure("read the directory"))? {
        let name = entry.map_err(failure("read the directory"))?.file_name();
        // A run that died at once may leave nothing but its lock.
        if name != LOCK_FILE_NAME {
            return Err(TunerError::NotAStoreDirectory { directory: directory.to_owned() });
        }
    }
    Ok(())
}

pub(super) fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<(), TunerError> {
    let number = |pragma| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(failure(path, "open"))
    };
    if number("application_id")? != APPLICATION_ID {
        return Err(TunerError::NotAStore { path: path.to_owned() });
    }
    match number("user_version")? {
        SCHEMA_VERSION => Ok(()),
        found => Err(TunerError::SchemaVersion {
            path: path.to_owned(),
            found,
            supported: SCHEMA_VERSION,
        }),
    }
}

pub(super) fn read_meta<T: DeserializeOwned>(
    connection: &Connection,
    path: &Path,
    key: &str,
) -> Result<T, TunerError> {
    let text: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .optional()
        .map_err(failure(path, "read"))?;
    let value = text.and_then(|text| serde_json::from_str(&text).ok());
    value.ok_or_else(|| TunerError::Store {
        action: "read",
        path: path.to_owned(),
        message: format!("its entry '{key}' is damaged"),
    })
}
