//! Matrix products: a right operand in panels that fit the vectors, and tiles of a few rows.
//!
//! The left operand is read where it lies, in either order and in segments, so that a window of
//! an image is a row without being copied. The right operand is read where it lies too, or out of
//! [`Panels`]. Each element is one chain of fused multiply-adds in the order of the terms,
//! whatever tile it falls into, so no bit depends on how rows are cut into pieces.

mod dots;
mod panels;
mod tile;
mod transpose;

use pulp::{Simd, WithSimd};

use super::simd::dispatch;
use crate::real::Real;

pub(crate) use dots::dots;
pub(crate) use panels::{Packed, Panels, Source, column_width, pack, packed_len};
pub(crate) use transpose::transpose;

/// Which elements of a left operand are neighbours in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The terms of a row's sum.
    TermsInside,
    /// The rows of a term.
    RowsInside,
}

/// Left operand of a product.
///
/// Term `t` of segment `s` of row `r` is at `s segment_stride + r stride + t` if terms are inside,
/// at `s segment_stride + t stride + r` if rows are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lhs<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) order: Order,
    pub(crate) stride: usize,
    pub(crate) n_segments: usize,
    pub(crate) segment_len: usize,
    pub(crate) segment_stride: usize,
}

impl<'a, T> Lhs<'a, T> {
    /// A matrix with all terms of a row in one segment.
    pub(crate) fn matrix(data: &'a [T], order: Order, stride: usize, n_terms: usize) -> Self {
        Self { data, order, stride, n_segments: 1, segment_len: n_terms, segment_stride: 0 }
    }

    /// The terms `first .. first + n_terms` of a matrix from the given row on.
    pub(crate) fn part(self, first_row: usize, first: usize, n_terms: usize) -> Self {
        debug_assert_eq!(self.n_segments, 1, "only a matrix is cut along its terms");
        let start = match self.order {
            Order::TermsInside => first_row * self.stride + first,
            Order::RowsInside => first * self.stride + first_row,
        };
        Self { data: &self.data[start..], segment_len: n_terms, ..self }
    }

    fn start(&self, segment: usize, row: usize) -> usize {
        let row = match self.order {
            Order::TermsInside => row * self.stride,
            Order::RowsInside => row,
        };
        segment * self.segment_stride + row
    }
}

/// Rows of `y`, `n` columns each, that a product fills.
pub(crate) struct Rows<'a, T> {
    pub(crate) y: &'a mut [T],
    /// Elements from a row to the next.
    pub(crate) stride: usize,
    pub(crate) n_rows: usize,
}

/// `y = lhs rhs`, or `y += lhs rhs` if `add`, on this thread.
pub(crate) fn multiply<T: Real>(lhs: &Lhs<'_, T>, rhs: &Panels<'_, T>, y: Rows<'_, T>, add: bool) {
    dispatch(Multiply { lhs, rhs, y, add });
}

struct Multiply<'a, 'lhs, 'rhs, T> {
    lhs: &'a Lhs<'lhs, T>,
    rhs: &'a Panels<'rhs, T>,
    y: Rows<'a, T>,
    add: bool,
}

impl<T: Real> WithSimd for Multiply<'_, '_, '_, T> {
    type Output = ();

    // Panels outside, so that one stays in the first-level cache for all rows.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { lhs, rhs, y, add } = self;
        let width = tile::columns::<S, T>();
        for panel in 0..rhs.n_columns.div_ceil(width) {
            let first_column = panel * width;
            for (first_row, n_rows) in row_tiles(y.n_rows, tile::max_rows::<S>()) {
                let target = tile::Target {
                    rhs: &rhs.data[panel * rhs.panel_stride..],
                    rhs_stride: rhs.term_stride,
                    y: &mut y.y[first_row * y.stride + first_column..],
                    y_stride: y.stride,
                    n_columns: width.min(rhs.n_columns - first_column),
                    add,
                };
                tile::multiply(simd, lhs, (first_row, n_rows), target);
            }
        }
    }
}

/// Cuts rows into the fewest tiles, as even as they can be.
#[inline(always)]
fn row_tiles(n_rows: usize, max_rows: usize) -> impl Iterator<Item = (usize, usize)> {
    let n_tiles = n_rows.div_ceil(max_rows);
    let (rows, n_larger) = (n_rows / n_tiles.max(1), n_rows % n_tiles.max(1));
    (0..n_tiles).map(move |tile| {
        let first = tile * rows + tile.min(n_larger);
        (first, rows + usize::from(tile < n_larger))
    })
}
