//! Native kernels of the layer norm, a row at a time.

use super::{EPSILON, LayerNorm};
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Elements per parallel piece, about.
const CHUNK_LEN: usize = 1 << 14;

/// Sums that a row's elements go to in turn.
const N_PARTIAL_SUMS: usize = 16;

impl LayerNorm {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let &[x, scale, offset] = inputs else { unreachable!("three inputs") };
        self.for_each_row(context, x, y, |_, mean, reciprocal, x, y| {
            for c in 0..y.len() {
                y[c] = scale[c] * ((x[c] - mean) * reciprocal) + offset[c];
            }
        });
    }

    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_x: &mut [T],
    ) {
        let &[x, scale, grad_y] = inputs else { unreachable!("three inputs") };
        let count = self.count::<T>();
        self.for_each_row(context, x, grad_x, |row, mean, reciprocal, x, grad_x| {
            let grad_y = &grad_y[row * x.len()..][..x.len()];
            let plain = sum(x.len(), |c| grad_y[c] * scale[c]) / count;
            let weighted =
                sum(x.len(), |c| grad_y[c] * scale[c] * ((x[c] - mean) * reciprocal)) / count;
            for c in 0..x.len() {
                let h = (x[c] - mean) * reciprocal;
                grad_x[c] = reciprocal * (grad_y[c] * scale[c] - plain - h * weighted);
            }
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
        self.for_each_row(context, x, weighted, |row, mean, reciprocal, x, weighted| {
            let grad_y = &grad_y[row * x.len()..][..x.len()];
            for c in 0..x.len() {
                weighted[c] = grad_y[c] * ((x[c] - mean) * reciprocal);
            }
        });
    }

    /// Calls `work(row, mean, 1 / deviation, x, y)` for every row.
    fn for_each_row<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        x: &[T],
        y: &mut [T],
        work: impl Fn(usize, T, T, &[T], &mut [T]) + Sync,
    ) {
        let chunk_rows = (CHUNK_LEN / self.columns).max(1);
        let (count, epsilon) = (self.count::<T>(), T::of(f64::from(EPSILON)));
        chunks::for_each(context.parallel, y, chunk_rows * self.columns, |chunk, y| {
            let rows = chunk * chunk_rows..;
            for (row, y) in rows.zip(y.chunks_exact_mut(self.columns)) {
                let x = &x[row * self.columns..][..self.columns];
                vectorised(|| {
                    let mean = sum(x.len(), |c| x[c]) / count;
                    let variance = sum(x.len(), |c| (x[c] - mean) * (x[c] - mean)) / count;
                    work(row, mean, T::one() / (variance + epsilon).sqrt(), x, y);
                });
            }
        });
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 columns")]
    fn count<T: Real>(self) -> T {
        T::of(self.columns as f64)
    }
}

/// Sum of `len` terms, in an order that the length decides.
#[inline(always)]
fn sum<T: Real>(len: usize, term: impl Fn(usize) -> T) -> T {
    let mut partial = [T::zero(); N_PARTIAL_SUMS];
    for c in 0..len {
        partial[c % N_PARTIAL_SUMS] += term(c);
    }
    partial.iter().copied().sum()
}
