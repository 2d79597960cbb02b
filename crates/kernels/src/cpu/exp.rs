//! `exp` in loops that the compiler can vectorise, which it cannot do with a call of the library.

use super::simd::vectorised;
use crate::real::Real;

/// Below this `e^x` is nothing beside 1, in either precision, and [`exp`] is 0: subnormal numbers, to
/// which smaller values would lead, are slow.
pub(crate) const LOWEST: f64 = -64.0;

/// `log2(e)`, and `ln(2)` in two parts, whose sum is more exact than either.
const LOG2_E: f32 = std::f32::consts::LOG2_E;
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `1.5 2^23`: a number whose magnitude is at most `2^22`, added to it, is rounded to a whole one,
/// which its lower bits then hold.
const ROUNDER: f32 = 12_582_912.0;

/// Of `(e^r - 1 - r) / r^2` for `|r| <= ln(2) / 2`, highest power first.
///
/// # Source
/// Moshier 1992, Cephes, `expf`.
const COEFFICIENTS: [f32; 6] =
    [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// `x <- e^x` of numbers that are at most 0, within two units in the last place; 0 below [`LOWEST`].
pub(crate) fn exp<T: Real>(x: &mut [T]) {
    vectorised!({
        for x in x.iter_mut() {
            *x = T::exp_of_negative(*x);
        }
    });
}

/// `2^n e^r` with `x = n ln(2) + r`.
#[inline(always)]
pub(crate) fn exp_f32(x: f32) -> f32 {
    let shifted = x.mul_add(LOG2_E, ROUNDER);
    let n = shifted - ROUNDER;
    let r = (-n).mul_add(LN_2[1], (-n).mul_add(LN_2[0], x));
    let mut polynomial = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        polynomial = polynomial.mul_add(r, *coefficient);
    }
    let mantissa = polynomial.mul_add(r * r, r) + 1.0;
    // The lower bits of `shifted` hold n, the others leave with the shift: what remains is 2^n.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    if x < LOWEST as f32 { 0.0 } else { mantissa * power }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_within_two_units_in_the_last_place_of_the_library() {
        let of = |x: f32| {
            let mut y = [x];
            exp(&mut y);
            y[0]
        };
        let steps = 1_000_000_u32;
        for step in 0..=steps {
            let x = LOWEST as f32 * (step as f32 / steps as f32);
            let (found, expected) = (of(x), f64::from(x).exp());
            let unit = expected * f64::from(f32::EPSILON);
            let error = (f64::from(found) - expected).abs();
            assert!(error <= 2.0 * unit, "exp({x}): {found}, expected {expected}");
        }
        assert_eq!(of(0.0), 1.0);
    }

    #[test]
    fn what_is_far_below_is_nothing_and_what_is_no_number_shows() {
        let mut single = [-64.1, -1e30, f32::NEG_INFINITY, f32::NAN];
        exp(&mut single);
        assert_eq!(single[..3], [0.0; 3]);
        assert!(single[3].is_nan());
        let mut double = [-64.1, -1e300, f64::NEG_INFINITY, f64::NAN, -1.5];
        exp(&mut double);
        assert_eq!(double[..3], [0.0; 3]);
        assert!(double[3].is_nan());
        assert_eq!(double[4], (-1.5_f64).exp());
    }

    /// What a loop makes of whole vectors and of its rest is the same.
    #[test]
    fn no_bit_depends_on_the_place() {
        let values: Vec<f32> = (0..100).map(|i| -0.37 * i as f32).collect();
        let mut whole = values.clone();
        exp(&mut whole);
        for (index, &value) in values.iter().enumerate() {
            let mut alone = [value];
            exp(&mut alone);
            assert_eq!(alone[0].to_bits(), whole[index].to_bits(), "exp({value})");
        }
    }
}
