//! The tables, and what a new file begins with.

use rusqlite::{Transaction, params};

use super::rows::signed;
use super::{Origin, Provenance};
use crate::experiment::CheckedExperiment;

/// Marks a file as ours: "crbt" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x6372_6274;

/// Raised with every change of the tables.
pub(super) const SCHEMA_VERSION: i64 = 2;

const TABLES: &str = "
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL -- JSON
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE studies (
        batch_size INTEGER PRIMARY KEY,
        budget_steps INTEGER -- NULL where the record does not say
    ) STRICT;
    CREATE TABLE boxes (
        batch_size INTEGER NOT NULL,
        box_index INTEGER NOT NULL, -- from 0; each box contains the one before
        space TEXT NOT NULL, -- JSON object, name to scale
        first_trial_id INTEGER NOT NULL,
        n_trials INTEGER, -- complete trials that count in all; NULL for all there are
        max_trials INTEGER, -- trials started at most in all; NULL where the record does not say
        PRIMARY KEY (batch_size, box_index)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE speed (
        batch_size INTEGER PRIMARY KEY,
        seconds_per_step_alone REAL NOT NULL, -- of one lane without others
        lanes INTEGER, -- NULL, as what follows, where the record does not say
        seconds_per_step REAL, -- of all lanes together
        seconds_per_evaluation REAL -- of all lanes together
    ) STRICT;
    CREATE TABLE trials (
        batch_size INTEGER NOT NULL,
        trial_id INTEGER NOT NULL,
        repeat INTEGER NOT NULL, -- 0 for the search, from 1 for repeats with fresh seeds
        parameters TEXT NOT NULL, -- JSON object, name to value
        status TEXT NOT NULL,
        steps INTEGER NOT NULL,
        PRIMARY KEY (batch_size, trial_id, repeat)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE metrics (
        metric_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE -- split/name
    ) STRICT;
    CREATE TABLE measurements (
        batch_size INTEGER NOT NULL,
        trial_id INTEGER NOT NULL,
        repeat INTEGER NOT NULL,
        step INTEGER NOT NULL,
        metric_id INTEGER NOT NULL REFERENCES metrics (metric_id),
        value REAL, -- NULL for not a number
        PRIMARY KEY (batch_size, trial_id, repeat, step, metric_id)
    ) STRICT, WITHOUT ROWID;
";

/// Makes the tables of a new file and says whose they are.
pub(super) fn create(
    transaction: &Transaction<'_>,
    origin: &Origin,
    provenance: &Provenance,
) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    put_origin(transaction, origin, provenance)
}

/// Says whose the tables are, in place of what was said before.
pub(super) fn put_origin(
    transaction: &Transaction<'_>,
    origin: &Origin,
    provenance: &Provenance,
) -> rusqlite::Result<()> {
    let origin = serde_json::to_string(origin).expect("numbers, names and maps with text keys");
    put_meta(transaction, "origin", &origin)?;
    put_meta(transaction, "provenance", &text_of(provenance))
}

/// Provenance as it is kept.
pub(super) fn text_of(provenance: &Provenance) -> String {
    serde_json::to_string(provenance).expect("all its fields are text")
}

pub(super) fn put_meta(
    transaction: &Transaction<'_>,
    key: &str,
    value: &str,
) -> rusqlite::Result<()> {
    transaction
        .execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", [key, value])?;
    Ok(())
}

/// The studies of an experiment, each with the box that it begins with.
pub(super) fn add_studies_of(
    transaction: &Transaction<'_>,
    experiment: &CheckedExperiment,
) -> rusqlite::Result<()> {
    for (batch_size, budget_steps) in &experiment.budget_steps {
        let space = experiment.spaces.get(batch_size).cloned().unwrap_or_default();
        let space = serde_json::to_string(&space).expect("scales by name are JSON");
        transaction.execute(
            "INSERT INTO studies (batch_size, budget_steps) VALUES (?1, ?2)",
            params![signed(*batch_size), signed(*budget_steps)],
        )?;
        transaction.execute(
            "INSERT INTO boxes VALUES (?1, 0, ?2, 0, ?3, ?4)",
            params![
                signed(*batch_size),
                space,
                signed(experiment.search.n_trials),
                signed(experiment.search.max_trials),
            ],
        )?;
    }
    Ok(())
}
