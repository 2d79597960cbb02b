//! An experiment that asks for more trials or batch sizes goes on from what it had.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use critbatch_tuner::{
    CheckedExperiment, Durability, ExperimentSummary, NoisyQuadratic, Repeats, RunOptions, Scale,
    Space, Store, StudySummary, TrialName, TrialStatus, TunerError,
};
use support::{check, contents, go_on, open, provenance, text};

/// So many complete trials at some batch sizes, of which some diverge.
fn experiment(stop: &str, sizes: &str, n_trials: u64) -> CheckedExperiment {
    let space = "learning_rate = { log = [0.02, 4.0], batch_exponent = 0.1 }";
    let budget = format!("steps = {{ at_batch_size = 64, steps = 150 }}\nstop = '{stop}'");
    let text = text("sgd", &format!("list = {sizes}"), n_trials, space, &budget);
    let text = text.replace("below = 0.02", "below = 0.2").replace("= 0.05", "= 0.2");
    check(&text, &NoisyQuadratic::default())
}

fn run(directory: &Path, experiment: &CheckedExperiment) {
    let options = RunOptions { lanes: Some(3), ..RunOptions::default() };
    go_on(directory, experiment, &mut NoisyQuadratic::default(), &options, |_, _| ()).unwrap();
}

fn results(directory: &Path) -> Vec<Option<(u64, u64)>> {
    let summary = ExperimentSummary::read(&Store::open_read_only(directory).unwrap()).unwrap();
    let result = |study: &StudySummary| Some((study.steps_to_result?, study.trial_id?));
    summary.studies.iter().map(result).collect()
}

#[test]
fn more_trials_and_batch_sizes_come_to_what_asking_at_once_does() {
    for stop in ["goal", "budget", "incumbent"] {
        let (small, large) = (experiment(stop, "[64]", 4), experiment(stop, "[64, 128, 256]", 12));
        let (grown, at_once) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        run(grown.path(), &small);
        let first = contents(grown.path());
        run(grown.path(), &large);
        run(at_once.path(), &large);
        assert!(contents(grown.path()).trials.len() > 2 * first.trials.len());
        assert_eq!(results(grown.path()), results(at_once.path()), "{stop}");
        if stop != "incumbent" {
            assert_eq!(contents(grown.path()), contents(at_once.path()), "{stop}");
        }
        let refused = open(grown.path(), &small).unwrap_err();
        assert!(
            matches!(refused, TunerError::OtherExperiment { .. }),
            "nothing shrinks: {refused}"
        );
    }
}

#[test]
fn what_would_change_a_trial_or_a_box_is_another_experiment() {
    let small = experiment("goal", "[64]", 4);
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), &small);
    let refuses = |other: &CheckedExperiment| {
        let refused = open(directory.path(), other).unwrap_err();
        assert!(matches!(refused, TunerError::OtherExperiment { .. }), "{refused}");
    };
    refuses(&experiment("budget", "[64]", 8));
    refuses(&experiment("goal", "[128]", 8));
    refuses(&experiment("goal", "[64]", 3));
    // A smaller batch size moves the box, and the budget of the scaled one stays.
    refuses(&experiment("goal", "[32, 64]", 4));
    let mut other = experiment("goal", "[64, 128]", 8);
    other.search.seed += 1;
    refuses(&other);
    other = experiment("goal", "[64, 128]", 8);
    other.budget_steps.insert(64, 7);
    refuses(&other);

    let mut store = open(directory.path(), &small).unwrap();
    let learning_rate = Scale::Log(0.01, 8.0);
    let mut scales = small.spaces[&64].scales.clone();
    scales.insert("learning_rate".to_owned(), learning_rate);
    store.widen(&BTreeMap::from([(64, Space { scales })])).unwrap();
    drop(store);
    refuses(&experiment("goal", "[64]", 8));
    drop(open(directory.path(), &experiment("goal", "[64, 128]", 4)).unwrap());
}

#[test]
fn best_trials_that_were_repeated_are_not_replaced() {
    let repeating = |n_trials, sizes| {
        let mut experiment = experiment("goal", sizes, n_trials);
        experiment.search.repeats = Some(Repeats { n_best: 1, n_seeds: 2 });
        experiment
    };
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), &repeating(4, "[64]"));
    let refused = open(directory.path(), &repeating(8, "[64]")).unwrap_err();
    assert!(refused.to_string().contains("search.trials is 4 there and 8 here"), "{refused}");
    run(directory.path(), &repeating(4, "[64, 128]"));
    assert_eq!(contents(directory.path()).repeats.len(), 4);
}

#[test]
fn planning_for_more_writes_nothing() {
    let (small, large) = (experiment("goal", "[64]", 4), experiment("goal", "[64, 128]", 12));
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), &small);
    let store = Store::open_read_only(directory.path()).unwrap();
    store.expect_to_be_of(&large, &provenance()).unwrap();
    let copy = store.grown_copy(&large).unwrap();
    assert_eq!(copy.experiment().unwrap(), &large);
    assert_eq!(copy.last_box(128).unwrap().n_trials, 12);
    assert_eq!(copy.trials(64).unwrap(), store.trials(64).unwrap());
    drop((store, copy));
    drop(open(directory.path(), &small).unwrap());
}

/// Trial 0 diverged at step 9 and made room for trial 2, which arrived at 4. With three trials instead of
/// two the result comes at 4, where trial 0 was still alive: it counts.
#[test]
fn a_divergence_that_comes_after_the_result_of_more_trials_counts_as_complete() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), &experiment("incumbent", "[64]", 2)).unwrap();
    let metric = "val/cross_entropy_error";
    let mut round = store.begin(Durability::Power).unwrap();
    let trials = [
        (0, [1.0, 1.0], TrialStatus::Infeasible, 9),
        (1, [1.0, 1.0], TrialStatus::Complete, 4),
        (2, [1.0, 0.1], TrialStatus::Complete, 4),
    ];
    for (trial_id, values, status, steps) in trials {
        let name = TrialName { batch_size: 64, trial_id, repeat: 0 };
        round.claim(name, &[("learning_rate".to_owned(), 0.1)].into()).unwrap();
        for (step, value) in [0, 4].into_iter().zip(values) {
            round.append(name, step, &[(metric.to_owned(), value)].into()).unwrap();
        }
        round.finish(name, status, steps).unwrap();
    }
    round.commit().unwrap();
    drop(store);
    run(directory.path(), &experiment("incumbent", "[64]", 3));
    let summary =
        ExperimentSummary::read(&Store::open_read_only(directory.path()).unwrap()).unwrap();
    let study = &summary.studies[0];
    assert_eq!((study.complete, study.infeasible, study.incomplete), (3, 0, 0), "{study:?}");
    assert_eq!(results(directory.path()), [Some((4, 2))]);
}
