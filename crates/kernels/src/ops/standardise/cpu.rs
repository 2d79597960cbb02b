//! Native kernel of the standardisation.

use super::Standardise;
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Sums that an example's elements go to in turn.
const N_PARTIAL_SUMS: usize = 16;

impl Standardise {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 elements")]
        let n_elements = T::of(self.columns as f64);
        let least = T::of(self.least_deviation());
        chunks::for_each(context.parallel, y, self.columns, |n, y| {
            let x = &x[n * self.columns..][..self.columns];
            vectorised(|| {
                let mean = sum(x, |x| x) / n_elements;
                let variance = sum(x, |x| (x - mean) * (x - mean)) / n_elements;
                let deviation = variance.sqrt();
                // NaN must show: `max` would drop it.
                let scale = T::one() / if deviation < least { least } else { deviation };
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = (x - mean) * scale;
                }
            });
        });
    }
}

/// Sum of a function of all elements, in an order that the length decides.
#[inline(always)]
fn sum<T: Real>(x: &[T], of: impl Fn(T) -> T) -> T {
    let mut partial = [T::zero(); N_PARTIAL_SUMS];
    let (blocks, rest) = x.as_chunks::<N_PARTIAL_SUMS>();
    for block in blocks {
        for (partial, &x) in partial.iter_mut().zip(block) {
            *partial += of(x);
        }
    }
    for (partial, &x) in partial.iter_mut().zip(rest) {
        *partial += of(x);
    }
    partial.iter().copied().sum()
}
