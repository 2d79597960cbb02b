//! Measuring the gradient noise leaves no trace in training, and what it measures on a real network
//! is the gradient that training follows.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use critbatch_models::{Compute, DeviceChoice, Measured, Model, Optimizer, Workload};
use critbatch_tuner::{
    EvaluationSplit, Event, Experiment, GRADIENT_NOISE_METRICS, GRADIENT_VARIANCE, LaneTrainer,
    Metrics, Provenance, Record, RunOptions, SQUARED_GRADIENT_NORM, Store, TrainerFactory, Trial,
    run,
};
use safetensors::SafeTensors;

fn workload(
    model: &str,
    optimizer: Optimizer,
    choice: DeviceChoice,
    gradient_noise_scale: bool,
) -> Workload {
    let dataset = critbatch_data::load("mnist_5k", None).expect("mnist_5k is built in");
    let model = Model::find(model).expect("the model exists");
    let (compute, _) = Compute::choose(choice).expect("the device exists");
    let measured = Measured { splits: &[EvaluationSplit::Val], gradient_noise_scale };
    Workload::new(&dataset, model, optimizer, measured, compute).expect("the model fits the digits")
}

fn trial(batch_size: u64, learning_rate: f64, momentum: Option<f64>) -> Trial {
    let parameters = [("learning_rate", learning_rate)].into_iter();
    let parameters: BTreeMap<_, _> = parameters
        .chain(momentum.map(|momentum| ("momentum", momentum)))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Trial { batch_size, trial_id: 1, seed: 2, parameters }
}

/// Rounding of the executors at the same weights, as a share of what is subtracted: measured 3e-9 to
/// 2e-7. Two trials trained apart differ by far more, since their weights drift.
const TOLERANCE: f64 = 2e-6;

fn bits(metrics: &Metrics) -> Vec<(&str, u64)> {
    metrics.iter().map(|(name, value)| (name.as_str(), value.to_bits())).collect()
}

/// Snapshots (weights, velocities, the lane's whole state) and the other metrics after every round.
fn course(model: &str, choice: DeviceChoice, measured: bool) -> Vec<(Vec<u8>, Metrics)> {
    let workload = workload(model, Optimizer::NesterovMomentum, choice, measured);
    let mut trainer = workload.trainer(7, 2).expect("the lanes fit");
    trainer.start(1, &trial(7, 0.01, Some(0.9))).expect("the trial starts");
    [0, 3]
        .into_iter()
        .map(|steps| {
            trainer.advance(&[0, steps]).expect("training runs");
            let noise = trainer.gradient_noise(&[1]).expect("it can be measured").remove(0);
            for name in GRADIENT_NOISE_METRICS {
                assert_eq!(noise.contains_key(name), measured, "{name}");
            }
            let metrics = trainer.evaluate(&[1], None).expect("it can be measured").remove(0);
            (trainer.snapshot(1).expect("it can be saved"), metrics)
        })
        .collect()
}

fn leaves_no_trace(model: &str, choice: DeviceChoice) {
    let without = course(model, choice, false);
    let with = course(model, choice, true);
    for (round, (without, with)) in without.iter().zip(&with).enumerate() {
        assert!(without.0 == with.0, "{model}, {choice:?}: the state after round {round}");
        assert_eq!(
            bits(&without.1),
            bits(&with.1),
            "{model}, {choice:?}: metrics of round {round}"
        );
    }
}

#[test]
fn no_bit_of_training_changes_on_the_cpu() {
    for model in ["fc_64_64_64", "simple_cnn_narrow"] {
        leaves_no_trace(model, DeviceChoice::Cpu);
    }
}

#[test]
fn no_bit_of_training_changes_through_wgpu() {
    for model in ["fc_64_64_64", "simple_cnn_narrow"] {
        leaves_no_trace(model, DeviceChoice::Wgpu);
    }
}

/// Both devices at the same weights: a trial trained natively and put into the lanes of both.
fn devices_agree(model: &str) {
    let optimizer = Optimizer::NesterovMomentum;
    let native = workload(model, optimizer, DeviceChoice::Cpu, true);
    let wgsl = workload(model, optimizer, DeviceChoice::Wgpu, true);
    let mut native = native.trainer(32, 1).expect("the lanes fit");
    let mut wgsl = wgsl.trainer(32, 1).expect("the lanes fit");
    let trial = trial(32, 0.02, Some(0.9));
    native.start(0, &trial).expect("the trial starts");
    for steps in [0, 60] {
        native.advance(&[steps]).expect("training runs");
        let snapshot = native.snapshot(0).expect("it can be saved");
        wgsl.restore(0, &trial, &snapshot).expect("it can be continued elsewhere");
        let measure = |trainer: &mut dyn LaneTrainer| {
            let metrics = trainer.gradient_noise(&[0]).expect("it can be measured").remove(0);
            GRADIENT_NOISE_METRICS.map(|name| metrics[name])
        };
        let (a, b) = (measure(&mut native), measure(&mut wgsl));
        // |G|^2 is a difference of squared norms of about |G|^2 + tr Sigma / B.
        let scale = a[0].abs() + a[1] / 256.0;
        for (a, b, scale) in [(a[0], b[0], scale), (a[1], b[1], 256.0 * scale)] {
            assert!((a - b).abs() <= TOLERANCE * scale, "{model}: {a} natively, {b} in WGSL");
        }
    }
}

#[test]
fn devices_agree_at_the_same_weights() {
    for model in ["fc_256_256_256", "simple_cnn_narrow"] {
        devices_agree(model);
    }
}

/// All weights of a lane, by name.
fn weights(trainer: &mut impl LaneTrainer, lane: usize) -> Vec<f32> {
    let snapshot = trainer.snapshot(lane).expect("it can be saved");
    let file = SafeTensors::deserialize(&snapshot).expect("the file of a lane");
    let is_weight = |name: &&str| *name != "lane" && !name.ends_with("/velocity");
    let mut names: Vec<&str> = file.names().into_iter().filter(is_weight).collect();
    names.sort_unstable();
    let tensors = names.into_iter().map(|name| file.tensor(name).expect("it has its tensors"));
    let values = |bytes: &[u8]| -> Vec<f32> {
        bytes.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word)).collect()
    };
    tensors.flat_map(|tensor| values(tensor.data())).collect()
}

/// One step of plain SGD over the whole training set moves the weights by `-learning rate G`: an
/// exact `|G|^2` from the training plan, which the measurement shares nothing with.
#[test]
fn the_mean_estimate_is_the_gradient_that_training_follows() {
    const N_MEASUREMENTS: u32 = 100;
    const LEARNING_RATE: f64 = 0.5;
    let n_train = 4000;
    let workload = workload("fc_64_64_64", Optimizer::Sgd, DeviceChoice::Cpu, true);
    let mut trainer = workload.trainer(n_train, 2).expect("the lanes fit");
    // The same trial but for the learning rate: the same weights; in the first lane they stay.
    for (lane, learning_rate) in [(0, 0.0), (1, LEARNING_RATE)] {
        trainer.start(lane, &trial(n_train as u64, learning_rate, None)).expect("the trial starts");
    }
    let before = weights(&mut trainer, 1);
    let mut rows = Vec::new();
    for measurement in 0..N_MEASUREMENTS {
        let metrics = trainer.gradient_noise(&[0]).expect("it can be measured").remove(0);
        rows.push([metrics[SQUARED_GRADIENT_NORM], metrics[GRADIENT_VARIANCE]]);
        trainer.advance(&[1, u64::from(measurement == 0)]).expect("training runs");
    }
    let after = weights(&mut trainer, 1);
    let exact: f64 = before
        .iter()
        .zip(&after)
        .map(|(before, after)| ((f64::from(*before) - f64::from(*after)) / LEARNING_RATE).powi(2))
        .sum();
    let n = f64::from(N_MEASUREMENTS);
    let [mean, variance] = [0, 1].map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / n);
    let spread = rows.iter().map(|row| (row[0] - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let standard_error = (spread / n).sqrt();
    assert!(standard_error < 0.05 * exact, "{standard_error} is too uncertain to tell");
    assert!(
        (mean - exact).abs() < 4.0 * standard_error,
        "mean estimate {mean} with standard error {standard_error}, exact {exact}"
    );
    assert!(variance > exact, "examples differ: tr Sigma {variance}, |G|^2 {exact}");
}

const EXPERIMENT: &str = r#"
[workload]
dataset = "mnist_5k"
model = "fc_64_64_64"
optimizer = "sgd"
[goal]
metric = "val/classification_error"
below = 0.0
[batch_sizes]
list = [64]
[search]
sampler = "halton"
trials = 3
seed = 0
[search.space]
learning_rate = { log = [0.01, 0.1] }
[budget]
steps = 40
stop = "budget"
[evaluation]
relative_spacing = 0.25
gradient_noise_scale = true
"#;

/// At batch size 64 once in 8 steps, where there is a point; all else at all points.
#[test]
fn a_run_measures_the_noise_once_in_512_examples() {
    let mut workload = workload("fc_64_64_64", Optimizer::Sgd, DeviceChoice::Cpu, true);
    let experiment = Experiment::parse(EXPERIMENT, "experiment.toml")
        .and_then(|experiment| experiment.check(&workload.facts()))
        .expect("the experiment is sound");
    let directory = tempfile::tempdir().expect("a temporary folder");
    let provenance =
        Provenance { device: "cpu".into(), version: "1".into(), notes: BTreeMap::new() };
    let mut store = Store::open_or_create(directory.path(), &experiment, &provenance)
        .expect("the folder can be written");
    let options = RunOptions { lanes: Some(2), ..RunOptions::default() };
    let (mut observer, stop) = (|_: &Event<'_>| (), AtomicBool::new(false));
    run(&experiment, &mut workload, &mut store, &options, &mut observer, &stop)
        .expect("it runs to its end");
    let record = Record::of_store(&store).expect("the store can be read");
    let trials = &record.studies[0].trials;
    assert_eq!(trials.len(), 3);
    for trial in trials {
        let steps = |metric: &str| -> Vec<u64> {
            let measured = trial.curve.rows(metric).filter(|(_, value)| !value.is_nan());
            measured.map(|(step, _)| step).collect()
        };
        let all = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 19, 24, 30, 37, 40];
        assert_eq!(steps("val/classification_error"), all);
        assert_eq!(steps(SQUARED_GRADIENT_NORM), [0, 8, 19, 24, 37, 40]);
        assert_eq!(steps(GRADIENT_VARIANCE), [0, 8, 19, 24, 37, 40]);
    }
}
