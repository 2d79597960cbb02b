//! Opening a store: whose is it, may it be written, does it belong to this experiment?

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde::de::DeserializeOwned;

use super::{Provenance, STORE_FILE_NAME, Store, failure};
use crate::error::TunerError;
use crate::experiment::CheckedExperiment;

const LOCK_FILE_NAME: &str = "critbatch.lock";

/// Marks a file as ours: "crbt" in ASCII.
const APPLICATION_ID: i64 = 0x6372_6274;

/// Raised with every change of the tables.
const SCHEMA_VERSION: i64 = 1;

/// How long a reader or writer waits for the moments in which the file is locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE trials (
        batch_size INTEGER NOT NULL,
        trial_id INTEGER NOT NULL,
        parameters TEXT NOT NULL, -- JSON object, name to value
        status TEXT NOT NULL,
        steps INTEGER NOT NULL,
        PRIMARY KEY (batch_size, trial_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE measurements (
        batch_size INTEGER NOT NULL,
        trial_id INTEGER NOT NULL,
        step INTEGER NOT NULL,
        metric TEXT NOT NULL,
        value REAL, -- NULL for not a number
        PRIMARY KEY (batch_size, trial_id, step, metric)
    ) STRICT, WITHOUT ROWID;
";

pub(super) fn open_or_create(
    directory: &Path,
    experiment: &CheckedExperiment,
    provenance: &Provenance,
) -> Result<Store, TunerError> {
    prepare_directory(directory)?;
    let lock = lock(directory)?;
    let path = directory.join(STORE_FILE_NAME);
    let mut connection = Connection::open(&path).map_err(failure(&path, "open"))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failure(&path, "open"))?;
    if is_empty(&connection).map_err(failure(&path, "open"))? {
        create(&mut connection, experiment, provenance).map_err(failure(&path, "create"))?;
    }
    check_version(&connection, &path)?;
    // FULL: a commit waits for the disk, see the module's page.
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        .map_err(failure(&path, "write"))?;
    let store = Store {
        experiment: read_meta(&connection, &path, "experiment")?,
        provenance: read_meta(&connection, &path, "provenance")?,
        connection,
        path,
        lock: Some(lock),
    };
    check_belongs(&store, directory, experiment, provenance)?;
    Ok(store)
}

pub(super) fn open_read_only(directory: &Path) -> Result<Store, TunerError> {
    let path = directory.join(STORE_FILE_NAME);
    if !path.is_file() {
        return Err(TunerError::NoStore { path });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(failure(&path, "open"))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failure(&path, "open"))?;
    check_version(&connection, &path)?;
    Ok(Store {
        experiment: read_meta(&connection, &path, "experiment")?,
        provenance: read_meta(&connection, &path, "provenance")?,
        connection,
        path,
        lock: None,
    })
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

fn lock(directory: &Path) -> Result<File, TunerError> {
    let path = directory.join(LOCK_FILE_NAME);
    let failure =
        |source| TunerError::File { action: "write the lock file", path: path.clone(), source };
    let mut options = File::options();
    let lock = options.create(true).truncate(false).write(true).open(&path).map_err(failure)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(TunerError::Locked { directory: directory.to_owned() })
        }
        Err(TryLockError::Error(error)) => Err(failure(error)),
    }
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// One transaction: a run killed in here leaves an empty file, which the next run takes for new.
fn create(
    connection: &mut Connection,
    experiment: &CheckedExperiment,
    provenance: &Provenance,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    let provenance = serde_json::to_string(provenance).expect("all its fields are text");
    for (key, value) in
        [("experiment", experiment.identity().to_string()), ("provenance", provenance)]
    {
        transaction.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", [key, &value])?;
    }
    transaction.commit()
}

fn check_version(connection: &Connection, path: &Path) -> Result<(), TunerError> {
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

fn read_meta<T: DeserializeOwned>(
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

fn check_belongs(
    store: &Store,
    directory: &Path,
    experiment: &CheckedExperiment,
    provenance: &Provenance,
) -> Result<(), TunerError> {
    let directory = directory.to_owned();
    let differences = store.experiment.differences(experiment);
    if !differences.is_empty() {
        return Err(TunerError::OtherExperiment { directory, differences });
    }
    let stored = &store.provenance;
    let compared = [
        ("device", &stored.device, &provenance.device),
        ("version", &stored.version, &provenance.version),
    ];
    match compared.into_iter().find(|(_, stored, given)| stored != given) {
        None => Ok(()),
        Some((what, stored, given)) => Err(TunerError::OtherProvenance {
            directory,
            what,
            stored: stored.clone(),
            given: given.clone(),
        }),
    }
}
