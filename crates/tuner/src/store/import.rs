//! A whole record into a new store.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Transaction, params};

use super::open::{claim, in_one_transaction, is_empty, with_meta};
use super::rows::signed;
use super::{Origin, Provenance, Store, failure, schema};
use crate::error::TunerError;
use crate::record::{Record, StudyRecord, TrialCurve};

/// The device of measurements that were made elsewhere.
const DEVICE: &str = "imported";

pub(super) fn import(
    directory: &Path,
    record: &Record,
    archive: &str,
    notes: BTreeMap<String, String>,
) -> Result<Store, TunerError> {
    let (mut connection, path, lock) = claim(directory)?;
    if !is_empty(&connection).map_err(failure(&path, "open"))? {
        return Err(TunerError::NotEmpty { directory: directory.to_owned() });
    }
    let (workload, source) = (record.workload.clone(), archive.to_owned());
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let provenance = Provenance { device: DEVICE.to_owned(), version, notes };
    let write = |transaction: &Transaction<'_>| {
        schema::create(transaction, &Origin::Imported { workload, source }, &provenance)?;
        let omissions = serde_json::to_string(&record.omissions).expect("paths, lines and text");
        schema::put_meta(transaction, "omissions", &omissions)?;
        let metric_ids = add_metrics(transaction, record)?;
        record.studies.iter().try_for_each(|study| add_study(transaction, study, &metric_ids))
    };
    in_one_transaction(&mut connection, write).map_err(failure(&path, "create"))?;
    with_meta(connection, path, Some(lock))
}

fn add_metrics<'record>(
    transaction: &Transaction<'_>,
    record: &'record Record,
) -> rusqlite::Result<BTreeMap<&'record str, i64>> {
    let runs = |study: &'record StudyRecord| study.trials.iter().chain(&study.repeats);
    let curves = record.studies.iter().flat_map(runs);
    let names = curves.flat_map(|trial| trial.curve.metrics.keys());
    let mut metric_ids: BTreeMap<&str, i64> = names.map(|name| (name.as_str(), 0)).collect();
    for ((name, metric_id), next) in metric_ids.iter_mut().zip(1..) {
        *metric_id = next;
        transaction.execute("INSERT INTO metrics VALUES (?1, ?2)", params![next, name])?;
    }
    Ok(metric_ids)
}

fn add_study(
    transaction: &Transaction<'_>,
    study: &StudyRecord,
    metric_ids: &BTreeMap<&str, i64>,
) -> rusqlite::Result<()> {
    let facts = &study.facts;
    let batch_size = signed(facts.batch_size);
    transaction.execute(
        "INSERT INTO studies (batch_size, budget_steps) VALUES (?1, ?2)",
        params![batch_size, facts.budget_steps.map(signed)],
    )?;
    let space = serde_json::to_string(&facts.space).expect("scales by name are JSON");
    transaction.execute(
        "INSERT INTO boxes VALUES (?1, 0, ?2, 0, ?3, NULL)",
        params![batch_size, space, facts.n_trials.map(signed)],
    )?;
    if let Some(seconds) = facts.seconds_per_step {
        transaction.execute(
            "INSERT INTO speed (batch_size, seconds_per_step_alone) VALUES (?1, ?2)",
            params![batch_size, seconds],
        )?;
    }
    let mut runs: Vec<&TrialCurve> = study.trials.iter().chain(&study.repeats).collect();
    // In the order of the primary key every row is appended, which is several times faster.
    runs.sort_by_key(|run| (run.trial.trial_id, run.trial.repeat));
    runs.into_iter().try_for_each(|run| add_trial(transaction, batch_size, run, metric_ids))
}

fn add_trial(
    transaction: &Transaction<'_>,
    batch_size: i64,
    TrialCurve { trial, curve }: &TrialCurve,
    metric_ids: &BTreeMap<&str, i64>,
) -> rusqlite::Result<()> {
    let (trial_id, repeat) = (signed(trial.trial_id), signed(trial.repeat));
    let parameters = serde_json::to_string(&trial.parameters).expect("numbers by name are JSON");
    let mut insert =
        transaction.prepare_cached("INSERT INTO trials VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let (status, steps) = (trial.status.name(), signed(trial.steps));
    insert.execute(params![batch_size, trial_id, repeat, parameters, status, steps])?;
    let mut insert =
        transaction.prepare_cached("INSERT INTO measurements VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let columns: Vec<(i64, &[f64])> = curve
        .metrics
        .iter()
        .map(|(name, values)| (metric_ids[name.as_str()], values.as_slice()))
        .collect();
    for (row, step) in curve.steps.iter().enumerate() {
        for (metric_id, values) in &columns {
            let value = values.get(row).copied().filter(|value| !value.is_nan());
            insert.execute(params![
                batch_size,
                trial_id,
                repeat,
                signed(*step),
                metric_id,
                value
            ])?;
        }
    }
    Ok(())
}
