//! What critbatch computes against what PyTorch computes of the same networks: `tests/parity`.
//!
//! The fixture `expected.json` has PyTorch's losses in f64, and of each gradient and of the change of
//! each weight tensor over ten steps its norm and two projections; `tests/parity/compare.py` made it
//! from `docs/models.md` and compares all elements. A projection of an error is hardly ever longer than
//! the error, so bounds on the one are bounds on the other.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use std::collections::HashMap;

use critbatch_tests::generated::Probe;
use safetensors::SafeTensors;
use serde_json::Value;

/// Bounds of `tests/parity/compare.py`, where their reasons stand.
const ALLOWED_LOSS: f64 = 1e-5;
const ALLOWED_GRADIENT: f64 = 1e-4;
const ALLOWED_LATER_LOSS: f64 = 1e-3;
const ALLOWED_CHANGE: f64 = 0.05;
const ALLOWED_DOUBLE: f64 = 1e-5;

/// Networks that rounding moves too far in single precision, PyTorch's as well: see `compare.py`; and
/// large ones, whose single precision it checks. Here they are computed in double precision only.
const DOUBLE_ONLY: [&str; 4] =
    ["/resnet_50/", "/transformer_wide/", "/transformer_base/", "/transformer_shallow/"];

/// Where a workload is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum On {
    /// Natively, in double precision.
    Double,
    Cpu,
    Wgpu,
}

fn expected() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/parity/expected.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All tensors of a probe.
fn probe(expected: &Value, workload: &str, on: On) -> HashMap<String, Vec<f64>> {
    if let Some(names) = workload.strip_prefix("generated/") {
        return probe_generated(expected, names, on);
    }
    let directory = tempfile::tempdir().unwrap();
    let number = |name: &str| expected[name].to_string();
    let momentum = format!("momentum={}", expected["momentum"]);
    let mut command = critbatch_tests::critbatch();
    command
        .args(["probe", "--workload", workload, "--data-dir"])
        .arg(critbatch_tests::text_folder());
    match on {
        On::Double => command.arg("--double"),
        On::Cpu => command.args(["--device", "cpu"]),
        On::Wgpu => command.args(["--device", "wgpu"]),
    };
    let batch_size = expected["workloads"][workload]["batch_size"].to_string();
    command.args(["--batch-size", &batch_size, "--seed", &number("seed")]);
    command.args(["--steps", &number("steps"), "--set"]);
    command.arg(format!("learning_rate={}", expected["learning_rate"]));
    if workload.ends_with("momentum") {
        command.args(["--set", &momentum]);
    }
    command.arg("--out").arg(directory.path()).assert().success();
    let bytes = std::fs::read(directory.path().join("probe.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| -> Vec<f64> {
        match on {
            On::Double => {
                data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()
            }
            _ => {
                let single = data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
                single.map(f64::from).collect()
            }
        }
    };
    tensors.iter().map(|(name, tensor)| (name.to_owned(), values(tensor.data()))).collect()
}

/// The same of a network on generated images.
fn probe_generated(expected: &Value, names: &str, on: On) -> HashMap<String, Vec<f64>> {
    let (model, optimizer) = names.split_once('/').unwrap();
    let workload = &expected["workloads"][format!("generated/{names}")];
    let number = |value: &Value| value.as_u64().unwrap();
    let probe = Probe {
        model,
        optimizer,
        device: match on {
            On::Double => "f64",
            On::Cpu => "cpu",
            On::Wgpu => "wgpu",
        },
        batch_size: number(&workload["batch_size"]),
        seed: number(&expected["seed"]),
        n_steps: number(&expected["steps"]).try_into().unwrap(),
    };
    let tensors = probe.tensors().unwrap();
    tensors.into_iter().map(|tensor| (tensor.name, tensor.values)).collect()
}

/// Norm, and projections on `cos(i)` and `sin(i)`.
fn summary(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let [mut squares, mut cosine, mut sine] = [0.0; 3];
    for (index, value) in values.enumerate() {
        squares += value * value;
        cosine += value * (index as f64).cos();
        sine += value * (index as f64).sin();
    }
    [squares.sqrt(), cosine, sine]
}

fn assert_close(what: &str, got: [f64; 3], expected: &Value, allowed: f64) {
    let expected: [f64; 3] = serde_json::from_value(expected.clone()).unwrap();
    for (got, number) in got.into_iter().zip(expected) {
        let error = (got - number).abs();
        assert!(error <= allowed * expected[0], "{what}: {got}, PyTorch {number}");
    }
}

fn check(on: On) {
    let expected = expected();
    let is_left_out = |workload: &str| {
        on != On::Double && DOUBLE_ONLY.iter().any(|model| workload.contains(model))
    };
    let [first_loss, later_loss, gradient, change] = match on {
        On::Double => [ALLOWED_DOUBLE; 4],
        _ => [ALLOWED_LOSS, ALLOWED_LATER_LOSS, ALLOWED_GRADIENT, ALLOWED_CHANGE],
    };
    for (workload, numbers) in expected["workloads"].as_object().unwrap() {
        if is_left_out(workload) {
            continue;
        }
        let tensors = probe(&expected, workload, on);
        let tensor = |name: &str| tensors.get(name).unwrap_or_else(|| panic!("no {name}"));
        for (index, loss) in numbers["losses"].as_array().unwrap().iter().enumerate() {
            let (got, loss) =
                (tensor(&format!("step_{}/loss", index + 1))[0], loss.as_f64().unwrap());
            let allowed = if index == 0 { first_loss } else { later_loss };
            let what = format!("{workload} on {on:?}, loss of step {}", index + 1);
            assert!((got / loss - 1.0).abs() <= allowed, "{what}: {got}, PyTorch {loss}");
        }
        let gradients = numbers["gradients"].as_object().unwrap();
        let n_gradients =
            tensors.keys().filter(|name| name.starts_with("step_1/gradient/")).count();
        assert_eq!(gradients.len(), n_gradients, "{workload}");
        for (name, expected) in gradients {
            let what = format!("{workload} on {on:?}, gradient of {name}");
            let got = summary(tensor(&format!("step_1/gradient/{name}")).iter().copied());
            assert_close(&what, got, expected, gradient);
            let what = format!("{workload} on {on:?}, change of {name}");
            let (start, end) =
                (tensor(&format!("initial/{name}")), tensor(&format!("final/{name}")));
            let got = summary(end.iter().zip(start).map(|(end, start)| end - start));
            assert_close(&what, got, &numbers["changes"][name], change);
        }
    }
}

#[test]
fn in_double_precision_every_network_is_pytorchs() {
    check(On::Double);
}

#[test]
fn the_native_executor_computes_what_pytorch_does() {
    check(On::Cpu);
}

#[test]
fn wgsl_computes_what_pytorch_does() {
    check(On::Wgpu);
}

#[test]
fn impossible_probes_are_refused() {
    let probe = |batch_size: &str, more: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        let mut command = critbatch_tests::critbatch();
        command.args(["probe", "--batch-size", batch_size, "--device", "cpu", "--out"]);
        let assert = command.arg(directory.path()).args(more).assert().failure();
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    };
    let known = "mnist_5k/fc_64_64_64/sgd";
    assert!(probe("8", &["--workload", "mnist_5k/fc"]).contains("expected three names"));
    assert!(probe("8", &["--workload", "mnist_5k/fc_7/sgd"]).contains("unknown model 'fc_7'"));
    assert!(
        probe("8", &["--workload", known, "--set", "momentum"]).contains("a name and a number")
    );
    let refused = probe("8", &["--workload", known, "--set", "momentum=0.5"]);
    assert!(refused.contains("unknown metaparameter 'momentum'"), "{refused}");
    assert!(probe("5000", &["--workload", known]).contains("batch size"));
}
