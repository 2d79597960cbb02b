//! Reading the authors' format: what is found, what is kept, what is left out and why.

use std::fs;
use std::path::{Path, PathBuf};

use critbatch_tuner::archive::{find_workloads, read_outcomes, read_record, read_workload};
use critbatch_tuner::{
    Goal, Omission, Question, Record, Scale, Threshold, TrialStatus, TunerError, Workload,
};

/// The study of the authors' README, word for word in form.
const STUDY: &str = r#"{
  "batch_size": 256, 
  "dataset": "imagenet", 
  "early_stopping": false, 
  "model": "resnet_50", 
  "optimizer": "nesterov_momentum", 
  "parameter_configs": {
    "end_learning_rate_factor": {
      "max_value": 0.1, 
      "min_value": 0.0001, 
      "scale": "LOG_SCALE", 
      "type": "DOUBLE"
    }, 
    "label_smoothing": {
      "feasible_points": [
        0.0, 
        0.01, 
        0.1
      ], 
      "type": "DISCRETE"
    }, 
    "learning_rate": {
      "max_value": 10.0, 
      "min_value": 0.0001, 
      "scale": "LINEAR_SCALE", 
      "type": "DOUBLE"
    }, 
    "learning_rate_decay_steps": {
      "max_value": 600000, 
      "min_value": 300000, 
      "scale": "", 
      "type": "INTEGER"
    }, 
    "momentum": {
      "max_value": 0.9999, 
      "min_value": 0.9, 
      "scale": "REVERSE_LOG_SCALE", 
      "type": "DOUBLE"
    }
  }, 
  "train_steps": 600000
}"#;

const METADATA: &str = r#"{
  "_internal_study_name": "resnet-20180601-smooth-bs256", 
  "_internal_trial_id": 77, 
  "parameters": {
    "label_smoothing": 0.01, 
    "learning_rate": 0.0124894465250831, 
    "learning_rate_decay_steps": 522526, 
    "momentum": 0.9788223543494348
  }, 
  "status": "COMPLETE", 
  "steps": 600000, 
  "trial_id": 2
}"#;

const CSV: &str = "step,train/cross_entropy_error,val/classification_error\n\
                   0,6.90948,0.99904\n1000,6.79853,0.25\n2000,,0.24406\n";

struct Archive {
    root: tempfile::TempDir,
    workload: PathBuf,
}

impl Archive {
    /// One study of batch size 256 with the trials 2 and 10, both sound.
    fn new() -> Archive {
        let root = tempfile::tempdir().expect("a temporary directory");
        let workload = root.path().join("imagenet/resnet_50/nesterov_momentum");
        let archive = Archive { root, workload };
        archive.write("256/study.json", STUDY);
        archive.trial("256", 2);
        archive.trial("256", 10);
        archive
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.workload.join(path);
        fs::create_dir_all(path.parent().expect("a file in a folder")).expect("it can be written");
        fs::write(path, text).expect("it can be written");
    }

    fn trial(&self, study: &str, trial_id: u64) {
        let metadata = METADATA.replace("\"trial_id\": 2", &format!("\"trial_id\": {trial_id}"));
        self.write(&format!("{study}/{trial_id}/metadata.json"), metadata);
        self.write(&format!("{study}/{trial_id}/measurements.csv"), CSV);
    }

    /// Reads both ways, which must agree, and gives the record.
    fn read(&self) -> Record {
        let record = read_record(&self.workload).expect("a workload");
        let outcomes = read_outcomes(&self.workload, &question()).expect("a workload");
        assert_eq!(outcomes.studies, record.outcomes(&question()));
        assert_eq!(outcomes.omissions, record.omissions);
        assert_eq!(outcomes.workload, record.workload);
        record
    }

    /// The only omission: file below the workload's folder, line, problem.
    fn omission(&self) -> (String, Option<u64>, String) {
        let record = self.read();
        let [Omission { path, line, problem }] = &record.omissions[..] else {
            panic!("{:?}", record.omissions)
        };
        let path = path.strip_prefix(&self.workload).expect("a path below").display().to_string();
        assert!(!problem.contains('\n'), "{problem}");
        (path, *line, problem.clone())
    }
}

fn question() -> Question {
    Question::of_goal(Goal {
        metric: "val/classification_error".to_owned(),
        threshold: Threshold::Below(0.25),
    })
}

fn ids(record: &Record) -> Vec<u64> {
    record.studies[0].trials.iter().map(|trial| trial.trial.trial_id).collect()
}

#[test]
fn the_authors_own_example_is_read() {
    let archive = Archive::new();
    let record = archive.read();
    assert_eq!(record.omissions, []);
    let workload = Workload {
        dataset: "imagenet".to_owned(),
        model: "resnet_50".to_owned(),
        optimizer: "nesterov_momentum".to_owned(),
    };
    assert_eq!(record.workload, workload);
    assert_eq!(read_workload(&archive.workload).unwrap(), workload);
    let facts = &record.studies[0].facts;
    assert_eq!((facts.batch_size, facts.budget_steps, facts.n_trials), (256, Some(600_000), None));
    let scales: Vec<&Scale> = facts.space.scales.values().collect();
    let expected = [
        &Scale::Log(0.0001, 0.1),
        &Scale::Discrete(vec![0.0, 0.01, 0.1]),
        &Scale::Linear(0.0001, 10.0),
        &Scale::Integer(300_000, 600_000),
        &Scale::ReverseLog(0.9, 0.9999),
    ];
    assert_eq!(scales, expected);
    // Numeric order, not that of the names.
    assert_eq!(ids(&record), [2, 10]);
    let trial = &record.studies[0].trials[0];
    assert_eq!((trial.trial.status, trial.trial.steps), (TrialStatus::Complete, 600_000));
    assert_eq!(trial.trial.parameters["learning_rate"], 0.0124894465250831);
    assert_eq!(trial.trial.parameters.len(), 4);
    assert_eq!(trial.curve.steps, [0, 1000, 2000]);
    let values = &trial.curve.metrics["train/cross_entropy_error"];
    assert_eq!(values[..2], [6.90948, 6.79853]);
    assert!(values[2].is_nan());
    let reached = record.outcomes(&question())[0].trials[0].reached.unwrap();
    assert_eq!((reached.step, reached.value, reached.previous_step), (2000, 0.24406, Some(1000)));
}

#[test]
fn workloads_are_found_from_any_folder_above_them() {
    let archive = Archive::new();
    let copy_to = |folder: &str| {
        let folder = archive.root.path().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let batch_size = folder.file_name().unwrap().to_str().unwrap();
        fs::write(folder.join("study.json"), STUDY.replace("256", batch_size)).unwrap();
    };
    copy_to("imagenet/resnet_50/sgd/512");
    copy_to("mnist_subsets/mnist_6875/simple_cnn_base/sgd/1");
    copy_to(".half-written/mnist/simple_cnn_base/sgd/1");
    fs::create_dir(archive.root.path().join("empty")).unwrap();
    let find = |folder: &str| {
        let (found, omissions) = find_workloads(&archive.root.path().join(folder)).unwrap();
        assert_eq!(omissions, []);
        let name = |path: &PathBuf| path.strip_prefix(archive.root.path()).unwrap().to_owned();
        found.iter().map(|path| name(path).display().to_string()).collect::<Vec<_>>()
    };
    let (first, second, third) = (
        "imagenet/resnet_50/nesterov_momentum",
        "imagenet/resnet_50/sgd",
        "mnist_subsets/mnist_6875/simple_cnn_base/sgd",
    );
    assert_eq!(find(""), [first, second, third]);
    assert_eq!(find("imagenet"), [first, second]);
    assert_eq!(find("imagenet/resnet_50"), [first, second]);
    assert_eq!(find(second), [second]);
    assert_eq!(find("mnist_subsets"), [third]);

    // The group is part of the data set's name; other names are those of study.json.
    let workload = read_workload(&archive.root.path().join(third)).unwrap();
    assert_eq!(workload.dataset, "mnist_subsets/mnist_6875");
    assert_eq!(workload.model, "resnet_50");

    for folder in ["empty", "imagenet/resnet_50/sgd/512"] {
        let folder = archive.root.path().join(folder);
        assert!(matches!(find_workloads(&folder), Err(TunerError::NoWorkload { .. })));
        assert!(matches!(read_record(&folder), Err(TunerError::NoWorkload { .. })));
    }
    let missing = find_workloads(Path::new("/no/such/folder")).unwrap_err().to_string();
    assert_eq!(missing, "cannot read the directory '/no/such/folder'");
    let above = read_record(archive.root.path()).unwrap_err().to_string();
    assert!(above.contains("holds no workload; expected the folder of one"), "{above}");
}

#[test]
fn numbers_may_be_written_as_floats_and_lines_may_end_in_carriage_returns() {
    let archive = Archive::new();
    let plain = archive.read();
    let study = STUDY.replace(": 256,", ": 256.0,").replace(": 600000\n", ": 6e5\n");
    let study = study.replace(": 300000,", ": 300000.0,").replace("0.0, \n", "0, \n");
    archive.write("256/study.json", study.replace('\n', "\r\n"));
    let metadata = METADATA.replace("522526", "522526.0").replace("\": 2\n", "\": 2.0\n");
    archive.write("256/2/metadata.json", metadata.replace(": 600000,", ": 600000.0,"));
    let csv = CSV.replace("1000,", "1000.0,").replace("2000,", "2e3,").replace('\n', "\r\n");
    archive.write("256/2/measurements.csv", format!("\u{feff}{csv}\r\n"));
    // NaN is no number equal to itself, so the texts are compared.
    assert_eq!(format!("{:?}", archive.read()), format!("{plain:?}"));
    let quoted = CSV.replace("train/cross_entropy_error", " \"train/cross_entropy_error\"");
    archive.write("256/2/measurements.csv", quoted.replace(",0.25\n", ", \"0.25\" \n"));
    assert_eq!(format!("{:?}", archive.read()), format!("{plain:?}"));
}

#[test]
fn cells_without_a_number_were_not_measured() {
    let archive = Archive::new();
    archive.write("256/2/measurements.csv", "val/a,step,val/b\nNaN,0,nan\n,1, \n-inf,2,1e999\n");
    let record = archive.read();
    assert_eq!(record.omissions, []);
    let curve = &record.studies[0].trials[0].curve;
    assert_eq!(curve.steps, [0, 1, 2]);
    assert!(curve.metrics.values().flat_map(|values| &values[..2]).all(|value| value.is_nan()));
    assert_eq!(curve.metrics["val/a"][2], f64::NEG_INFINITY);
    assert_eq!(curve.metrics["val/b"][2], f64::INFINITY);
}

#[test]
fn a_bad_row_leaves_out_that_row() {
    let header = "step,val/classification_error\n";
    for (row, problem) in [
        ("5", "cells: 1, expected 2 as in the header"),
        ("5,0.1,0.2", "cells: 3, expected 2 as in the header"),
        ("5,0.1,", "cells: 3, expected 2 as in the header"),
        ("5,low", "'low', expected a number"),
        ("5,0.1.2", "'0.1.2', expected a number"),
        ("5,0x1p3", "'0x1p3', expected a number"),
        ("5,1e5\u{0}", "'1e5\\0', expected a number"),
        (",0.1", "step '', expected a whole number from 0 to 2^53"),
        ("5.5,0.1", "step '5.5', expected a whole number from 0 to 2^53"),
        ("-5,0.1", "step '-5', expected a whole number from 0 to 2^53"),
        ("nan,0.1", "step 'nan', expected a whole number from 0 to 2^53"),
        ("99999999999999999999,0.1", "step '99999999999999999999', expected a whole number"),
        ("1e300,0.1", "step '1e300', expected a whole number from 0 to 2^53"),
        ("4,0.1", "step 4 after step 4, expected ascending steps"),
        ("3,0.1", "step 3 after step 4, expected ascending steps"),
    ] {
        let archive = Archive::new();
        let text = format!("{header}0,0.9\n4,0.8\n{row}\n6,0.2\n");
        archive.write("256/2/measurements.csv", text);
        let (path, line, found) = archive.omission();
        assert_eq!((path.as_str(), line), ("256/2/measurements.csv", Some(4)), "{row}");
        assert!(found.starts_with(problem) && found.ends_with("; the row is left out"), "{found}");
        let curve = &archive.read().studies[0].trials[0].curve;
        assert_eq!(curve.steps, [0, 4, 6], "{row}");
        assert_eq!(curve.metrics["val/classification_error"], [0.9, 0.8, 0.2], "{row}");
    }
}

#[test]
fn many_bad_rows_are_counted() {
    let archive = Archive::new();
    let text = format!("step,val/a\n0,1\n{}", "oops\n".repeat(1000));
    archive.write("256/2/measurements.csv", text);
    let record = archive.read();
    assert_eq!(record.omissions.len(), 101);
    assert_eq!(record.omissions[99].line, Some(102));
    assert_eq!(record.omissions[100].problem, "900 more rows are left out");
    assert_eq!(record.studies[0].trials[0].curve.steps, [0]);
}

#[test]
fn a_bad_header_leaves_out_that_trial() {
    for (text, line, problem) in [
        ("", None, "the file is empty, expected a header with a column 'step'"),
        ("\n \n", Some(2), "column 1 is ' ', expected a name"),
        ("0,0.9\n", Some(1), "the columns '0,0.9', expected one of them to be 'step'"),
        ("steps,val/a\n0,1\n", Some(1), "the columns 'steps,val/a', expected one of them"),
        ("step,val/a,\n0,1,2\n", Some(1), "column 3 is '', expected a name"),
        ("step,val/a,val/a\n0,1,2\n", Some(1), "a second column 'val/a', expected one"),
        ("step,val/a,step\n0,1,2\n", Some(1), "a second column 'step', expected one"),
    ] {
        let archive = Archive::new();
        archive.write("256/2/measurements.csv", text);
        let (path, found_line, found) = archive.omission();
        assert_eq!((path.as_str(), found_line), ("256/2/measurements.csv", line), "{text}");
        assert!(found.starts_with(problem), "{found}");
        assert!(found.ends_with("; the trial is left out"), "{found}");
        assert_eq!(ids(&archive.read()), [10]);
    }
}

#[test]
fn bad_metadata_leaves_out_that_trial() {
    for (old, new, line, problem) in [
        (METADATA, "", None, "the file is empty, expected a JSON object"),
        (
            "}, \n  \"status\"",
            ", \n  \"status\"",
            Some(10),
            "invalid type: string \"COMPLETE\", expected f64",
        ),
        ("\"status\": \"COMPLETE\", ", "", Some(13), "missing field `status`"),
        ("\"steps\": 600000, ", "", Some(13), "missing field `steps`"),
        ("\"parameters\"", "\"params\"", Some(13), "missing field `parameters`"),
        ("COMPLETE", "DONE", Some(10), "unknown variant `DONE`, expected one of `COMPLETE`"),
        ("0.01,", "\"0.01\",", Some(5), "invalid type: string \"0.01\", expected f64"),
        ("0.01,", "NaN,", Some(5), "expected value"),
        ("0.01,", "1e999,", Some(5), "number out of range"),
        ("600000", "-1", Some(11), "invalid value: integer `-1`, expected a whole number from 0"),
        ("600000", "1.5", Some(11), "invalid value: floating point `1.5`, expected a whole number"),
        ("600000", "1e300", Some(11), "invalid value: floating point `1e+300`, expected a whole"),
        ("600000", "\"many\"", Some(11), "invalid type: string \"many\", expected a whole number"),
        (
            "\"trial_id\": 2",
            "\"trial_id\": 3",
            Some(12),
            "trial_id 3 in folder 2, expected the same",
        ),
    ] {
        let archive = Archive::new();
        assert!(METADATA.contains(old));
        archive.write("256/2/metadata.json", METADATA.replace(old, new));
        let (path, found_line, found) = archive.omission();
        assert!(found.starts_with(problem), "{found}");
        assert_eq!((path.as_str(), found_line), ("256/2/metadata.json", line), "{found}");
        assert!(found.ends_with("; the trial is left out"), "{found}");
        assert_eq!(ids(&archive.read()), [10]);
    }
}

#[test]
fn a_bad_study_file_leaves_out_that_study() {
    for (old, new, line, problem) in [
        (STUDY, "", None, "the file is empty, expected a JSON object"),
        (STUDY, "[1, 2", Some(1), "invalid type: integer `2`, expected a string"),
        ("\"batch_size\": 256, ", "", Some(42), "missing field `batch_size`"),
        ("\"train_steps\"", "\"steps\"", Some(42), "missing field `train_steps`"),
        ("parameter_configs", "parameters", Some(42), "missing field `parameter_configs`"),
        ("256", "128", Some(2), "batch_size 128 in folder 256, expected the same"),
        ("256", "256.5", Some(2), "invalid value: floating point `256.5`, expected a whole"),
        ("DISCRETE", "CATEGORICAL", Some(20), "unknown variant `CATEGORICAL`, expected one of"),
        ("REVERSE_LOG_SCALE", "LOGIT", Some(37), "unknown variant `LOGIT`, expected one of"),
        (
            "0.9999",
            "1.0",
            Some(34),
            "metaparameter 'momentum': found ReverseLog(0.9, 1.0), expected",
        ),
        ("\"min_value\": 0.9, ", "", Some(34), "metaparameter 'momentum': expected a min_value"),
        (
            "300000",
            "0.5",
            Some(28),
            "metaparameter 'learning_rate_decay_steps': [0.5, 600000], exp",
        ),
        (
            "\"feasible_points\"",
            "\"points\"",
            Some(14),
            "metaparameter 'label_smoothing': no feasi",
        ),
        (
            "\"imagenet\"",
            "\"../imagenet\"",
            Some(3),
            "name '..', expected one that a folder can have",
        ),
        ("\"imagenet\"", "\"mnist\"", Some(3), "workload mnist/resnet_50/nesterov_momentum, expe"),
    ] {
        let archive = Archive::new();
        let first = STUDY.replace("256", "8");
        archive.write("8/study.json", first);
        archive.write("256/study.json", STUDY.replacen(old, new, 1));
        let (path, found_line, found) = archive.omission();
        assert!(found.starts_with(problem), "{found}");
        assert_eq!((path.as_str(), found_line), ("256/study.json", line), "{found}");
        assert!(found.ends_with("; the study is left out"), "{found}");
        let record = archive.read();
        assert_eq!(record.studies.len(), 1);
        assert_eq!(record.studies[0].facts.batch_size, 8);
    }
}

#[test]
fn missing_files_and_odd_names_are_reported() {
    for (remove, left_out) in [
        ("256/study.json", "the study is left out"),
        ("256/2/metadata.json", "the trial is left out"),
        ("256/2/measurements.csv", "the trial is left out"),
    ] {
        let archive = Archive::new();
        fs::remove_file(archive.workload.join(remove)).unwrap();
        let (path, line, found) = archive.omission();
        assert_eq!((path.as_str(), line), (remove, None));
        assert!(found.contains("expected a file that can be read") && found.ends_with(left_out));
        // Names are those of the folders where no study.json says them.
        assert_eq!(read_workload(&archive.workload).unwrap().model, "resnet_50");
        fs::create_dir(archive.workload.join(remove)).unwrap();
        assert_eq!(archive.omission().0, remove, "a folder in place of the file");
    }
    for (folder, expected) in [
        ("notes", "a batch size, a whole number"),
        ("0256", "a batch size, a whole number"),
        ("256/best", "a trial id, a whole number"),
        ("256/-1", "a trial id, a whole number"),
        ("256/99999999999999999999", "a trial id, a whole number"),
    ] {
        let archive = Archive::new();
        fs::create_dir(archive.workload.join(folder)).unwrap();
        let (path, _, found) = archive.omission();
        assert_eq!(path, folder);
        assert!(found.starts_with("folder '") && found.ends_with(expected), "{found}");
        assert_eq!(ids(&archive.read()), [2, 10]);
    }
}
