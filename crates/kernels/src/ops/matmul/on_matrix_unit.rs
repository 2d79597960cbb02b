//! The product on the matrix unit: a block of the right operand is split, as large as the second-level cache
//! holds, and meets the left operand, split by a few rows at a time.

use super::Matmul;
use crate::cpu::matrix_unit::{self, CHUNK_TERMS, Operand, PANEL, Side, SplitBuffer};
use crate::cpu::product::{Lhs, Order, Rows};
use crate::cpu::{CpuContext, ScratchLens, chunks};
use crate::real::Real;

/// Rows, columns and terms from which on it pays to split the operands: each number of one is used as many
/// times as the other has lines.
const MIN_SIDE: usize = 64;

/// Numbers of the right operand that are split at a time, 1.5 MiB of parts ...
const BLOCK_LEN: usize = 1 << 18;

/// ... of so many columns at most: the left operand is split again for each block of them ...
const BLOCK_COLUMNS: usize = 1024;

/// ... and of so many terms: a few panels of the left operand stay beside it in the second-level cache.
const BLOCK_TERMS: usize = 512;

/// Rows of a piece of the work.
const PIECE_ROWS: usize = 2 * PANEL;

impl Matmul {
    /// Whether the product is made on the matrix unit.
    pub(crate) fn is_for_matrix_unit<T: Real>(self) -> bool {
        let Self { m, k, n, .. } = self;
        m.min(n).min(k) >= MIN_SIDE && matrix_unit::is_available::<T>()
    }

    /// The left operand, by rows.
    pub(crate) fn lhs_operand<T>(self, data: &[T]) -> Operand<'_, T> {
        let Self { m, k, .. } = self;
        let Lhs { data, order, stride, .. } = self.lhs(data);
        Operand { data, order, stride, n_lines: m, n_terms: k }
    }

    /// The right operand, by columns.
    pub(crate) fn rhs_operand<T>(self, data: &[T]) -> Operand<'_, T> {
        let Self { k, n, .. } = self;
        let (order, stride) = match self.transpose_rhs {
            false => (Order::RowsInside, n),
            true => (Order::TermsInside, k),
        };
        Operand { data, order, stride, n_lines: n, n_terms: k }
    }

    /// Terms and columns of a block; whole tiles of terms, so that no sum depends on the blocks.
    fn block(self) -> [usize; 2] {
        let Self { k, n, .. } = self;
        let columns = n.div_ceil(n.div_ceil(BLOCK_COLUMNS)).next_multiple_of(PANEL).min(n);
        let n_blocks = k.div_ceil((BLOCK_LEN / columns).min(BLOCK_TERMS));
        [k.div_ceil(n_blocks).next_multiple_of(CHUNK_TERMS).min(k), columns]
    }

    pub(super) fn product_on_matrix_unit<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        lhs: &[T],
        rhs: &[T],
        y: &mut [T],
    ) {
        let Self { k, n, .. } = self;
        let (lhs, rhs) = (self.lhs_operand(lhs), self.rhs_operand(rhs));
        let [block_terms, block_columns] = self.block();
        let mut right = SplitBuffer::take(context.scratch, block_columns, block_terms);
        for term in (0..k).step_by(block_terms) {
            let terms = [term, block_terms.min(k - term)];
            for column in (0..n).step_by(block_columns) {
                let columns = [column, block_columns.min(n - column)];
                let rhs = right.split(context.parallel, rhs.part(columns, terms), Side::Right);
                chunks::for_each(context.parallel, y, PIECE_ROWS * n, |piece, y| {
                    let n_rows = y.len() / n;
                    let rows = [piece * PIECE_ROWS, n_rows];
                    let mut left = SplitBuffer::take(context.scratch, n_rows, block_terms);
                    let lhs = left.split(false, lhs.part(rows, terms), Side::Left);
                    let y = Rows { y: &mut y[column..], stride: n, n_rows };
                    matrix_unit::multiply(lhs, rhs, y, term > 0);
                    left.give(context.scratch);
                });
            }
        }
        right.give(context.scratch);
    }

    /// What [`Matmul::product_on_matrix_unit`] takes.
    pub(super) fn scratch_on_matrix_unit<T: Real>(self) -> ScratchLens {
        let [block_terms, block_columns] = self.block();
        let mut of_piece = chunks::lens(self.m, PIECE_ROWS)
            .map(|n_rows| SplitBuffer::<T>::len(n_rows, block_terms))
            .to_vec();
        // A thread has one piece at a time: equal lengths are one buffer.
        of_piece.dedup();
        let of_op = vec![SplitBuffer::<T>::len(block_columns, block_terms)];
        ScratchLens { of_op, of_piece }
    }
}
