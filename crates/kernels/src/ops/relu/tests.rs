//! Tests of the ReLU.

use crate::graph::Initialiser;
use crate::testing::check_gradients;

#[test]
fn gradients() {
    check_gradients(2, |graph| {
        let x = graph.parameter("x", &[4, 33], Initialiser::Zeros)?;
        graph.relu(x)
    })
    .unwrap();
}

#[test]
fn negative_is_zero_and_nan_stays() {
    let mut y = [1.0; 4];
    super::cpu(true, &[-2.0, 0.0, 3.0, f64::NAN], &mut y);
    assert_eq!(y[..3], [0.0, 0.0, 3.0]);
    assert!(y[3].is_nan(), "a NaN must not be hidden");
}
