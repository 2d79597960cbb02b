//! Tests of sum and broadcast.

use super::Sum;
use crate::graph::{Graph, Initialiser};
use crate::testing::{SIZES, assert_close, check_gradients, random_values};

#[test]
fn gradients() {
    check_gradients(5, |graph| {
        let x = graph.parameter("x", &[7, 9], Initialiser::Zeros)?;
        graph.sum(x, 0.25)
    })
    .unwrap();
}

#[test]
fn sums_all_elements_of_any_length() {
    for len in SIZES.into_iter().chain([256, 257, 5000]) {
        let x: Vec<f32> = random_values(6, len);
        let mut y = [f32::NAN];
        Sum { len, scale: 0.5 }.cpu(&x, &mut y);
        let exact: f64 = x.iter().map(|&x| 0.5 * f64::from(x)).sum();
        let magnitude: f64 = x.iter().map(|&x| 0.5 * f64::from(x.abs())).sum();
        // Against the sum of magnitudes: the sum itself may cancel.
        let shifted = [y[0] + magnitude as f32];
        assert_close("sum", &shifted, &[exact + magnitude], len.min(40));
    }
}

#[test]
fn refuses_an_infinite_scale() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[2], Initialiser::Zeros).unwrap();
    assert!(graph.sum(x, f64::INFINITY).is_err());
}
