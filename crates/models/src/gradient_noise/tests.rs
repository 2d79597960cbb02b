//! The measured gradient noise of a logistic model with dropout on its inputs, small enough that
//! the host takes every example's gradient under every mask.

use std::collections::BTreeMap;

use critbatch_data::{Dataset, ImageDataset, Preprocessing, Split};
use critbatch_kernels::{Purpose, drawn_index, philox4x32};
use critbatch_tuner::{
    EvaluationSplit, GRADIENT_VARIANCE, LaneTrainer, SQUARED_GRADIENT_NORM, Trial,
};
use ndarray::{Array1, Array4};

use super::*;
use crate::trial_key;
use crate::{Compute, Layer, Measured, Model, Optimizer, Trainer, Workload};

const N_EXAMPLES: usize = 20;
const N_PIXELS: usize = 4;
const N_CLASSES: usize = 3;
const LABEL_SMOOTHING: f64 = 0.25;

/// Kept pixels count double: dropout with rate 1/2.
const DROPOUT: Layer = Layer::Dropout { rate: 0.5 };

type Mask = [bool; N_PIXELS];

fn pixel(example: usize, index: usize) -> u8 {
    (example * 83 + index * 137 + example * index * 29).rem_euclid(256).try_into().unwrap()
}

fn label(example: usize) -> usize {
    example * example % N_CLASSES
}

fn split() -> Split {
    let place = |(n, h, w, _): (usize, usize, usize, usize)| pixel(n, 2 * h + w);
    let images = Array4::from_shape_fn((N_EXAMPLES, 2, 2, 1), place);
    Split::new(images, Array1::from_shape_fn(N_EXAMPLES, |n| label(n).try_into().unwrap())).unwrap()
}

fn workload(layers: &[Layer], gradient_noise_scale: bool) -> Workload {
    let dataset = Dataset::Images(ImageDataset {
        name: "tiny",
        n_classes: N_CLASSES,
        preprocessing: Preprocessing::UnitRange,
        train: split(),
        validation: split(),
        test: None,
    });
    let model = Model::new("logistic", [layers, &[Layer::Logits]].concat());
    let measured = Measured { splits: &[EvaluationSplit::Val], gradient_noise_scale };
    Workload::new(&dataset, model, Optimizer::Sgd, measured, Compute::Cpu).unwrap()
}

/// A trial whose weights stand still, so that every step measures the same weights anew.
fn trial(trial_id: u64) -> Trial {
    let parameters = [("learning_rate", 0.0), ("label_smoothing", LABEL_SMOOTHING)];
    let parameters: BTreeMap<_, _> =
        parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Trial { batch_size: 4, trial_id, seed: 3, parameters }
}

fn weights(trainer: &mut Trainer, lane: usize) -> Vec<f64> {
    trainer.executor.save(lane).unwrap().parameters.into_iter().map(f64::from).collect()
}

/// Gradient of one example's loss by kernel `[pixels, classes]` and bias.
fn example_gradient(weights: &[f64], example: usize, scaled_mask: [f64; N_PIXELS]) -> Vec<f64> {
    let x: [f64; N_PIXELS] =
        std::array::from_fn(|i| scaled_mask[i] * f64::from(pixel(example, i)) / 255.0);
    let (kernel, bias) = weights.split_at(N_PIXELS * N_CLASSES);
    let logit = |class: usize| -> f64 {
        bias[class] + (0..N_PIXELS).map(|i| x[i] * kernel[i * N_CLASSES + class]).sum::<f64>()
    };
    let exponentials: [f64; N_CLASSES] = std::array::from_fn(|class| logit(class).exp());
    let total: f64 = exponentials.iter().sum();
    let error = |class: usize| {
        let one_hot = if class == label(example) { 1.0 } else { 0.0 };
        let target = (1.0 - LABEL_SMOOTHING) * one_hot + LABEL_SMOOTHING / N_CLASSES as f64;
        exponentials[class] / total - target
    };
    let by_kernel = x.iter().flat_map(|x| (0..N_CLASSES).map(move |class| x * error(class)));
    by_kernel.chain((0..N_CLASSES).map(error)).collect()
}

fn scaled(mask: Mask) -> [f64; N_PIXELS] {
    mask.map(|kept| if kept { 2.0 } else { 0.0 })
}

fn mean(vectors: &[Vec<f64>]) -> Vec<f64> {
    let n = vectors.len() as f64;
    (0..vectors[0].len()).map(|i| vectors.iter().map(|v| v[i]).sum::<f64>() / n).collect()
}

fn squared_length(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum()
}

/// Exact `|G|^2` and `tr Sigma` over all examples and masks.
fn exact(weights: &[f64], masks: &[[f64; N_PIXELS]]) -> [f64; 2] {
    let gradients: Vec<Vec<f64>> = (0..N_EXAMPLES)
        .flat_map(|example| masks.iter().map(move |&mask| (example, mask)))
        .map(|(example, mask)| example_gradient(weights, example, mask))
        .collect();
    let mean = mean(&gradients);
    let deviation = |gradient: &Vec<f64>| -> f64 {
        gradient.iter().zip(&mean).map(|(g, mean)| (g - mean).powi(2)).sum()
    };
    let variance = gradients.iter().map(deviation).sum::<f64>() / gradients.len() as f64;
    [squared_length(&mean), variance]
}

fn all_masks() -> Vec<[f64; N_PIXELS]> {
    (0..1 << N_PIXELS).map(|bits| scaled(std::array::from_fn(|i| bits >> i & 1 == 1))).collect()
}

/// The formulas of the module's docs on the examples and masks of one measurement, in f64.
fn expected(weights: &[f64], key: [u32; 2], step: u32) -> [f64; 2] {
    let b = MICRO_BATCH_SIZE;
    let gradient = |draw: usize| {
        let draw = u32::try_from(draw).unwrap();
        let example = drawn_index(key, step, draw, N_EXAMPLES as u32) as usize;
        // Four pixels share one block of random bits, so a draw's mask is the draw's block.
        let bits = philox4x32(key, [draw, step, Purpose::Dropout as u32, 1]);
        example_gradient(weights, example, scaled(bits.map(|bits| bits >= 1 << 31)))
    };
    let micro_batches: Vec<Vec<f64>> = (0..N_MICRO_BATCHES as usize)
        .map(|j| mean(&(j * b..(j + 1) * b).map(gradient).collect::<Vec<_>>()))
        .collect();
    let small = micro_batches.iter().map(|g| squared_length(g)).sum::<f64>() / 16.0;
    let big = squared_length(&mean(&micro_batches));
    let (b, n) = (16.0, 256.0);
    [(n * big - b * small) / (n - b), (small - big) / (1.0 / b - 1.0 / n)]
}

fn measured(trainer: &mut Trainer, lane: usize) -> [f64; 2] {
    let metrics = &trainer.gradient_noise(&[lane]).unwrap()[0];
    [SQUARED_GRADIENT_NORM, GRADIENT_VARIANCE].map(|name| metrics[name])
}

#[test]
fn measurements_are_the_formulas_on_the_drawn_examples() {
    let workload = workload(&[DROPOUT], true);
    let mut trainer = workload.trainer(4, 2).unwrap();
    for (lane, id) in [(0, 5), (1, 6)] {
        trainer.start(lane, &trial(id)).unwrap();
    }
    for step in 0..3 {
        for (lane, id) in [(0, 5), (1, 6)] {
            let key = trial_key(&trial(id)).unwrap();
            let expected = expected(&weights(&mut trainer, lane), key, step);
            let measured = measured(&mut trainer, lane);
            // What is subtracted is of the order of |G|^2 + tr Sigma / b.
            let scale = expected[0].abs() + expected[1] / 16.0;
            let errors = [0, 1].map(|i| (measured[i] - expected[i]).abs());
            assert!(errors[0] <= 2e-6 * scale, "|G|^2: {} and {}", measured[0], expected[0]);
            assert!(errors[1] <= 4e-5 * scale, "tr Sigma: {} and {}", measured[1], expected[1]);
        }
        trainer.advance(&[1, 1]).unwrap();
    }
}

/// Means over many measurements of the same weights against the exact values, which a sample
/// without replacement, shared masks or a wrong divisor would miss.
fn estimates_are_unbiased(layers: &[Layer], masks: &[[f64; N_PIXELS]]) {
    const N_MEASUREMENTS: usize = 4000;
    let workload = workload(layers, true);
    let mut trainer = workload.trainer(4, 1).unwrap();
    trainer.start(0, &trial(1)).unwrap();
    let exact = exact(&weights(&mut trainer, 0), masks);
    let (mut sums, mut sums_of_squares) = ([0.0; 2], [0.0; 2]);
    for _ in 0..N_MEASUREMENTS {
        for (i, value) in measured(&mut trainer, 0).into_iter().enumerate() {
            sums[i] += value;
            sums_of_squares[i] += value * value;
        }
        trainer.advance(&[1]).unwrap();
    }
    let n = N_MEASUREMENTS as f64;
    for (i, name) in ["|G|^2", "tr Sigma"].into_iter().enumerate() {
        let mean = sums[i] / n;
        let standard_error = ((sums_of_squares[i] / n - mean * mean) / n).sqrt();
        let error = (mean - exact[i]).abs();
        assert!(
            error < 4.0 * standard_error,
            "{name}: mean {mean}, exact {}, standard error {standard_error}",
            exact[i]
        );
        assert!(standard_error < 0.01 * exact[i], "{name}: too uncertain to show a bias");
    }
}

#[test]
fn estimates_are_unbiased_without_dropout() {
    estimates_are_unbiased(&[], &[[1.0; N_PIXELS]]);
}

#[test]
fn estimates_are_unbiased_with_dropout() {
    estimates_are_unbiased(&[DROPOUT], &all_masks());
}

#[test]
fn metrics_are_listed_only_where_they_are_measured() {
    use critbatch_tuner::TrainerFactory;
    for on in [false, true] {
        let mut workload = workload(&[DROPOUT], on);
        let listed = workload.facts().metrics;
        assert_eq!(listed.len(), if on { 4 } else { 2 }, "{listed:?}");
        let mut trainer = workload.build(4, 1).unwrap();
        trainer.start(0, &trial(1)).unwrap();
        let mut metrics = trainer.evaluate(&[0], None).unwrap().remove(0);
        metrics.extend(trainer.gradient_noise(&[0]).unwrap().remove(0));
        assert!(listed.iter().all(|name| metrics.contains_key(name)), "{metrics:?}");
        assert_eq!(metrics.len(), listed.len(), "{metrics:?}");
    }
}

#[test]
fn a_lane_that_did_not_run_has_no_estimates() {
    let rows = vec![vec![1.0, 1.0]; N_MICRO_BATCHES as usize];
    assert!(metrics(&rows).values().all(|value| value.is_finite()));
    assert!(metrics(&rows[1..]).values().all(|value| value.is_nan()));
    assert!(metrics(&[]).values().all(|value| value.is_nan()));
}
