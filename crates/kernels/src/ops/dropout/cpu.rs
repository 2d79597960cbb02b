//! Native kernel of dropout.

use super::{Dropout, QUAD};
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::random::{Purpose, philox4x32_blocks};
use crate::real::Real;

/// Elements per parallel piece; a multiple of [`BITS`].
const CHUNK: usize = 1 << 14;

/// Philox blocks made at once: as many as the longest vector holds products.
const BLOCKS: usize = 8;

/// Elements that they are for.
const BITS: usize = BLOCKS * QUAD;

impl Dropout {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        let scale = T::of(f64::from(self.scale()));
        let threshold = self.threshold();
        let (key, step) = (context.lane.key, context.lane.step);
        let first_block = context.lane.cursor as usize * self.iteration_stride();
        chunks::for_each(context.parallel, y, CHUNK, |chunk, y| {
            let start = chunk * CHUNK;
            let first_block = first_block + start / QUAD;
            vectorised!({
                let parts = y.chunks_mut(BITS).zip(x[start..].chunks(BITS));
                for (block, (y, x)) in (first_block..).step_by(BLOCKS).zip(parts) {
                    #[expect(clippy::cast_possible_truncation, reason = "a counter that may wrap")]
                    let counter = [block as u32, step, Purpose::Dropout as u32, self.stream];
                    let bits = philox4x32_blocks::<BLOCKS>(key, counter);
                    for ((y, &x), &bits) in y.iter_mut().zip(x).zip(bits.as_flattened()) {
                        *y = if bits < threshold { T::zero() } else { scale * x };
                    }
                }
            });
        });
    }
}
