//! What the store keeps, and whom it turns away.

use std::fs;

use super::*;
use crate::experiment::Experiment;
use crate::noisy_quadratic::NoisyQuadratic;
use crate::trainer::{Metrics, TrainerFactory, Trial};

fn experiment(n_trials: u64) -> CheckedExperiment {
    let text = format!(
        "workload = {{ dataset = 'noisy_quadratic', model = 'quadratic_32', optimizer = 'sgd' }}
        goal = {{ metric = 'val/cross_entropy_error', below = 0.1 }}
        batch_sizes.list = [8, 32]
        search = {{ sampler = 'halton', trials = {n_trials}, max_trials = 50, seed = 0, \
                    space.learning_rate = 0.1 }}
        budget.steps = 100
        evaluation.relative_spacing = 0.5"
    );
    Experiment::parse(&text, "e.toml").unwrap().check(&NoisyQuadratic::default().facts()).unwrap()
}

fn provenance(device: &str, version: &str) -> Provenance {
    let notes = [("host".to_owned(), "here".to_owned())].into();
    Provenance { device: device.to_owned(), version: version.to_owned(), notes }
}

fn open(directory: &Path) -> Result<Store, TunerError> {
    Store::open_or_create(directory, &experiment(4), &provenance("cpu", "1"))
}

fn refusal(directory: &Path) -> String {
    let message = open(directory).unwrap_err().to_string();
    assert!(!message.contains('\n') && !message.ends_with('.'), "{message}");
    message
}

fn trial(trial_id: u64) -> Trial {
    let parameters = [("learning_rate".to_owned(), 0.1 + 0.2)].into();
    Trial { batch_size: 32, trial_id, seed: 0, parameters }
}

fn metrics(error: f64, loss: f64) -> Metrics {
    [("val/error".to_owned(), error), ("val/cross_entropy_error".to_owned(), loss)].into()
}

fn fill(store: &mut Store) {
    let mut round = store.begin().unwrap();
    round.claim(&trial(0)).unwrap();
    round.claim(&trial(1)).unwrap();
    round.append(&trial(0), 0, &metrics(0.9, f64::NAN)).unwrap();
    round.append(&trial(0), 7, &metrics(f64::INFINITY, -0.1)).unwrap();
    round.append(&trial(1), 0, &metrics(1.0, 5e-324)).unwrap();
    round.finish(&trial(0), TrialStatus::Infeasible, 8).unwrap();
    round.commit().unwrap();
}

#[test]
fn rows_come_back_as_written() {
    let directory = tempfile::tempdir().unwrap();
    fill(&mut open(directory.path()).unwrap());
    // Twice over, from a new store: writes are idempotent.
    fill(&mut open(directory.path()).unwrap());
    let store = Store::open_read_only(directory.path()).unwrap();
    let trials = store.trials(32).unwrap();
    assert_eq!(trials.len(), 2);
    assert_eq!((trials[0].status, trials[0].steps), (TrialStatus::Infeasible, 8));
    assert_eq!((trials[1].status, trials[1].steps), (TrialStatus::Incomplete, 0));
    assert_eq!(trials[1].parameters["learning_rate"].to_bits(), (0.1_f64 + 0.2).to_bits());
    assert_eq!(store.measurements(32).unwrap().len(), 6);
    let losses = store.metric(32, "val/cross_entropy_error").unwrap();
    assert!(losses[0].value.is_nan());
    assert_eq!((losses[1].step, losses[1].value), (7, -0.1));
    assert_eq!((losses[2].trial_id, losses[2].value), (1, 5e-324));
    let of_trial = store.trial_measurements(32, 0).unwrap();
    assert_eq!(of_trial[&7], metrics(f64::INFINITY, -0.1));
    assert!(store.trials(8).unwrap().is_empty() && store.measurements(8).unwrap().is_empty());
    assert_eq!(store.experiment(), &experiment(4));
    assert_eq!(store.provenance(), &provenance("cpu", "1"));
}

#[test]
fn a_round_that_is_not_committed_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path()).unwrap();
    let mut round = store.begin().unwrap();
    round.claim(&trial(0)).unwrap();
    drop(round);
    assert!(store.trials(32).unwrap().is_empty());
}

#[test]
fn a_reader_sees_committed_rounds_while_a_run_writes() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path()).unwrap();
    let reader = Store::open_read_only(directory.path()).unwrap();
    let mut round = store.begin().unwrap();
    round.claim(&trial(0)).unwrap();
    assert!(reader.trials(32).unwrap().is_empty());
    round.commit().unwrap();
    assert_eq!(reader.trials(32).unwrap().len(), 1);
    reader
        .consistent(|reader| {
            assert_eq!(reader.trials(32)?.len(), 1);
            fill(&mut store);
            assert_eq!(reader.trials(32)?.len(), 1);
            Ok(())
        })
        .unwrap();
    assert_eq!(reader.trials(32).unwrap().len(), 2);
    let mut reader = reader;
    let write = reader.begin().unwrap().claim(&trial(9)).unwrap_err();
    assert!(write.to_string().starts_with("cannot write store"), "{write}");
}

#[test]
fn a_directory_has_one_run_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    assert!(refusal(directory.path()).starts_with("another critbatch is running in '"));
    drop(store);
    assert!(open(directory.path()).is_ok());
}

#[test]
fn another_experiment_is_refused_by_its_keys() {
    let directory = tempfile::tempdir().unwrap();
    fill(&mut open(directory.path()).unwrap());
    let other = Store::open_or_create(directory.path(), &experiment(5), &provenance("cpu", "1"));
    let message = other.unwrap_err().to_string();
    assert!(
        message.contains("holds another experiment: search.trials is 4 there and 5 here; choose"),
        "{message}"
    );
    assert_eq!(open(directory.path()).unwrap().trials(32).unwrap().len(), 2);
}

#[test]
fn another_device_or_version_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    for (device, version, words) in [
        ("gpu", "1", "was measured with device 'cpu', this run has 'gpu'"),
        ("cpu", "2", "was measured with version '1', this run has '2'"),
    ] {
        let provenance = provenance(device, version);
        let other = Store::open_or_create(directory.path(), &experiment(4), &provenance);
        let message = other.unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    // Notes are kept, not compared.
    let noted = Provenance { notes: BTreeMap::new(), ..provenance("cpu", "1") };
    assert!(Store::open_or_create(directory.path(), &experiment(4), &noted).is_ok());
}

#[test]
fn directories_that_are_no_stores_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = |name: &str| parent.path().join(name);
    let missing = refusal(&path("missing").join("out"));
    assert!(missing.starts_with("cannot create the directory '"), "{missing}");

    fs::create_dir(path("photos")).unwrap();
    fs::write(path("photos").join("cat.png"), "meow").unwrap();
    assert!(refusal(&path("photos")).contains("holds other files and no store of critbatch"));
    assert_eq!(fs::read_dir(path("photos")).unwrap().count(), 1);

    fs::create_dir(path("text")).unwrap();
    fs::write(path("text").join(STORE_FILE_NAME), "this is not a database".repeat(100)).unwrap();
    assert!(refusal(&path("text")).contains("is not a store of critbatch"));
    let message = Store::open_read_only(&path("text")).unwrap_err().to_string();
    assert!(message.contains("is not a store of critbatch"), "{message}");

    fs::write(path("file"), "").unwrap();
    assert!(refusal(&path("file")).starts_with("cannot read the directory"));

    let message = Store::open_read_only(&path("photos")).unwrap_err().to_string();
    assert!(message.contains("does not exist; give the output directory"), "{message}");
}

#[test]
fn files_of_other_programs_and_versions_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(STORE_FILE_NAME);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    drop(other);
    assert!(refusal(directory.path()).contains("is not a store of critbatch"));
    fs::remove_file(&path).unwrap();

    drop(open(directory.path()).unwrap());
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 2).unwrap();
    drop(newer);
    let words = "has schema version 2, this critbatch reads 1; use the version of critbatch that";
    assert!(refusal(directory.path()).contains(words));
    assert!(Store::open_read_only(directory.path()).unwrap_err().to_string().contains(words));
}

#[test]
fn an_empty_file_of_a_killed_run_is_taken_for_new() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(STORE_FILE_NAME), "").unwrap();
    fs::write(directory.path().join("critbatch.lock"), "").unwrap();
    assert!(open(directory.path()).is_ok());
}

#[test]
fn a_closed_store_is_one_plain_file() {
    let directory = tempfile::tempdir().unwrap();
    fill(&mut open(directory.path()).unwrap());
    let mut names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["critbatch.lock", "critbatch.sqlite"]);
}

#[test]
fn a_damaged_entry_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    fill(&mut open(directory.path()).unwrap());
    let file = Connection::open(directory.path().join(STORE_FILE_NAME)).unwrap();
    file.execute_batch("UPDATE trials SET status = 'lost'").unwrap();
    let reader = Store::open_read_only(directory.path()).unwrap();
    assert!(reader.trials(32).unwrap_err().to_string().starts_with("cannot read store"));
    file.execute_batch("UPDATE meta SET value = '{' WHERE key = 'experiment'").unwrap();
    assert!(refusal(directory.path()).ends_with("its entry 'experiment' is damaged"));
}
