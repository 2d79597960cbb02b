//! Native kernels of the gather.

use super::{Gather, Pixels, Sampling};
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::lane::LaneState;
use crate::random::{Purpose, philox4x32};
use crate::real::Real;
use crate::sampling::{drawn_index, shuffled_index};

/// Examples of one parallel piece.
const EXAMPLES_PER_CHUNK: usize = 64;

impl Gather {
    pub(crate) fn images_cpu<T: Real>(&self, context: &CpuContext<'_, T>, y: &mut [T]) {
        let split = &context.splits[self.source.split];
        // To decode one is work for a thread.
        let per_chunk = if split.stream().is_some() { 1 } else { EXAMPLES_PER_CHUNK };
        chunks::for_each(context.parallel, y, per_chunk * self.example_len, |chunk, y| {
            let examples = y.chunks_exact_mut(self.example_len);
            for (n, y) in (chunk * per_chunk..).zip(examples) {
                let Some(index) = self.example(&context.lane, n) else {
                    y.fill(T::zero());
                    continue;
                };
                match split.stream() {
                    None => {
                        let start = index * self.example_len;
                        let bytes = &split.bytes()[start..start + self.example_len];
                        self.pixels.normalise(bytes, y);
                    }
                    Some(stream) => {
                        let mut bytes = vec![0; self.example_len];
                        stream.read(index, self.variation(&context.lane, n, index), &mut bytes);
                        self.pixels.normalise(&bytes, y);
                    }
                }
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

    /// How the batch's `n`-th example, that of the given index, is varied: otherwise in each epoch, or,
    /// where examples are drawn, at each draw.
    #[expect(clippy::cast_possible_truncation, reason = "splits and batches stay below 2^30")]
    pub(crate) fn variation(&self, lane: &LaneState, n: usize, index: usize) -> [u32; 4] {
        let counter = match self.source.sampling {
            Sampling::Sequential => return [0; 4],
            Sampling::Drawn => [self.draw(lane, n), lane.step, Purpose::Vary as u32, 1],
            Sampling::Shuffled | Sampling::Parts { .. } => {
                let (epoch, _) = self.place(lane, n);
                [index as u32, epoch, Purpose::Vary as u32, 0]
            }
        };
        philox4x32(lane.key, counter)
    }

    /// Index of the batch's `n`-th example; None past the end of a sequential pass.
    #[expect(clippy::cast_possible_truncation, reason = "splits and batches stay below 2^30")]
    pub(crate) fn example(&self, lane: &LaneState, n: usize) -> Option<usize> {
        let n_examples = self.source.n_examples;
        match self.source.sampling {
            Sampling::Sequential => {
                let index = lane.cursor as usize * self.batch + n;
                (index < n_examples).then_some(index)
            }
            Sampling::Drawn => {
                let draw = self.draw(lane, n);
                Some(drawn_index(lane.key, lane.step, draw, n_examples as u32) as usize)
            }
            Sampling::Parts { batch } if self.part_start(lane) + n >= batch => None,
            Sampling::Shuffled | Sampling::Parts { .. } => {
                let (epoch, position) = self.place(lane, n);
                let index = shuffled_index(lane.key, epoch, position, n_examples as u32);
                Some(index as usize)
            }
        }
    }

    /// Number of the batch's `n`-th draw of its step.
    #[expect(clippy::cast_possible_truncation, reason = "splits and batches stay below 2^30")]
    fn draw(&self, lane: &LaneState, n: usize) -> u32 {
        lane.cursor.wrapping_mul(self.batch as u32).wrapping_add(n as u32)
    }

    /// Where in its batch an iteration begins.
    fn part_start(&self, lane: &LaneState) -> usize {
        match self.source.sampling {
            Sampling::Parts { .. } => lane.cursor as usize * self.batch,
            _ => 0,
        }
    }

    /// Epoch and position in it of the batch's `n`-th example.
    #[expect(clippy::cast_possible_truncation, reason = "splits and batches stay below 2^30")]
    fn place(&self, lane: &LaneState, n: usize) -> (u32, u32) {
        let position = lane.offset as usize + self.part_start(lane) + n;
        match position.checked_sub(self.source.n_examples) {
            None => (lane.epoch, position as u32),
            Some(position) => (lane.epoch.wrapping_add(1), position as u32),
        }
    }
}

impl Pixels {
    /// Normalised in f32 whatever T is: the same bits as on the device.
    fn normalise<T: Real>(&self, bytes: &[u8], y: &mut [T]) {
        match self.n_channels() {
            1 => self.normalise_channels::<T, 1>(bytes, y),
            _ => self.normalise_channels::<T, 3>(bytes, y),
        }
    }

    fn normalise_channels<T: Real, const N: usize>(&self, bytes: &[u8], y: &mut [T]) {
        let (scale, shifts) = (self.scale, self.shifts);
        vectorised!({
            for (y, bytes) in y.as_chunks_mut::<N>().0.iter_mut().zip(bytes.as_chunks::<N>().0) {
                for channel in 0..N {
                    let value = scale * f32::from(bytes[channel]) + shifts[channel];
                    y[channel] = T::of(f64::from(value));
                }
            }
        });
    }
}
