//! The best trials are run again with fresh seeds, the same ones whatever the lanes, the stop rule
//! and the interruptions, and they never count.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use critbatch_tuner::{
    CheckedExperiment, Event, NoisyQuadratic, Plan, Question, Record, RunOptions, Scale, Space,
    Store, StudyOutcomes, StudySummary, TrialOutcome, TrialStatus,
};
use support::{contents, go_on};

/// Trials whose seeds matter: their starts differ by up to a half.
fn model() -> NoisyQuadratic {
    NoisyQuadratic { spread: 0.5, ..NoisyQuadratic::default() }
}

fn experiment(stop: &str, repeats: &str) -> CheckedExperiment {
    let space = "learning_rate = { log = [0.02, 4.0] }";
    let budget = format!("steps = {{ at_batch_size = 64, steps = 150 }}\nstop = '{stop}'");
    let text = support::text("sgd", "list = [64, 256]", 9, space, &budget)
        .replace("below = 0.02", "below = 0.2")
        .replace("seed = 0", &format!("seed = 1\n{repeats}"));
    support::check(&text, &model())
}

const TWO_OF_THREE_SEEDS: &str = "repeats = { best = 2, seeds = 3 }";

fn outcomes(directory: &std::path::Path) -> Vec<StudyOutcomes> {
    let store = Store::open_read_only(directory).unwrap();
    let goal = store.experiment().unwrap().goal.clone();
    Record::of_store(&store).unwrap().outcomes(&Question::of_goal(goal))
}

fn run(stop: &str, repeats: &str, lanes: usize) -> (tempfile::TempDir, Vec<StudyOutcomes>) {
    let directory = tempfile::tempdir().unwrap();
    let options = RunOptions { lanes: Some(lanes), ..RunOptions::default() };
    let quiet = |_: &Event<'_>, _: &AtomicBool| ();
    go_on(directory.path(), &experiment(stop, repeats), &mut model(), &options, quiet).unwrap();
    let outcomes = outcomes(directory.path());
    (directory, outcomes)
}

fn key(outcome: &TrialOutcome) -> (u64, u64, u64, Option<u64>) {
    let trial = &outcome.trial;
    (trial.trial_id, trial.repeat, trial.steps, outcome.reached.map(|reached| reached.step))
}

#[test]
fn the_best_trials_are_repeated_with_their_metaparameters_and_other_seeds() {
    let (directory, studies) = run("goal", TWO_OF_THREE_SEEDS, 3);
    let store = Store::open_read_only(directory.path()).unwrap();
    for study in &studies {
        let mut best: Vec<(u64, u64)> = study
            .trials
            .iter()
            .filter_map(|outcome| Some((outcome.reached?.step, outcome.trial.trial_id)))
            .collect();
        best.sort_unstable();
        let ids: std::collections::BTreeSet<u64> = best[..2].iter().map(|(_, id)| *id).collect();
        let expected: Vec<(u64, u64)> =
            ids.iter().flat_map(|id| [1, 2, 3].map(|repeat| (*id, repeat))).collect();
        let found: Vec<(u64, u64)> =
            study.repeats.iter().map(|o| (o.trial.trial_id, o.trial.repeat)).collect();
        assert_eq!(found, expected);
        let mut steps = std::collections::BTreeSet::new();
        for repeat in &study.repeats {
            let searched = study.trials.iter().find(|o| o.trial.trial_id == repeat.trial.trial_id);
            assert_eq!(searched.unwrap().trial.parameters, repeat.trial.parameters);
            assert_eq!(repeat.trial.status, TrialStatus::Complete);
            assert_eq!(repeat.reached.map(|reached| reached.step), Some(repeat.trial.steps));
            let curve = store.measurements(repeat.trial.name()).unwrap();
            steps.insert(curve[&0]["val/cross_entropy_error"].to_bits());
        }
        assert_eq!(steps.len(), 6, "every seed starts elsewhere");
    }
}

#[test]
fn repeats_change_no_result_and_no_lane_changes_a_repeat() {
    let (without, _) = run("goal", "", 3);
    let summaries = |directory: &std::path::Path| {
        let store = Store::open_read_only(directory).unwrap();
        [64, 256].map(|batch_size| StudySummary::read(&store, batch_size).unwrap())
    };
    let (with, studies) = run("goal", TWO_OF_THREE_SEEDS, 3);
    assert_eq!(summaries(without.path()), summaries(with.path()));
    for lanes in [1, 20] {
        let (other, _) = run("goal", TWO_OF_THREE_SEEDS, lanes);
        assert_eq!(contents(other.path()), contents(with.path()));
    }
    // The rule that stops overtaken trials must know two best trials, and repeats by the goal rule.
    for lanes in [1, 4, 20] {
        let (_, incumbent) = run("incumbent", TWO_OF_THREE_SEEDS, lanes);
        for (study, expected) in incumbent.iter().zip(&studies) {
            let keys = |study: &StudyOutcomes| study.repeats.iter().map(key).collect::<Vec<_>>();
            assert_eq!(keys(study), keys(expected));
        }
    }
}

#[test]
fn repeats_are_resumed() {
    let (whole, _) = run("goal", TWO_OF_THREE_SEEDS, 2);
    let experiment = experiment("goal", TWO_OF_THREE_SEEDS);
    let options = RunOptions { lanes: Some(2), ..RunOptions::default() };
    let mut n_amid_repeats = 0;
    for last_round in (1..400).step_by(29) {
        let directory = tempfile::tempdir().unwrap();
        let left = Cell::new(last_round);
        let interrupt = |event: &Event<'_>, stop: &AtomicBool| {
            if let Event::RoundFinished(_) = event {
                left.set(left.get() - 1);
                stop.store(left.get() == 0, Ordering::Relaxed);
            }
        };
        go_on(directory.path(), &experiment, &mut model(), &options, interrupt).unwrap();
        n_amid_repeats += u64::from(!contents(directory.path()).repeats.is_empty());
        let quiet = |_: &Event<'_>, _: &AtomicBool| ();
        go_on(directory.path(), &experiment, &mut model(), &options, quiet).unwrap();
        assert_eq!(contents(directory.path()), contents(whole.path()), "round {last_round}");
    }
    assert!(n_amid_repeats > 1, "{n_amid_repeats}");
}

#[test]
fn fewer_are_repeated_where_fewer_reached_the_goal() {
    let nine = "repeats = { best = 9, seeds = 1 }";
    let (directory, studies) = run("goal", nine, 4);
    for study in &studies {
        let n_reached = study.trials.iter().filter(|outcome| outcome.reached.is_some()).count();
        assert!(n_reached < 9);
        assert_eq!(study.repeats.len(), n_reached);
    }
    let plan = plan(directory.path(), &experiment("goal", nine));
    assert!(plan.studies.iter().all(|study| study.n_left() == 0), "nothing is left: {plan:?}");
}

/// Rates up to 0.1 at first, where 1 is better: every best trial lies beyond.
#[test]
fn repeats_of_trials_that_are_no_longer_the_best_are_not_counted() {
    let experiment = {
        let space = "learning_rate = { log = [0.05, 0.1] }";
        let text = support::text("sgd", "list = [64]", 8, space, "steps = 400\nstop = 'goal'")
            .replace("below = 0.02", "below = 0.2")
            .replace("seed = 0", &format!("seed = 1\n{TWO_OF_THREE_SEEDS}"));
        support::check(&text, &model())
    };
    let directory = tempfile::tempdir().unwrap();
    let options = RunOptions { lanes: Some(4), ..RunOptions::default() };
    let quiet = |_: &Event<'_>, _: &AtomicBool| ();
    go_on(directory.path(), &experiment, &mut model(), &options, quiet).unwrap();
    let n_repeats = || outcomes(directory.path())[0].repeats.len() as u64;
    assert_eq!(n_repeats(), 6);
    let wider = Space { scales: [("learning_rate".to_owned(), Scale::Log(0.05, 1.0))].into() };
    let mut store = support::open(directory.path(), &experiment).unwrap();
    store.widen(&[(64, wider)].into()).unwrap();
    drop(store);
    // Stopped as soon as the search has ended.
    let interrupt = |event: &Event<'_>, stop: &AtomicBool| {
        if let Event::RoundFinished(progress) = event {
            let has_ended = progress.n_complete == progress.n_trials;
            stop.store(has_ended, Ordering::Relaxed);
            assert!(!has_ended || progress.n_repeats_done < 6, "{progress:?}");
        }
    };
    go_on(directory.path(), &experiment, &mut model(), &options, interrupt).unwrap();
    let n_left = plan(directory.path(), &experiment).studies[0].n_left();
    let n_before = n_repeats();
    assert!((1..=6).contains(&n_left), "{n_left}");
    go_on(directory.path(), &experiment, &mut model(), &options, quiet).unwrap();
    assert!(n_repeats() >= 12 && n_repeats() - n_before <= n_left, "{} {n_left}", n_repeats());
    assert_eq!(plan(directory.path(), &experiment).studies[0].n_left(), 0);
}

fn plan(directory: &std::path::Path, experiment: &CheckedExperiment) -> Plan {
    let store = Store::open_read_only(directory).unwrap();
    let (options, mut clock) = (RunOptions::default(), || Duration::ZERO);
    Plan::new(experiment, Some(&store), &mut model(), &options, &mut clock).unwrap()
}
