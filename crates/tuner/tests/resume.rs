//! The same store comes out whatever the lanes, the rounds and the interruptions.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use std::cell::Cell;
use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use critbatch_tuner::{
    CHECKPOINTS_DIRECTORY_NAME, Checkpoints, EvaluationGrid, Event, NoisyQuadratic, Outcome,
    Progress, Provenance, Record, RunOptions, SQUARED_GRADIENT_NORM, Store, TrialCurve,
    TrialRecord, TrialStatus, TunerError, run,
};
use support::{Contents, Meddler, contents, go_on, noisy, provenance, small};

const FINISHED: Outcome = Outcome::Finished { short_studies: vec![] };

fn quiet(_: &Event<'_>, _: &AtomicBool) {}

fn lanes(lanes: usize) -> RunOptions {
    RunOptions { lanes: Some(lanes), ..RunOptions::default() }
}

fn whole_run(stop: &str, options: &RunOptions) -> Contents {
    let directory = tempfile::tempdir().unwrap();
    let mut factory = NoisyQuadratic::default();
    let outcome = go_on(directory.path(), &small(stop), &mut factory, options, quiet);
    assert_eq!(outcome.unwrap(), FINISHED);
    contents(directory.path())
}

#[test]
fn lanes_and_round_caps_change_nothing() {
    for stop in ["goal", "budget"] {
        let one = whole_run(stop, &lanes(1));
        let has = |status| one.trials.iter().any(|trial| trial.status == status);
        assert!(has(TrialStatus::Complete) && has(TrialStatus::Infeasible));
        assert!(!has(TrialStatus::Incomplete) && one.n_measurements() > 100);
        for n_lanes in [2, 5, 50] {
            assert_eq!(whole_run(stop, &lanes(n_lanes)), one, "{n_lanes} lanes, stop at {stop}");
        }
        let capped =
            RunOptions { lanes: Some(3), max_steps_per_round: Some(7), ..RunOptions::default() };
        assert_eq!(whole_run(stop, &capped), one);
        assert_eq!(whole_run(stop, &RunOptions::default()), one);
    }
}

#[test]
fn rounds_that_adapt_to_waiting_lanes_change_nothing() {
    for stop in ["goal", "budget"] {
        let whole = whole_run(stop, &lanes(5));
        let mut n_evaluations = vec![];
        for stop_cost in [None, Some(0.0), Some(3.0), Some(1e6)] {
            let directory = tempfile::tempdir().unwrap();
            let mut factory = Meddler { stop_cost, ..Meddler::new(|_, _, _| Ok(())) };
            go_on(directory.path(), &small(stop), &mut factory, &lanes(5), quiet).unwrap();
            assert_eq!(contents(directory.path()), whole, "a stop costs {stop_cost:?}");
            n_evaluations.push(factory.n_evaluations);
        }
        assert!(n_evaluations[1] > n_evaluations[3], "cheap stops are many: {n_evaluations:?}");
    }
}

#[test]
fn fewer_lanes_are_taken_where_there_is_no_memory_and_change_nothing() {
    let whole = whole_run("goal", &lanes(5));
    let directory = tempfile::tempdir().unwrap();
    let mut factory = Meddler { n_fitting: 2, ..Meddler::new(|_, _, _| Ok(())) };
    let told = Cell::new(vec![]);
    let listen = |event: &Event<'_>, _: &AtomicBool| {
        if let Event::FewerLanes { meant, taken } = *event {
            told.set([told.take(), vec![(meant, taken)]].concat());
        }
    };
    go_on(directory.path(), &small("goal"), &mut factory, &lanes(5), listen).unwrap();
    assert_eq!(contents(directory.path()), whole);
    let n_studies = factory.n_builds;
    assert_eq!(told.take(), vec![(5, 2); usize::try_from(n_studies).unwrap()]);
    factory.n_fitting = 0;
    let directory = tempfile::tempdir().unwrap();
    let error = go_on(directory.path(), &small("goal"), &mut factory, &lanes(5), quiet);
    assert!(error.unwrap_err().to_string().contains("0 lanes"), "a trainer without a lane");
}

/// A run of 2040 goes on in 1970, in files that were changed in the future.
#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let (experiment, options) = (small("goal"), lanes(3));
    let directory = tempfile::tempdir().unwrap();
    let run_in = |year: &str, last_round: u64| {
        let notes = [("started".to_owned(), format!("{year}-01-01T00:00:00Z"))].into();
        let provenance = Provenance { notes, ..provenance() };
        let mut store = Store::open_or_create(directory.path(), &experiment, &provenance).unwrap();
        let (stop, mut n_rounds) = (AtomicBool::new(false), 0);
        let mut stop_then = |event: &Event<'_>| {
            if let Event::RoundFinished(_) = event {
                n_rounds += 1;
                stop.store(n_rounds == last_round, Ordering::Relaxed);
            }
        };
        let mut factory = NoisyQuadratic::default();
        run(&experiment, &mut factory, &mut store, &options, &mut stop_then, &stop).unwrap()
    };
    assert!(matches!(run_in("2040", 4), Outcome::Interrupted { .. }));
    let future = SystemTime::now() + Duration::from_secs(500_000_000);
    for file in directory.path().read_dir().unwrap() {
        let file = File::options().append(true).open(file.unwrap().path()).unwrap();
        file.set_modified(future).unwrap();
    }
    assert_eq!(run_in("1970", u64::MAX), FINISHED);
    assert_eq!(contents(directory.path()), whole_run("goal", &lanes(3)));
}

#[test]
fn stopping_after_any_round_and_going_on_changes_nothing() {
    let (experiment, options) = (small("goal"), lanes(3));
    let whole = whole_run("goal", &options);
    let mut n_interrupted = 0;
    for last_round in 1.. {
        let directory = tempfile::tempdir().unwrap();
        let n_rounds = Cell::new(0);
        let stop_then = |event: &Event<'_>, stop: &AtomicBool| {
            if let Event::RoundFinished(_) = event {
                n_rounds.set(n_rounds.get() + 1);
                stop.store(n_rounds.get() == last_round, Ordering::Relaxed);
            }
        };
        let mut factory = NoisyQuadratic::default();
        let first = go_on(directory.path(), &experiment, &mut factory, &options, stop_then);
        if first.unwrap() == FINISHED {
            break;
        }
        assert_eq!(n_rounds.get(), last_round, "no round after the stop");
        n_interrupted += 1;
        let second = go_on(directory.path(), &experiment, &mut factory, &lanes(2), quiet);
        assert_eq!(second.unwrap(), FINISHED);
        assert_eq!(contents(directory.path()), whole, "stopped after round {last_round}");
    }
    println!("{n_interrupted} interruptions");
    assert!(n_interrupted > 20, "{n_interrupted}");
}

const DIRECTORY_OF_CHILD: &str = "CRITBATCH_TEST_DIRECTORY_OF_CHILD";

#[test]
#[ignore = "the process that a_killed_run_goes_on starts and kills"]
fn child_that_is_killed() {
    let directory = std::env::var_os(DIRECTORY_OF_CHILD).expect("set by a_killed_run_goes_on");
    let slowly = |_: &Event<'_>, _: &AtomicBool| std::thread::sleep(Duration::from_millis(20));
    let mut factory = NoisyQuadratic::default();
    go_on(directory.as_ref(), &small("budget"), &mut factory, &lanes(3), slowly).unwrap();
}

#[test]
fn a_killed_run_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--ignored"])
        .env(DIRECTORY_OF_CHILD, &out)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Until one trial has ended and the next ones are under way.
    let is_under_way = || {
        let trials = Store::open_read_only(&out).and_then(|store| store.trials(64));
        trials.is_ok_and(|trials| trials.len() > 4)
    };
    while !is_under_way() {
        assert!(child.try_wait().unwrap().is_none(), "the child ended before it was killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    let error = support::open(&out, &small("budget")).unwrap_err();
    assert!(matches!(error, TunerError::Locked { .. }), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    let is_incomplete = |trial: &TrialRecord| trial.status == TrialStatus::Incomplete;
    assert!(contents(&out).trials.iter().any(is_incomplete), "killed in the middle of a trial");
    let mut factory = NoisyQuadratic::default();
    let outcome = go_on(&out, &small("budget"), &mut factory, &lanes(3), quiet);
    assert_eq!(outcome.unwrap(), FINISHED);
    assert_eq!(contents(&out), whole_run("budget", &lanes(3)));
}

#[test]
fn a_trainer_that_fails_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = small("budget");
    for n_calls in [5, 40, 60] {
        let mut factory = Meddler::new(move |call, _, _| match call == n_calls {
            true => Err("device lost".into()),
            false => Ok(()),
        });
        let error =
            go_on(directory.path(), &experiment, &mut factory, &lanes(4), quiet).unwrap_err();
        assert!(error.to_string().starts_with("cannot evaluate at batch size "), "{error}");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "device lost");
    }
    let mut factory = NoisyQuadratic::default();
    go_on(directory.path(), &experiment, &mut factory, &lanes(4), quiet).unwrap();
    assert_eq!(contents(directory.path()), whole_run("budget", &lanes(4)));
}

#[test]
fn a_finished_experiment_trains_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut factory = Meddler::new(|_, _, _| Ok(()));
    go_on(directory.path(), &small("goal"), &mut factory, &lanes(4), quiet).unwrap();
    assert_eq!(factory.n_builds, 2);
    let before = contents(directory.path());
    let again = go_on(directory.path(), &small("goal"), &mut factory, &lanes(4), quiet);
    assert_eq!((again.unwrap(), factory.n_builds), (FINISHED, 2));
    assert_eq!(contents(directory.path()), before);
}

#[test]
fn another_experiment_in_the_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut factory = NoisyQuadratic::default();
    go_on(directory.path(), &small("goal"), &mut factory, &lanes(4), quiet).unwrap();
    let other = go_on(directory.path(), &small("budget"), &mut factory, &lanes(4), quiet);
    let message = other.unwrap_err().to_string();
    let words = "holds another experiment: stop is \"goal\" there and \"budget\" here; choose";
    assert!(message.contains(words), "{message}");
}

#[test]
fn a_trial_that_measures_otherwise_the_second_time_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = small("budget");
    let stop_soon = |event: &Event<'_>, stop: &AtomicBool| {
        if let Event::RoundFinished(_) = event {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let mut factory = NoisyQuadratic::default();
    go_on(directory.path(), &experiment, &mut factory, &lanes(2), stop_soon).unwrap();
    let before = contents(directory.path());
    let mut factory = Meddler::new(|_, trials, metrics| {
        if let Some(index) = trials.iter().position(|trial| trial.trial_id == 1) {
            let loss = metrics[index].get_mut("val/cross_entropy_error").unwrap();
            *loss = loss.next_up();
        }
        Ok(())
    });
    let error = go_on(directory.path(), &experiment, &mut factory, &lanes(2), quiet).unwrap_err();
    assert!(
        matches!(error, TunerError::NotReproducible { trial_id: 1, step: 0, batch_size: 64, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("the trial is not reproducible here"));
    assert_eq!(contents(directory.path()), before, "the old values are kept");
}

#[test]
fn a_trial_that_ends_earlier_the_second_time_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = small("budget");
    let third_round = Cell::new(3);
    let stop_soon = |event: &Event<'_>, stop: &AtomicBool| {
        if let Event::RoundFinished(_) = event {
            third_round.set(third_round.get() - 1);
            stop.store(third_round.get() == 0, Ordering::Relaxed);
        }
    };
    let mut factory = NoisyQuadratic::default();
    go_on(directory.path(), &experiment, &mut factory, &lanes(1), stop_soon).unwrap();
    assert_eq!(contents(directory.path()).n_measurements(), 4, "steps 0 to 3");
    // All it measures is the same, but it diverges at step 2, where it was measured before.
    let mut factory = Meddler { diverged_at: Some((2, 2)), ..Meddler::new(|_, _, _| Ok(())) };
    let error = go_on(directory.path(), &experiment, &mut factory, &lanes(1), quiet).unwrap_err();
    assert!(matches!(error, TunerError::NotReproducible { trial_id: 0, step: 2, .. }), "{error}");
    assert!(error.to_string().contains("gave no measurement at step 2"), "{error}");
}

#[test]
fn a_loss_that_is_no_number_makes_a_trial_infeasible() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = small("budget");
    let mut factory = Meddler::new(|_, trials, metrics| {
        for (trial, metrics) in trials.iter().zip(metrics) {
            let loss = metrics.get_mut("val/cross_entropy_error").unwrap();
            if trial.trial_id == 2 && *loss < 1.0 {
                *loss = f64::NAN;
            }
        }
        Ok(())
    });
    go_on(directory.path(), &experiment, &mut factory, &lanes(4), quiet).unwrap();
    let found = contents(directory.path());
    let trial = |trial_id, batch_size| {
        let is_it = |t: &&TrialRecord| t.trial_id == trial_id && t.batch_size == batch_size;
        found.trials.iter().find(is_it).unwrap()
    };
    assert_eq!(trial(2, 64).status, TrialStatus::Infeasible);
    assert!(trial(2, 64).steps > 0 && trial(2, 64).steps < 150);
    let is_complete = |t: &&TrialRecord| t.status == TrialStatus::Complete;
    assert_eq!(found.trials.iter().filter(is_complete).count(), 14);
}

#[test]
fn trainers_that_break_their_contract_are_named() {
    let run = |meddler: &mut Meddler| {
        let directory = tempfile::tempdir().unwrap();
        let outcome = go_on(directory.path(), &small("goal"), meddler, &lanes(3), quiet);
        outcome.unwrap_err().to_string()
    };
    let mut forgetful = Meddler::new(|_, _, metrics| {
        metrics.pop();
        Ok(())
    });
    let words = "the trainer gave 2 evaluations at batch size 64; expected 3";
    assert_eq!(run(&mut forgetful), words);
    let mut misnaming = Meddler::new(|_, _, metrics| {
        metrics[0] = [("val/loss".to_owned(), 1.0)].into();
        Ok(())
    });
    let words = "the trainer gave the metrics val/loss at batch size 64; \
                 expected 'val/cross_entropy_error' among them";
    assert_eq!(run(&mut misnaming), words);
    let mut early = Meddler { diverged_at: Some((1, u64::MAX)), ..Meddler::new(|_, _, _| Ok(())) };
    let words = "the trainer gave a divergence at step 18446744073709551615 at batch size 64; \
                 expected at most 1, the steps trained";
    assert_eq!(run(&mut early), words);
    let directory = tempfile::tempdir().unwrap();
    let mut silent = Meddler { gives_noise: false, ..Meddler::new(|_, _, _| Ok(())) };
    let outcome = go_on(directory.path(), &noisy(), &mut silent, &lanes(3), quiet);
    let words = "the trainer gave no metrics at batch size 64; \
                 expected 'train/squared_gradient_norm' among them";
    assert_eq!(outcome.unwrap_err().to_string(), words);
}

/// At some steps of a trial, whatever lanes it ran beside and however often it was stopped.
#[test]
fn the_gradient_noise_is_measured_where_it_is_due() {
    let experiment = noisy();
    let of_run = |n_lanes: usize, n_rounds: u64| {
        let directory = tempfile::tempdir().unwrap();
        let checkpoints = directory.path().join(CHECKPOINTS_DIRECTORY_NAME);
        let checkpoints = Checkpoints { directory: checkpoints, every: Duration::ZERO };
        let options = RunOptions { checkpoints: Some(checkpoints), ..lanes(n_lanes) };
        loop {
            let left = Cell::new(n_rounds);
            let stop_then = |event: &Event<'_>, stop: &AtomicBool| {
                if matches!(event, Event::RoundFinished(_)) {
                    left.set(left.get() - 1);
                    stop.store(left.get() == 0, Ordering::Relaxed);
                }
            };
            let mut factory = Meddler::new(|_, _, _| Ok(()));
            let outcome = go_on(directory.path(), &experiment, &mut factory, &options, stop_then);
            if matches!(outcome.unwrap(), Outcome::Finished { .. }) {
                return (contents(directory.path()), directory);
            }
        }
    };
    let (alone, directory) = of_run(1, u64::MAX);
    for (n_lanes, n_rounds) in [(3, u64::MAX), (3, 1), (2, 5)] {
        assert_eq!(of_run(n_lanes, n_rounds).0, alone, "{n_lanes} lanes, {n_rounds} rounds a run");
    }
    let record = Record::of_store(&Store::open_read_only(directory.path()).unwrap()).unwrap();
    for study in &record.studies {
        let batch_size = study.facts.batch_size;
        for TrialCurve { trial, curve } in &study.trials {
            let points = curve.steps.iter().copied();
            let grid = EvaluationGrid::new(0.2, experiment.budget_steps[&batch_size]);
            let noisy = points.filter(|step| grid.is_noise_point(*step, batch_size));
            // The trainer says at which step it measured.
            let expected: Vec<(u64, f64)> = noisy.map(|step| (step, step as f64)).collect();
            let found = curve.rows(SQUARED_GRADIENT_NORM).filter(|(_, value)| !value.is_nan());
            assert_eq!(found.collect::<Vec<_>>(), expected);
            if trial.status == TrialStatus::Complete {
                assert!((10..curve.steps.len()).contains(&expected.len()), "{expected:?}");
            }
        }
    }
}

#[test]
fn too_many_diverged_trials_end_a_study_short() {
    let text = support::text("sgd", "list = [64, 128]", 4, "learning_rate = 3.0", "steps = 100");
    let text = text.replace("seed = 0", "seed = 0\nmax_trials = 6");
    let experiment = support::check(&text, &NoisyQuadratic::default());
    for n_lanes in [1, 3] {
        let directory = tempfile::tempdir().unwrap();
        let mut factory = NoisyQuadratic::default();
        for _ in 0..2 {
            let outcome =
                go_on(directory.path(), &experiment, &mut factory, &lanes(n_lanes), quiet);
            assert_eq!(outcome.unwrap(), Outcome::Finished { short_studies: vec![64, 128] });
            let found = contents(directory.path());
            assert_eq!(found.trials.len(), 12);
            assert!(found.trials.iter().all(|trial| trial.status == TrialStatus::Infeasible));
        }
    }
}

#[test]
fn a_goal_met_before_training_counts_as_step_zero() {
    let text = support::text("sgd", "list = [64]", 2, "learning_rate = 0.1", "steps = 100");
    let text = text.replace("below = 0.02", "below = 100.0");
    let summary = support::summary(&text, NoisyQuadratic::default());
    let study = &summary.studies[0];
    assert_eq!((study.steps_to_result, study.trial_id, study.reached), (Some(0), Some(0), 2));
}

#[test]
fn the_observer_hears_a_consistent_story() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = small("goal");
    let (mut n_examples, mut n_ended, mut latest, mut summaries) = (0, 0, None::<Progress>, vec![]);
    let mut is_training = false;
    let observer = |event: &Event<'_>, _: &AtomicBool| match event {
        Event::StudyStarted { lanes, budget_steps, progress } => {
            assert_eq!((*lanes, progress.n_complete, progress.n_running), (4, 0, 0));
            assert_eq!(experiment.budget_steps[&progress.batch_size], *budget_steps);
            n_ended = 0;
        }
        Event::RoundFinished(progress) => {
            assert!(std::mem::take(&mut is_training) || progress.n_running == 0);
            n_examples += progress.n_examples;
            assert_eq!(n_ended, progress.n_complete + progress.n_infeasible);
            assert!(progress.n_complete + progress.n_running <= progress.n_trials);
            assert!(progress.experiment_fraction <= 1.0);
            latest = Some(*progress);
        }
        Event::TrialFinished { trial, reached_at, metrics } => {
            n_ended += 1;
            let loss = metrics["val/cross_entropy_error"];
            assert_eq!(reached_at.is_some(), loss < 0.2, "{trial:?} {metrics:?}");
            if let Some(step) = reached_at {
                assert_eq!((*step, trial.status), (trial.steps, TrialStatus::Complete));
            }
        }
        Event::StudyFinished { summary, stopped_early } => {
            assert_eq!(stopped_early.n_trials, 0, "nothing but the rule `incumbent` does that");
            let progress = latest.unwrap();
            assert_eq!(progress.study_fraction, 1.0);
            assert_eq!(progress.best_steps, summary.steps_to_result);
            assert_eq!(progress.n_infeasible, summary.infeasible);
            assert_eq!((progress.n_complete, progress.n_running), (summary.complete, 0));
            summaries.push((*summary).clone());
        }
        // Lanes are filled between rounds, and every round trains.
        Event::LanesFilled => is_training = false,
        Event::TrainingStarts => assert!(!std::mem::replace(&mut is_training, true)),
        other => panic!("unknown event {other:?}"),
    };
    let mut factory = NoisyQuadratic::default();
    go_on(directory.path(), &experiment, &mut factory, &lanes(4), observer).unwrap();
    assert_eq!(latest.unwrap().experiment_fraction, 1.0);
    assert_eq!(summaries.len(), 2);
    let trained: u64 = contents(directory.path())
        .trials
        .iter()
        .filter(|trial| trial.status == TrialStatus::Complete)
        .map(|trial| trial.batch_size * trial.steps)
        .sum();
    assert!(n_examples >= trained, "{n_examples} {trained}");
}
