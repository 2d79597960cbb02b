//! The one place that says how close is close enough.

use crate::real::Real;

/// Largest error allowed of a sum over `reduction_len` terms in a type of machine epsilon
/// `epsilon`, as a share of the largest magnitude of the tensor.
///
/// Rounding a sum of n terms errs by at most about `n epsilon` times the sum of magnitudes; 4
/// stands for the magnitudes that cancelled, 16 for the few operations around the sum.
pub fn tolerance(epsilon: f64, reduction_len: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "lengths stay far below 2^52")]
    let n = reduction_len as f64;
    4.0 * epsilon * (n + 16.0)
}

/// Asserts that every element of `got` is within tolerance of `reference`, and names the worst.
///
/// # Panics
/// If an element is further off or not finite, or the tolerance would exceed a tenth of the
/// tensor's magnitude (a test that could not fail).
pub fn assert_close<T: Real>(name: &str, got: &[T], reference: &[f64], reduction_len: usize) {
    assert_eq!(got.len(), reference.len(), "{name}: number of elements");
    let share = tolerance(T::epsilon().as_f64(), reduction_len);
    assert!(share < 0.1, "{name}: tolerance {share} cannot fail; reduce the test's size");
    let magnitude = reference.iter().fold(0.0_f64, |max, value| max.max(value.abs()));
    let error = |index: usize| {
        let error = (got[index].as_f64() - reference[index]).abs();
        if error.is_nan() { f64::INFINITY } else { error }
    };
    let worst = (0..got.len()).max_by(|&a, &b| error(a).total_cmp(&error(b)));
    if let Some(index) = worst {
        let allowed = share * magnitude;
        assert!(
            error(index) <= allowed,
            "{name}[{index}]: got {}, reference {}, off by {:.3e}, allowed {allowed:.3e}",
            got[index],
            reference[index],
            error(index),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_values_pass_and_wrong_ones_do_not() {
        assert_close("same", &[1.0_f32, -2.0], &[1.0, -2.0], 10);
        let off = || assert_close("off", &[1.0_f32, -2.001], &[1.0, -2.0], 10);
        assert!(std::panic::catch_unwind(off).is_err(), "an error of 0.001 must not pass");
        let nan = || assert_close("nan", &[f32::NAN], &[1.0], 10);
        assert!(std::panic::catch_unwind(nan).is_err(), "NaN must not pass");
    }
}
