//! The authors' archive format at 1/100 of their archive: reading to the answers of a question,
//! reading all, writing. Elements are rows of measurements; files are warm.

use std::path::{Path, PathBuf};

use critbatch_tests::archive::generate;
use critbatch_tuner::archive::{
    default_goal, find_workloads, read_outcomes, read_record, read_workload, write_archive,
};
use critbatch_tuner::{Goal, Question, Record, Threshold};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// The paper's goal; of the two workloads without one, some goal.
fn question(folder: &Path) -> Question {
    let workload = read_workload(folder).expect("it was generated");
    let any = || {
        let metric = "val/classification_error".to_owned();
        Goal { metric, threshold: Threshold::Below(0.1) }
    };
    Question::of_goal(default_goal(&workload).unwrap_or_else(any))
}

fn rows(record: &Record) -> u64 {
    let trials = record.studies.iter().flat_map(|study| &study.trials);
    trials.map(|trial| trial.curve.steps.len() as u64).sum()
}

fn archive(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let generated = generate(directory.path(), 0.01, 0).expect("it can be written");
    let folders = find_workloads(directory.path()).expect("it was generated").0;
    let read = |folder: &PathBuf| read_record(folder).expect("it was generated");
    let records: Vec<Record> = folders.iter().map(read).collect();
    assert_eq!(records.iter().map(rows).sum::<u64>(), generated.n_rows, "nothing is left out");
    let questions: Vec<Question> = folders.iter().map(|folder| question(folder)).collect();

    let mut group = criterion.benchmark_group("archive");
    group.throughput(Throughput::Elements(generated.n_rows));
    group.bench_function("read_outcomes", |bencher| {
        bencher.iter(|| {
            let found = find_workloads(directory.path()).expect("it was generated").0;
            let read = |(folder, question): (&PathBuf, &Question)| {
                read_outcomes(folder, question).expect("it was generated")
            };
            found.iter().zip(&questions).map(read).collect::<Vec<_>>()
        });
    });
    group.bench_function("read_record", |bencher| {
        bencher.iter(|| folders.iter().map(read).collect::<Vec<_>>());
    });
    group.bench_function("write_archive", |bencher| {
        let fresh = || tempfile::tempdir().expect("a temporary directory");
        let write = |directory: tempfile::TempDir| {
            for record in &records {
                write_archive(record, directory.path()).expect("it can be written");
            }
            directory
        };
        bencher.iter_batched(fresh, write, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = archive
}
criterion_main!(benches);
