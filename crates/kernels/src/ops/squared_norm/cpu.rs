//! Native kernels of the squared norm.

use super::SquaredNorm;
use crate::cpu::{CpuContext, chunks};
use crate::ops::sum::sum_of;
use crate::real::Real;

/// Elements summed before blocks are combined; fixed, so that bits do not depend on threads.
pub(crate) const BLOCK: usize = 1 << 14;

impl SquaredNorm {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        let n_blocks = self.len.div_ceil(BLOCK);
        if n_blocks <= 1 {
            y[0] = sum_of(x, |x| x * x);
            return;
        }
        let mut blocks = context.scratch.take(n_blocks);
        chunks::for_each(context.parallel, &mut blocks, 1, |block, sum| {
            let end = ((block + 1) * BLOCK).min(x.len());
            sum[0] = sum_of(&x[block * BLOCK..end], |x| x * x);
        });
        y[0] = sum_of(&blocks, |block| block);
        context.scratch.give(blocks);
    }

    pub(crate) fn grad_cpu<T: Real>(self, x: &[T], grad_y: &[T], grad_x: &mut [T]) {
        let scale = T::of(2.0) * grad_y[0];
        for (grad_x, &x) in grad_x.iter_mut().zip(x) {
            *grad_x = scale * x;
        }
    }
}
