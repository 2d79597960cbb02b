//! Tests of the bias.

use crate::graph::{Graph, Initialiser};
use crate::testing::check_gradients;

#[test]
fn gradients_over_one_and_several_blocks_of_rows() {
    for (rows, columns) in [(1, 1), (5, 3), (1025, 2)] {
        check_gradients(3, |graph| {
            let x = graph.parameter("x", &[rows, columns], Initialiser::Zeros)?;
            let bias = graph.parameter("bias", &[columns], Initialiser::Zeros)?;
            graph.add_bias(x, bias)
        })
        .unwrap();
    }
}

#[test]
fn gradients_of_images() {
    check_gradients(4, |graph| {
        let x = graph.parameter("x", &[2, 3, 3, 4], Initialiser::Zeros)?;
        let bias = graph.parameter("bias", &[4], Initialiser::Zeros)?;
        graph.add_bias(x, bias)
    })
    .unwrap();
}

#[test]
fn refuses_another_width() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[2, 3], Initialiser::Zeros).unwrap();
    let bias = graph.parameter("bias", &[2], Initialiser::Zeros).unwrap();
    let message = graph.add_bias(x, bias).unwrap_err().to_string();
    assert_eq!(message, "add_bias: last axis differs: lhs [2, 3], rhs [2]; rhs must be [3]");
}
