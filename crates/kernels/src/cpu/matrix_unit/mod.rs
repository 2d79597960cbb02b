//! Products on the matrix unit that some processors have beside their vectors, as exact as f32.
//!
//! The unit multiplies tiles of bf16, numbers of 8 significant bits, and sums in f32. A number x of f32 is
//! the sum of three such numbers, `x = x0 + x1 + x2` with `|x1| <= 2^-8 |x|` and `|x2| <= 2^-17 |x|`, and
//!
//! `x y = x0 y0 + (x0 y1 + x1 y0) + (x0 y2 + x1 y1 + x2 y0) + r` with `|r| < 2^-23.9 |x y|`,
//!
//! so six products of parts are as near to x y as its rounding to f32, `2^-24`. Each is exact in f32, and 32
//! terms are summed by themselves before they join their row's sum, so that rounding errors are rather less
//! than those of a chain of fused multiply-adds. A sum depends on its row and column alone, not on the tile
//! or the block of terms that it falls into.
//!
//! # Numerics
//! Numbers below `2^-126`, also as parts and sums, count as zero, so products below some `2^-102` have fewer
//! bits. A product with a number that is not finite is NaN, where a plain one may be infinite, and so is one
//! with a number from `3.396e38` on, whose first part is infinite.
//!
//! # Source
//! Henry, Tang and Heinecke 2019, "Leveraging the bfloat16 Artificial Intelligence Datatype For
//! Higher-Precision Computations" (arXiv:1904.06376).

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod none;
mod split;
#[cfg(test)]
mod tests;

use std::any::TypeId;

use super::product::Rows;
use crate::real::Real;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use amx::MatrixUnit;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
use none::MatrixUnit;
use split::Chunk;
pub(crate) use split::{CHUNK_TERMS, Operand, PANEL, Parts, Side, SplitBuffer};

/// What multiplies tiles.
trait Unit {
    /// `sums = lhs rhs`, or `sums += lhs rhs` if `add`, of a panel of rows with one of columns; rows of `sums`
    /// are `stride` apart.
    fn multiply(&self, lhs: &[Chunk], rhs: &[Chunk], sums: &mut [f32], stride: usize, add: bool);
}

/// Whether products of this type can be made on a matrix unit here.
pub(crate) fn is_available<T: Real>() -> bool {
    TypeId::of::<T>() == TypeId::of::<f32>() && MatrixUnit::is_available()
}

/// Name of the matrix unit that products of large matrices are made on, where there is one: the bits of a
/// measurement depend on it.
pub fn matrix_unit_name() -> Option<&'static str> {
    MatrixUnit::is_available().then_some(MatrixUnit::NAME)
}

/// `y = lhs rhs`, or `y += lhs rhs` if `add`, on this thread.
pub(crate) fn multiply<T: Real>(lhs: Parts<'_>, rhs: Parts<'_>, y: Rows<'_, T>, add: bool) {
    let Rows { y, stride, n_rows } = y;
    multiply_on(&MatrixUnit::take(), lhs, rhs, Rows { y: as_f32_mut(y), stride, n_rows }, add);
}

// Panels of columns outside, so that one stays in the nearer caches for all rows.
fn multiply_on(unit: &impl Unit, lhs: Parts<'_>, rhs: Parts<'_>, y: Rows<'_, f32>, add: bool) {
    let size = [lhs.n_lines, rhs.n_lines];
    debug_assert_eq!(size[0], y.n_rows, "rows of the left operand and of the result");
    for (first_column, rhs) in rhs.panels() {
        let n_columns = PANEL.min(size[1] - first_column);
        for (first_row, lhs) in lhs.panels() {
            let n_rows = PANEL.min(size[0] - first_row);
            let sums = &mut y.y[first_row * y.stride + first_column..];
            if n_rows == PANEL && n_columns == PANEL {
                unit.multiply(lhs, rhs, sums, y.stride, add);
            } else {
                by_way_of_a_block(sums, y.stride, [n_rows, n_columns], |block| {
                    unit.multiply(lhs, rhs, block, PANEL, add);
                });
            }
        }
    }
}

/// Calls `work` with a whole panel of rows and columns in the place of a smaller one.
fn by_way_of_a_block(
    sums: &mut [f32],
    stride: usize,
    [n_rows, n_columns]: [usize; 2],
    work: impl FnOnce(&mut [f32]),
) {
    let mut block = [0.0; PANEL * PANEL];
    let rows = block.chunks_exact_mut(PANEL).zip(sums.chunks(stride)).take(n_rows);
    rows.for_each(|(block, sums)| block[..n_columns].copy_from_slice(&sums[..n_columns]));
    work(&mut block);
    let rows = block.chunks_exact(PANEL).zip(sums.chunks_mut(stride)).take(n_rows);
    rows.for_each(|(block, sums)| sums[..n_columns].copy_from_slice(&block[..n_columns]));
}

fn as_f32<T: Real>(slice: &[T]) -> &[f32] {
    assert_eq!(size_of::<T>(), size_of::<f32>(), "the matrix unit is for f32");
    bytemuck::cast_slice(slice)
}

fn as_f32_mut<T: Real>(slice: &mut [T]) -> &mut [f32] {
    assert_eq!(size_of::<T>(), size_of::<f32>(), "the matrix unit is for f32");
    bytemuck::cast_slice_mut(slice)
}
