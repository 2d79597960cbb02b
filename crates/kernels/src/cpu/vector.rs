//! What is done with rows of numbers again and again. Sums and maxima are taken in as many parts as the
//! longest vector of f32 has elements, put together in order, so that the length alone decides every bit.

use super::simd::vectorised;
use crate::real::Real;

/// Parts that the elements go to in turn.
const N_PARTS: usize = 16;

/// `y += factor x`.
pub(crate) fn add_scaled<T: Real>(factor: T, x: &[T], y: &mut [T]) {
    vectorised!({
        for (y, &x) in y.iter_mut().zip(x) {
            *y += factor * x;
        }
    });
}

/// Sum of the elements.
pub(crate) fn sum<T: Real>(x: &[T]) -> T {
    vectorised!(sum_of([x], |[x]| x))
}

/// Dot product.
pub(crate) fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    vectorised!(sum_of([x, y], |[x, y]| x * y))
}

/// Sum over the places of some rows of one length of a function of their elements there, for loops
/// that are [`vectorised`] as a whole.
#[inline(always)]
pub(crate) fn sum_of<T: Real, const ROWS: usize>(
    rows: [&[T]; ROWS],
    term: impl Fn([T; ROWS]) -> T,
) -> T {
    let n_blocks = rows[0].len() / N_PARTS;
    let mut blocks: [&[[T; N_PARTS]]; ROWS] = [&[]; ROWS];
    let mut rests: [&[T]; ROWS] = [&[]; ROWS];
    for row in 0..ROWS {
        (blocks[row], rests[row]) = rows[row].as_chunks();
        assert!(blocks[row].len() == n_blocks && rests[row].len() == rests[0].len());
    }
    let mut parts = [T::zero(); N_PARTS];
    let mut terms = [T::zero(); ROWS];
    #[expect(clippy::needless_range_loop, reason = "a block of each row")]
    for block in 0..n_blocks {
        for i in 0..N_PARTS {
            for row in 0..ROWS {
                terms[row] = blocks[row][block][i];
            }
            parts[i] += term(terms);
        }
    }
    for (i, part) in parts.iter_mut().enumerate().take(rests[0].len()) {
        for row in 0..ROWS {
            terms[row] = rests[row][i];
        }
        *part += term(terms);
    }
    of_parts(parts)
}

/// Largest element; one that is no number is passed over.
pub(crate) fn max<T: Real>(x: &[T]) -> T {
    vectorised!({
        let mut parts = [T::neg_infinity(); N_PARTS];
        let (x, rest) = x.as_chunks::<N_PARTS>();
        for x in x {
            for i in 0..N_PARTS {
                parts[i] = larger(parts[i], x[i]);
            }
        }
        for (part, &x) in parts.iter_mut().zip(rest) {
            *part = larger(*part, x);
        }
        parts.into_iter().fold(T::neg_infinity(), larger)
    })
}

/// `b` if it is larger: one instruction, where `max` takes several.
#[inline(always)]
fn larger<T: Real>(a: T, b: T) -> T {
    if b > a { b } else { a }
}

#[inline(always)]
fn of_parts<T: Real>(parts: [T; N_PARTS]) -> T {
    let mut sum = T::zero();
    for part in parts {
        sum += part;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_those_of_the_definition() {
        for len in [1, 15, 16, 17, 100] {
            let x: Vec<f64> = (0..len).map(|i| f64::from(i * 7 % 31) - 20.0).collect();
            let y: Vec<f64> = (0..len).map(|i| f64::from(i * 5 % 13)).collect();
            // Whole numbers: exact in any order.
            assert_eq!(sum(&x), x.iter().sum());
            assert_eq!(dot(&x, &y), x.iter().zip(&y).map(|(x, y)| x * y).sum());
            let triple: f64 = x.iter().zip(&y).map(|(x, y)| x * y * y).sum();
            assert_eq!(sum_of([&x, &y, &y], |[x, y, z]| x * y * z), triple);
            assert_eq!(max(&x), x.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        }
        assert_eq!(max::<f32>(&[]), f32::NEG_INFINITY);
        assert_eq!(max(&[f32::NAN, 2.0, f32::NAN]), 2.0);
        assert!(sum(&[1.0, f32::NAN]).is_nan());
    }
}
