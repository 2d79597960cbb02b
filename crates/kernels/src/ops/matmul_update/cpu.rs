//! Native kernel: blocks of rows of the gradient in scratch memory that stays in the cache.

use super::{Matmul, MatmulUpdate};
use crate::cpu::product::{Lhs, Panels, Rows, Source, multiply, packed_len};
use crate::cpu::{CpuContext, ScratchLens, chunks};
use crate::ops::matmul::PASS_TERMS;
use crate::real::Real;

/// Elements of a piece, a block of rows, 64 KiB in f32 ...
const BLOCK_LEN: usize = 1 << 14;

/// ... and half a second-level cache in f32, where the right operand does not fit the other half: each
/// block brings all of it in anew.
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

/// Rows of the tallest tile.
const MAX_TILE_ROWS: usize = 8;

impl MatmulUpdate {
    pub(crate) fn cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        outputs: &mut [&mut [T]],
    ) {
        let (k, n) = (self.matmul.k, self.matmul.n);
        let lhs = self.matmul.lhs(inputs[0]);
        let packed = Source::matrix(inputs[1], k, n).pack(context.scratch);
        let rhs = packed.panels();
        let (block_rows, n_at_a_time) = (self.block_rows(), self.rows_at_a_time());
        let parallel = context.parallel && self.update.len * (k + UPDATE_WORK) >= MIN_PARALLEL_WORK;
        self.update.in_blocks(context, parallel, outputs, block_rows * n, |block, update| {
            let n_rows = block_rows.min(self.matmul.m - block * block_rows);
            let mut grads = context.scratch.take(n_at_a_time.min(n_rows) * n);
            for first in (0..n_rows).step_by(n_at_a_time) {
                let n_rows = n_at_a_time.min(n_rows - first);
                let grads = &mut grads[..n_rows * n];
                gradient_rows(&lhs, &rhs, (block * block_rows + first, n_rows), grads);
                update(first * n, grads);
            }
            context.scratch.give(grads);
        });
        packed.give(context.scratch);
    }

    /// What [`MatmulUpdate::cpu`] takes.
    pub(crate) fn scratch<T: Real>(self) -> ScratchLens {
        let Matmul { m, k, n, .. } = self.matmul;
        let rows = chunks::lens(m, self.block_rows()).map(|rows| rows.min(self.rows_at_a_time()));
        let mut of_piece = rows.map(|n_rows| n_rows * n).to_vec();
        // A thread has one piece at a time: equal lengths are one buffer.
        of_piece.dedup();
        ScratchLens { of_op: vec![packed_len::<T>(k, n)], of_piece }
    }

    /// Rows whose gradient is in scratch memory at a time, before they are updated.
    fn rows_at_a_time(self) -> usize {
        let Matmul { k, n, .. } = self.matmul;
        match k <= MAX_FEW_TERMS {
            true => whole_tiles(FEW_TERMS_LEN / n),
            false => self.block_rows(),
        }
    }

    /// Rows of a piece of the work.
    fn block_rows(self) -> usize {
        let Matmul { m, k, n, .. } = self.matmul;
        let near = BLOCK_LEN / n;
        let rows = match k * n <= HALF_CACHE_LEN {
            true => near,
            false => (HALF_CACHE_LEN / n).min(m / MIN_BLOCKS).max(near),
        };
        whole_tiles(rows)
    }
}

/// So many rows, rounded down to whole tiles; one tile at least.
fn whole_tiles(n_rows: usize) -> usize {
    (n_rows / MAX_TILE_ROWS).max(1) * MAX_TILE_ROWS
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
