//! Operands in three parts, in tiles in the order in which the unit reads them.

use super::{as_f32, as_f32_mut};
use crate::cpu::product::{Order, transpose};
use crate::cpu::simd::vectorised;
use crate::cpu::{ScratchPool, chunks};
use crate::real::Real;

/// Lines of a tile: rows of a left, columns of a right operand.
pub(super) const TILE: usize = 16;

/// Lines of a panel, two tiles: two by two of them use each tile that is loaded twice.
pub(crate) const PANEL: usize = 2 * TILE;

/// Terms of a tile.
pub(crate) const CHUNK_TERMS: usize = 32;

/// Pairs of terms that the unit adds up first: a term of the first half and its partner in the second, so
/// that vectors of both become one of pairs without moving a number. Both operands have the same pairs.
const N_PAIRS: usize = CHUNK_TERMS / 2;

const _: () = assert!(N_PAIRS == TILE, "a row of either operand's tile has as many pairs");

/// Parts of a number.
pub(super) const N_PARTS: usize = 3;

/// Numbers of a tile.
pub(super) const TILE_LEN: usize = TILE * CHUNK_TERMS;

/// Elements of f32 that take as much memory as [`CHUNK_TERMS`] terms of a panel, its two tiles of each part.
pub(super) const CHUNK_LEN: usize = N_PARTS * 2 * TILE_LEN / 2;

/// [`CHUNK_TERMS`] terms of a panel: bf16 tiles `[part][tile]`.
pub(super) type Chunk = [f32; CHUNK_LEN];

/// Elements of f32 in a cache line; the unit loads a row of a tile twice as fast where it is one line.
const LINE_LEN: usize = 16;

/// Panels of a parallel piece.
const PIECE_PANELS: usize = 4;

/// Which operand of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// A row of a tile has all pairs of terms of a line.
    Left,
    /// A row of a tile has a pair of terms of all lines.
    Right,
}

impl Side {
    /// How a matrix lies whose tiles are not to be transposed, and elements of a row of such a tile.
    #[inline(always)]
    fn layout(self) -> (Order, usize) {
        match self {
            Side::Left => (Order::TermsInside, CHUNK_TERMS),
            Side::Right => (Order::RowsInside, TILE),
        }
    }
}

/// A matrix that is to be split, seen as the rows of a left or the columns of a right operand: "lines" of
/// `n_terms` terms each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand<'a, T> {
    pub(crate) data: &'a [T],
    /// Whether the terms of a line are neighbours in memory, or the lines of a term.
    pub(crate) order: Order,
    /// Elements from a line to the next, or from a term to the next.
    pub(crate) stride: usize,
    pub(crate) n_lines: usize,
    pub(crate) n_terms: usize,
}

/// A split operand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    chunks: &'a [Chunk],
    /// Chunks of a panel.
    n_chunks: usize,
    pub(super) n_lines: usize,
}

/// Scratch memory for a split operand.
pub(crate) struct SplitBuffer<T>(pub(super) Vec<T>);

impl<T: Real> SplitBuffer<T> {
    /// For at most so many lines of so many terms.
    pub(crate) fn take(scratch: &ScratchPool<T>, n_lines: usize, n_terms: usize) -> Self {
        Self(scratch.take(Self::len(n_lines, n_terms)))
    }

    /// Elements that [`SplitBuffer::take`] takes.
    pub(crate) fn len(n_lines: usize, n_terms: usize) -> usize {
        match n_panels(n_lines) * n_chunks(n_terms) {
            0 => 0,
            n_chunks => LINE_LEN + n_chunks * CHUNK_LEN,
        }
    }

    pub(crate) fn give(self, scratch: &ScratchPool<T>) {
        scratch.give(self.0);
    }

    /// Splits the numbers of an operand; lines and terms beyond the last are zero.
    pub(crate) fn split(
        &mut self,
        parallel: bool,
        operand: Operand<'_, T>,
        side: Side,
    ) -> Parts<'_> {
        let Operand { data, order, stride, n_lines, n_terms } = operand;
        let operand = Operand { data: as_f32(data), order, stride, n_lines, n_terms };
        let (n_panels, n_chunks) = (n_panels(n_lines), n_chunks(n_terms));
        let buffer = as_f32_mut(&mut self.0);
        // Where an address cannot be aligned, which the language allows, it is slower.
        let start = buffer.as_ptr().align_offset(LINE_LEN * size_of::<f32>()).min(LINE_LEN);
        let chunks = &mut buffer[start..].as_chunks_mut().0[..n_panels * n_chunks];
        let piece_panels = if parallel { PIECE_PANELS } else { n_panels };
        chunks::for_each(parallel, chunks, piece_panels * n_chunks, |piece, chunks| {
            let first = piece * piece_panels * PANEL;
            let n_lines = (piece_panels * PANEL).min(n_lines - first);
            operand.part([first, n_lines], [0, n_terms]).split(side, chunks);
        });
        Parts { chunks, n_chunks, n_lines }
    }
}

fn n_panels(n_lines: usize) -> usize {
    n_lines.div_ceil(PANEL)
}

fn n_chunks(n_terms: usize) -> usize {
    n_terms.div_ceil(CHUNK_TERMS)
}

impl<'a> Parts<'a> {
    /// The first line of each panel, and its chunks.
    pub(super) fn panels(self) -> impl Iterator<Item = (usize, &'a [Chunk])> {
        (0..).step_by(PANEL).zip(self.chunks.chunks_exact(self.n_chunks))
    }
}

impl<T> Operand<'_, T> {
    /// So many lines and terms from the first ones on, `[first, number]` of each.
    #[inline(always)]
    pub(crate) fn part(self, [line, n_lines]: [usize; 2], [term, n_terms]: [usize; 2]) -> Self {
        let start = match self.order {
            Order::TermsInside => line * self.stride + term,
            Order::RowsInside => term * self.stride + line,
        };
        Self { data: &self.data[start..], n_lines, n_terms, ..self }
    }
}

impl Operand<'_, f32> {
    // In the order of memory: a row of a matrix is often a page.
    fn split(self, side: Side, chunks: &mut [Chunk]) {
        let n_chunks = n_chunks(self.n_terms);
        let n_panels = chunks.len() / n_chunks;
        let mut tile = [0.0; TILE_LEN];
        vectorised!(match self.order {
            Order::TermsInside => {
                for panel in 0..n_panels {
                    for chunk in 0..n_chunks {
                        let to = &mut chunks[panel * n_chunks + chunk];
                        self.split_chunk(side, [panel, chunk], &mut tile, to);
                    }
                }
            }
            Order::RowsInside => {
                for chunk in 0..n_chunks {
                    for panel in 0..n_panels {
                        let to = &mut chunks[panel * n_chunks + chunk];
                        self.split_chunk(side, [panel, chunk], &mut tile, to);
                    }
                }
            }
        });
    }

    #[inline(always)]
    fn split_chunk(
        &self,
        side: Side,
        [panel, chunk]: [usize; 2],
        tile: &mut [f32; TILE_LEN],
        to: &mut Chunk,
    ) {
        let to: &mut [u16] = bytemuck::cast_slice_mut(to);
        let tiles: &mut [[u16; TILE_LEN]] = to.as_chunks_mut().0;
        let first_term = chunk * CHUNK_TERMS;
        let n_terms = CHUNK_TERMS.min(self.n_terms - first_term);
        for tile_of_panel in 0..2 {
            let places = [tile_of_panel, 2 + tile_of_panel, 4 + tile_of_panel];
            let parts = tiles.get_disjoint_mut(places).expect("two tiles of each part");
            let first_line = panel * PANEL + tile_of_panel * TILE;
            if first_line < self.n_lines {
                let n_lines = TILE.min(self.n_lines - first_line);
                let part = self.part([first_line, n_lines], [first_term, n_terms]);
                part.split_tile(side, tile, parts);
            } else {
                parts.into_iter().for_each(|part| part.fill(0));
            }
        }
    }

    /// Splits at most a tile; `tile` is for one that is not to be read where it lies.
    #[inline(always)]
    fn split_tile(
        self,
        side: Side,
        tile: &mut [f32; TILE_LEN],
        parts: [&mut [u16; TILE_LEN]; N_PARTS],
    ) {
        let (order, width) = side.layout();
        let is_whole = self.n_lines == TILE && self.n_terms == CHUNK_TERMS;
        if order == self.order && is_whole {
            return split_rows(side, self.data, self.stride, parts);
        }
        if !is_whole {
            tile.fill(0.0);
        }
        let size = match self.order {
            Order::TermsInside => [self.n_lines, self.n_terms],
            Order::RowsInside => [self.n_terms, self.n_lines],
        };
        if order == self.order {
            for (row, to) in tile.chunks_exact_mut(width).take(size[0]).enumerate() {
                to[..size[1]].copy_from_slice(&self.data[row * self.stride..][..size[1]]);
            }
        } else {
            transpose(self.data, size, self.stride, tile, width);
        }
        split_rows(side, tile, width, parts);
    }
}

/// Splits a tile whose rows, `stride` apart, lie as they are to.
#[inline(always)]
fn split_rows(
    side: Side,
    rows: &[f32],
    stride: usize,
    [first, second, third]: [&mut [u16; TILE_LEN]; N_PARTS],
) {
    // From the first of a pair of terms to the second.
    let pair_stride = match side {
        Side::Left => N_PAIRS,
        Side::Right => N_PAIRS * stride,
    };
    let parts = [first, second, third].map(|part| bytemuck::cast_slice_mut::<u16, u32>(part));
    let [first, second, third] = parts;
    for row in 0..TILE {
        let numbers: &[f32; TILE] = whole_row(rows, row * stride);
        let partners: &[f32; TILE] = whole_row(rows, row * stride + pair_stride);
        let to = row * TILE..(row + 1) * TILE;
        let (first, second) = (&mut first[to.clone()], &mut second[to.clone()]);
        let third = &mut third[to];
        for i in 0..TILE {
            let (lower, upper) = (parts_of(numbers[i]), parts_of(partners[i]));
            first[i] = lower[0] >> 16 | upper[0];
            second[i] = lower[1] >> 16 | upper[1];
            third[i] = lower[2] >> 16 | upper[2];
        }
    }
}

#[inline(always)]
fn whole_row(rows: &[f32], start: usize) -> &[f32; TILE] {
    rows[start..].first_chunk().expect("operands are as long as their strides say")
}

/// The parts of a number, each in the upper half of 32 bits, as that of a number of f32 would be.
#[inline(always)]
pub(super) fn parts_of(number: f32) -> [u32; N_PARTS] {
    let first = nearest_bf16(number);
    let rest = number - f32::from_bits(first);
    let second = nearest_bf16(rest);
    let rest = rest - f32::from_bits(second);
    // Of 24 bits the first two parts leave at most 7. Of a NaN, whose first part may wrap round to zero, the
    // rests are NaN.
    [first, second, rest.to_bits() & 0xffff_0000]
}

/// The nearest number of bf16, of two the one farther from zero, in the upper half of 32 bits.
#[inline(always)]
fn nearest_bf16(number: f32) -> u32 {
    number.to_bits().wrapping_add(0x8000) & 0xffff_0000
}
