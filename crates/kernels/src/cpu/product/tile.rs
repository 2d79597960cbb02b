//! The innermost loop of every product: a few rows times two vectors of columns, kept in registers.

use pulp::{Simd, WithSimd};

use super::{Lhs, Order};
use crate::cpu::simd::{Vectors, lanes};
use crate::real::Real;

/// Vectors side by side in a tile.
pub(super) const N_VECTORS: usize = 2;

/// Terms of a row that are read at once where a row's terms are neighbours: rows then cost one
/// bounds check for so many terms.
const N_UNROLLED: usize = 4;

/// Rows of a tile at most: their sums, two vectors each, fill the registers but for a few.
pub(super) const fn max_rows<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 8 } else { 4 }
}

/// Columns of a tile.
pub(super) const fn columns<S: Simd, T: Vectors>() -> usize {
    N_VECTORS * lanes::<S, T>()
}

/// Where a tile's columns of the right operand are, and where its sums go.
pub(super) struct Target<'a, T> {
    /// Right operand from the tile's first column on, and elements from a term to the next.
    pub(super) rhs: &'a [T],
    pub(super) rhs_stride: usize,
    /// Sums from the tile's first element on, and elements from a row to the next.
    pub(super) y: &'a mut [T],
    pub(super) y_stride: usize,
    /// Columns that exist; beyond them `rhs` holds anything, and `y` is not touched.
    pub(super) n_columns: usize,
    /// Whether to add to `y` or to replace it.
    pub(super) add: bool,
}

/// `y (+)= lhs rhs` of rows `first_row .. first_row + n_rows`.
#[inline(always)]
pub(super) fn multiply<S: Simd, T: Real>(
    simd: S,
    lhs: &Lhs<'_, T>,
    (first_row, n_rows): (usize, usize),
    target: Target<'_, T>,
) {
    let is_narrow = target.n_columns <= lanes::<S, T>();
    macro_rules! tile {
        ($($rows:literal)*) => {
            match (n_rows, is_narrow) {
                $(
                    ($rows, false) => {
                        apart(simd, Tile::<T, $rows, N_VECTORS> { lhs, first_row, target })
                    }
                    ($rows, true) => apart(simd, Tile::<T, $rows, 1> { lhs, first_row, target }),
                )*
                (n_rows, _) => unreachable!("a tile of {n_rows} rows"),
            }
        };
    }
    tile!(1 2 3 4 5 6 7 8);
}

/// Each tile in a function of its own: inlined side by side, they spill each other's registers.
#[inline(never)]
pub(super) fn apart<S: Simd>(simd: S, kernel: impl WithSimd<Output = ()>) {
    simd.vectorize(kernel);
}

struct Tile<'a, 'lhs, T, const ROWS: usize, const VECTORS: usize> {
    lhs: &'a Lhs<'lhs, T>,
    first_row: usize,
    target: Target<'a, T>,
}

type Sums<S, T, const ROWS: usize, const VECTORS: usize> =
    [[<T as Vectors>::Vector<S>; VECTORS]; ROWS];

impl<T: Real, const ROWS: usize, const VECTORS: usize> WithSimd for Tile<'_, '_, T, ROWS, VECTORS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lhs = self.lhs;
        let mut sums = if self.target.add {
            self.target.load::<S, ROWS, VECTORS>(simd)
        } else {
            [[T::splat(simd, T::zero()); VECTORS]; ROWS]
        };
        let mut rhs = self.target.rhs;
        for segment in 0..lhs.n_segments {
            let start = lhs.start(segment, self.first_row);
            let from = (&lhs.data[start..], rhs);
            let strides = (lhs.stride, self.target.rhs_stride);
            match lhs.order {
                Order::TermsInside => add_terms(simd, from, strides, lhs.segment_len, &mut sums),
                Order::RowsInside => add_rows(simd, from, strides, lhs.segment_len, &mut sums),
            }
            if segment + 1 < lhs.n_segments {
                rhs = &rhs[lhs.segment_len * self.target.rhs_stride..];
            }
        }
        self.target.store::<S, ROWS, VECTORS>(&sums);
    }
}

/// Adds the terms of one segment whose neighbours in memory are neighbours in the sum.
#[inline(always)]
fn add_terms<S: Simd, T: Real, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    (lhs, rhs): (&[T], &[T]),
    (lhs_stride, rhs_stride): (usize, usize),
    n_terms: usize,
    sums: &mut Sums<S, T, ROWS, VECTORS>,
) {
    let n_blocks = n_terms / N_UNROLLED;
    let rows: [&[T]; ROWS] = std::array::from_fn(|row| &lhs[row * lhs_stride..][..n_terms]);
    let mut blocks: [&[[T; N_UNROLLED]]; ROWS] = [&[]; ROWS];
    for row in 0..ROWS {
        blocks[row] = &rows[row].as_chunks().0[..n_blocks];
    }
    for block in 0..n_blocks {
        for term in 0..N_UNROLLED {
            let rhs = load_row::<S, T, VECTORS>(&rhs[(block * N_UNROLLED + term) * rhs_stride..]);
            for (sums, row) in sums.iter_mut().zip(blocks) {
                add_to_row(simd, row[block][term], rhs, sums);
            }
        }
    }
    for term in n_blocks * N_UNROLLED..n_terms {
        let rhs = load_row::<S, T, VECTORS>(&rhs[term * rhs_stride..]);
        for (sums, row) in sums.iter_mut().zip(rows) {
            add_to_row(simd, row[term], rhs, sums);
        }
    }
}

/// Adds the terms of one segment whose neighbours in memory are neighbouring rows.
#[inline(always)]
fn add_rows<S: Simd, T: Real, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    (lhs, rhs): (&[T], &[T]),
    (lhs_stride, rhs_stride): (usize, usize),
    n_terms: usize,
    sums: &mut Sums<S, T, ROWS, VECTORS>,
) {
    for term in 0..n_terms {
        let lhs: &[T; ROWS] = first_chunk(&lhs[term * lhs_stride..]);
        let rhs = load_row::<S, T, VECTORS>(&rhs[term * rhs_stride..]);
        for (sums, &lhs) in sums.iter_mut().zip(lhs) {
            add_to_row(simd, lhs, rhs, sums);
        }
    }
}

#[inline(always)]
fn add_to_row<S: Simd, T: Real, const VECTORS: usize>(
    simd: S,
    lhs: T,
    rhs: [T::Vector<S>; VECTORS],
    sums: &mut [T::Vector<S>; VECTORS],
) {
    let lhs = T::splat(simd, lhs);
    for (sum, rhs) in sums.iter_mut().zip(rhs) {
        *sum = T::multiply_add(simd, lhs, rhs, *sum);
    }
}

#[inline(always)]
fn load_row<S: Simd, T: Real, const VECTORS: usize>(rhs: &[T]) -> [T::Vector<S>; VECTORS] {
    *first_chunk(T::vectors::<S>(&rhs[..VECTORS * lanes::<S, T>()]))
}

#[inline(always)]
fn first_chunk<E, const N: usize>(slice: &[E]) -> &[E; N] {
    slice.first_chunk().expect("operands are as long as their strides say")
}

impl<T: Real> Target<'_, T> {
    #[inline(always)]
    fn load<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
    ) -> Sums<S, T, ROWS, VECTORS> {
        let mut sums = [[T::splat(simd, T::zero()); VECTORS]; ROWS];
        let is_whole = self.n_columns >= VECTORS * lanes::<S, T>();
        for (row, sums) in sums.iter_mut().enumerate() {
            let y = &self.y[row * self.y_stride..][..self.n_columns];
            *sums = if is_whole {
                load_row::<S, T, VECTORS>(y)
            } else {
                // By way of a copy: the sums themselves stay registers.
                let mut copy = *sums;
                bytemuck::cast_slice_mut(&mut copy)[..y.len()].copy_from_slice(y);
                copy
            };
        }
        sums
    }

    #[inline(always)]
    fn store<S: Simd, const ROWS: usize, const VECTORS: usize>(
        self,
        sums: &Sums<S, T, ROWS, VECTORS>,
    ) {
        let is_whole = self.n_columns >= VECTORS * lanes::<S, T>();
        for (row, sums) in sums.iter().enumerate() {
            let y = &mut self.y[row * self.y_stride..][..self.n_columns];
            if is_whole {
                *T::vectors_mut::<S>(y).first_chunk_mut().expect("a whole row") = *sums;
            } else {
                let copy = *sums;
                y.copy_from_slice(&bytemuck::cast_slice(&copy)[..y.len()]);
            }
        }
    }
}
