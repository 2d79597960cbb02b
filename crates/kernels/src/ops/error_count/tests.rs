//! Tests of the error count.

use super::ErrorCount;
use crate::cpu::with_context;
use crate::graph::{Graph, Initialiser};
use crate::lane::LaneState;
use crate::testing::random_values;

fn count(classes: usize, logits: &[f64], labels: &[f64]) -> Vec<f64> {
    let mut y = vec![f64::NAN; labels.len()];
    let op = ErrorCount { rows: labels.len(), classes };
    with_context(LaneState::default(), true, |context| op.cpu(context, &[logits, labels], &mut y));
    y
}

#[test]
fn counts_by_the_first_largest_logit() {
    let logits = [
        [1.0, 3.0, 2.0],      // right
        [1.0, 3.0, 2.0],      // wrong
        [4.0, 4.0, 2.0],      // tie: class 0
        [4.0, 4.0, 2.0],      // tie: not class 1
        [f64::NAN, 0.0, 0.0], // never right
        [0.0, 9.0, f64::NAN], // never right
        [0.0, 9.0, 0.0],      // left out
        [0.0, 0.0, 9.0],      // no such class
    ];
    let labels = [1.0, 2.0, 0.0, 1.0, 0.0, 1.0, -1.0, 3.0];
    let y = count(3, logits.as_flattened(), &labels);
    assert_eq!(y, [0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
}

/// Many rows in several pieces, longer than vectors, with many ties; half of the labels are right.
#[test]
fn equals_the_definition() {
    const CLASSES: usize = 77;
    let logits = random_values::<f64>(3, 300 * CLASSES).into_iter().map(|x| (20.0 * x).floor());
    let logits: Vec<f64> = logits.collect();
    let first_largest = logits.chunks_exact(CLASSES).map(|row| {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.iter().position(|&logit| logit == largest).unwrap()
    });
    let rows = first_largest.enumerate().map(|(row, class)| match row % 2 {
        0 => (class, 0.0),
        _ => ((class + 1 + row % 76) % CLASSES, 1.0),
    });
    let (labels, expected): (Vec<f64>, Vec<f64>) =
        rows.map(|(label, error)| (label as f64, error)).unzip();
    assert_eq!(count(CLASSES, &logits, &labels), expected);
}

#[test]
fn has_no_gradient() {
    let mut graph = Graph::new();
    let logits = graph.parameter("logits", &[2, 3], Initialiser::Zeros).unwrap();
    let labels = graph.parameter("labels", &[2], Initialiser::Zeros).unwrap();
    let errors = graph.error_count(logits, labels).unwrap();
    let loss = graph.sum(errors, 1.0).unwrap();
    let message = graph.gradients(loss, &[logits]).unwrap_err().to_string();
    assert!(message.starts_with("error_count: has no derivative"), "{message}");
}
