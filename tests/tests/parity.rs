//! What critbatch computes against what PyTorch computes of the same networks: `tests/parity`.
//!
//! The fixture `expected.json` has PyTorch's losses in f64, and of each gradient and of the change of
//! each weight tensor over ten steps its norm and two projections; `tests/parity/compare.py` made it
//! from `docs/models.md` and compares all elements. A projection of an error is hardly ever longer than
//! the error, so bounds on the one are bounds on the other.

#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]
#![expect(clippy::print_stderr, reason = "errors for tests/parity/README.md, with --nocapture")]

use std::collections::HashMap;

use critbatch_tests::generated::Probe;
use safetensors::SafeTensors;
use serde_json::Value;

/// Bounds: their reasons stand in `tests/parity/compare.py` and `tests/parity/README.md`.
const ALLOWED_LOSS: f64 = 1e-5;
const ALLOWED_GRADIENT: f64 = 1e-4;
const ALLOWED_LATER_LOSS: f64 = 1e-3;
const ALLOWED_CHANGE: f64 = 0.05;
const ALLOWED_DOUBLE: f64 = 1e-5;

/// Gradients of networks that rounding moves further in single precision.
const ALLOWED_RESNET_50: f64 = 0.08;
const ALLOWED_TRANSFORMER_WIDE: f64 = 0.005;

/// What a device says that cannot bind as many bytes as the weights of `transformer_wide`.
const TOO_LARGE: &str = "buffer 'Parameters' needs 310681600 bytes";

/// Where a workload is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum On {
    /// Natively, in double precision.
    Double,
    Cpu,
    Wgpu,
}

/// What of a workload is compared, and what may be off.
struct Bounds {
    n_steps: usize,
    first_loss: f64,
    later_loss: f64,
    gradient: f64,
    change: f64,
}

impl Bounds {
    fn of(workload: &str, on: On, n_steps: usize) -> Self {
        let single = Self {
            n_steps,
            first_loss: ALLOWED_LOSS,
            later_loss: ALLOWED_LATER_LOSS,
            gradient: ALLOWED_GRADIENT,
            change: ALLOWED_CHANGE,
        };
        let model = workload.split('/').nth(1).unwrap();
        match (on, model) {
            (On::Double, _) => Self {
                // The optimizer of transformer_wide, ten steps of which take a minute, is transformer_base's.
                n_steps: if model == "transformer_wide" { 1 } else { n_steps },
                first_loss: ALLOWED_DOUBLE,
                later_loss: ALLOWED_DOUBLE,
                gradient: ALLOWED_DOUBLE,
                change: ALLOWED_DOUBLE,
            },
            // Gradients that are off move the weights further with each step.
            (_, "resnet_50") => Self { n_steps: 1, gradient: ALLOWED_RESNET_50, ..single },
            (_, "transformer_wide") => {
                Self { n_steps: 1, gradient: ALLOWED_TRANSFORMER_WIDE, ..single }
            }
            // On software Vulkan ten steps take minutes, and the kernels of two blocks are those of six.
            (On::Wgpu, "transformer_base") => Self { n_steps: 1, ..single },
            _ => single,
        }
    }
}

fn expected() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/parity/expected.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All tensors of a probe; none of a network that the device says is too large for it.
fn probe(
    expected: &Value,
    workload: &str,
    on: On,
    n_steps: usize,
) -> Option<HashMap<String, Vec<f64>>> {
    if let Some(names) = workload.strip_prefix("generated/") {
        return Some(probe_generated(expected, names, on, n_steps));
    }
    let directory = tempfile::tempdir().unwrap();
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
    let number = |name: &str| expected["workloads"][workload][name].to_string();
    command.args(["--batch-size", &number("batch_size"), "--seed", &number("seed")]);
    command.args(["--steps", &n_steps.to_string(), "--set"]);
    command.arg(format!("learning_rate={}", expected["learning_rate"]));
    if workload.ends_with("momentum") {
        command.args(["--set", &momentum]);
    }
    let output = command.arg("--out").arg(directory.path()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    if on == On::Wgpu && message.contains(TOO_LARGE) {
        return None;
    }
    assert!(output.status.success(), "{workload} on {on:?}: {message}");
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
    Some(tensors.iter().map(|(name, tensor)| (name.to_owned(), values(tensor.data()))).collect())
}

/// The same of a network on generated images.
fn probe_generated(
    expected: &Value,
    names: &str,
    on: On,
    n_steps: usize,
) -> HashMap<String, Vec<f64>> {
    let (model, optimizer) = names.split_once('/').unwrap();
    let workload = &expected["workloads"][format!("generated/{names}")];
    let probe = Probe {
        model,
        optimizer,
        device: match on {
            On::Double => "f64",
            On::Cpu => "cpu",
            On::Wgpu => "wgpu",
        },
        batch_size: workload["batch_size"].as_u64().unwrap(),
        seed: workload["seed"].as_u64().unwrap(),
        n_steps: n_steps.try_into().unwrap(),
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

/// The largest error of a summary, as a share of the norm.
fn assert_close(what: &str, got: [f64; 3], expected: &Value, allowed: f64) -> f64 {
    let expected: [f64; 3] = serde_json::from_value(expected.clone()).unwrap();
    let mut largest: f64 = 0.0;
    for (got, number) in got.into_iter().zip(expected) {
        let error = (got - number).abs();
        assert!(error <= allowed * expected[0], "{what}: {got}, PyTorch {number}");
        largest = largest.max(error / expected[0]);
    }
    largest
}

/// Compares the workloads of which `is_compared` holds, and prints the largest errors of each.
fn check(on: On, is_compared: impl Fn(&str) -> bool) {
    let expected = expected();
    let n_steps = expected["steps"].as_u64().unwrap().try_into().unwrap();
    let workloads = expected["workloads"].as_object().unwrap();
    for (workload, numbers) in workloads.iter().filter(|(workload, _)| is_compared(workload)) {
        let bounds = Bounds::of(workload, on, n_steps);
        let Some(tensors) = probe(&expected, workload, on, bounds.n_steps) else { continue };
        let [mut first_loss, mut later_loss, mut gradient, mut change] = [0.0_f64; 4];
        let tensor = |name: &str| tensors.get(name).unwrap_or_else(|| panic!("no {name}"));
        let losses = numbers["losses"].as_array().unwrap();
        for (index, loss) in losses[..bounds.n_steps].iter().enumerate() {
            let (got, loss) =
                (tensor(&format!("step_{}/loss", index + 1))[0], loss.as_f64().unwrap());
            let (allowed, largest) = match index {
                0 => (bounds.first_loss, &mut first_loss),
                _ => (bounds.later_loss, &mut later_loss),
            };
            let what = format!("{workload} on {on:?}, loss of step {}", index + 1);
            let error = (got / loss - 1.0).abs();
            assert!(error <= allowed, "{what}: {got}, PyTorch {loss}");
            *largest = largest.max(error);
        }
        let gradients = numbers["gradients"].as_object().unwrap();
        let n_gradients =
            tensors.keys().filter(|name| name.starts_with("step_1/gradient/")).count();
        assert_eq!(gradients.len(), n_gradients, "{workload}");
        for (name, expected) in gradients {
            let what = format!("{workload} on {on:?}, gradient of {name}");
            let got = summary(tensor(&format!("step_1/gradient/{name}")).iter().copied());
            gradient = gradient.max(assert_close(&what, got, expected, bounds.gradient));
            // PyTorch's changes are those of all steps.
            if bounds.n_steps == n_steps {
                let what = format!("{workload} on {on:?}, change of {name}");
                let (start, end) =
                    (tensor(&format!("initial/{name}")), tensor(&format!("final/{name}")));
                let got = summary(end.iter().zip(start).map(|(end, start)| end - start));
                let expected = &numbers["changes"][name];
                change = change.max(assert_close(&what, got, expected, bounds.change));
            }
        }
        eprintln!(
            "{workload} on {on:?}, steps compared: {}; loss {first_loss:.1e}, gradient {gradient:.1e}, \
             later losses {later_loss:.1e}, change {change:.1e}",
            bounds.n_steps
        );
    }
}

/// The networks that take longest on software Vulkan, which are a test of their own.
fn is_large(workload: &str) -> bool {
    let large = ["/resnet_50/", "/transformer_base/", "/transformer_wide/", "/vgg_11/"];
    large.iter().any(|model| workload.contains(model))
}

#[test]
fn in_double_precision_every_network_is_pytorchs() {
    check(On::Double, |_| true);
}

#[test]
fn the_native_executor_computes_what_pytorch_does() {
    check(On::Cpu, |_| true);
}

#[test]
fn wgsl_computes_what_pytorch_does() {
    check(On::Wgpu, |workload| !is_large(workload));
}

#[test]
fn wgsl_computes_what_pytorch_does_of_large_networks() {
    check(On::Wgpu, is_large);
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
