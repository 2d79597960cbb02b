//! Rows in and out of the store.

use std::collections::BTreeMap;

use rusqlite::{Row, Transaction, params};

use super::{MetricRow, Store, TrialName, TrialRecord, TrialStatus};
use crate::error::TunerError;
use crate::record::Curve;
use crate::trainer::{Metrics, Parameters};

impl Store {
    /// Begins the writes of one round; they take effect together, at [`Round::commit`].
    ///
    /// # Errors
    ///
    /// Where the store cannot be written, or its directory was removed or replaced.
    pub fn begin(&mut self, durability: Durability) -> Result<Round<'_>, TunerError> {
        if self.lock.as_ref().is_some_and(|lock| !lock.holds()) {
            return Err(TunerError::Replaced { directory: self.directory() });
        }
        let failure = Box::new(self.failure("write"));
        // In WAL mode the next flush puts on disk all that was committed before it without one.
        let synchronous = match durability {
            Durability::Process => "NORMAL",
            Durability::Power => "FULL",
        };
        self.connection.pragma_update(None, "synchronous", synchronous).map_err(&failure)?;
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

    /// The trials of the search at a batch size, by ascending id.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn trials(&self, batch_size: u64) -> Result<Vec<TrialRecord>, TunerError> {
        self.trial_records("repeat = 0", batch_size)
    }

    /// The repeats of a batch size by ascending (trial id, repeat).
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn repeats(&self, batch_size: u64) -> Result<Vec<TrialRecord>, TunerError> {
        self.trial_records("repeat > 0", batch_size)
    }

    /// One trial or repeat, if it was started.
    pub(crate) fn trial(&self, name: TrialName) -> Result<Option<TrialRecord>, TunerError> {
        let TrialName { batch_size, trial_id, repeat } = name;
        let is_it = format!("trial_id = {trial_id} AND repeat = {repeat}");
        Ok(self.trial_records(&is_it, batch_size)?.pop())
    }

    fn trial_records(
        &self,
        condition: &str,
        batch_size: u64,
    ) -> Result<Vec<TrialRecord>, TunerError> {
        let sql = format!(
            "SELECT trial_id, repeat, parameters, status, steps FROM trials
             WHERE batch_size = ?1 AND {condition} ORDER BY trial_id, repeat"
        );
        self.rows(&sql, batch_size, |row| {
            let parameters: String = row.get(2)?;
            let status: String = row.get(3)?;
            Ok(TrialRecord {
                batch_size,
                trial_id: unsigned(row, 0)?,
                repeat: unsigned(row, 1)?,
                parameters: serde_json::from_str(&parameters).map_err(|_| damaged(2))?,
                status: TrialStatus::from_name(&status).ok_or_else(|| damaged(3))?,
                steps: unsigned(row, 4)?,
            })
        })
    }

    /// All that was measured at a batch size, for each trial and repeat with a measurement.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn curves(&self, batch_size: u64) -> Result<BTreeMap<TrialName, Curve>, TunerError> {
        let names = self.metric_names()?;
        let failure = self.failure("read");
        // The order of the primary key: nothing has to be sorted.
        let sql = "SELECT trial_id, repeat, step, metric_id, value FROM measurements
                   WHERE batch_size = ?1 ORDER BY trial_id, repeat, step, metric_id";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failure)?;
        let mut rows = statement.query([signed(batch_size)]).map_err(&failure)?;
        let mut curves: BTreeMap<TrialName, Columns> = BTreeMap::new();
        while let Some(row) = rows.next().map_err(&failure)? {
            let mut take = || {
                let (trial_id, repeat) = (unsigned(row, 0)?, unsigned(row, 1)?);
                let name = TrialName { batch_size, trial_id, repeat };
                let columns = curves.entry(name).or_default();
                columns.push(unsigned(row, 2)?, row.get(3)?, number(row, 4)?);
                Ok(())
            };
            take().map_err(&failure)?;
        }
        let named = |(name, columns): (_, Columns)| (name, columns.into_curve(&names));
        Ok(curves.into_iter().map(named).collect())
    }

    fn metric_names(&self) -> Result<BTreeMap<i64, String>, TunerError> {
        let failure = self.failure("read");
        let sql = "SELECT metric_id, name FROM metrics";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failure)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.and_then(Iterator::collect).map_err(&failure)
    }

    /// One metric of the search at a batch size, by ascending (trial id, step).
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn metric(&self, batch_size: u64, metric: &str) -> Result<Vec<MetricRow>, TunerError> {
        let failure = self.failure("read");
        let sql = "SELECT trial_id, step, value FROM measurements
                   WHERE batch_size = ?1 AND repeat = 0
                       AND metric_id = (SELECT metric_id FROM metrics WHERE name = ?2)
                   ORDER BY trial_id, step";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failure)?;
        let rows = statement.query_map(params![signed(batch_size), metric], |row| {
            let (trial_id, step) = (unsigned(row, 0)?, unsigned(row, 1)?);
            Ok(MetricRow { step, trial_id, value: number(row, 2)? })
        });
        rows.and_then(Iterator::collect).map_err(&failure)
    }

    /// What was measured on one trial or repeat, step to metrics.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn measurements(&self, name: TrialName) -> Result<BTreeMap<u64, Metrics>, TunerError> {
        let failure = self.failure("read");
        let sql = "SELECT step, name, value FROM measurements JOIN metrics USING (metric_id)
                   WHERE batch_size = ?1 AND trial_id = ?2 AND repeat = ?3";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failure)?;
        let key = params![signed(name.batch_size), signed(name.trial_id), signed(name.repeat)];
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

    /// Number of measurements: one for each metric, at each step, of each trial and repeat.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn n_measurements(&self) -> Result<u64, TunerError> {
        self.count("measurements")
    }

    /// Trials and repeats that have ended.
    pub(crate) fn n_ended_trials(&self) -> Result<u64, TunerError> {
        self.count("trials WHERE status <> 'incomplete'")
    }

    fn count(&self, rows: &str) -> Result<u64, TunerError> {
        let sql = format!("SELECT count(*) FROM {rows}");
        let counted = self.connection.query_row(&sql, [], |row| unsigned(row, 0));
        counted.map_err(self.failure("read"))
    }

    pub(super) fn rows<T>(
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

/// What a committed round outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, however sudden. A loss of power may undo the latest rounds, whole.
    Process,
    /// A loss of power too, and so do all rounds before it: the commit waits for the disk.
    Power,
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
    pub fn claim(&mut self, name: TrialName, parameters: &Parameters) -> Result<(), TunerError> {
        let parameters = serde_json::to_string(parameters).expect("numbers by name are JSON");
        self.execute(
            "INSERT OR REPLACE INTO trials VALUES (?1, ?2, ?3, ?4, 'incomplete', 0)",
            params![
                signed(name.batch_size),
                signed(name.trial_id),
                signed(name.repeat),
                parameters
            ],
        )
    }

    /// Records the metrics of a trial at a step.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn append(
        &mut self,
        name: TrialName,
        step: u64,
        metrics: &Metrics,
    ) -> Result<(), TunerError> {
        let TrialName { batch_size, trial_id, repeat } = name;
        let key = [batch_size, trial_id, repeat, step].map(signed);
        for (metric, value) in metrics {
            let value = (!value.is_nan()).then_some(*value);
            self.execute("INSERT OR IGNORE INTO metrics (name) VALUES (?1)", [metric])?;
            self.execute(
                "INSERT OR REPLACE INTO measurements VALUES (?1, ?2, ?3, ?4,
                     (SELECT metric_id FROM metrics WHERE name = ?5), ?6)",
                params![key[0], key[1], key[2], key[3], metric, value],
            )?;
        }
        self.execute(
            "UPDATE trials SET steps = ?4
             WHERE batch_size = ?1 AND trial_id = ?2 AND repeat = ?3",
            key,
        )
    }

    /// Records how and where a trial ended.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn finish(
        &mut self,
        name: TrialName,
        status: TrialStatus,
        steps: u64,
    ) -> Result<(), TunerError> {
        let TrialName { batch_size, trial_id, repeat } = name;
        let [batch_size, trial_id, repeat] = [batch_size, trial_id, repeat].map(signed);
        self.execute(
            "UPDATE trials SET status = ?4, steps = ?5
             WHERE batch_size = ?1 AND trial_id = ?2 AND repeat = ?3",
            params![batch_size, trial_id, repeat, status.name(), signed(steps)],
        )
    }

    /// Records that a trial of the search is taken as complete at its last measurement, whatever
    /// happened to it after that.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn finish_at_last_measurement(
        &mut self,
        batch_size: u64,
        trial_id: u64,
    ) -> Result<(), TunerError> {
        self.execute(
            "UPDATE trials SET status = 'complete', steps = coalesce(
                 (SELECT max(step) FROM measurements
                  WHERE batch_size = ?1 AND trial_id = ?2 AND repeat = 0), 0)
             WHERE batch_size = ?1 AND trial_id = ?2 AND repeat = 0",
            [signed(batch_size), signed(trial_id)],
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

/// Values of one trial as they come: by ascending (step, metric).
#[derive(Default)]
struct Columns {
    steps: Vec<u64>,
    /// Metric id and one value for each step so far.
    values: Vec<(i64, Vec<f64>)>,
}

impl Columns {
    fn push(&mut self, step: u64, metric_id: i64, value: f64) {
        if self.steps.last() != Some(&step) {
            self.steps.push(step);
        }
        let index = self.values.iter().position(|(known, _)| *known == metric_id);
        let index = index.unwrap_or_else(|| {
            self.values.push((metric_id, vec![]));
            self.values.len() - 1
        });
        let column = &mut self.values[index].1;
        column.resize(self.steps.len() - 1, f64::NAN);
        column.push(value);
    }

    fn into_curve(self, names: &BTreeMap<i64, String>) -> Curve {
        let n_steps = self.steps.len();
        let column = |(metric_id, mut values): (i64, Vec<f64>)| {
            values.resize(n_steps, f64::NAN);
            Some((names.get(&metric_id)?.clone(), values))
        };
        Curve { metrics: self.values.into_iter().filter_map(column).collect(), steps: self.steps }
    }
}

/// The database's integers are signed; counts beyond 2^63 do not occur.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| damaged(column))
}

pub(super) fn optional_unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    let value: Option<i64> = row.get(column)?;
    value.map(|value| u64::try_from(value).map_err(|_| damaged(column))).transpose()
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<f64> {
    Ok(row.get::<_, Option<f64>>(column)?.unwrap_or(f64::NAN))
}

pub(super) fn damaged(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "value".to_owned(), rusqlite::types::Type::Text)
}
