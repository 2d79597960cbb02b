//! A study that ended on an edge goes on in a wider box and keeps what it has.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use critbatch_tuner::{
    CheckedExperiment, Event, ExperimentSummary, NoisyQuadratic, Outcome, Question, Record,
    RunOptions, Scale, Space, Store, StudyOutcomes, TrialStatus, Verdict, widened_space,
};
use support::{Contents, contents, go_on};

/// Rates up to 0.2, where 1 would be better: the best point is on the upper edge.
fn experiment(stop: &str) -> CheckedExperiment {
    let space = "learning_rate = { log = [0.02, 0.2] }";
    let budget = format!("steps = 400\nstop = '{stop}'");
    let text = support::text("sgd", "list = [64, 256]", 8, space, &budget);
    support::check(&text.replace("below = 0.02", "below = 0.3"), &NoisyQuadratic::default())
}

fn options(lanes: usize) -> RunOptions {
    RunOptions { lanes: Some(lanes), ..RunOptions::default() }
}

fn run(directory: &Path, stop: &str, lanes: usize, n_rounds: u64) -> Outcome {
    let left = Cell::new(n_rounds);
    let observer = |event: &Event<'_>, stop: &AtomicBool| {
        if let Event::RoundFinished(_) = event {
            left.set(left.get() - 1);
            stop.store(left.get() == 0, Ordering::Relaxed);
        }
    };
    let mut model = NoisyQuadratic::default();
    go_on(directory, &experiment(stop), &mut model, &options(lanes), observer).unwrap()
}

fn outcomes(directory: &Path) -> Vec<StudyOutcomes> {
    let store = Store::open_read_only(directory).unwrap();
    let goal = store.experiment().unwrap().goal.clone();
    Record::of_store(&store).unwrap().outcomes(&Question::of_goal(goal))
}

/// Widens what ended on an edge; gives the wider spaces.
fn widen(directory: &Path, stop: &str) -> BTreeMap<u64, Space> {
    let spaces = outcomes(directory).into_iter().filter_map(|study| {
        let boundaries = study.boundaries(0.1);
        assert_eq!(boundaries["learning_rate"].verdict, Verdict::EdgeHigh);
        Some((study.facts.batch_size, widened_space(&study.facts.space, &boundaries, 1.0)?))
    });
    let spaces: BTreeMap<u64, Space> = spaces.collect();
    support::open(directory, &experiment(stop)).unwrap().widen(&spaces).unwrap();
    spaces
}

fn widened_run(stop: &str, lanes: usize) -> (tempfile::TempDir, Contents) {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), stop, lanes, u64::MAX);
    widen(directory.path(), stop);
    run(directory.path(), stop, lanes, u64::MAX);
    let contents = contents(directory.path());
    (directory, contents)
}

#[test]
fn old_trials_stay_and_new_ones_fill_the_rest_as_densely() {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), "goal", 3, u64::MAX);
    let before = contents(directory.path());
    let old_outcomes = outcomes(directory.path());
    let spaces = widen(directory.path(), "goal");
    for space in spaces.values() {
        let Scale::Log(lo, hi) = space.scales["learning_rate"] else { panic!("{space:?}") };
        assert!(lo == 0.02 && (hi - 2.0).abs() < 1e-9, "one scale's length further: {hi}");
    }
    // The original experiment file goes on.
    assert_eq!(
        run(directory.path(), "goal", 3, u64::MAX),
        Outcome::Finished { short_studies: vec![] }
    );
    let after = contents(directory.path());
    assert!(before.trials.iter().all(|trial| after.trials.contains(trial)), "all are kept");
    for (study, old) in outcomes(directory.path()).iter().zip(&old_outcomes) {
        // Twice the box, twice the trials.
        assert_eq!(study.facts.n_trials, Some(16));
        assert_eq!(study.facts.space, spaces[&study.facts.batch_size]);
        let rates = |of: TrialStatus| {
            let trials = study.trials.iter().map(|outcome| &outcome.trial);
            let trials = trials.filter(move |trial| trial.status == of);
            trials.map(|trial| (trial.trial_id, trial.parameters["learning_rate"]))
        };
        assert_eq!(rates(TrialStatus::Complete).count(), 16);
        assert!(rates(TrialStatus::Complete).all(|(id, rate)| (id < 8) == (rate <= 0.2)));
        assert!(study.trials.iter().all(|outcome| outcome.trial.parameters["learning_rate"] < 2.1));
        let (new, old) = (study.winner().unwrap(), old.winner().unwrap());
        assert!(new.reached.unwrap().step < old.reached.unwrap().step, "and it was worth it");
        assert!(new.trial.trial_id >= 8);
    }
    let store = Store::open_read_only(directory.path()).unwrap();
    let summary = ExperimentSummary::read(&store).unwrap();
    assert!(summary.studies.iter().all(|study| study.complete == 16 && !study.trials_exhausted));
}

#[test]
fn lanes_and_interruptions_change_nothing_in_a_widened_study() {
    let (_directory, whole) = widened_run("goal", 3);
    assert_eq!(widened_run("goal", 1).1, whole);
    assert_eq!(widened_run("goal", 20).1, whole);
    for n_rounds in [1, 12, 30] {
        let directory = tempfile::tempdir().unwrap();
        run(directory.path(), "goal", 3, u64::MAX);
        widen(directory.path(), "goal");
        run(directory.path(), "goal", 3, n_rounds);
        run(directory.path(), "goal", 4, u64::MAX);
        assert_eq!(contents(directory.path()), whole, "{n_rounds} rounds");
    }
}

#[test]
fn overtaken_trials_are_stopped_in_a_widened_study_too() {
    let (whole, _) = widened_run("budget", 3);
    let (expected, mut n_steps) = (outcomes(whole.path()), vec![]);
    for lanes in [1, 5] {
        let (directory, _) = widened_run("incumbent", lanes);
        for (study, expected) in outcomes(directory.path()).iter().zip(&expected) {
            let best = |study: &StudyOutcomes| {
                let winner = study.winner().unwrap();
                (winner.reached.unwrap().step, winner.trial.trial_id)
            };
            assert_eq!(best(study), best(expected), "{lanes} lanes");
            n_steps.push(study.trials.iter().map(|outcome| outcome.trial.steps).sum::<u64>());
        }
    }
    assert!(n_steps.iter().all(|n| *n < 400 * 8), "{n_steps:?}");
}
