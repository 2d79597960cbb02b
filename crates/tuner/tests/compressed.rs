//! A store in one compressed file is the store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering;

use critbatch_tuner::{Event, NoisyQuadratic, Outcome, Record, RunOptions, Store};
use support::{Contents, contents, go_on, small};

/// Runs until so many rounds have ended.
fn run(directory: &Path, n_rounds: u64) -> Outcome {
    let options = RunOptions { lanes: Some(3), ..RunOptions::default() };
    let mut n_done = 0;
    let count = |event: &Event<'_>, stop: &std::sync::atomic::AtomicBool| {
        n_done += u64::from(matches!(event, Event::RoundFinished(_)));
        stop.store(n_done >= n_rounds, Ordering::Relaxed);
    };
    go_on(directory, &small("goal"), &mut NoisyQuadratic::default(), &options, count).unwrap()
}

fn whole() -> Contents {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), u64::MAX);
    contents(directory.path())
}

#[test]
fn it_is_read_like_its_directory_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    let [file, again] = ["a.sqlite.gz", "b.sqlite.gz"].map(|name| folder.path().join(name));
    assert!(matches!(run(&here, 5), Outcome::Interrupted { .. }));
    let store = Store::open_read_only(&here).unwrap();
    store.write_compressed(&file).unwrap();
    store.write_compressed(&again).unwrap();
    assert_eq!(fs::read(&file).unwrap(), fs::read(&again).unwrap(), "the same bytes");
    let read = Store::read_compressed(&file).unwrap();
    let debug = |store: &Store| format!("{:?}", Record::of_store(store).unwrap());
    assert_eq!(debug(&read), debug(&store));
    Store::unpack(&file, &there).unwrap();
    assert_eq!(contents(&there), contents(&here));
    run(&there, u64::MAX);
    assert_eq!(contents(&there), whole());
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 4, "no temporary file is left");
}

/// While a run is in the middle of its work, its file has a write-ahead log.
#[test]
fn a_run_may_write_to_it_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (here, file) = (folder.path().join("here"), folder.path().join("a.sqlite.gz"));
    run(&here, 5);
    let writer = support::open(&here, &small("goal")).unwrap();
    let reader = Store::open_read_only(&here).unwrap();
    reader.write_compressed(&file).unwrap();
    let copy = reader.grown_copy(&small("goal")).unwrap();
    assert_eq!(copy.trials(64).unwrap(), writer.trials(64).unwrap());
    assert_eq!(
        Store::read_compressed(&file).unwrap().trials(64).unwrap(),
        copy.trials(64).unwrap()
    );
}

#[test]
fn whatever_else_is_in_a_file_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (here, file) = (folder.path().join("here"), folder.path().join("a.sqlite.gz"));
    run(&here, 5);
    Store::open_read_only(&here).unwrap().write_compressed(&file).unwrap();
    let whole = fs::read(&file).unwrap();
    let packed = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let refused = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let error = Store::read_compressed(&file).unwrap_err().to_string();
        let unpacked = Store::unpack(&file, &folder.path().join("new")).unwrap_err();
        assert_eq!(unpacked.to_string(), error);
        assert!(error.contains("a.sqlite.gz") && !error.contains('\n'), "{error}");
    };
    for bytes in
        [&whole[..whole.len() / 2], b"", b"SQLite format 3\0", &packed(b""), &packed(&[7; 5000])]
    {
        refused(bytes);
    }
    assert!(!folder.path().join("new").exists(), "nothing is made of a bad file");
    fs::write(&file, &whole).unwrap();
    let error = Store::unpack(&file, &here).unwrap_err().to_string();
    assert!(error.contains("already holds measurements"), "{error}");
    assert!(Store::read_compressed(&folder.path().join("none")).is_err());
}
