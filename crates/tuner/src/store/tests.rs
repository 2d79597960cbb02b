//! What the store keeps, and whom it turns away.

use std::fs;

use super::*;
use crate::experiment::Experiment;
use crate::noisy_quadratic::NoisyQuadratic;
use crate::record::{Curve, Omission, StudyFacts, StudyRecord, TrialCurve};
use crate::runner::has_ended;
use crate::space::{Scale, Space};
use crate::trainer::{Metrics, TrainerFactory};

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

fn name(trial_id: u64, repeat: u64) -> TrialName {
    TrialName { batch_size: 32, trial_id, repeat }
}

fn parameters() -> Parameters {
    [("learning_rate".to_owned(), 0.1 + 0.2)].into()
}

fn metrics(error: f64, loss: f64) -> Metrics {
    [("val/error".to_owned(), error), ("val/cross_entropy_error".to_owned(), loss)].into()
}

fn fill(store: &mut Store) {
    let mut round = store.begin(Durability::Power).unwrap();
    round.claim(name(0, 0), &parameters()).unwrap();
    round.claim(name(0, 2), &parameters()).unwrap();
    round.claim(name(1, 0), &parameters()).unwrap();
    round.append(name(0, 0), 0, &metrics(0.9, f64::NAN)).unwrap();
    round.append(name(0, 0), 7, &metrics(f64::INFINITY, -0.1)).unwrap();
    round.append(name(0, 2), 0, &metrics(0.4, 0.5)).unwrap();
    round.append(name(1, 0), 0, &metrics(1.0, 5e-324)).unwrap();
    round.finish(name(0, 0), TrialStatus::Infeasible, 8).unwrap();
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
    let repeats = store.repeats(32).unwrap();
    assert_eq!(repeats.iter().map(TrialRecord::name).collect::<Vec<_>>(), [name(0, 2)]);
    assert_eq!(store.n_measurements().unwrap(), 8);
    let losses = store.metric(32, "val/cross_entropy_error").unwrap();
    assert!(losses[0].value.is_nan());
    assert_eq!((losses[1].step, losses[1].value), (7, -0.1));
    assert_eq!((losses[2].trial_id, losses[2].value), (1, 5e-324));
    assert!(store.metric(32, "val/unheard_of").unwrap().is_empty());
    assert_eq!(store.measurements(name(0, 0)).unwrap()[&7], metrics(f64::INFINITY, -0.1));
    assert_eq!(store.measurements(name(0, 2)).unwrap(), [(0, metrics(0.4, 0.5))].into());
    let curves = store.curves(32).unwrap();
    assert_eq!(curves.keys().copied().collect::<Vec<_>>(), [name(0, 0), name(0, 2), name(1, 0)]);
    assert_eq!(curves[&name(0, 0)].steps, [0, 7]);
    assert_eq!(curves[&name(0, 0)].metrics["val/error"], [0.9, f64::INFINITY]);
    assert!(store.trials(8).unwrap().is_empty() && store.curves(8).unwrap().is_empty());
    assert_eq!(store.experiment().unwrap(), &experiment(4));
    assert_eq!(store.provenance(), &provenance("cpu", "1"));
}

#[test]
fn a_round_that_is_not_committed_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path()).unwrap();
    let mut round = store.begin(Durability::Power).unwrap();
    round.claim(name(0, 0), &parameters()).unwrap();
    drop(round);
    assert!(store.trials(32).unwrap().is_empty());
}

#[test]
fn only_a_round_that_must_outlive_a_loss_of_power_waits_for_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path()).unwrap();
    // SQLite's numbers: with 1 a commit in WAL mode is not flushed, with 2 it is.
    for (durability, synchronous) in
        [(Durability::Process, 1), (Durability::Power, 2), (Durability::Process, 1)]
    {
        store.begin(durability).unwrap().commit().unwrap();
        let found = store.connection.pragma_query_value(None, "synchronous", |row| row.get(0));
        assert_eq!(found, Ok(synchronous), "{durability:?}");
    }
}

#[test]
fn a_reader_sees_committed_rounds_while_a_run_writes() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path()).unwrap();
    let reader = Store::open_read_only(directory.path()).unwrap();
    let mut round = store.begin(Durability::Power).unwrap();
    round.claim(name(0, 0), &parameters()).unwrap();
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
    let write =
        reader.begin(Durability::Power).unwrap().claim(name(9, 0), &parameters()).unwrap_err();
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
    let other = Store::open_or_create(directory.path(), &experiment(3), &provenance("cpu", "1"));
    let message = other.unwrap_err().to_string();
    assert!(
        message.contains("holds another experiment: search.trials is 4 there and 3 here; choose"),
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
    for version in [1, 3] {
        newer.pragma_update(None, "user_version", version).unwrap();
        let words = format!(
            "has schema version {version}, this critbatch reads 2; use the version of critbatch that"
        );
        assert!(refusal(directory.path()).contains(&words));
        let message = Store::open_read_only(directory.path()).unwrap_err().to_string();
        assert!(message.contains(&words), "{message}");
    }
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
    file.execute_batch("UPDATE meta SET value = '{' WHERE key = 'origin'").unwrap();
    assert!(refusal(directory.path()).ends_with("its entry 'origin' is damaged"));
}

fn space(lo: f64, hi: f64) -> Space {
    Space { scales: [("learning_rate".to_owned(), Scale::Log(lo, hi))].into() }
}

/// Two studies, one with a repeat and metrics that come and go, one that says nothing.
fn record() -> Record {
    let run = |trial_id, repeat, rows: &[(u64, &str, f64)]| {
        let mut curve = Curve::default();
        rows.iter().for_each(|(step, metric, value)| {
            curve.push(*step, [((*metric).to_owned(), *value)]);
        });
        let status = TrialStatus::Complete;
        let (batch_size, parameters) = (16, parameters());
        let trial = TrialRecord { batch_size, trial_id, repeat, parameters, status, steps: 9 };
        TrialCurve { trial, curve }
    };
    let facts = |batch_size, number: Option<u64>| StudyFacts {
        batch_size,
        space: space(0.1, 1.0),
        budget_steps: number,
        n_trials: number,
        seconds_per_step: number.map(|number| number as f64),
    };
    let rows = [(0, "val/a", 0.5), (4, "val/b", 0.25), (9, "val/a", -1.5)];
    let workload = Workload {
        dataset: "mnist".to_owned(),
        model: "cnn".to_owned(),
        optimizer: "sgd".to_owned(),
    };
    let omission = Omission { path: "a.csv".into(), line: Some(3), problem: "bad".to_owned() };
    Record {
        workload,
        decided_goal: None,
        studies: vec![
            StudyRecord {
                facts: facts(16, Some(9)),
                trials: vec![run(2, 0, &rows), run(7, 0, &[])],
                repeats: vec![run(2, 1, &rows[..1])],
            },
            StudyRecord { facts: facts(32, None), trials: vec![], repeats: vec![] },
        ],
        omissions: vec![omission],
    }
}

#[test]
fn an_imported_record_comes_back_whole_and_is_no_experiment() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let notes: BTreeMap<_, _> = [("file".to_owned(), "archive.zip".to_owned())].into();
    let store = Store::import(&out, &record(), "/data/archive", notes.clone()).unwrap();
    let text = |record: &Record| format!("{record:?}");
    assert_eq!(text(&Record::of_store(&store).unwrap()), text(&record()));
    drop(store);
    let store = Store::open_read_only(&out).unwrap();
    assert_eq!(text(&Record::of_store(&store).unwrap()), text(&record()));
    let source = "/data/archive".to_owned();
    assert_eq!(store.origin(), &Origin::Imported { workload: record().workload, source });
    assert_eq!((&store.provenance().notes, store.speed(16).unwrap()), (&notes, None));
    let messages = [
        store.experiment().unwrap_err().to_string(),
        open(&out).unwrap_err().to_string(),
        store.boxes(16).unwrap_err().to_string(),
    ];
    for message in messages {
        let words = "was imported from '/data/archive' and holds no experiment that could be run";
        assert!(message.contains(words), "{message}");
    }
    let again = Store::import(&out, &record(), "/data/archive", notes).unwrap_err().to_string();
    assert!(again.contains("already holds measurements; choose a new"), "{again}");
}

fn widen(store: &mut Store, lo: f64, hi: f64) -> Result<SearchBox, TunerError> {
    store.widen(&[(32, space(lo, hi))].into()).map(|mut boxes| boxes.remove(0))
}

#[test]
fn a_study_begins_with_the_box_of_its_experiment_and_may_be_widened_when_it_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let text =
        "workload = { dataset = 'noisy_quadratic', model = 'quadratic_32', optimizer = 'sgd' }
        goal = { metric = 'val/cross_entropy_error', below = 0.1 }
        batch_sizes.list = [8, 32]
        search = { sampler = 'halton', trials = 2, max_trials = 5, seed = 0, \
                   space.learning_rate = { log = [0.1, 1.0] } }
        budget.steps = 100
        evaluation.relative_spacing = 0.5";
    let experiment = Experiment::parse(text, "e.toml").unwrap();
    let experiment = experiment.check(&NoisyQuadratic::default().facts()).unwrap();
    let provenance = provenance("cpu", "1");
    let mut store = Store::open_or_create(directory.path(), &experiment, &provenance).unwrap();
    let first = SearchBox { space: space(0.1, 1.0), first_trial_id: 0, n_trials: 2, max_trials: 5 };
    assert_eq!(store.boxes(32).unwrap(), std::slice::from_ref(&first));
    let early = widen(&mut store, 0.01, 1.0).unwrap_err().to_string();
    assert!(early.contains("has not ended; run it to its end before widening it"), "{early}");
    let mut round = store.begin(Durability::Power).unwrap();
    for (trial_id, status) in
        [(0, TrialStatus::Complete), (1, TrialStatus::Infeasible), (2, TrialStatus::Complete)]
    {
        round.claim(name(trial_id, 0), &parameters()).unwrap();
        round.finish(name(trial_id, 0), status, 100).unwrap();
    }
    round.commit().unwrap();
    let narrow = widen(&mut store, 0.2, 1.0).unwrap_err().to_string();
    assert!(narrow.contains("cannot widen the study of batch size 32: { log = [0.2"), "{narrow}");
    // The old box is a third of the new one: six trials in all, so four more.
    let both = [(8, space(0.01, 10.0)), (32, space(0.01, 10.0))].into();
    let other = store.widen(&both).unwrap_err().to_string();
    assert!(other.contains("batch size 8") && other.contains("has not ended"), "{other}");
    assert_eq!(store.boxes(32).unwrap().len(), 1, "all or none");
    let wider = widen(&mut store, 0.01, 10.0).unwrap();
    let expected = SearchBox {
        space: space(0.01, 10.0),
        first_trial_id: 3,
        n_trials: 6,
        max_trials: 3 + 4 * 3,
    };
    assert_eq!((&wider, store.boxes(32).unwrap()), (&expected, vec![first, expected.clone()]));
    let facts = store.studies().unwrap();
    assert_eq!((facts[0].n_trials, facts[1].n_trials), (Some(2), Some(6)));
    assert_eq!((&facts[1].space, facts[1].budget_steps), (&space(0.01, 10.0), Some(100)));
    assert!(store.last_box(64).unwrap_err().to_string().contains("has no study of batch size 64"));
    // The original experiment still is the store's.
    drop(store);
    assert!(Store::open_or_create(directory.path(), &experiment, &provenance).is_ok());
}

#[test]
fn a_study_has_ended_when_its_search_and_its_repeats_have() {
    let directory = tempfile::tempdir().unwrap();
    let text =
        "workload = { dataset = 'noisy_quadratic', model = 'quadratic_32', optimizer = 'sgd' }
        goal = { metric = 'val/cross_entropy_error', below = 0.1 }
        batch_sizes.list = [32]
        search = { sampler = 'halton', trials = 2, seed = 0, space.learning_rate = 0.1, \
                   repeats = { best = 1, seeds = 1 } }
        budget.steps = 100
        evaluation.relative_spacing = 0.5";
    let experiment = Experiment::parse(text, "e.toml").unwrap();
    let experiment = experiment.check(&NoisyQuadratic::default().facts()).unwrap();
    let provenance = provenance("cpu", "1");
    let mut store = Store::open_or_create(directory.path(), &experiment, &provenance).unwrap();
    assert!(!has_ended(&store, 32).unwrap(), "nothing was run");
    let mut run = |name: TrialName, error: f64, ends: bool| {
        let mut round = store.begin(Durability::Power).unwrap();
        round.claim(name, &parameters()).unwrap();
        round.append(name, 7, &metrics(0.0, error)).unwrap();
        if ends {
            round.finish(name, TrialStatus::Complete, 7).unwrap();
        }
        round.commit().unwrap();
        has_ended(&store, 32).unwrap()
    };
    assert!(!run(name(0, 0), 0.05, true), "one trial of two");
    assert!(!run(name(1, 0), 0.2, false), "the other is half run");
    assert!(!run(name(1, 0), 0.2, true), "the better one is to be repeated");
    assert!(!run(name(0, 1), 0.05, false), "the repeat is half run");
    assert!(run(name(0, 1), 0.05, true));
    assert!(has_ended(&store, 64).is_err(), "there is no such study");
}

#[test]
fn speed_is_kept_and_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path()).unwrap();
    assert_eq!(store.speed(8).unwrap(), None);
    for lanes in [3, 4] {
        let speed = Speed {
            seconds_per_step_alone: 0.5,
            lanes,
            seconds_per_step: 0.75,
            seconds_per_evaluation: 2.0,
        };
        store.set_speed(8, &speed).unwrap();
        assert_eq!(store.speed(8).unwrap(), Some(speed));
    }
    assert_eq!(store.studies().unwrap()[0].seconds_per_step, Some(0.5));
    assert_eq!(store.studies().unwrap()[1].seconds_per_step, None);
}

/// A store with enough in it for several pages, as its bytes.
fn large_store(directory: &Path) -> Vec<u8> {
    let mut store = open(directory).unwrap();
    let mut round = store.begin(Durability::Power).unwrap();
    for trial_id in 0..40 {
        round.claim(name(trial_id, 0), &parameters()).unwrap();
        for step in 0..20 {
            round.append(name(trial_id, 0), step, &metrics(0.5, 0.1)).unwrap();
        }
    }
    round.commit().unwrap();
    drop(store);
    fs::read(directory.join(STORE_FILE_NAME)).unwrap()
}

#[test]
fn a_store_that_was_cut_off_is_refused_wherever_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = large_store(directory.path());
    let path = directory.path().join(STORE_FILE_NAME);
    assert!(bytes.len() > 10 * 4096, "{} bytes", bytes.len());
    for len in (1..bytes.len()).step_by(1311) {
        fs::write(&path, &bytes[..len]).unwrap();
        let message = refusal(directory.path());
        let is_named = message.contains("is damaged (") || message.contains("is not a store");
        assert!(is_named, "{len} of {} bytes: {message}", bytes.len());
        assert_eq!(fs::read(&path).unwrap().len(), len, "it is left as it was");
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(open(directory.path()).unwrap().trials(32).unwrap().len(), 40);
}

#[test]
fn an_empty_store_beside_results_is_no_new_one() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    fs::write(directory.path().join(STORE_FILE_NAME), "").unwrap();
    fs::write(directory.path().join("report.html"), "the curve").unwrap();
    let message = refusal(directory.path());
    assert!(message.contains("is damaged (it is empty, beside 'report.html'); 'critbatch doctor"));
}

#[test]
fn running_times_add_up() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(open(directory.path()).unwrap().provenance().running_seconds(), None);
    let ran_for = |seconds| {
        open(directory.path()).unwrap().add_running_seconds(seconds).unwrap();
        Store::open_read_only(directory.path()).unwrap().provenance().running_seconds()
    };
    assert_eq!(ran_for(0.25), Some(0.25), "a short run takes its time too");
    assert_eq!(ran_for(40.25), Some(40.5));
    let store = Store::open_read_only(directory.path()).unwrap();
    assert_eq!(store.provenance().notes["host"], "here");
}

/// Somebody removes the directory of a run that goes on, and begins another in its place.
#[cfg(unix)]
#[test]
fn a_run_whose_directory_was_replaced_stops_and_spares_the_other() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("out");
    let mut old = open(&directory).unwrap();
    fill(&mut old);
    fs::remove_dir_all(&directory).unwrap();
    let removed = old.begin(Durability::Process).err().unwrap().to_string();
    assert!(removed.contains("out' was removed or replaced while this run"), "{removed}");
    let mut new = open(&directory).unwrap();
    fill(&mut new);
    assert!(matches!(old.begin(Durability::Power), Err(TunerError::Replaced { .. })));
    drop(old);
    assert!(directory.join("critbatch.sqlite-wal").exists(), "the other's log is there");
    assert_eq!(Store::open_read_only(&directory).unwrap().trials(32).unwrap().len(), 2);
    new.begin(Durability::Power).unwrap().commit().unwrap();
    drop(new);
    assert_eq!(open(&directory).unwrap().trials(32).unwrap().len(), 2);
}

/// As where a run is killed while it closes: the file is half written, and the journal undoes that.
#[test]
fn an_interrupted_write_is_undone_before_reading() {
    let directory = tempfile::tempdir().unwrap();
    fill(&mut open(directory.path()).unwrap());
    let path = directory.path().join(STORE_FILE_NAME);
    let killed = tempfile::tempdir().unwrap();
    let mut connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1;").unwrap();
    let transaction = connection.transaction().unwrap();
    transaction
        .execute_batch("UPDATE measurements SET value = 42; UPDATE trials SET parameters = hex(zeroblob(99999));")
        .unwrap();
    for ending in ["", "-journal"] {
        let name = format!("{STORE_FILE_NAME}{ending}");
        fs::copy(directory.path().join(&name), killed.path().join(&name)).unwrap();
    }
    transaction.rollback().unwrap();
    let journal = killed.path().join(format!("{STORE_FILE_NAME}-journal"));
    assert!(fs::metadata(&journal).unwrap().len() > 0);
    assert_ne!(fs::read(&path).unwrap(), fs::read(killed.path().join(STORE_FILE_NAME)).unwrap());
    let [whole, undone] = [directory.path(), killed.path()].map(|directory| {
        let store = Store::open_read_only(directory).unwrap();
        (store.trials(32).unwrap(), store.n_measurements().unwrap())
    });
    assert_eq!(whole, undone);
    assert!(!journal.exists());
}

#[test]
fn an_export_takes_no_other_ones_place() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("a")).unwrap();
    let file = directory.path().join("a.sqlite.gz");
    store.write_compressed(&file).unwrap();
    store.write_compressed(&file).unwrap();
    drop(store);
    let a = directory.path().join("a");
    let grown = Store::open_or_create(&a, &experiment(9), &provenance("cpu", "1")).unwrap();
    grown.write_compressed(&file).unwrap();
    let mut other = experiment(4);
    other.search.seed = 1;
    let b = directory.path().join("b");
    let other = Store::open_or_create(&b, &other, &provenance("cpu", "1")).unwrap();
    let message = other.write_compressed(&file).unwrap_err().to_string();
    assert!(message.ends_with("choose another name, or remove it"), "{message}");
    let text = directory.path().join("text.sqlite.gz");
    fs::write(&text, "notes").unwrap();
    assert!(other.write_compressed(&text).is_err());
    assert_eq!(fs::read(&text).unwrap(), b"notes");
    assert_eq!(Store::read_compressed(&file).unwrap().origin(), grown.origin());
}

#[test]
fn a_store_that_is_not_compressed_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let message = Store::read_compressed(&directory.path().join(STORE_FILE_NAME)).unwrap_err();
    assert!(message.to_string().contains("is a store that is not compressed; give the directory"));
}
