//! Archives as a user meets them: `critbatch import` and `critbatch export`, and the reader on 1/100
//! of an archive shaped like the authors'.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use critbatch_tests::archive::{Generated, generate};
use critbatch_tests::critbatch;
use critbatch_tuner::archive::{
    default_goal, find_workloads, read_outcomes, read_record, read_workload,
};
use critbatch_tuner::{Question, Record, Store, TrialStatus};

/// 1/100 of the authors' archive, made once.
fn archive() -> &'static (tempfile::TempDir, Generated) {
    static ARCHIVE: OnceLock<(tempfile::TempDir, Generated)> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let generated = generate(directory.path(), 0.01, 1).expect("it can be written");
        (directory, generated)
    })
}

fn workloads() -> Vec<PathBuf> {
    find_workloads(archive().0.path()).expect("a generated archive").0
}

fn stdout(command: &mut assert_cmd::Command) -> String {
    let assert = command.assert().success();
    String::from_utf8(assert.get_output().stdout.clone()).expect("results are UTF-8")
}

#[test]
fn every_trial_and_every_row_is_read() {
    let (mut n_studies, mut n_trials, mut n_rows) = (0, 0, 0);
    let workloads = workloads();
    assert_eq!(workloads.len(), 35);
    for folder in &workloads {
        let record = read_record(folder).unwrap();
        assert_eq!(record.omissions, []);
        n_studies += record.studies.len() as u64;
        for study in &record.studies {
            n_trials += study.trials.len() as u64;
            n_rows += study.trials.iter().map(|trial| trial.curve.steps.len() as u64).sum::<u64>();
        }
    }
    let (n_all_studies, n_all_trials, n_all_rows) = (454, 1942, archive().1.n_rows);
    assert_eq!((n_studies, n_trials, n_rows), (n_all_studies, n_all_trials, n_all_rows));
    assert!((600_000..800_000).contains(&n_rows), "{n_rows}");
}

/// The value of a study by the plainest means: split lines at commas, parse with the standard
/// library, take the minimum.
fn steps_to_result(study: &Path, question: &Question) -> Option<(u64, u64)> {
    let mut results = vec![];
    for entry in fs::read_dir(study).expect("a study") {
        let trial = entry.expect("it can be read").path();
        let Ok(metadata) = fs::read_to_string(trial.join("metadata.json")) else { continue };
        if !metadata.contains("\"COMPLETE\"") {
            continue;
        }
        let trial_id = trial.file_name().and_then(|name| name.to_str()?.parse().ok());
        let csv = fs::read_to_string(trial.join("measurements.csv")).expect("measurements");
        let mut lines = csv.lines();
        let mut header = lines.next().expect("a header").split(',');
        let column = header.position(|name| name == question.goal.metric).expect("the metric");
        for line in lines {
            let cells: Vec<&str> = line.split(',').collect();
            let value = cells[column].parse().unwrap_or(f64::NAN);
            if question.goal.is_reached_by(value) {
                results.push((cells[0].parse().expect("a step"), trial_id.expect("a number")));
            }
        }
    }
    results.into_iter().min()
}

#[test]
fn steps_to_result_are_those_of_the_plainest_reading() {
    let (mut n_reached, mut n_not_reached) = (0, 0);
    for folder in workloads() {
        let Some(goal) = default_goal(&read_workload(&folder).unwrap()) else { continue };
        let question = Question::of_goal(goal);
        for study in read_outcomes(&folder, &question).unwrap().studies {
            let complete = study.trials.iter().filter(|t| t.trial.status == TrialStatus::Complete);
            let first = complete.filter_map(|t| Some((t.reached?.step, t.trial.trial_id))).min();
            let batch_size = study.facts.batch_size;
            let expected = steps_to_result(&folder.join(batch_size.to_string()), &question);
            assert_eq!(first, expected, "{} at {batch_size}", folder.display());
            *if first.is_some() { &mut n_reached } else { &mut n_not_reached } += 1;
        }
    }
    assert!(n_reached > 100 && n_not_reached > 10, "{n_reached} and {n_not_reached}");
}

#[test]
fn an_archive_is_imported_and_exported_again() {
    let directory = tempfile::tempdir().unwrap();
    let group = archive().0.path().join("mnist_subsets");
    let mut import = critbatch();
    import.current_dir(directory.path()).arg("import").arg(&group).args(["--out", "in"]);
    let line = stdout(&mut import);
    assert!(line.starts_with("imported into 'in': 4 workloads, 62 studies, "), "{line}");
    assert!(line.ends_with("; left out: 0\n"), "{line}");

    let below = "mnist_subsets/mnist_6875/simple_cnn_base/nesterov_momentum";
    let mut export = critbatch();
    export.current_dir(directory.path()).arg("export").arg(format!("in/{below}"));
    let line = stdout(export.args(["--to", "out"]));
    assert!(line.starts_with(&format!("exported to 'out/{below}': 14 studies, ")), "{line}");
    let texts = |record: Record| format!("{:?}", (record.workload, record.studies));
    let original = texts(read_record(&archive().0.path().join(below)).unwrap());
    assert_eq!(texts(read_record(&directory.path().join("out").join(below)).unwrap()), original);
    let store = Store::open_read_only(&directory.path().join("in").join(below)).unwrap();
    assert_eq!(texts(Record::of_store(&store).unwrap()), original);

    // Neither is written over.
    let again = import.assert().code(2);
    let message = String::from_utf8(again.get_output().stderr.clone()).unwrap();
    assert!(message.contains("which is taken; choose another --out"), "{message}");
    let again = export.assert().code(1);
    let message = String::from_utf8(again.get_output().stderr.clone()).unwrap();
    assert!(message.contains("is not empty; choose another directory"), "{message}");
}

#[test]
fn one_workload_becomes_one_experiment_directory_and_says_what_was_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let below = "cifar_10/resnet_8/sgd";
    let folder = directory.path().join(below);
    let record = read_record(&archive().0.path().join(below)).unwrap();
    critbatch_tuner::archive::write_archive(&record, directory.path()).unwrap();
    let study = folder.join("2");
    fs::write(study.join("0/measurements.csv"), "step,val/classification_error\n0,1\n0,1\n")
        .unwrap();
    fs::write(folder.join("4/study.json"), "{").unwrap();
    let mut import = critbatch();
    import.current_dir(directory.path()).arg("import").arg(below).args(["--out", "in"]);
    let assert = import.assert().success();
    let output = assert.get_output();
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(stdout.starts_with("imported into 'in': 1 workloads, 12 studies, "), "{stdout}");
    assert!(stdout.ends_with("; left out: 2\n"), "{stdout}");
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    let path = format!("left out: {below}");
    let bad_study =
        format!("{path}/4/study.json:1: EOF while parsing an object; the study is left");
    assert!(stderr.contains(&bad_study), "{stderr}");
    let bad_row = format!("{path}/2/0/measurements.csv:3: step 0 after step 0, expected ascending");
    assert!(stderr.contains(&bad_row), "{stderr}");
    let imported = Record::of_store(&Store::open_read_only(&directory.path().join("in")).unwrap());
    assert_eq!(imported.unwrap().omissions.len(), 2, "the store remembers");
}

#[test]
fn an_import_answers_as_its_archive_does() {
    let directory = tempfile::tempdir().unwrap();
    let folder = archive().0.path().join("cifar_10/resnet_8/sgd");
    let program = |arguments: &[&str]| {
        let mut command = critbatch();
        command.current_dir(directory.path()).args(arguments).arg(&folder);
        command
    };
    stdout(&mut program(&["import", "--out", "in"]));
    for more in [&[][..], &["--json"]] {
        let expected = stdout(program(&["table"]).args(more));
        let mut table = critbatch();
        table.current_dir(directory.path()).args(["table", "in"]).args(more);
        assert_eq!(stdout(&mut table), expected, "nobody knows what measured either");
    }
    let compared = stdout(&mut program(&["compare", "--label", "a", "--label", "b", "in"]));
    assert!(compared.contains("a, steps to") && compared.contains("b, steps to"), "{compared}");
    let mut report = critbatch();
    stdout(report.current_dir(directory.path()).args(["report", "in"]));
    let page = fs::read_to_string(directory.path().join("in/report.html")).unwrap();
    assert!(!page.contains("critbatch version"), "nobody knows what measured it");
}

#[test]
fn a_metric_that_an_archive_lacks_is_answered_with_those_it_has() {
    let root = archive().0.path();
    let table = |path: &Path, metric: &str| {
        let mut command = critbatch();
        command.arg("table").arg(path).args(["--metric", metric, "--below", "0.1"]);
        command.assert()
    };
    let folder = root.join("cifar_10/resnet_8/sgd");
    for path in [&folder, root] {
        let refused = table(path, "val/clasification_error").code(2);
        let message = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
        assert!(message.contains("'val/clasification_error' was not measured on "), "{message}");
        assert!(message.contains("; what was: ") && message.contains("val/cross_entropy_error"));
        assert!(refused.get_output().stdout.is_empty(), "no trial is said to have missed it");
    }
    // Language models have no such metric; that hides nothing of the others.
    let found = table(root, "val/classification_error").success();
    let stdout = String::from_utf8(found.get_output().stdout.clone()).unwrap();
    assert!(stdout.contains("cifar_10 / resnet_8 / sgd"), "{stdout}");
    assert!(!stdout.contains("lm1b"), "{stdout}");
    let stderr = String::from_utf8(found.get_output().stderr.clone()).unwrap();
    let left_out = "left out: 'val/classification_error' was not measured on lm1b / transformer";
    assert!(stderr.contains(left_out), "{stderr}");
}

#[test]
fn the_generator_is_a_function_of_its_seed() {
    let files = |seed| {
        let directory = tempfile::tempdir().unwrap();
        generate(directory.path(), 0.0002, seed).unwrap();
        let mut files = BTreeMap::new();
        let mut folders = vec![directory.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(directory.path()).unwrap().to_owned();
                    files.insert(name, fs::read(path).unwrap());
                }
            }
        }
        files
    };
    assert_eq!(files(3), files(3));
    assert_ne!(files(3), files(4));
}
