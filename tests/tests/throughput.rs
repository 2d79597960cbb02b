//! `critbatch throughput`, and whether the memory that is planned is what a process takes.

use assert_cmd::assert::Assert;
use critbatch_tests::critbatch;
use serde_json::Value;

/// `critbatch throughput` on the CPU with Nesterov momentum.
fn throughput(model: &str, batch_size: usize, more: &[&str]) -> Assert {
    let mut command = critbatch();
    command.args(["throughput", "--model", model, "--optimizer", "nesterov_momentum"]);
    command.args(["--batch-size", &batch_size.to_string(), "--device", "cpu"]);
    command.args(more).assert()
}

fn measured(model: &str, batch_size: usize, more: &[&str]) -> Value {
    let assert =
        throughput(model, batch_size, &[&["--seconds", "0.2", "--json"], more].concat()).success();
    let stdout = String::from_utf8(assert.get_output().stdout.clone()).expect("JSON is UTF-8");
    assert_eq!(stdout.trim_end().lines().count(), 1, "one line:\n{stdout}");
    serde_json::from_str(&stdout).expect("one object")
}

fn number(found: &Value, key: &str) -> f64 {
    found[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {found}"))
}

#[test]
fn one_object_tells_how_fast_a_workload_trains() {
    let found = measured("fc_64_64_64", 8, &["--lanes", "3", "--threads", "2"]);
    let mut keys: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "batch_size",
        "dataset",
        "device",
        "dispatches_per_step",
        "examples_per_second",
        "gflop_per_second",
        "lanes",
        "lanes_chosen_by",
        "microseconds_per_dispatch",
        "model",
        "optimizer",
        "peak_memory_bytes",
        "planned_memory_bytes",
        "product_gflop_per_second",
        "seconds",
        "share_of_product",
        "steps_per_second_per_lane",
        "threads",
    ];
    assert_eq!(keys, expected);
    for (key, value) in [("dataset", "mnist_5k"), ("model", "fc_64_64_64"), ("device", "cpu (")] {
        assert!(found[key].as_str().unwrap().starts_with(value), "{key} in {found}");
    }
    assert_eq!(
        (&found["optimizer"], &found["batch_size"]),
        (&"nesterov_momentum".into(), &8.into())
    );
    assert_eq!((&found["lanes"], &found["threads"]), (&3.into(), &2.into()));
    assert_eq!(
        (&found["lanes_chosen_by"], &found["microseconds_per_dispatch"]),
        (&"user".into(), &Value::Null)
    );

    let number = |key| number(&found, key);
    let (examples, steps) = (number("examples_per_second"), number("steps_per_second_per_lane"));
    assert!((examples / (steps * 3.0 * 8.0) - 1.0).abs() < 1e-9, "{found}");
    // 784 x 64, twice 64 x 64, 64 x 10: forward and for the weights, the first layer's input has no
    // gradient; a multiply-add is two operations.
    let multiply_adds = 3 * (784 * 64 + 2 * 64 * 64 + 64 * 10) - 784 * 64;
    let gflop = steps * 3.0 * f64::from(2 * 8 * multiply_adds) / 1e9;
    assert!((number("gflop_per_second") / gflop - 1.0).abs() < 1e-9, "{gflop} {found}");
    let share = number("gflop_per_second") / number("product_gflop_per_second");
    assert!((number("share_of_product") / share - 1.0).abs() < 1e-9, "{found}");
    assert!(share > 0.0, "{found}");
    assert!(number("seconds") >= 0.2 && number("dispatches_per_step") >= 10.0, "{found}");
}

#[test]
fn lanes_are_chosen_by_measurement_and_said_to_people() {
    let found = measured("fc_64_64_64", 4, &["--threads", "2", "--lanes", "auto"]);
    assert_eq!(found["lanes_chosen_by"], "measurement");
    let lanes = found["lanes"].as_u64().unwrap();
    assert!(lanes.is_power_of_two() && lanes >= 8, "four for each thread, or twice that: {lanes}");

    let assert = throughput("fc_64_64_64", 4, &["--seconds", "0.1", "--lanes", "2"]).success();
    let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    for expected in ["mnist_5k / fc_64_64_64", "examples/s in 2 lanes", "GFLOP/s", "planned"] {
        assert!(text.contains(expected), "'{expected}' is missing in:\n{text}");
    }
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(stderr.contains("lanes: 2: as asked for; memory planned: "), "{stderr}");
}

#[test]
fn impossible_workloads_are_refused() {
    let cases = [
        (throughput("resnet_9", 8, &[]).code(2), "unknown model 'resnet_9'; accepted: "),
        (throughput("fc_64_64_64", 8, &["--dataset", "imagenet_22k"]).code(2), "imagenet_22k"),
        (throughput("fc_64_64_64", 5000, &[]).code(1), "5000"),
        (throughput("fc_64_64_64", 8, &["--seconds", "0"]).code(2), "from 0.01 to 3600"),
        (throughput("fc_64_64_64", 8, &["--threads", "0"]).code(2), "--threads"),
        (throughput("fc_64_64_64", 8, &["--threads", "4096"]).code(2), "8 for each core"),
    ];
    for (assert, expected) in cases {
        let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert!(stderr.contains(expected), "'{expected}' is missing in:\n{stderr}");
        assert!(assert.get_output().stdout.is_empty(), "nothing was measured");
    }
}

/// The whole process against its plan, for networks that weights fill and that activations fill.
#[cfg(target_os = "linux")]
#[test]
fn a_process_takes_the_memory_that_was_planned() {
    for (model, batch_size, lanes) in [
        ("fc_256_256_256", 8, "16"),
        ("fc_256_256_256", 512, "8"),
        ("simple_cnn_base", 4, "4"),
        ("simple_cnn_base", 128, "4"),
    ] {
        let found = measured(model, batch_size, &["--lanes", lanes]);
        let (planned, peak) =
            (number(&found, "planned_memory_bytes"), number(&found, "peak_memory_bytes"));
        println!("{model}, {batch_size} examples, {lanes} lanes: {planned} planned, {peak} taken");
        assert!((planned / peak - 1.0).abs() < 0.1, "{model} at {batch_size}: {planned} {peak}");
    }
}

/// A run measures speed, evaluates, refills lanes and writes checkpoints on top of what `throughput` does.
#[cfg(target_os = "linux")]
#[test]
fn a_run_takes_the_memory_that_was_planned() {
    use std::io::Read;
    use std::process::{Command, Stdio};

    const EXPERIMENT: &str = r#"
        workload = { dataset = "mnist_5k", model = "fc_1024_1024_1024", optimizer = "momentum" }
        goal = { metric = "val/classification_error", below = 0.001 }
        batch_sizes = { list = [32] }
        budget = { steps = 60 }
        evaluation = { relative_spacing = 0.5 }
        [search]
        sampler = "halton"
        trials = 6
        seed = 0
        [search.space]
        learning_rate = { log = [0.001, 0.01] }
        momentum = 0.9
    "#;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("experiment.toml");
    std::fs::write(&path, EXPERIMENT).unwrap();
    let mut child = Command::new(critbatch_tests::binary())
        .arg("run")
        .arg(&path)
        .args(["--device", "cpu", "--lanes", "4", "--checkpoint-every", "0", "--out"])
        .arg(directory.path().join("out"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The mark only rises, so the last look is the one that counts.
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        if let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
            peak = line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let row = stderr.lines().find(|line| line.trim_start().starts_with("32 ")).expect("the plan");
    let words: Vec<&str> = row.split_whitespace().collect();
    let unit = words.iter().position(|&word| word == "MB").expect("memory in MB");
    let planned = words[unit - 1].parse::<f64>().unwrap() * 1e6;
    println!("{planned} planned, {peak} taken");
    assert!((planned / peak - 1.0).abs() < 0.1, "{planned} {peak}\n{stderr}");
}
