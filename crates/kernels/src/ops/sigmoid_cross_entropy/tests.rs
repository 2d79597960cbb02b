//! Tests of the cross entropy over label sets. Gradients against central differences here by hand:
//! labels are whole numbers and cannot be shifted.

use super::SigmoidCrossEntropy;
use crate::cpu::with_context;
use crate::testing::{random_values, sample_lane};

const CLASSES: usize = 5;

/// Three labels, one, none, all.
const SETS: [[f64; 5]; 4] = [
    [0.0, 2.0, 4.0, -1.0, -1.0],
    [3.0, -1.0, -1.0, -1.0, -1.0],
    [-1.0; 5],
    [0.0, 1.0, 2.0, 3.0, 4.0],
];

fn op(smoothed: bool) -> SigmoidCrossEntropy {
    SigmoidCrossEntropy { rows: 4, classes: CLASSES, set_len: 5, smoothed }
}

fn losses(smoothed: bool, logits: &[f64], sets: &[f64]) -> Vec<f64> {
    let mut y = vec![f64::NAN; 4];
    with_context(sample_lane(1), false, |context| {
        op(smoothed).cpu(context, &[logits, sets], &mut y)
    });
    y
}

/// The definition: a Bernoulli variable for each class.
#[test]
fn equals_the_definition() {
    let logits: Vec<f64> = random_values(17, 4 * CLASSES);
    for (smoothed, s) in [(false, 0.0), (true, f64::from(0.1_f32))] {
        let losses = losses(smoothed, &logits, SETS.as_flattened());
        for (n, (loss, set)) in losses.into_iter().zip(SETS).enumerate() {
            let of_class = |(k, z): (usize, &f64)| {
                let hot = if set.contains(&(k as f64)) { 1.0 } else { 0.0 };
                let target = hot * (1.0 - s) + s / 2.0;
                let p = 1.0 / (1.0 + (-z).exp());
                -target * p.ln() - (1.0 - target) * (1.0 - p).ln()
            };
            let row = logits[n * CLASSES..][..CLASSES].iter().enumerate();
            let reference = if n == 2 { 0.0 } else { row.map(of_class).sum() };
            assert!((loss - reference).abs() < 1e-13, "row {n}: {loss}, expected {reference}");
        }
    }
}

#[test]
fn gradients() {
    let logits: Vec<f64> = random_values(18, 4 * CLASSES);
    let upstream: Vec<f64> = random_values(19, 4);
    let sets = SETS.as_flattened();
    for smoothed in [false, true] {
        let mut grad = vec![f64::NAN; logits.len()];
        with_context(sample_lane(1), false, |context| {
            op(smoothed).grad_cpu(context, &[&logits, sets, &upstream], &mut grad);
        });
        let projected = |logits: &[f64]| -> f64 {
            losses(smoothed, logits, sets).iter().zip(&upstream).map(|(y, g)| y * g).sum()
        };
        for index in 0..logits.len() {
            let shifted = |step: f64| {
                let mut logits = logits.clone();
                logits[index] += step;
                projected(&logits)
            };
            let difference = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            let error = (difference - grad[index]).abs();
            assert!(error < 1e-9, "{index}: {difference}, backward {}", grad[index]);
        }
    }
}

#[test]
fn large_logits_and_wrong_labels() {
    let logits = [[1e4, -1e4, 0.0, 0.0, f64::NAN], [0.0; 5], [0.0; 5], [1e4; 5]].concat();
    let mut sets = SETS;
    sets[1][0] = 5.0;
    let losses = losses(false, &logits, sets.as_flattened());
    assert!(losses[0].is_nan(), "a NaN logit shows");
    assert!(losses[1].is_nan(), "a label that is no class shows");
    assert_eq!(losses[2..], [0.0, 0.0]);
}
