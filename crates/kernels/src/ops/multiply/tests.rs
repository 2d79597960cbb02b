//! Tests of the elementwise product.

use crate::graph::{Graph, Initialiser};
use crate::testing::check_gradients;

#[test]
fn gradients() {
    check_gradients(42, |graph| {
        let x = graph.parameter("x", &[3, 5], Initialiser::Zeros)?;
        let y = graph.parameter("y", &[3, 5], Initialiser::Zeros)?;
        let product = graph.multiply(x, y)?;
        graph.multiply(product, x)
    })
    .unwrap();
}

#[test]
fn refuses_other_shapes() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[3, 5], Initialiser::Zeros).unwrap();
    let y = graph.parameter("y", &[5, 3], Initialiser::Zeros).unwrap();
    let message = graph.multiply(x, y).unwrap_err().to_string();
    assert_eq!(message, "multiply: shapes differ: lhs [3, 5], rhs [5, 3]; both must be [3, 5]");
}
