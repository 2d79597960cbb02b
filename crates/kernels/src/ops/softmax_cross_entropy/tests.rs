//! Tests of the cross entropy. Gradients against central differences here by hand: labels are
//! whole numbers and cannot be shifted.

use super::SoftmaxCrossEntropy;
use crate::cpu::with_context;
use crate::testing::{random_values, sample_lane};

const CLASSES: usize = 5;

fn losses(smoothed: bool, logits: &[f64], labels: &[f64]) -> Vec<f64> {
    let op = SoftmaxCrossEntropy { rows: labels.len(), classes: CLASSES, smoothed };
    let mut y = vec![f64::NAN; labels.len()];
    with_context(sample_lane(1), false, |context| op.cpu(context, &[logits, labels], &mut y));
    y
}

/// The definition with target probabilities written out.
#[test]
fn equals_the_definition() {
    let logits: Vec<f64> = random_values(17, 4 * CLASSES);
    let labels = [0.0, 4.0, 2.0, 2.0];
    for (smoothed, s) in [(false, 0.0), (true, f64::from(0.1_f32))] {
        for (n, loss) in losses(smoothed, &logits, &labels).into_iter().enumerate() {
            let row = &logits[n * CLASSES..][..CLASSES];
            let total: f64 = row.iter().map(|z| z.exp()).sum();
            let reference: f64 = (0..CLASSES)
                .map(|k| {
                    let hot = if k as f64 == labels[n] { 1.0 - s } else { 0.0 };
                    -(hot + s / CLASSES as f64) * (row[k].exp() / total).ln()
                })
                .sum();
            assert!((loss - reference).abs() < 1e-14, "row {n}: {loss}, expected {reference}");
        }
    }
}

#[test]
fn gradients() {
    let labels = [0.0, 4.0, 2.0, -1.0];
    let logits: Vec<f64> = random_values(18, 4 * CLASSES);
    let upstream: Vec<f64> = random_values(19, 4);
    for smoothed in [false, true] {
        let op = SoftmaxCrossEntropy { rows: 4, classes: CLASSES, smoothed };
        let mut grad = vec![f64::NAN; logits.len()];
        with_context(sample_lane(1), false, |context| {
            op.grad_cpu(context, &[&logits, &labels, &upstream], &mut grad);
        });
        let projected = |logits: &[f64]| -> f64 {
            losses(smoothed, logits, &labels).iter().zip(&upstream).map(|(y, g)| y * g).sum()
        };
        for index in 0..logits.len() {
            let shifted = |step: f64| {
                let mut logits = logits.clone();
                logits[index] += step;
                projected(&logits)
            };
            let difference = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            assert!(
                (grad[index] - difference).abs() < 1e-9,
                "logit {index}: {} by the backward pass, {difference} by differences",
                grad[index],
            );
        }
    }
}

#[test]
fn large_logits_do_not_overflow_and_bad_ones_show() {
    let huge = [1e300, 0.0, 0.0, 0.0, -1e300];
    let loss = losses(false, &huge, &[0.0])[0];
    assert_eq!(loss, 0.0);
    let nan = [f64::NAN, 0.0, 0.0, 0.0, 0.0];
    assert!(losses(false, &nan, &[1.0])[0].is_nan(), "a NaN logit must show");
    let infinite = [f64::INFINITY, 0.0, 0.0, 0.0, 0.0];
    assert!(losses(false, &infinite, &[1.0])[0].is_nan(), "an infinite logit must show");
    assert!(losses(false, &[0.0; 5], &[5.0])[0].is_nan(), "a label out of range must show");
    assert_eq!(losses(false, &nan, &[-1.0])[0], 0.0, "a left-out example counts for nothing");
}
