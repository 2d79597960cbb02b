//! Native kernel of dropout.

use super::{Dropout, QUAD};
use crate::cpu::{CpuContext, chunks};
use crate::random::{Purpose, philox4x32};
use crate::real::Real;

/// Elements per parallel piece; a multiple of those that share one Philox block.
const CHUNK: usize = 1 << 14;

impl Dropout {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        let scale = T::of(f64::from(self.scale()));
        let threshold = self.threshold();
        let (key, step) = (context.lane.key, context.lane.step);
        let first_block = context.lane.cursor as usize * self.iteration_stride();
        chunks::for_each(context.parallel, y, CHUNK, |chunk, y| {
            let start = chunk * CHUNK;
            let quads = y.chunks_mut(QUAD).zip(x[start..].chunks(QUAD));
            for (block, (y, x)) in (first_block + start / QUAD..).zip(quads) {
                #[expect(clippy::cast_possible_truncation, reason = "a counter that may wrap")]
                let counter = [block as u32, step, Purpose::Dropout as u32, self.stream];
                let bits = philox4x32(key, counter);
                for ((y, &x), bits) in y.iter_mut().zip(x).zip(bits) {
                    *y = if bits < threshold { T::zero() } else { scale * x };
                }
            }
        });
    }
}
