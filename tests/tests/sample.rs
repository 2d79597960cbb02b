//! `critbatch sample`: the points of a study, as a user gets them.

use std::fs;
use std::path::Path;

use assert_cmd::assert::Assert;
use critbatch_tests::critbatch;
use critbatch_tuner::Store;
use serde_json::Value;

/// A space that differs at every batch size.
const EXPERIMENT: &str = r#"
[workload]
dataset = "mnist_5k"
model = "fc_64_64_64"
optimizer = "nesterov_momentum"
[goal]
metric = "val/classification_error"
below = 0.5
[batch_sizes]
list = [8, 64, "full"]
[search]
sampler = "halton"
trials = 3
seed = 7
[search.space]
learning_rate = { log = [0.01, 0.05], batch_exponent = 0.25 }
momentum = { reverse_log = [0.5, 0.99] }
label_smoothing = { discrete = [0.0, 0.1] }
[search.space_at.64]
momentum = 0.9
[budget]
steps = 3
[evaluation]
relative_spacing = 1
gradient_noise_scale = true
"#;

/// `critbatch sample` on a file of the text, in a folder that holds nothing else.
fn sample(text: &str, arguments: &[&str]) -> Assert {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    fs::write(directory.path().join("e.toml"), text).expect("and written");
    let mut command = critbatch();
    command.current_dir(directory.path()).args(["sample", "e.toml"]).args(arguments).assert()
}

fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("results are UTF-8")
}

/// The one line on stderr; asserts that nothing is on stdout.
fn error_line(assert: &Assert) -> String {
    assert!(assert.get_output().stdout.is_empty(), "an error has no results");
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).expect("messages are UTF-8");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr.trim_end().to_owned()
}

/// Header and rows of a CSV of numbers.
fn parse(csv: &str) -> (Vec<&str>, Vec<Vec<f64>>) {
    let mut lines = csv.lines().map(|line| line.split(','));
    let header = lines.next().expect("a header").collect();
    let number = |cell: &str| cell.parse().unwrap_or_else(|_| panic!("'{cell}' is no number"));
    (header, lines.map(|cells| cells.map(number).collect()).collect())
}

/// Names and values of the trials that a run in `directory` has stored.
fn stored(directory: &Path, batch_size: u64) -> (Vec<String>, Vec<Vec<f64>>) {
    let trials = Store::open_read_only(directory)
        .and_then(|store| store.trials(batch_size))
        .expect("the run has ended");
    let names = trials[0].parameters.keys().cloned().collect();
    (names, trials.into_iter().map(|trial| trial.parameters.into_values().collect()).collect())
}

#[test]
fn points_are_those_that_a_run_trains_bit_for_bit() {
    for sampler in ["halton", "sobol", "uniform"] {
        let text = EXPERIMENT.replace("\"halton\"", &format!("\"{sampler}\""));
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("e.toml"), &text).unwrap();
        let run = ["run", "e.toml", "--out", "out", "--device", "cpu", "--seed", "5"];
        critbatch().current_dir(directory.path()).args(run).assert().success();
        for (word, batch_size) in [("8", 8), ("64", 64), ("full", 4000), ("4000", 4000)] {
            let arguments = ["--batch-size", word, "--csv", "--seed", "5"];
            let csv = stdout(&sample(&text, &arguments).success());
            let (header, rows) = parse(&csv);
            let (names, trials) = stored(&directory.path().join("out"), batch_size);
            assert_eq!(header, names, "every metaparameter, fixed or not");
            let bits = |rows: &[Vec<f64>]| -> Vec<Vec<u64>> {
                rows.iter().map(|row| row.iter().map(|value| value.to_bits()).collect()).collect()
            };
            assert_eq!(bits(&rows), bits(&trials), "{sampler} at batch size {word}");
            assert_eq!(rows.len(), 3);

            let json =
                stdout(&sample(&text, &[&arguments[..2], &["--json", "--seed", "5"]].concat()));
            let json: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["batch_size"], batch_size);
            assert_eq!((&json["sampler"], &json["seed"]), (&sampler.into(), &5.into()));
            let points = json["points"].as_array().unwrap();
            let rate = header.iter().position(|name| *name == "learning_rate").unwrap();
            for (point, row) in points.iter().zip(&rows) {
                assert_eq!(point["learning_rate"].as_f64(), Some(row[rate]));
            }
        }
    }
}

#[test]
fn spaces_are_those_of_the_batch_size_and_of_no_other() {
    let column = |batch_size: &str, name: &str| -> Vec<f64> {
        let arguments = ["--batch-size", batch_size, "--n", "200", "--csv"];
        let csv = stdout(&sample(EXPERIMENT, &arguments).success());
        let (header, rows) = parse(&csv);
        let index = header.iter().position(|known| *known == name).unwrap();
        rows.into_iter().map(|row| row[index]).collect()
    };
    // (B / 8)^0.25 is 1 and 8^0.25 = 1.6818.
    for (batch_size, factor) in [("8", 1.0), ("64", 1.6818)] {
        let rates = column(batch_size, "learning_rate");
        assert_eq!(rates.len(), 200);
        let (lo, hi) =
            (rates.iter().copied().fold(1.0, f64::min), rates.iter().copied().fold(0.0, f64::max));
        assert!((0.01..0.0102).contains(&(lo / factor)), "{lo}");
        assert!((0.049..0.0501).contains(&(hi / factor)), "{hi}");
    }
    assert!(column("64", "momentum").iter().all(|momentum| *momentum == 0.9));
    let momenta = column("8", "momentum");
    assert!(momenta.iter().any(|m| *m < 0.55) && momenta.iter().any(|m| *m > 0.98));
    let smoothed = column("full", "label_smoothing").iter().filter(|value| **value == 0.1).count();
    assert!((98..=102).contains(&smoothed), "half of them: {smoothed}");
}

#[test]
fn people_get_a_table() {
    let table = stdout(&sample(EXPERIMENT, &["--batch-size", "64", "--n", "4"]).success());
    for word in ["trial", "learning_rate", "momentum", "label_smoothing"] {
        assert!(table.contains(word), "'{word}' is missing in\n{table}");
    }
    let rows = table.lines().filter(|line| line.trim_start().starts_with(char::is_numeric));
    assert_eq!(rows.count(), 4, "{table}");
}

#[test]
fn data_need_not_be_there() {
    let text = EXPERIMENT.replace("mnist_5k", "mnist");
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("e.toml"), text).unwrap();
    let mut command = critbatch();
    let arguments = ["sample", "e.toml", "--batch-size", "full", "--csv"];
    command.current_dir(directory.path()).env("CRITBATCH_DATA", "/no/such/folder").args(arguments);
    let csv = stdout(&command.assert().success());
    assert_eq!(parse(&csv).1.len(), 3);
}

#[test]
fn what_is_not_the_experiments_is_refused() {
    for word in ["7", "0", "-8", "eight", "8.0", ""] {
        let argument = format!("--batch-size={word}");
        let line = error_line(&sample(EXPERIMENT, &[&argument, "--csv"]).code(2));
        let expected = format!(
            "error: batch size '{word}' is none of the experiment's; give one of 8, 64, 4000"
        );
        assert_eq!(line, expected);
    }
    let without_full = EXPERIMENT.replace(", \"full\"", "");
    let line = error_line(&sample(&without_full, &["--batch-size", "full"]).code(2));
    assert!(line.ends_with("batch size 'full' is none of the experiment's; give one of 8, 64"));

    let refused = |from: &str, to: &str| {
        error_line(&sample(&EXPERIMENT.replace(from, to), &["--batch-size", "8"]).code(2))
    };
    let line = refused("mnist_5k", "imagenet_22k");
    assert!(line.contains("e.toml: ") && line.contains("imagenet_22k"), "{line}");
    let line = refused("\"halton\"", "\"random\"");
    assert!(line.contains("e.toml:12: 'search.sampler' is 'random'; expected 'halton'"), "{line}");
    let line = refused("space_at.64", "space_at.65");
    assert!(line.contains("e.toml:19: unknown key '65' in [search.space_at]"), "{line}");
    let line = refused("0.05], batch_exponent = 0.25", "1e37], batch_exponent = 9");
    assert!(line.contains("e.toml:16: 'search.space.learning_rate' is { log = ["), "{line}");
    assert!(line.contains("at batch size 64"), "{line}");
}

#[test]
fn impossible_arguments_are_refused() {
    let cases = [
        (&["--n", "3"][..], "--batch-size <B>"),
        (&["--batch-size", "8", "--n", "0"], "0 is not in 1..=1000000"),
        (&["--batch-size", "8", "--csv", "--json"], "cannot be used with"),
        (&["--batch-size", "8", "--seed", "-1"], "--seed"),
    ];
    for (arguments, expected) in cases {
        let assert = sample(EXPERIMENT, arguments).code(2);
        let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert!(stderr.contains(expected), "{arguments:?}: '{expected}' is missing in:\n{stderr}");
    }
}
