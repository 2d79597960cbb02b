//! Native kernels of the layer norm, a row at a time.

use super::{EPSILON, LayerNorm};
use crate::cpu::simd::vectorised;
use crate::cpu::vector::sum_of;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Elements per parallel piece, about.
const CHUNK_LEN: usize = 1 << 14;

impl LayerNorm {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let &[x, scale, offset] = inputs else { unreachable!("three inputs") };
        self.for_each_row(context, y, |row, y| {
            let x = self.row(x, row);
            vectorised!({
                let (mean, reciprocal) = moments(x);
                for (((y, &x), &scale), &offset) in y.iter_mut().zip(x).zip(scale).zip(offset) {
                    *y = scale * ((x - mean) * reciprocal) + offset;
                }
            });
        });
    }

    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_x: &mut [T],
    ) {
        let &[x, scale, grad_y] = inputs else { unreachable!("three inputs") };
        let count = count::<T>(self.columns);
        self.for_each_row(context, grad_x, |row, grad_x| {
            let (x, grad_y) = (self.row(x, row), self.row(grad_y, row));
            vectorised!({
                let (mean, reciprocal) = moments(x);
                let h = |x: T| (x - mean) * reciprocal;
                let plain = sum_of([scale, grad_y], |[scale, grad_y]| grad_y * scale) / count;
                let weighted =
                    sum_of([scale, grad_y, x], |[scale, grad_y, x]| grad_y * scale * h(x));
                let weighted = weighted / count;
                let inputs = x.iter().zip(scale).zip(grad_y);
                for (grad_x, ((&x, &scale), &grad_y)) in grad_x.iter_mut().zip(inputs) {
                    *grad_x = reciprocal * (grad_y * scale - plain - h(x) * weighted);
                }
            });
        });
    }

    /// `grad_y h`, whose sum over rows is the gradient of the scale.
    pub(crate) fn weigh_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        weighted: &mut [T],
    ) {
        let &[x, grad_y] = inputs else { unreachable!("two inputs") };
        self.for_each_row(context, weighted, |row, weighted| {
            let (x, grad_y) = (self.row(x, row), self.row(grad_y, row));
            vectorised!({
                let (mean, reciprocal) = moments(x);
                for ((weighted, &x), &grad_y) in weighted.iter_mut().zip(x).zip(grad_y) {
                    *weighted = grad_y * ((x - mean) * reciprocal);
                }
            });
        });
    }

    /// Calls `work(row, y)` for every row.
    fn for_each_row<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        y: &mut [T],
        work: impl Fn(usize, &mut [T]) + Sync,
    ) {
        let chunk_rows = (CHUNK_LEN / self.columns).max(1);
        chunks::for_each(context.parallel, y, chunk_rows * self.columns, |chunk, y| {
            let rows = chunk * chunk_rows..;
            for (row, y) in rows.zip(y.chunks_exact_mut(self.columns)) {
                work(row, y);
            }
        });
    }

    fn row<T>(self, x: &[T], row: usize) -> &[T] {
        &x[row * self.columns..][..self.columns]
    }
}

/// Mean of a row and one over its deviation.
#[inline(always)]
fn moments<T: Real>(x: &[T]) -> (T, T) {
    let count = count::<T>(x.len());
    let mean = sum_of([x], |[x]| x) / count;
    let variance = sum_of([x], |[x]| (x - mean) * (x - mean)) / count;
    (mean, T::one() / (variance + T::of(f64::from(EPSILON))).sqrt())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 columns")]
fn count<T: Real>(columns: usize) -> T {
    T::of(columns as f64)
}
