//! Native kernel of the product, on faer.

use faer::{Accum, MatRef};

use super::{Epilogue, Matmul};
use crate::cpu::{CpuContext, chunks};
use crate::ops::relu::relu;
use crate::real::Real;

/// Multiply-adds of one parallel piece, about; pieces depend on the shape alone, so that the
/// bits of a product do not depend on the number of threads.
const CHUNK_WORK: usize = 1 << 22;

/// Rows of the smallest piece: fewer would waste the packing of `rhs`.
const MIN_CHUNK_ROWS: usize = 64;

impl Matmul {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let Self { m, k, n, .. } = self;
        let lhs = matrix(inputs[0], (m, k), self.transpose_lhs);
        let rhs = matrix(inputs[1], (k, n), self.transpose_rhs);
        let bias = inputs.get(2).copied();
        let rows = (CHUNK_WORK / (k * n).max(1)).max(MIN_CHUNK_ROWS);
        chunks::for_each(context.parallel, y, rows * n, |chunk, y| {
            let first = chunk * rows;
            let n_rows = y.len() / n;
            T::product(lhs.subrows(first, n_rows), rhs, y, Accum::Replace);
            self.epilogue.apply(bias, y);
        });
    }
}

impl Epilogue {
    /// Bias and ReLU over rows of `bias.len()` columns.
    pub(crate) fn apply<T: Real>(self, bias: Option<&[T]>, y: &mut [T]) {
        match (bias, self.relu) {
            (Some(bias), relu_too) => {
                for row in y.chunks_exact_mut(bias.len()) {
                    for (y, &bias) in row.iter_mut().zip(bias) {
                        *y = if relu_too { relu(*y + bias) } else { *y + bias };
                    }
                }
            }
            (None, true) => y.iter_mut().for_each(|y| *y = relu(*y)),
            (None, false) => {}
        }
    }
}

/// A row-major slice as the matrix that it stands for after the transpose.
pub(crate) fn matrix<T: Real>(
    slice: &[T],
    (rows, columns): (usize, usize),
    transposed: bool,
) -> MatRef<'_, T> {
    if transposed {
        MatRef::from_row_major_slice(slice, columns, rows).transpose()
    } else {
        MatRef::from_row_major_slice(slice, rows, columns)
    }
}
