//! Writing the authors' format: what is written comes back, and no bytes at all make it panic.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use critbatch_tuner::archive::{find_workloads, read_outcomes, read_record, write_archive};
use critbatch_tuner::{
    Curve, Goal, Parameters, Question, Record, Scale, Space, StudyFacts, StudyRecord, Threshold,
    TrialCurve, TrialRecord, TrialStatus, TunerError, Workload,
};
use proptest::prelude::*;

/// Any measurement: any finite number, infinities, and not measured.
fn value() -> impl Strategy<Value = f64> {
    // All that is not a number is the same to a record.
    let of_bits =
        |bits| if f64::from_bits(bits).is_nan() { f64::NAN } else { f64::from_bits(bits) };
    prop_oneof![any::<u64>().prop_map(of_bits), Just(f64::NAN), 0.0..1.0_f64, Just(-0.0)]
}

fn curve() -> impl Strategy<Value = Curve> {
    let names = proptest::sample::subsequence(
        vec!["test/average_precision", "train/cross_entropy_error", "val/classification_error"],
        0..=3,
    );
    (names, proptest::collection::btree_set(0..1_u64 << 53, 0..8)).prop_flat_map(
        |(names, steps)| {
            let column = proptest::collection::vec(value(), steps.len());
            let columns = proptest::collection::vec(column, names.len());
            let steps: Vec<u64> = steps.into_iter().collect();
            columns.prop_map(move |columns| Curve {
                steps: steps.clone(),
                metrics: names.iter().map(|name| (*name).to_owned()).zip(columns).collect(),
            })
        },
    )
}

fn space() -> Space {
    let scales = [
        ("decay_steps", Scale::Integer(-3, 600_000)),
        ("label_smoothing", Scale::Discrete(vec![0.0, 0.01, 0.1])),
        ("learning_rate", Scale::Log(1e-4, 10.0)),
        ("momentum", Scale::ReverseLog(0.9, 0.999)),
        ("seed_scale", Scale::Linear(-1.5, 2.0)),
        ("weight_decay", Scale::Fixed(0.1 + 0.2)),
    ];
    Space { scales: scales.map(|(name, scale)| (name.to_owned(), scale)).into() }
}

fn trial() -> impl Strategy<Value = (TrialRecord, Curve)> {
    let status = prop_oneof![
        Just(TrialStatus::Complete),
        Just(TrialStatus::Incomplete),
        Just(TrialStatus::Infeasible)
    ];
    let point = proptest::collection::vec(0.0..1.0_f64, 5);
    (status, point, 0..1_u64 << 53, curve()).prop_map(|(status, point, steps, curve)| {
        let parameters = space().parameters(&point);
        (TrialRecord { batch_size: 0, trial_id: 0, repeat: 0, parameters, status, steps }, curve)
    })
}

fn record() -> impl Strategy<Value = Record> {
    let trials = proptest::collection::btree_map(0..1000_u64, trial(), 0..5);
    let seconds = proptest::option::of(0.0..10.0_f64);
    let facts = (any::<Option<u32>>(), any::<Option<u32>>(), seconds, any::<bool>());
    proptest::collection::btree_map(1..70_000_u64, (facts, trials), 1..4).prop_map(|studies| {
        let study = |(batch_size, ((budget, n_trials, seconds, searches), trials))| {
            let positive = |count: Option<u32>| count.map(|count| u64::from(count).max(1));
            let trials: BTreeMap<u64, (TrialRecord, Curve)> = trials;
            StudyRecord {
                facts: StudyFacts {
                    batch_size,
                    space: if searches { space() } else { Space::default() },
                    budget_steps: positive(budget),
                    n_trials: positive(n_trials),
                    seconds_per_step: seconds,
                },
                trials: trials
                    .into_iter()
                    .map(|(trial_id, (trial, curve))| TrialCurve {
                        trial: TrialRecord { batch_size, trial_id, ..trial },
                        curve,
                    })
                    .collect(),
                repeats: vec![],
            }
        };
        Record {
            workload: workload("mnist_5k"),
            decided_goal: None,
            studies: studies.into_iter().map(study).collect(),
            omissions: vec![],
        }
    })
}

fn workload(dataset: &str) -> Workload {
    Workload { dataset: dataset.to_owned(), model: "fc_64".to_owned(), optimizer: "sgd".to_owned() }
}

/// A record as text in which every bit of every number shows; NaN is NaN.
fn bits(record: &Record) -> String {
    let metrics = |curve: &Curve| {
        let columns = curve.metrics.iter();
        columns
            .map(|(name, values)| (name.clone(), values.iter().map(|v| v.to_bits()).collect()))
            .collect::<BTreeMap<String, Vec<u64>>>()
    };
    let parameters = |parameters: &Parameters| -> Vec<(String, u64)> {
        parameters.iter().map(|(name, value)| (name.clone(), value.to_bits())).collect()
    };
    let mut text = format!("{:?} {:?}", record.workload, record.omissions);
    for study in &record.studies {
        text.push_str(&format!("{:?} {:?}", study.facts, study.repeats));
        for TrialCurve { trial, curve } in &study.trials {
            let (values, metrics) = (parameters(&trial.parameters), metrics(curve));
            text.push_str(&format!("{trial:?} {values:?} {:?} {metrics:?}\n", curve.steps));
        }
    }
    text
}

fn questions() -> [Question; 2] {
    let metric = "val/classification_error".to_owned();
    let below = Goal { metric: metric.clone(), threshold: Threshold::Below(0.4) };
    let above = Goal { metric, threshold: Threshold::Above(0.7) };
    let budget = Question { max_steps: Some(1 << 51), ..Question::of_goal(above) };
    [Question::of_goal(below), budget]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back_bit_for_bit(record in record()) {
        let directory = tempfile::tempdir().unwrap();
        let written = write_archive(&record, directory.path()).unwrap();
        prop_assert_eq!(&written.directory, &directory.path().join("mnist_5k/fc_64/sgd"));
        let read = read_record(&written.directory).unwrap();
        prop_assert_eq!(bits(&read), bits(&record));
        let n_trials: usize = record.studies.iter().map(|study| study.trials.len()).sum();
        prop_assert_eq!(written.n_trials, n_trials as u64);
        for question in questions() {
            let outcomes = read_outcomes(&written.directory, &question).unwrap();
            prop_assert_eq!(outcomes.studies, record.outcomes(&question));
        }
    }

    /// Reading never panics, and both ways of reading agree, whatever a disk or a person did.
    #[test]
    fn any_bytes_are_read_or_left_out(
        record in record(),
        changes in proptest::collection::vec((any::<usize>(), any::<usize>(), any::<u8>(), 0..4), 1..9),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let folder = write_archive(&record, directory.path()).unwrap().directory;
        let mut files = vec![];
        find_files(&folder, &mut files);
        for (file, position, byte, kind) in changes {
            let path = &files[file % files.len()];
            let mut text = fs::read(path).unwrap();
            let position = position % (text.len() + 1);
            // Bytes that the formats give a meaning are worth more than others.
            let byte = b"\",\n\r-0.eE9{}[]:N"[usize::from(byte) % 16].max(byte / 16 * 16);
            match kind {
                0 => text.truncate(position),
                1 => text.insert(position, byte),
                2 if position < text.len() => text[position] = byte,
                _ if position < text.len() => drop(text.remove(position)),
                _ => text.clear(),
            }
            fs::write(path, text).unwrap();
        }
        let read = read_record(&folder).unwrap();
        for question in questions() {
            let outcomes = read_outcomes(&folder, &question).unwrap();
            prop_assert_eq!(outcomes.studies, read.outcomes(&question));
            prop_assert_eq!(outcomes.omissions, read.omissions.clone());
        }
        prop_assert!(read.omissions.iter().all(|omission| !omission.problem.contains('\n')));
    }
}

fn find_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("it can be read");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { find_files(&path, files) } else { files.push(path) }
    }
}

/// A record of one study and one trial.
fn small(dataset: &str) -> Record {
    let mut curve = Curve::default();
    curve.push(0, [("val/a".to_owned(), 0.5)]);
    curve.push(7, [("val/b".to_owned(), 1e-300)]);
    let parameters = Parameters::from([("decay_steps".to_owned(), 4.0), ("rate".to_owned(), 4.0)]);
    let (status, steps) = (TrialStatus::Infeasible, 7);
    let trial = TrialRecord { batch_size: 8, trial_id: 3, repeat: 0, parameters, status, steps };
    let repeat =
        TrialCurve { trial: TrialRecord { repeat: 1, ..trial.clone() }, curve: curve.clone() };
    let facts = StudyFacts {
        batch_size: 8,
        space: space(),
        budget_steps: None,
        n_trials: None,
        seconds_per_step: None,
    };
    let trials = vec![TrialCurve { trial, curve }];
    let studies = vec![StudyRecord { facts, trials, repeats: vec![repeat] }];
    Record { workload: workload(dataset), decided_goal: None, studies, omissions: vec![] }
}

#[test]
fn files_look_as_the_authors_do() {
    let directory = tempfile::tempdir().unwrap();
    let written = write_archive(&small("mnist"), directory.path()).unwrap();
    assert_eq!((written.n_studies, written.n_trials, written.n_rows), (1, 1, 2));
    assert_eq!(written.n_repeats_left_out, 1);
    let text = |name: &str| fs::read_to_string(written.directory.join(name)).unwrap();
    assert_eq!(text("8/3/measurements.csv"), "step,val/a,val/b\n0,0.5,\n7,,1e-300\n");
    let metadata = r#"{
  "parameters": {
    "decay_steps": 4,
    "rate": 4.0
  },
  "status": "INFEASIBLE",
  "steps": 7,
  "trial_id": 3
}
"#;
    assert_eq!(text("8/3/metadata.json"), metadata);
    let study: serde_json::Value = serde_json::from_str(&text("8/study.json")).unwrap();
    let keys: Vec<&String> = study.as_object().unwrap().keys().collect();
    let expected = [
        "batch_size",
        "dataset",
        "early_stopping",
        "model",
        "optimizer",
        "parameter_configs",
        "train_steps",
    ];
    assert_eq!(keys, expected);
    assert_eq!(study["train_steps"], 0);
    let configs = &study["parameter_configs"];
    let momentum = serde_json::json!(
        { "max_value": 0.999, "min_value": 0.9, "scale": "REVERSE_LOG_SCALE", "type": "DOUBLE" }
    );
    assert_eq!(configs["momentum"], momentum);
    let fixed = serde_json::json!(
        { "feasible_points": [0.30000000000000004], "scale": "", "type": "DISCRETE" }
    );
    assert_eq!(configs["weight_decay"], fixed);
    assert!(configs["decay_steps"]["max_value"].is_u64());
}

#[test]
fn groups_come_back_as_part_of_the_data_sets_name() {
    for dataset in ["solution_quality/mnist", "my_group/mnist"] {
        let directory = tempfile::tempdir().unwrap();
        let written = write_archive(&small(dataset), directory.path()).unwrap();
        assert!(written.directory.ends_with(format!("{dataset}/fc_64/sgd")));
        let (found, _) = find_workloads(directory.path()).unwrap();
        assert_eq!(found, [written.directory]);
        assert_eq!(read_record(&found[0]).unwrap().workload, workload(dataset));
    }
}

#[test]
fn nothing_is_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let record = small("mnist");
    fs::create_dir_all(directory.path().join("mnist/fc_64/sgd")).unwrap();
    let written = write_archive(&record, directory.path()).unwrap();
    let error = write_archive(&record, directory.path()).unwrap_err();
    assert!(matches!(error, TunerError::NotANewDirectory { .. }));
    assert!(error.to_string().ends_with("is not empty; choose another directory or remove it"));
    let entries = fs::read_dir(written.directory.parent().unwrap()).unwrap();
    assert_eq!(entries.count(), 1, "no half-written folder is left");
    fs::write(directory.path().join("file"), "").unwrap();
    let error = write_archive(&record, &directory.path().join("file")).unwrap_err();
    assert!(error.to_string().starts_with("cannot write the archive's directory"), "{error}");
}

#[test]
fn what_the_format_cannot_express_is_refused() {
    let refused = |change: fn(&mut Record)| {
        let directory = tempfile::tempdir().unwrap();
        let mut record = small("mnist");
        change(&mut record);
        let message = write_archive(&record, directory.path()).unwrap_err().to_string();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "{message}");
        message
    };
    fn parameter(record: &mut Record, value: f64) {
        let trial = &mut record.studies[0].trials[0].trial;
        trial.parameters.insert("rate".to_owned(), value);
    }
    for (change, problem) in [
        (
            (|record| record.workload.dataset = "../mnist".to_owned()) as fn(&mut Record),
            "cannot write a workload with the name '..' to an archive; expected names without",
        ),
        (|record| record.workload.model = "a/b".to_owned(), "a workload with the name 'a/b'"),
        (|record| record.workload.optimizer = String::new(), "a workload with the name ''"),
        (|record| parameter(record, f64::NAN), "metaparameters of trial 3 at batch size 8"),
        (|record| record.studies[0].facts.n_trials = Some(0), "a study of batch size 8"),
        (
            |record| record.studies[0].trials[0].curve.push(1 << 60, []),
            "the steps of trial 3 at batch size 8",
        ),
        (
            |record| record.studies[0].trials[0].curve.push(9, [("a,b".to_owned(), 0.0)]),
            "the metric 'a,b' of trial 3 at batch size 8",
        ),
    ] {
        let message = refused(change);
        assert!(message.contains(problem), "{message}");
    }
}
