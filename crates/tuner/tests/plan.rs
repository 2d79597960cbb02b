//! What is left to do is told before it is done, and costs no measurement twice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use critbatch_tuner::{
    CheckedExperiment, Event, LanesReason, NoisyQuadratic, Plan, RunOptions, STORE_FILE_NAME, Store,
};
use support::{Meddler, go_on, noisy, provenance, small};

fn plan(experiment: &CheckedExperiment, store: Option<&Store>, factory: &mut Meddler) -> Plan {
    let began = Instant::now();
    let options = RunOptions::default();
    Plan::new(experiment, store, factory, &options, &mut || began.elapsed()).unwrap()
}

#[test]
fn the_rest_is_planned_and_speeds_are_measured_once() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = small("goal");
    let mut factory = Meddler::new(|_, _, _| Ok(()));
    let fresh = plan(&experiment, None, &mut factory);
    assert_eq!(factory.n_builds, 4, "one lane and all lanes of two studies");
    for (study, batch_size) in fresh.studies.iter().zip([64, 256]) {
        assert_eq!((study.batch_size, study.n_trials, study.n_trials_left), (batch_size, 7, 7));
        assert_eq!((study.lanes, study.n_repeats_left, study.n_metrics), (4, 0, 1));
        assert_eq!(study.n_examples(), 7 * study.budget_steps * batch_size);
        assert!(study.seconds() > 0.0 && study.n_rows() == 7 * study.n_evaluations);
    }
    assert_eq!(fresh.seconds(), fresh.studies.iter().map(|study| study.seconds()).sum::<f64>());
    let mut store = support::open(directory.path(), &experiment).unwrap();
    fresh.keep_speeds(&mut store).unwrap();
    let mut kept = fresh.clone();
    kept.studies.iter_mut().for_each(|study| study.lanes_reason = LanesReason::Earlier);
    assert_eq!(plan(&experiment, Some(&store), &mut factory), kept);
    assert_eq!(factory.n_builds, 4, "speeds come from the store");
    drop(store);
    let quiet = |_: &Event<'_>, _: &AtomicBool| ();
    go_on(directory.path(), &experiment, &mut factory, &RunOptions::default(), quiet).unwrap();
    let store = Store::open_read_only(directory.path()).unwrap();
    let rest = plan(&experiment, Some(&store), &mut factory);
    assert!(rest.studies.iter().all(|study| study.n_left() == 0 && study.seconds() == 0.0));
    assert!(store.expect_to_be_of(&experiment, &provenance()).is_ok());
    assert!(store.expect_to_be_of(&small("budget"), &provenance()).is_err());
}

#[test]
fn lanes_that_were_asked_for_bind_no_later_run() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = small("goal");
    let mut store = support::open(directory.path(), &experiment).unwrap();
    let mut factory = Meddler::new(|_, _, _| Ok(()));
    let options = RunOptions { lanes: Some(2), ..RunOptions::default() };
    let mut clock = || Duration::ZERO;
    let asked = Plan::new(&experiment, None, &mut factory, &options, &mut clock).unwrap();
    let lanes = |plan: &Plan| -> Vec<(u64, LanesReason)> {
        plan.studies.iter().map(|study| (study.lanes, study.lanes_reason)).collect()
    };
    assert_eq!(lanes(&asked), [(2, LanesReason::Asked); 2]);
    asked.keep_speeds(&mut store).unwrap();
    assert!(store.study(64).unwrap().seconds_per_step.is_some(), "the analysis wants it");
    let chosen = plan(&experiment, Some(&store), &mut factory);
    assert_eq!(lanes(&chosen), [(4, LanesReason::Memory); 2]);
    // Nor does what was chosen bind a run that asks for another number.
    chosen.keep_speeds(&mut store).unwrap();
    let again = Plan::new(&experiment, Some(&store), &mut factory, &options, &mut clock).unwrap();
    assert_eq!(lanes(&again), [(2, LanesReason::Asked); 2]);
    again.keep_speeds(&mut store).unwrap();
    assert_eq!(store.speed(64).unwrap(), chosen.studies[0].speed);
}

#[test]
fn time_is_that_of_full_lanes_and_of_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = small("budget");
    let mut store = support::open(directory.path(), &experiment).unwrap();
    let speed = critbatch_tuner::Speed {
        seconds_per_step_alone: 2.0,
        lanes: 4,
        seconds_per_step: 5.0,
        seconds_per_evaluation: 10.0,
    };
    store.set_speed(64, &speed).unwrap();
    let mut factory = Meddler::new(|_, _, _| Ok(()));
    let plan = plan(&experiment, Some(&store), &mut factory);
    let (study, steps) = (&plan.studies[0], plan.studies[0].budget_steps as f64);
    // Seven trials in four lanes: four at 5 s a step, then three at 2 + 2/3 of 3 = 4 s a step.
    let expected = steps * (5.0 + 4.0) + 2.0 * 10.0 * study.n_evaluations as f64;
    assert!((study.seconds() - expected).abs() < 1e-6, "{} {expected}", study.seconds());
}

#[test]
fn the_gradient_noise_counts_where_it_is_measured() {
    let mut factory = Meddler::new(|_, _, _| Ok(()));
    let plan = plan(&noisy(), None, &mut factory);
    // Points, and those among them that are the first in a stretch of 8 or of 2 steps.
    let counts: Vec<[u64; 3]> = plan
        .studies
        .iter()
        .map(|study| [study.budget_steps, study.n_evaluations, study.n_noise_points])
        .collect();
    assert_eq!(counts, [[150, 25, 13], [38, 18, 14]]);
    assert!(plan.studies.iter().all(|study| {
        study.n_metrics == 1
            && study.n_rows() == 7 * (study.n_evaluations + 2 * study.n_noise_points)
    }));
}

#[test]
fn the_disk_is_what_was_said() {
    let space = "learning_rate = { log = [0.01, 0.1] }";
    let budget = "steps = 30000\nstop = 'budget'";
    let text = support::text("sgd", "list = [32, 8192]", 24, space, budget)
        .replace("spacing = 0.05", "spacing = 0.005");
    let mut model = NoisyQuadratic { n_dimensions: 2, lanes: 24, ..NoisyQuadratic::default() };
    let experiment = support::check(&text.replace("quadratic_32", "quadratic_2"), &model);
    let mut clock = || Duration::ZERO;
    let options = RunOptions::default();
    let plan = Plan::new(&experiment, None, &mut model, &options, &mut clock).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let quiet = |_: &Event<'_>, _: &AtomicBool| ();
    go_on(directory.path(), &experiment, &mut model, &options, quiet).unwrap();
    let n_rows: u64 = plan.studies.iter().map(|study| study.n_rows()).sum();
    assert_eq!(Store::open_read_only(directory.path()).unwrap().n_measurements().unwrap(), n_rows);
    let size_bytes = std::fs::metadata(directory.path().join(STORE_FILE_NAME)).unwrap().len();
    let ratio = plan.size_bytes() as f64 / size_bytes as f64;
    println!("{n_rows} rows, {size_bytes} bytes, {} planned", plan.size_bytes());
    assert!((0.8..1.25).contains(&ratio), "{} planned, {size_bytes} found", plan.size_bytes());
}
