//! Tests of the error count.

use super::ErrorCount;
use crate::graph::{Graph, Initialiser};

#[test]
fn counts_by_the_first_largest_logit() {
    let logits = [
        [1.0, 3.0, 2.0],      // right
        [1.0, 3.0, 2.0],      // wrong
        [4.0, 4.0, 2.0],      // tie: class 0
        [4.0, 4.0, 2.0],      // tie: not class 1
        [f64::NAN, 0.0, 0.0], // never right
        [0.0, 9.0, 0.0],      // left out
    ];
    let labels = [1.0, 2.0, 0.0, 1.0, 0.0, -1.0];
    let mut y = [f64::NAN; 6];
    ErrorCount { rows: 6, classes: 3 }.cpu(logits.as_flattened(), &labels, &mut y);
    assert_eq!(y, [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
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
