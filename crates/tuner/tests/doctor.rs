//! What is wrong is found, and what is whole is saved and goes on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use critbatch_tuner::{
    CHECKPOINTS_DIRECTORY_NAME, Checkpoints, Diagnosis, Event, NoisyQuadratic, RunOptions,
    STORE_FILE_NAME, TunerError, examine, rescue,
};
use support::{contents, go_on, small};

fn options(directory: &Path) -> RunOptions {
    let directory = directory.join(CHECKPOINTS_DIRECTORY_NAME);
    let checkpoints = Some(Checkpoints { directory, every: Duration::ZERO });
    RunOptions { lanes: Some(3), max_steps_per_round: Some(9), checkpoints }
}

/// Runs until the given round; 0 to the end.
fn run(directory: &Path, n_rounds: u64) {
    let mut left = n_rounds;
    let stop_then = move |event: &Event<'_>, stop: &AtomicBool| {
        if let Event::RoundFinished(_) = event {
            left = left.wrapping_sub(1);
            stop.store(left == 0, Ordering::Relaxed);
        }
    };
    let mut factory = NoisyQuadratic::default();
    go_on(directory, &small("budget"), &mut factory, &options(directory), stop_then).unwrap();
}

fn execute(directory: &Path, sql: &str) {
    let store = rusqlite::Connection::open(directory.join(STORE_FILE_NAME)).unwrap();
    assert!(store.execute(sql, []).unwrap() > 0);
}

#[test]
fn a_sound_directory_has_no_problem() {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), 60);
    let half = examine(directory.path()).unwrap();
    assert!(half.problems.is_empty() && half.remarks.is_empty(), "{half:?}");
    assert_eq!((half.n_half_run, half.n_checkpoints, half.n_damaged), (3, 3, 0));
    assert!(half.n_ended > 0);
    run(directory.path(), 0);
    let whole = examine(directory.path()).unwrap();
    let n_ended = contents(directory.path()).trials.len() as u64;
    assert_eq!(whole, Diagnosis { n_ended, ..Diagnosis::default() });
}

#[test]
fn checkpoints_of_no_use_are_remarks() {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), 60);
    let checkpoints = directory.path().join(CHECKPOINTS_DIRECTORY_NAME);
    let mut names: Vec<_> =
        fs::read_dir(&checkpoints).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort_unstable();
    fs::write(&names[0], "cut").unwrap();
    fs::rename(&names[1], checkpoints.join("batch-64-trial-99-repeat-0.checkpoint")).unwrap();
    fs::write(checkpoints.join("notes.txt"), "mine").unwrap();
    let found = examine(directory.path()).unwrap();
    assert!(found.problems.is_empty());
    assert_eq!((found.n_half_run, found.n_checkpoints, found.remarks.len()), (3, 1, 3));
    let all = found.remarks.join("\n");
    for words in
        ["is damaged; its trial", "99-repeat-0.checkpoint' belongs to no", "notes.txt' is no"]
    {
        assert!(all.contains(words), "{all}");
    }
}

/// The two trials that lost something are run again; the others are not.
#[test]
fn what_is_missing_is_found_and_the_rest_goes_on_elsewhere() {
    let (directory, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(directory.path(), 0);
    run(whole.path(), 0);
    execute(
        directory.path(),
        "DELETE FROM measurements WHERE trial_id = 1 AND batch_size = 64 AND step = 3",
    );
    execute(
        directory.path(),
        "UPDATE trials SET parameters = '{' WHERE trial_id = 2 AND batch_size = 64",
    );
    let found = examine(directory.path()).unwrap();
    assert_eq!((found.n_damaged, found.problems.len()), (2, 2), "{found:?}");
    assert_eq!(found.problems[0], "trial 1 of batch size 64: the measurement at step 3 is missing");
    assert!(found.problems[1].starts_with("trial 2 of batch size 64: cannot read store"));
    let new = directory.path().join("new");
    assert_eq!(rescue(directory.path(), &new).unwrap(), found.n_ended);
    assert_eq!(
        examine(&new).unwrap(),
        Diagnosis { n_ended: found.n_ended, ..Diagnosis::default() }
    );
    run(&new, 0);
    assert_eq!(contents(&new), contents(whole.path()));
    let again = rescue(directory.path(), &new).unwrap_err();
    assert!(matches!(again, TunerError::NotANewDirectory { .. }), "{again}");
}

/// Pages of the file are overwritten one after another: something is always said, and what can be saved goes on to
/// the same measurements.
#[test]
fn damaged_pages_are_found_and_worked_around() {
    let (directory, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(whole.path(), 0);
    run(directory.path(), 0);
    let path = directory.path().join(STORE_FILE_NAME);
    let bytes = fs::read(&path).unwrap();
    let (mut n_found, mut n_saved) = (0, 0);
    for page in 1..bytes.len() / 4096 {
        let mut damaged = bytes.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0x5A);
        fs::write(&path, damaged).unwrap();
        let is_found = examine(directory.path()).map_or(true, |found| !found.problems.is_empty());
        assert!(is_found || bytes[page * 4096..(page + 1) * 4096].iter().all(|byte| *byte == 0));
        n_found += 1;
        let new = directory.path().join(format!("new{page}"));
        if rescue(directory.path(), &new).is_ok_and(|n_trials| n_trials > 0) {
            n_saved += 1;
            if n_saved < 5 {
                run(&new, 0);
                assert_eq!(contents(&new), contents(whole.path()), "page {page}");
            }
        }
    }
    assert!(n_found >= 8 && n_saved >= 4, "{n_found} pages, {n_saved} with something to save");
}

/// A copy that ended early: what lies before the cut goes on to the same measurements.
#[test]
fn a_file_that_lost_its_end_is_worked_around() {
    let (directory, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(whole.path(), 0);
    run(directory.path(), 0);
    let path = directory.path().join(STORE_FILE_NAME);
    let bytes = fs::read(&path).unwrap();
    let n_trials = contents(whole.path()).trials.len() as u64;
    let mut n_saved = vec![];
    for len in [bytes.len() - 4000, bytes.len() - 4096, bytes.len() / 2, 4096] {
        fs::write(&path, &bytes[..len]).unwrap();
        let new = directory.path().join(format!("new{len}"));
        match examine(directory.path()) {
            Ok(found) => assert!(!found.problems.is_empty() && found.n_ended <= n_trials, "{len}"),
            Err(error) => assert!(matches!(error, TunerError::BeyondRescue { .. }), "{error}"),
        }
        match rescue(directory.path(), &new) {
            Ok(n) => n_saved.push(n),
            Err(error) => assert!(matches!(error, TunerError::BeyondRescue { .. }), "{error}"),
        }
        if n_saved.len() == 1 && n_saved[0] > 0 {
            run(&new, 0);
            assert_eq!(contents(&new), contents(whole.path()), "{len} bytes");
        }
    }
    assert!(n_saved.iter().any(|&n| n > 0) && n_saved.len() < 4, "{n_saved:?} of {n_trials}");
}
