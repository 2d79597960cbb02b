//! Native kernel of the standardisation.

use super::Standardise;
use crate::cpu::simd::vectorised;
use crate::cpu::vector::sum_of;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

impl Standardise {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 elements")]
        let n_elements = T::of(self.columns as f64);
        let least = T::of(self.least_deviation());
        chunks::for_each(context.parallel, y, self.columns, |n, y| {
            let x = &x[n * self.columns..][..self.columns];
            vectorised!({
                let mean = sum_of([x], |[x]| x) / n_elements;
                let variance = sum_of([x], |[x]| (x - mean) * (x - mean)) / n_elements;
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
