//! Native kernel: blocks of rows of the gradient in scratch memory that stays in the cache.

use super::{Matmul, MatmulUpdate};
use crate::cpu::matrix_unit::{self, PANEL, Side, SplitBuffer};
use crate::cpu::product::{Lhs, Panels, Rows, Source, multiply, packed_len};
use crate::cpu::{CpuContext, ScratchLens, chunks};
use crate::ops::matmul::PASS_TERMS;
use crate::real::Real;

/// Elements of a piece, a block of rows, 64 KiB in f32 ...
const BLOCK_LEN: usize = 1 << 14;

/// ... and half a second-level cache in f32, where the right operand does not fit the other half: each
/// block brings all of it in anew, on a matrix unit half as much again.
const HALF_CACHE_LEN: usize = 1 << 17;

/// Blocks that are left for threads to share, at least, where the operand is far.
const MIN_BLOCKS: usize = 16;

/// Gradients of at most so many terms are memory traffic more than arithmetic ...
const MAX_FEW_TERMS: usize = 4;

/// ... and so few elements of them are made at a time, 8 KiB in f32, that the update finds them in the
/// first-level cache.
const FEW_TERMS_LEN: usize = 1 << 11;

/// Multiply-adds that an update is worth.
const UPDATE_WORK: usize = 16;

/// Less work stays on one thread: the weights would wander between the caches of several.
const MIN_PARALLEL_WORK: usize = 1 << 23;

/// Rows of the tallest tile of vectors.
const MAX_TILE_ROWS: usize = 8;

impl MatmulUpdate {
    pub(crate) fn cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        outputs: &mut [&mut [T]],
    ) {
        let Matmul { k, n, .. } = self.matmul;
        let (lhs, rhs) = (inputs[0], inputs[1]);
        let parallel = context.parallel && self.update.len * (k + UPDATE_WORK) >= MIN_PARALLEL_WORK;
        if self.matmul.is_for_matrix_unit::<T>() {
            let mut right = SplitBuffer::take(context.scratch, n, k);
            let rhs = right.split(parallel, self.matmul.rhs_operand(rhs), Side::Right);
            let lhs = self.matmul.lhs_operand(lhs);
            self.in_blocks(context, parallel, outputs, |(first, n_rows), grads| {
                let mut left = SplitBuffer::take(context.scratch, n_rows, k);
                let lhs = left.split(false, lhs.part([first, n_rows], [0, k]), Side::Left);
                matrix_unit::multiply(lhs, rhs, Rows { y: grads, stride: n, n_rows }, false);
                left.give(context.scratch);
            });
            right.give(context.scratch);
        } else {
            let lhs = self.matmul.lhs(lhs);
            let packed = Source::matrix(rhs, k, n).pack(context.scratch);
            let rhs = packed.panels();
            self.in_blocks(context, parallel, outputs, |rows, grads| {
                gradient_rows(&lhs, &rhs, rows, grads);
            });
            packed.give(context.scratch);
        }
    }

    /// Calls `work((first, n_rows), gradient)` for blocks of rows of the gradient, and updates with them.
    fn in_blocks<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        parallel: bool,
        outputs: &mut [&mut [T]],
        work: impl Fn((usize, usize), &mut [T]) + Sync,
    ) {
        let n = self.matmul.n;
        let (block_rows, n_at_a_time) = (self.block_rows::<T>(), self.rows_at_a_time::<T>());
        self.update.in_blocks(context, parallel, outputs, block_rows * n, |block, update| {
            let n_rows = block_rows.min(self.matmul.m - block * block_rows);
            let mut grads = context.scratch.take(n_at_a_time.min(n_rows) * n);
            for first in (0..n_rows).step_by(n_at_a_time) {
                let n_rows = n_at_a_time.min(n_rows - first);
                let grads = &mut grads[..n_rows * n];
                work((block * block_rows + first, n_rows), grads);
                update(first * n, grads);
            }
            context.scratch.give(grads);
        });
    }

    /// What [`MatmulUpdate::cpu`] takes.
    pub(crate) fn scratch<T: Real>(self) -> ScratchLens {
        let Matmul { m, k, n, .. } = self.matmul;
        let rows = chunks::lens(m, self.block_rows::<T>());
        let grads = rows.map(|rows| rows.min(self.rows_at_a_time::<T>()) * n);
        let (of_op, left) = match self.matmul.is_for_matrix_unit::<T>() {
            true => (
                SplitBuffer::<T>::len(n, k),
                rows.map(|rows| SplitBuffer::<T>::len(rows, k)).to_vec(),
            ),
            false => (packed_len::<T>(k, n), vec![]),
        };
        // A thread has one piece at a time: equal lengths are one buffer.
        let mut of_piece = [grads.to_vec(), left];
        of_piece.iter_mut().for_each(Vec::dedup);
        ScratchLens { of_op: vec![of_op], of_piece: of_piece.concat() }
    }

    /// Rows whose gradient is in scratch memory at a time, before they are updated.
    fn rows_at_a_time<T: Real>(self) -> usize {
        let Matmul { k, n, .. } = self.matmul;
        match k <= MAX_FEW_TERMS {
            true => self.whole_tiles::<T>(FEW_TERMS_LEN / n),
            false => self.block_rows::<T>(),
        }
    }

    /// Rows of a piece of the work.
    fn block_rows<T: Real>(self) -> usize {
        let Matmul { m, k, n, .. } = self.matmul;
        let near = BLOCK_LEN / n;
        let rows = match k * n <= HALF_CACHE_LEN {
            true => near,
            false => (HALF_CACHE_LEN / n).min(m / MIN_BLOCKS).max(near),
        };
        self.whole_tiles::<T>(rows)
    }

    /// So many rows, rounded down to whole tiles; one tile at least.
    fn whole_tiles<T: Real>(self, n_rows: usize) -> usize {
        let tile_rows = match self.matmul.is_for_matrix_unit::<T>() {
            true => PANEL,
            false => MAX_TILE_ROWS,
        };
        (n_rows / tile_rows).max(1) * tile_rows
    }
}

/// Rows `first .. first + n_rows` of the gradient.
fn gradient_rows<T: Real>(
    lhs: &Lhs<'_, T>,
    rhs: &Panels<'_, T>,
    (first, n_rows): (usize, usize),
    grads: &mut [T],
) {
    let n_terms = lhs.segment_len;
    for pass in (0..n_terms).step_by(PASS_TERMS) {
        let lhs = lhs.part(first, pass, PASS_TERMS.min(n_terms - pass));
        let rows = Rows { y: &mut *grads, stride: rhs.n_columns, n_rows };
        multiply(&lhs, &rhs.starting_at(pass), rows, pass > 0);
    }
}
