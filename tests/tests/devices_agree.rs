//! The WGSL and the native executor train the same networks: two whole small trials, measurement
//! by measurement.

use std::collections::BTreeMap;

use critbatch_models::{Compute, DeviceChoice, Measured, Model, Optimizer, Workload};
use critbatch_tuner::{EvaluationSplit, LaneTrainer, Metrics, Trial};

const BATCH_SIZE: usize = 32;

/// Steps between measurements.
const SPACING: [u64; 6] = [0, 1, 4, 10, 20, 30];

/// Rounding differs between the executors and grows as training goes on: cross entropies agree to
/// this share, measured 2e-5 at the end of these trials.
const LOSS_TOLERANCE: f64 = 1e-3;

fn measurements(model: &str, choice: DeviceChoice) -> Vec<Vec<Metrics>> {
    let dataset = critbatch_data::load("mnist_5k", None).expect("mnist_5k is built in");
    let model = Model::find(model).expect("the model exists");
    let (compute, _) = Compute::choose(choice).expect("the device exists");
    let measured = Measured { splits: &[EvaluationSplit::Val], gradient_noise_scale: false };
    let workload = Workload::new(&dataset, model, Optimizer::NesterovMomentum, measured, compute)
        .expect("the model fits the digits");
    let mut trainer = workload.trainer(BATCH_SIZE, 2).expect("the lanes fit");
    for (lane, (learning_rate, label_smoothing)) in [(0.02, 0.0), (0.005, 0.1)].iter().enumerate() {
        let parameters = BTreeMap::from([
            ("learning_rate".to_owned(), *learning_rate),
            ("momentum".to_owned(), 0.9),
            ("label_smoothing".to_owned(), *label_smoothing),
            ("end_learning_rate_factor".to_owned(), 0.1),
            ("learning_rate_decay_steps".to_owned(), 50.0),
        ]);
        let trial_id = lane as u64;
        let trial = Trial { batch_size: BATCH_SIZE as u64, trial_id, seed: 4, parameters };
        trainer.start(lane, &trial).expect("the trial starts");
    }
    SPACING
        .iter()
        .map(|&steps| {
            trainer.advance(&[steps, steps]).expect("training runs");
            trainer.evaluate(&[0, 1], None).expect("it can be measured")
        })
        .collect()
}

fn devices_agree(model: &str) {
    let native = measurements(model, DeviceChoice::Cpu);
    let wgsl = measurements(model, DeviceChoice::Wgpu);
    let last = &native[SPACING.len() - 1][0];
    let last_error = last["val/classification_error"];
    assert!(last_error < 0.3, "{model} should have learned something, error {last_error}");
    for (index, (native, wgsl)) in native.iter().zip(&wgsl).enumerate() {
        for lane in 0..2 {
            let of = |metrics: &[Metrics], name: &str| metrics[lane][name];
            let (a, b) =
                (of(native, "val/cross_entropy_error"), of(wgsl, "val/cross_entropy_error"));
            assert!(
                (a - b).abs() <= LOSS_TOLERANCE * a,
                "{model}, measurement {index}, trial {lane}: cross entropy {a} natively, {b} in WGSL"
            );
            let (a, b) =
                (of(native, "val/classification_error"), of(wgsl, "val/classification_error"));
            // Of 500 digits, one or two may lie so near a boundary that rounding decides.
            assert!(
                (a - b).abs() <= 2.0 / 500.0 + 1e-9,
                "{model}, measurement {index}, trial {lane}: error {a} natively, {b} in WGSL"
            );
        }
    }
}

#[test]
fn two_fully_connected_trials() {
    devices_agree("fc_256_256_256");
}

#[test]
fn two_convolutional_trials() {
    devices_agree("simple_cnn_narrow");
}

/// What `critbatch run` does before it trains: all kinds of layers and rules, small and large batches.
#[test]
fn every_kernel_passes_its_self_test() {
    let digits = critbatch_data::load("mnist_5k", None).expect("mnist_5k is built in");
    let (compute, _) = Compute::choose(DeviceChoice::Wgpu).expect("the device exists");
    for (model, optimizer, gradient_noise_scale) in [
        ("fc_64_64_64", Optimizer::Sgd, true),
        ("fc_64_64_64", Optimizer::AdamW, false),
        ("simple_cnn_narrow", Optimizer::Momentum, false),
        ("resnet_8", Optimizer::NesterovMomentum, false),
    ] {
        let splits = &[EvaluationSplit::Val, EvaluationSplit::Train];
        let measured = Measured { splits, gradient_noise_scale };
        let known = Model::find(model).expect("the model exists");
        let workload = Workload::new(&digits, known, optimizer, measured, compute.clone());
        let workload = workload.expect("the model fits the digits");
        let tested = workload.self_test([2, 64, 300]);
        tested.unwrap_or_else(|error| panic!("{model}: {error}"));
    }
}
