//! Rows in and out of the store.

use std::collections::BTreeMap;

use rusqlite::{Row, Transaction, params};

use super::{Measurement, MetricRow, Store, TrialRecord, TrialStatus};
use crate::error::TunerError;
use crate::trainer::{Metrics, Trial};

impl Store {
    /// Begins the writes of one round; they take effect together, at [`Round::commit`].
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn begin(&mut self) -> Result<Round<'_>, TunerError> {
        let failure = Box::new(self.failure("write"));
        let transaction = self.connection.transaction().map_err(&failure)?;
        Ok(Round { transaction, failure })
    }

    /// Reads with `question`, which sees one state of the store even while a run writes to it.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read, and those of `question`.
    pub fn consistent<T>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, TunerError>,
    ) -> Result<T, TunerError> {
        let transaction = self.connection.unchecked_transaction().map_err(self.failure("read"))?;
        let answer = question(self)?;
        transaction.commit().map_err(self.failure("read"))?;
        Ok(answer)
    }

    /// The trials of a batch size by ascending id.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn trials(&self, batch_size: u64) -> Result<Vec<TrialRecord>, TunerError> {
        self.rows(
            "SELECT trial_id, parameters, status, steps FROM trials
             WHERE batch_size = ?1 ORDER BY trial_id",
            batch_size,
            |row| {
                let parameters: String = row.get(1)?;
                let status: String = row.get(2)?;
                Ok(TrialRecord {
                    batch_size,
                    trial_id: unsigned(row, 0)?,
                    repeat: 0,
                    parameters: serde_json::from_str(&parameters).map_err(|_| damaged(1))?,
                    status: TrialStatus::from_name(&status).ok_or_else(|| damaged(2))?,
                    steps: unsigned(row, 3)?,
                })
            },
        )
    }

    /// All measurements of a batch size by ascending (trial id, step, metric).
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn measurements(&self, batch_size: u64) -> Result<Vec<Measurement>, TunerError> {
        self.rows(
            "SELECT trial_id, step, metric, value FROM measurements
             WHERE batch_size = ?1 ORDER BY trial_id, step, metric",
            batch_size,
            |row| {
                Ok(Measurement {
                    batch_size,
                    trial_id: unsigned(row, 0)?,
                    step: unsigned(row, 1)?,
                    metric: row.get(2)?,
                    value: number(row, 3)?,
                })
            },
        )
    }

    /// One metric of a batch size by ascending (trial id, step).
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn metric(&self, batch_size: u64, metric: &str) -> Result<Vec<MetricRow>, TunerError> {
        let failure = self.failure("read");
        let sql = "SELECT trial_id, step, value FROM measurements
                   WHERE batch_size = ?1 AND metric = ?2 ORDER BY trial_id, step";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failure)?;
        let rows = statement.query_map(params![signed(batch_size), metric], |row| {
            let (trial_id, step) = (unsigned(row, 0)?, unsigned(row, 1)?);
            Ok(MetricRow { step, trial_id, value: number(row, 2)? })
        });
        rows.and_then(Iterator::collect).map_err(&failure)
    }

    /// The measurements of one trial, step to metrics.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn trial_measurements(
        &self,
        batch_size: u64,
        trial_id: u64,
    ) -> Result<BTreeMap<u64, Metrics>, TunerError> {
        let failure = self.failure("read");
        let sql = "SELECT step, metric, value FROM measurements
                   WHERE batch_size = ?1 AND trial_id = ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failure)?;
        let key = params![signed(batch_size), signed(trial_id)];
        let mut rows = statement.query(key).map_err(&failure)?;
        let mut measurements: BTreeMap<u64, Metrics> = BTreeMap::new();
        while let Some(row) = rows.next().map_err(&failure)? {
            let step = unsigned(row, 0).map_err(&failure)?;
            let metric = row.get(1).map_err(&failure)?;
            let value = number(row, 2).map_err(&failure)?;
            measurements.entry(step).or_default().insert(metric, value);
        }
        Ok(measurements)
    }

    fn rows<T>(
        &self,
        sql: &str,
        batch_size: u64,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, TunerError> {
        let failure = self.failure("read");
        let mut statement = self.connection.prepare_cached(sql).map_err(&failure)?;
        let rows = statement.query_map([signed(batch_size)], read);
        rows.and_then(Iterator::collect).map_err(&failure)
    }
}

/// The writes of one round; nothing is written unless it is committed.
pub struct Round<'store> {
    transaction: Transaction<'store>,
    failure: Box<dyn Fn(rusqlite::Error) -> TunerError>,
}

impl Round<'_> {
    /// Records that a trial was started.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn claim(&mut self, trial: &Trial) -> Result<(), TunerError> {
        let parameters =
            serde_json::to_string(&trial.parameters).expect("numbers by name are JSON");
        self.execute(
            "INSERT OR REPLACE INTO trials (batch_size, trial_id, parameters, status, steps)
             VALUES (?1, ?2, ?3, 'incomplete', 0)",
            params![signed(trial.batch_size), signed(trial.trial_id), parameters],
        )
    }

    /// Records the metrics of a trial at a step.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn append(
        &mut self,
        trial: &Trial,
        step: u64,
        metrics: &Metrics,
    ) -> Result<(), TunerError> {
        let (batch_size, trial_id) = (signed(trial.batch_size), signed(trial.trial_id));
        for (metric, value) in metrics {
            let value = (!value.is_nan()).then_some(*value);
            self.execute(
                "INSERT OR REPLACE INTO measurements (batch_size, trial_id, step, metric, value)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![batch_size, trial_id, signed(step), metric, value],
            )?;
        }
        self.execute(
            "UPDATE trials SET steps = ?3 WHERE batch_size = ?1 AND trial_id = ?2",
            params![batch_size, trial_id, signed(step)],
        )
    }

    /// Records how and where a trial ended.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn finish(
        &mut self,
        trial: &Trial,
        status: TrialStatus,
        steps: u64,
    ) -> Result<(), TunerError> {
        let (batch_size, trial_id) = (signed(trial.batch_size), signed(trial.trial_id));
        self.execute(
            "UPDATE trials SET status = ?3, steps = ?4 WHERE batch_size = ?1 AND trial_id = ?2",
            params![batch_size, trial_id, status.name(), signed(steps)],
        )
    }

    /// Puts the round on disk.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn commit(self) -> Result<(), TunerError> {
        let Round { transaction, failure } = self;
        transaction.commit().map_err(&failure)
    }

    fn execute(&mut self, sql: &str, values: impl rusqlite::Params) -> Result<(), TunerError> {
        let mut statement = self.transaction.prepare_cached(sql).map_err(&self.failure)?;
        statement.execute(values).map_err(&self.failure)?;
        Ok(())
    }
}

/// The database's integers are signed; counts beyond 2^63 do not occur.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| damaged(column))
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<f64> {
    Ok(row.get::<_, Option<f64>>(column)?.unwrap_or(f64::NAN))
}

fn damaged(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "value".to_owned(), rusqlite::types::Type::Text)
}
