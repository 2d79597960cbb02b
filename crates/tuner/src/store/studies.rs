//! What the store knows of studies besides their trials: boxes, budgets, speed.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::open::{in_one_transaction, read_meta};
use super::rows::{damaged, optional_unsigned, signed, unsigned};
use super::{Origin, Provenance, Store, TrialRecord, TrialStatus, schema};
use crate::error::TunerError;
use crate::record::{Omission, StudyFacts};
use crate::search_box::share_of;
use crate::space::Space;

/// A search space of a study, and which trials search it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchBox {
    /// What is searched.
    pub space: Space,
    /// The first trial with a point of this box; those before lie in the boxes before.
    pub first_trial_id: u64,
    /// Complete trials that count, those of the boxes before among them.
    pub n_trials: u64,
    /// Trials started at most, those of the boxes before among them.
    pub max_trials: u64,
}

/// How fast a study trains on the store's device.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Duration of one step of one lane without others, in seconds.
    pub seconds_per_step_alone: f64,
    /// Lanes that train side by side.
    pub lanes: u64,
    /// Duration of one step of all of them together, in seconds.
    pub seconds_per_step: f64,
    /// Duration of one evaluation of all of them together, in seconds: the average over a trial, where the
    /// gradient noise is measured at some.
    pub seconds_per_evaluation: f64,
}

/// The note that holds the text of the experiment file.
pub const EXPERIMENT_TEXT: &str = "experiment";

/// The note that says for how long an experiment has been running.
pub const RUNNING_SECONDS: &str = "running_seconds";

impl Provenance {
    /// The experiment file, where whoever measured noted it.
    #[must_use]
    pub fn experiment_text(&self) -> Option<&str> {
        self.notes.get(EXPERIMENT_TEXT).map(String::as_str)
    }

    /// For how many seconds the runs of an experiment have trained in all, those that were killed left out.
    #[must_use]
    pub fn running_seconds(&self) -> Option<f64> {
        self.notes.get(RUNNING_SECONDS)?.parse().ok()
    }
}

impl Store {
    /// What is known of each study besides its trials, by ascending batch size.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn studies(&self) -> Result<Vec<StudyFacts>, TunerError> {
        let failure = self.failure("read");
        let sql = "SELECT batch_size, space, budget_steps, n_trials, seconds_per_step_alone
                   FROM studies JOIN boxes USING (batch_size) LEFT JOIN speed USING (batch_size)
                   WHERE box_index =
                       (SELECT max(box_index) FROM boxes WHERE batch_size = studies.batch_size)
                   ORDER BY batch_size";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failure)?;
        let rows = statement.query_map([], |row| {
            let space: String = row.get(1)?;
            Ok(StudyFacts {
                batch_size: unsigned(row, 0)?,
                space: serde_json::from_str(&space).map_err(|_| damaged(1))?,
                budget_steps: optional_unsigned(row, 2)?,
                n_trials: optional_unsigned(row, 3)?,
                seconds_per_step: row.get(4)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(&failure)
    }

    /// What is known of one study besides its trials.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read, or has no such study.
    pub fn study(&self, batch_size: u64) -> Result<StudyFacts, TunerError> {
        let mut studies = self.studies()?.into_iter();
        let study = studies.find(|facts| facts.batch_size == batch_size);
        study.ok_or_else(|| TunerError::NoStudy { path: self.path.clone(), batch_size })
    }

    /// The boxes of a study that is run here, each wider than the one before.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read or was imported.
    pub fn boxes(&self, batch_size: u64) -> Result<Vec<SearchBox>, TunerError> {
        self.experiment()?;
        self.rows(
            "SELECT space, first_trial_id, n_trials, max_trials FROM boxes
             WHERE batch_size = ?1 ORDER BY box_index",
            batch_size,
            |row| {
                let space: String = row.get(0)?;
                Ok(SearchBox {
                    space: serde_json::from_str(&space).map_err(|_| damaged(0))?,
                    first_trial_id: unsigned(row, 1)?,
                    n_trials: unsigned(row, 2)?,
                    max_trials: unsigned(row, 3)?,
                })
            },
        )
    }

    /// The box that a study searches: its last one.
    ///
    /// # Errors
    ///
    /// As [`boxes`](Store::boxes), and where there is no such study.
    pub fn last_box(&self, batch_size: u64) -> Result<SearchBox, TunerError> {
        let last = self.boxes(batch_size)?.pop();
        last.ok_or_else(|| TunerError::NoStudy { path: self.path.clone(), batch_size })
    }

    /// Whether the search of a study has trials left to run, half-run ones among them.
    ///
    /// # Errors
    ///
    /// As [`last_box`](Store::last_box).
    pub(crate) fn is_searching(&self, batch_size: u64) -> Result<bool, TunerError> {
        Ok(is_searching(&self.last_box(batch_size)?, &self.trials(batch_size)?))
    }

    /// Gives studies that have ended wider boxes (by batch size), in which the next run goes on: all
    /// of them or, where one is refused, none.
    ///
    /// All trials so far count on. Points that lie in an earlier box are not tried again, and the
    /// trials that count grow as the box does, so that they are equally dense in all of it:
    /// n_total = round(n / f), where f is the share of the old box in the new one, measured on the
    /// new one's scales. Trials that diverge are allowed for as before.
    ///
    /// # Errors
    ///
    /// Where a study has not ended, a new box does not contain the old one or is hardly larger, or
    /// the store cannot be written.
    pub fn widen(&mut self, spaces: &BTreeMap<u64, Space>) -> Result<Vec<SearchBox>, TunerError> {
        let wider = spaces.iter().map(|(size, space)| self.widened_box(*size, space));
        let wider: Vec<(usize, SearchBox)> = wider.collect::<Result<_, _>>()?;
        let failure = self.failure("write");
        let write = |transaction: &Transaction<'_>| {
            spaces.keys().zip(&wider).try_for_each(|(batch_size, (index, searched))| {
                insert_box(transaction, *batch_size, *index, searched)
            })
        };
        in_one_transaction(&mut self.connection, write).map_err(failure)?;
        Ok(wider.into_iter().map(|(_, searched)| searched).collect())
    }

    /// Gives a study of a new store the boxes that it was widened to elsewhere.
    pub(crate) fn set_wider_boxes(
        &mut self,
        batch_size: u64,
        wider: &[SearchBox],
    ) -> Result<(), TunerError> {
        let failure = self.failure("write");
        let write = |transaction: &Transaction<'_>| {
            (1..).zip(wider).try_for_each(|(index, searched)| {
                insert_box(transaction, batch_size, index, searched)
            })
        };
        in_one_transaction(&mut self.connection, write).map_err(failure)
    }

    /// The box that a study would go on in, and its index.
    fn widened_box(
        &self,
        batch_size: u64,
        space: &Space,
    ) -> Result<(usize, SearchBox), TunerError> {
        let (boxes, trials) = (self.boxes(batch_size)?, self.trials(batch_size)?);
        let old = self.last_box(batch_size)?;
        let n_complete = n_complete(&trials);
        let first_trial_id = n_started(&trials);
        if is_searching(&old, &trials) {
            return Err(TunerError::NotEnded { path: self.path.clone(), batch_size });
        }
        let share = share_of(&old.space, space)
            .map_err(|problem| TunerError::NotWider { batch_size, problem })?;
        let n_trials = ((old.n_trials as f64 / share).round() as u64).max(old.n_trials + 1);
        let starts_per_trial = old.max_trials.div_ceil(old.n_trials.max(1));
        let n_starts = n_trials.saturating_sub(n_complete).saturating_mul(starts_per_trial);
        let max_trials = first_trial_id + n_starts;
        let space = space.clone();
        Ok((boxes.len(), SearchBox { space, first_trial_id, n_trials, max_trials }))
    }

    /// How fast a study trains, if it was measured.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn speed(&self, batch_size: u64) -> Result<Option<Speed>, TunerError> {
        let sql = "SELECT seconds_per_step_alone, lanes, seconds_per_step, seconds_per_evaluation
                   FROM speed WHERE batch_size = ?1 AND lanes IS NOT NULL";
        let read = self.connection.query_row(sql, [signed(batch_size)], |row| {
            Ok(Speed {
                seconds_per_step_alone: row.get(0)?,
                lanes: unsigned(row, 1)?,
                seconds_per_step: row.get(2)?,
                seconds_per_evaluation: row.get(3)?,
            })
        });
        read.optional().map_err(self.failure("read"))
    }

    /// Keeps how fast a study trains in one lane alone, where nothing is known yet.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn set_speed_alone(
        &mut self,
        batch_size: u64,
        seconds_per_step: f64,
    ) -> Result<(), TunerError> {
        let written = self.connection.execute(
            "INSERT OR IGNORE INTO speed (batch_size, seconds_per_step_alone) VALUES (?1, ?2)",
            params![signed(batch_size), seconds_per_step],
        );
        written.map(|_| ()).map_err(self.failure("write"))
    }

    /// Keeps how fast a study trains, in place of what was known.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn set_speed(&mut self, batch_size: u64, speed: &Speed) -> Result<(), TunerError> {
        let written = self.connection.execute(
            "INSERT OR REPLACE INTO speed VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                signed(batch_size),
                speed.seconds_per_step_alone,
                signed(speed.lanes),
                speed.seconds_per_step,
                speed.seconds_per_evaluation,
            ],
        );
        written.map(|_| ()).map_err(self.failure("write"))
    }

    /// Adds to the time for which an experiment has been running, in seconds; it is kept to the
    /// millisecond. What a killed run trained is not in it.
    ///
    /// # Errors
    ///
    /// Where the store cannot be written.
    pub fn add_running_seconds(&mut self, seconds: f64) -> Result<(), TunerError> {
        let total = self.provenance.running_seconds().unwrap_or(0.0) + seconds;
        self.provenance.notes.insert(RUNNING_SECONDS.to_owned(), format!("{total:.3}"));
        let provenance = schema::text_of(&self.provenance);
        let failure = self.failure("write");
        let write = |transaction: &Transaction<'_>| {
            schema::put_meta(transaction, "provenance", &provenance)
        };
        in_one_transaction(&mut self.connection, write).map_err(failure)
    }

    /// What an import left out; nothing for an experiment that is run here.
    ///
    /// # Errors
    ///
    /// Where the store cannot be read.
    pub fn omissions(&self) -> Result<Vec<Omission>, TunerError> {
        match self.origin {
            Origin::Measured(_) => Ok(vec![]),
            Origin::Imported { .. } => read_meta(&self.connection, &self.path, "omissions"),
        }
    }
}

/// Whether a search has trials left to run, half-run ones among them.
fn is_searching(searched: &SearchBox, trials: &[TrialRecord]) -> bool {
    trials.iter().any(|trial| trial.status == TrialStatus::Incomplete)
        || (n_complete(trials) < searched.n_trials && n_started(trials) < searched.max_trials)
}

fn n_complete(trials: &[TrialRecord]) -> u64 {
    trials.iter().filter(|trial| trial.status == TrialStatus::Complete).count() as u64
}

/// Trials that were started; they are by ascending id, and none is passed over.
fn n_started(trials: &[TrialRecord]) -> u64 {
    trials.last().map_or(0, |trial| trial.trial_id + 1)
}

fn insert_box(
    transaction: &Transaction<'_>,
    batch_size: u64,
    index: usize,
    searched: &SearchBox,
) -> rusqlite::Result<()> {
    let space = serde_json::to_string(&searched.space).expect("scales are JSON");
    let SearchBox { first_trial_id, n_trials, max_trials, .. } = *searched;
    let [batch_size, index, first, n, max] =
        [batch_size, index as u64, first_trial_id, n_trials, max_trials].map(signed);
    transaction.execute(
        "INSERT INTO boxes VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![batch_size, index, space, first, n, max],
    )?;
    Ok(())
}
