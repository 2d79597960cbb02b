//! Transposes a matrix, block by block.

use crate::cpu::simd::vectorised;
use crate::real::Real;

/// Side of a block: one cache line of f32, and few enough lines to stay in the first-level cache.
const SIDE: usize = 16;

/// `to[c, r] = from[r, c]` with rows of `from` and of `to` that many elements apart.
pub(crate) fn transpose<T: Real>(
    from: &[T],
    [n_rows, n_columns]: [usize; 2],
    from_stride: usize,
    to: &mut [T],
    to_stride: usize,
) {
    vectorised!({
        for first_row in (0..n_rows).step_by(SIDE) {
            for first_column in (0..n_columns).step_by(SIDE) {
                let (rows, columns) =
                    (SIDE.min(n_rows - first_row), SIDE.min(n_columns - first_column));
                let from = &from[first_row * from_stride + first_column..];
                let to = &mut to[first_column * to_stride + first_row..];
                if rows == SIDE && columns == SIDE {
                    whole_block(from, from_stride, to, to_stride);
                } else {
                    for column in 0..columns {
                        for row in 0..rows {
                            to[column * to_stride + row] = from[row * from_stride + column];
                        }
                    }
                }
            }
        }
    });
}

#[inline(always)]
fn whole_block<T: Real>(from: &[T], from_stride: usize, to: &mut [T], to_stride: usize) {
    let rows: [&[T; SIDE]; SIDE] =
        std::array::from_fn(|row| from[row * from_stride..].first_chunk().expect("a whole block"));
    for column in 0..SIDE {
        let to: &mut [T; SIDE] = to[column * to_stride..].first_chunk_mut().expect("a whole block");
        for (to, row) in to.iter_mut().zip(rows) {
            *to = row[column];
        }
    }
}
