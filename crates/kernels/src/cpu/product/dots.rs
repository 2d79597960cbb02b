//! Products of a few rows with many others, terms inside in both: blocks of dot products.

use pulp::{Simd, WithSimd};

use crate::cpu::simd::{dispatch, lanes};
use crate::real::Real;

/// Rows of either side in a block; its sums and operands fit the registers.
const SIDE: usize = 4;

/// `y[i, j] = sum_t lhs[i, t] rhs[j, t]` for all rows of `lhs` and `rhs`, which have `n_terms`
/// elements each; rows of `y` are `y_stride` apart.
///
/// A sum runs in as many parts as a vector has elements, put together at the end.
pub(crate) fn dots<T: Real>(lhs: &[T], rhs: &[T], n_terms: usize, y: &mut [T], y_stride: usize) {
    dispatch(Dots { lhs, rhs, n_terms, y, y_stride });
}

struct Dots<'a, T> {
    lhs: &'a [T],
    rhs: &'a [T],
    n_terms: usize,
    y: &'a mut [T],
    y_stride: usize,
}

impl<T: Real> WithSimd for Dots<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { lhs, rhs, n_terms, y, y_stride } = self;
        let (n_rows, n_columns) = (lhs.len() / n_terms, rhs.len() / n_terms);
        for first_column in (0..n_columns).step_by(SIDE) {
            let columns = SIDE.min(n_columns - first_column);
            let rhs = &rhs[first_column * n_terms..];
            for first_row in (0..n_rows).step_by(SIDE) {
                let rows = SIDE.min(n_rows - first_row);
                let lhs = &lhs[first_row * n_terms..];
                let y = &mut y[first_row * y_stride + first_column..];
                macro_rules! block {
                    ($($rows:literal)*) => {
                        match (rows, columns) {
                            $(
                                ($rows, SIDE) => simd.vectorize(Block::<T, $rows, SIDE> {
                                    lhs, rhs, n_terms, y, y_stride,
                                }),
                            )*
                            _ => for (row, column) in
                                (0..rows).flat_map(|row| (0..columns).map(move |c| (row, c)))
                            {
                                simd.vectorize(Block::<T, 1, 1> {
                                    lhs: &lhs[row * n_terms..],
                                    rhs: &rhs[column * n_terms..],
                                    n_terms,
                                    y: &mut y[row * y_stride + column..],
                                    y_stride,
                                });
                            }
                        }
                    };
                }
                block!(1 2 3 4);
            }
        }
    }
}

struct Block<'a, T, const ROWS: usize, const COLUMNS: usize> {
    lhs: &'a [T],
    rhs: &'a [T],
    n_terms: usize,
    y: &'a mut [T],
    y_stride: usize,
}

impl<T: Real, const ROWS: usize, const COLUMNS: usize> WithSimd for Block<'_, T, ROWS, COLUMNS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { lhs, rhs, n_terms, y, y_stride } = self;
        let n_vectors = n_terms / lanes::<S, T>();
        let lhs: [&[T]; ROWS] = std::array::from_fn(|row| &lhs[row * n_terms..][..n_terms]);
        let rhs: [&[T]; COLUMNS] = std::array::from_fn(|row| &rhs[row * n_terms..][..n_terms]);
        let left: [&[T::Vector<S>]; ROWS] = lhs.map(|row| &T::vectors::<S>(row)[..n_vectors]);
        let right: [&[T::Vector<S>]; COLUMNS] = rhs.map(|row| &T::vectors::<S>(row)[..n_vectors]);
        let mut sums = [[T::splat(simd, T::zero()); COLUMNS]; ROWS];
        for term in 0..n_vectors {
            let right: [T::Vector<S>; COLUMNS] = std::array::from_fn(|column| right[column][term]);
            for (sums, left) in sums.iter_mut().zip(left) {
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = T::multiply_add(simd, left[term], right, *sum);
                }
            }
        }
        for (row, (sums, lhs)) in sums.into_iter().zip(lhs).enumerate() {
            for (column, (sum, rhs)) in sums.into_iter().zip(rhs).enumerate() {
                let mut sum = T::reduce_sum(simd, sum);
                for term in n_vectors * lanes::<S, T>()..n_terms {
                    sum += lhs[term] * rhs[term];
                }
                y[row * y_stride + column] = sum;
            }
        }
    }
}
