//! Half-run trials go on from their checkpoints, and whatever is wrong with one costs only time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use critbatch_tuner::{
    CHECKPOINTS_DIRECTORY_NAME, Checkpoints, Event, NoisyQuadratic, Outcome, RunOptions,
    STORE_FILE_NAME,
};
use support::{Contents, Meddler, contents, go_on, small};

fn options(directory: &Path, lanes: usize) -> RunOptions {
    let directory = directory.join(CHECKPOINTS_DIRECTORY_NAME);
    let checkpoints = Some(Checkpoints { directory, every: Duration::ZERO });
    RunOptions { lanes: Some(lanes), max_steps_per_round: Some(7), checkpoints }
}

/// Contents of a store whose run nobody disturbed, and the evaluations it took in one lane.
fn undisturbed(stop: &str) -> (Contents, u64) {
    let directory = tempfile::tempdir().unwrap();
    let mut factory = Meddler::new(|_, _, _| Ok(()));
    let options = options(directory.path(), 1);
    let outcome = go_on(directory.path(), &small(stop), &mut factory, &options, |_, _| ());
    assert!(matches!(outcome, Ok(Outcome::Finished { .. })));
    assert!(!directory.path().join(CHECKPOINTS_DIRECTORY_NAME).exists(), "all trials have ended");
    (contents(directory.path()), factory.n_evaluations)
}

/// Runs until a round has ended; returns the evaluations that took.
fn run_rounds(directory: &Path, stop: &str, n_rounds: u64, lanes: usize) -> (Outcome, u64) {
    let left = Cell::new(n_rounds);
    let stop_then = |event: &Event<'_>, stop: &AtomicBool| match event {
        Event::RoundFinished(_) => {
            left.set(left.get().saturating_sub(1));
            stop.store(left.get() == 0, Ordering::Relaxed);
        }
        Event::CheckpointFailed { path, problem } => panic!("{}: {problem}", path.display()),
        _ => (),
    };
    let mut factory = Meddler::new(|_, _, _| Ok(()));
    let options = options(directory, lanes);
    let outcome = go_on(directory, &small(stop), &mut factory, &options, stop_then).unwrap();
    (outcome, factory.n_evaluations)
}

#[test]
fn interruptions_repeat_no_evaluation_and_change_nothing() {
    for stop in ["goal", "budget"] {
        let (whole, n_evaluations) = undisturbed(stop);
        for n_rounds in [1, 2, 3, 11] {
            let directory = tempfile::tempdir().unwrap();
            let (mut n_done, mut n_runs) = (0, 0);
            loop {
                let (outcome, n) = run_rounds(directory.path(), stop, n_rounds, 1);
                (n_done, n_runs) = (n_done + n, n_runs + 1);
                if matches!(outcome, Outcome::Finished { .. }) {
                    break;
                }
            }
            assert!(n_runs > 20, "{n_runs}");
            assert_eq!(n_done, n_evaluations, "stopped every {n_rounds} rounds");
            assert_eq!(contents(directory.path()), whole);
        }
    }
}

#[test]
fn trials_go_on_in_other_lanes() {
    let (whole, _) = undisturbed("budget");
    let directory = tempfile::tempdir().unwrap();
    for lanes in [5, 2, 3, 1, 8, 4].into_iter().cycle() {
        let (outcome, _) = run_rounds(directory.path(), "budget", 5, lanes);
        if matches!(outcome, Outcome::Finished { .. }) {
            break;
        }
    }
    assert_eq!(contents(directory.path()), whole);
    assert!(!directory.path().join(CHECKPOINTS_DIRECTORY_NAME).exists());
}

/// A run of four lanes that was stopped, with the checkpoint of its first trial spoilt; goes on and returns what it
/// said of its checkpoints.
fn go_on_after(spoil: impl FnOnce(&Path, PathBuf)) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let _ = run_rounds(directory.path(), "budget", 9, 4);
    let folder = directory.path().join(CHECKPOINTS_DIRECTORY_NAME);
    let first = folder.join("batch-64-trial-0-repeat-0.checkpoint");
    assert!(first.is_file());
    spoil(directory.path(), first);
    let failures = RefCell::new(vec![]);
    let listen = |event: &Event<'_>, _: &AtomicBool| {
        if let Event::CheckpointFailed { problem, .. } = event {
            failures.borrow_mut().push((*problem).to_owned());
        }
    };
    let mut factory = NoisyQuadratic::default();
    let options = options(directory.path(), 4);
    go_on(directory.path(), &small("budget"), &mut factory, &options, listen).unwrap();
    assert_eq!(contents(directory.path()), undisturbed("budget").0);
    failures.into_inner()
}

#[test]
fn a_checkpoint_that_cannot_be_used_costs_only_time() {
    assert!(go_on_after(|_, _| ()).is_empty());
    assert!(go_on_after(|_, first| fs::remove_file(first).unwrap()).is_empty());

    let cut = go_on_after(|_, first| {
        let bytes = fs::read(&first).unwrap();
        fs::write(first, &bytes[..bytes.len() / 2]).unwrap();
    });
    assert_eq!(cut.len(), 1, "{cut:?}");

    let one_bit = go_on_after(|_, first| {
        let mut bytes = fs::read(&first).unwrap();
        let place = bytes.len() - 20;
        bytes[place] ^= 1;
        fs::write(first, bytes).unwrap();
    });
    assert!(one_bit.len() == 1 && one_bit[0].starts_with("cannot be read: "), "{one_bit:?}");

    let of_another = go_on_after(|_, first| {
        let second = first.with_file_name("batch-64-trial-1-repeat-0.checkpoint");
        fs::copy(second, first).unwrap();
    });
    assert_eq!(of_another, ["the snapshot is of another trial"]);

    let unreadable = go_on_after(|_, first| {
        fs::remove_file(&first).unwrap();
        fs::create_dir(first).unwrap();
    });
    assert!(unreadable.iter().all(|problem| problem.starts_with("cannot be ")), "{unreadable:?}");
}

/// The power failed when the checkpoint was on the disk and the last measurements were not.
#[test]
fn a_checkpoint_ahead_of_the_store_is_not_used() {
    let problems = go_on_after(|directory, _| {
        let store = rusqlite::Connection::open(directory.join(STORE_FILE_NAME)).unwrap();
        let sql = "DELETE FROM measurements WHERE trial_id = 0 AND step >= 3";
        assert!(store.execute(sql, []).unwrap() > 0);
    });
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    assert!(problem.ends_with("but the measurement at step 3 is not in the store"), "{problem}");
}

#[test]
fn a_folder_that_cannot_be_written_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = small("goal");
    drop(support::open(directory.path(), &experiment).unwrap());
    fs::write(directory.path().join(CHECKPOINTS_DIRECTORY_NAME), "a file").unwrap();
    let n_failures = Cell::new(0);
    let listen = |event: &Event<'_>, _: &AtomicBool| {
        if let Event::CheckpointFailed { problem, .. } = event {
            assert!(problem.starts_with("cannot be "), "{problem}");
            n_failures.set(n_failures.get() + 1);
        }
    };
    let mut factory = NoisyQuadratic::default();
    let options = options(directory.path(), 4);
    go_on(directory.path(), &experiment, &mut factory, &options, listen).unwrap();
    assert!(n_failures.get() > 0);
    assert_eq!(contents(directory.path()), undisturbed("goal").0);
}
