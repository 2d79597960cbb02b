//! Tests of the squared norm.

use super::SquaredNorm;
use super::cpu::BLOCK;
use crate::cpu::with_context;
use crate::graph::Initialiser;
use crate::testing::{SIZES, assert_close, check_gradients, random_values, sample_lane};

fn squared_norm(x: &[f32], parallel: bool) -> [f32; 1] {
    let mut y = [f32::NAN];
    let op = SquaredNorm { len: x.len() };
    with_context(sample_lane(1), parallel, |context| op.cpu(context, x, &mut y));
    y
}

#[test]
fn gradients() {
    check_gradients(5, |graph| {
        let x = graph.parameter("x", &[7, 9], Initialiser::Zeros)?;
        graph.squared_norm(x)
    })
    .unwrap();
}

#[test]
fn sums_the_squares_of_any_length() {
    for len in SIZES.into_iter().chain([256, 257, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 3]) {
        let x: Vec<f32> = random_values(6, len);
        let exact: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        // At most 64 terms a partial sum, two trees.
        assert_close(&format!("{len} elements"), &squared_norm(&x, false), &[exact], 80);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let x: Vec<f32> = random_values(8, 20 * BLOCK + 77);
    assert_eq!(squared_norm(&x, false)[0].to_bits(), squared_norm(&x, true)[0].to_bits());
}

#[test]
fn what_is_not_finite_shows() {
    let mut x: Vec<f32> = random_values(9, 2 * BLOCK);
    x[BLOCK + 5] = f32::NAN;
    assert!(squared_norm(&x, false)[0].is_nan(), "NaN must not be hidden");
    x[BLOCK + 5] = 1e20;
    assert_eq!(squared_norm(&x, false), [f32::INFINITY], "1e40 is no f32");
}
