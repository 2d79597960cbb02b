//! Native kernels of the gather.

use super::{Gather, Sampling};
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::lane::LaneState;
use crate::real::Real;
use crate::sampling::{drawn_index, shuffled_index};

/// Examples of one parallel piece.
const EXAMPLES_PER_CHUNK: usize = 64;

impl Gather {
    pub(crate) fn images_cpu<T: Real>(&self, context: &CpuContext<'_, T>, y: &mut [T]) {
        let split = &context.splits[self.source.split];
        let (scale, shift) = (self.scale, self.shift);
        chunks::for_each(context.parallel, y, EXAMPLES_PER_CHUNK * self.example_len, |chunk, y| {
            let examples = y.chunks_exact_mut(self.example_len);
            for (n, y) in (chunk * EXAMPLES_PER_CHUNK..).zip(examples) {
                let Some(index) = self.example(&context.lane, n) else {
                    y.fill(T::zero());
                    continue;
                };
                let start = index * self.example_len;
                let bytes = &split.images[start..start + self.example_len];
                // Normalised in f32 whatever T is: the same bits as on the device.
                vectorised(|| {
                    for (y, &byte) in y.iter_mut().zip(bytes) {
                        *y = T::of(f64::from(scale * f32::from(byte) + shift));
                    }
                });
            }
        });
    }

    pub(crate) fn labels_cpu<T: Real>(&self, context: &CpuContext<'_, T>, y: &mut [T]) {
        let split = &context.splits[self.source.split];
        for (n, y) in y.iter_mut().enumerate() {
            *y = match self.example(&context.lane, n) {
                Some(index) => T::of(f64::from(split.labels[index])),
                None => -T::one(),
            };
        }
    }

    /// Index of the batch's `n`-th example; None past the end of a sequential pass.
    #[expect(clippy::cast_possible_truncation, reason = "splits and batches stay below 2^30")]
    pub(super) fn example(&self, lane: &LaneState, n: usize) -> Option<usize> {
        let n_examples = self.source.n_examples;
        match self.source.sampling {
            Sampling::Sequential => {
                let index = lane.cursor as usize * self.batch + n;
                (index < n_examples).then_some(index)
            }
            Sampling::Drawn => {
                let draw = lane.cursor.wrapping_mul(self.batch as u32).wrapping_add(n as u32);
                Some(drawn_index(lane.key, lane.step, draw, n_examples as u32) as usize)
            }
            Sampling::Shuffled => {
                let position = lane.offset as usize + n;
                let wraps = position >= n_examples;
                let epoch = lane.epoch.wrapping_add(u32::from(wraps));
                let position = if wraps { position - n_examples } else { position };
                let index = shuffled_index(lane.key, epoch, position as u32, n_examples as u32);
                Some(index as usize)
            }
        }
    }
}
