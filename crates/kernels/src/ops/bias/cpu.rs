//! Native kernels of the bias.

use super::Bias;
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Rows summed before blocks are combined; fixed, so that bits do not depend on threads.
pub(crate) const SUM_BLOCK_ROWS: usize = 512;

impl Bias {
    pub(crate) fn add_cpu<T: Real>(self, x: &[T], bias: &[T], y: &mut [T]) {
        vectorised!({
            for (y, x) in y.chunks_exact_mut(self.columns).zip(x.chunks_exact(self.columns)) {
                for ((y, &x), &bias) in y.iter_mut().zip(x).zip(bias) {
                    *y = x + bias;
                }
            }
        });
    }

    pub(crate) fn sum_rows_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        x: &[T],
        sums: &mut [T],
    ) {
        let block_len = SUM_BLOCK_ROWS * self.columns;
        let n_blocks = self.rows.div_ceil(SUM_BLOCK_ROWS);
        if n_blocks <= 1 {
            return self.sum_block(x, sums);
        }
        let mut blocks = context.scratch.take(n_blocks * self.columns);
        chunks::for_each(context.parallel, &mut blocks, self.columns, |block, partial| {
            let end = ((block + 1) * block_len).min(x.len());
            self.sum_block(&x[block * block_len..end], partial);
        });
        self.sum_block(&blocks, sums);
        context.scratch.give(blocks);
    }

    fn sum_block<T: Real>(self, x: &[T], sums: &mut [T]) {
        sums.fill(T::zero());
        vectorised!({
            for row in x.chunks_exact(self.columns) {
                for (sum, &x) in sums.iter_mut().zip(row) {
                    *sum += x;
                }
            }
        });
    }
}
