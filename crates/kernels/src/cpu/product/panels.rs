//! Right operands in panels: as many columns as a tile has, the terms one after the other.

use pulp::{Simd, WithSimd};

use super::tile;
use crate::cpu::ScratchPool;
use crate::cpu::simd::dispatch;
use crate::real::Real;

/// Bytes that memory is read by.
const CACHE_LINE: usize = 64;

/// Right operand of a product: column `c` of term `t` is at
/// `(c / width) panel_stride + t term_stride + c mod width`, with the tile's width of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Panels<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) term_stride: usize,
    pub(crate) panel_stride: usize,
    pub(crate) n_columns: usize,
}

/// A matrix that is to become panels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a, T> {
    pub(crate) data: &'a [T],
    /// Elements from a term to the next; columns are neighbours.
    pub(crate) stride: usize,
    pub(crate) n_terms: usize,
    pub(crate) n_columns: usize,
}

/// A right operand in panels, in scratch memory.
pub(crate) struct Packed<T> {
    data: Vec<T>,
    n_terms: usize,
    n_columns: usize,
}

impl<'a, T: Real> Source<'a, T> {
    /// A matrix without gaps.
    pub(crate) fn matrix(data: &'a [T], n_terms: usize, n_columns: usize) -> Self {
        Self { data, stride: n_columns, n_terms, n_columns }
    }

    /// All of it in panels.
    pub(crate) fn pack(&self, scratch: &ScratchPool<T>) -> Packed<T> {
        let &Self { n_terms, n_columns, .. } = self;
        let mut data = scratch.take(packed_len::<T>(n_terms, n_columns));
        pack(self, &mut data);
        Packed { data, n_terms, n_columns }
    }
}

impl<T: Real> Packed<T> {
    pub(crate) fn panels(&self) -> Panels<'_, T> {
        Panels::packed(&self.data, self.n_terms, self.n_columns)
    }

    pub(crate) fn give(self, scratch: &ScratchPool<T>) {
        scratch.give(self.data);
    }
}

/// Columns of a tile on this machine.
pub(crate) fn column_width<T: Real>() -> usize {
    struct Width<T>(std::marker::PhantomData<T>);
    impl<T: Real> WithSimd for Width<T> {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            tile::columns::<S, T>()
        }
    }
    dispatch(Width::<T>(std::marker::PhantomData))
}

/// Elements of `n_terms x n_columns` in panels.
pub(crate) fn packed_len<T: Real>(n_terms: usize, n_columns: usize) -> usize {
    n_terms * n_columns.next_multiple_of(column_width::<T>())
}

impl<'a, T: Real> Panels<'a, T> {
    /// What [`pack`] made of `n_terms` terms.
    pub(crate) fn packed(data: &'a [T], n_terms: usize, n_columns: usize) -> Self {
        let width = column_width::<T>();
        Self { data, term_stride: width, panel_stride: n_terms * width, n_columns }
    }

    /// A row-major matrix where it lies, of a multiple of half a tile's columns: the last panel may
    /// be a single vector wide, and vectors must not reach beyond it.
    pub(crate) fn in_place(data: &'a [T], n_columns: usize) -> Self {
        let width = column_width::<T>();
        debug_assert!(n_columns.is_multiple_of(width / 2), "{n_columns} columns");
        Self { data, term_stride: n_columns, panel_stride: width, n_columns }
    }

    /// Brings terms of a matrix in place into the cache, row by row: memory is fetched ahead where it is
    /// read in its order, and panels jump from page to page.
    pub(crate) fn bring_near(&self, n_terms: usize) {
        let line = CACHE_LINE / size_of::<T>();
        // Several sums, so that none waits for the one before.
        let mut sums = [T::zero(); 4];
        for row in self.data.chunks(self.term_stride).take(n_terms) {
            for lines in row[..self.n_columns.min(row.len())].chunks(sums.len() * line) {
                for (sum, line) in sums.iter_mut().zip(lines.chunks(line)) {
                    *sum += line[0];
                }
            }
        }
        std::hint::black_box(sums);
    }

    /// From the given term on.
    pub(crate) fn starting_at(self, first: usize) -> Self {
        Self { data: &self.data[first * self.term_stride..], ..self }
    }
}

/// Copies a matrix into panels; columns beyond the last are zero.
pub(crate) fn pack<T: Real>(source: &Source<'_, T>, panels: &mut [T]) {
    dispatch(Pack { source, panels });
}

struct Pack<'a, 'source, T> {
    source: &'a Source<'source, T>,
    panels: &'a mut [T],
}

impl<T: Real> WithSimd for Pack<'_, '_, T> {
    type Output = ();

    // Terms outside: memory is read in its order.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Source { data, stride, n_terms, n_columns } = *self.source;
        let width = tile::columns::<S, T>();
        let panel_len = n_terms * width;
        for term in 0..n_terms {
            let row = &data[term * stride..][..n_columns];
            for (panel, columns) in row.chunks(width).enumerate() {
                let target = &mut self.panels[panel * panel_len + term * width..][..width];
                if columns.len() == width {
                    target.copy_from_slice(columns);
                } else {
                    target[..columns.len()].copy_from_slice(columns);
                    target[columns.len()..].fill(T::zero());
                }
            }
        }
    }
}
