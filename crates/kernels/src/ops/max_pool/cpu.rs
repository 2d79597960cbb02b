//! Native kernels of the max-pool: all channels of a window at once.

use super::MaxPool;
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Channels whose largest pixels are looked for at once, in registers.
const N_CHANNELS: usize = 16;

impl MaxPool {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        let (in_len, out_len) = self.image_lens();
        chunks::for_each(context.parallel, y, out_len, |n, y| {
            let image = &x[n * in_len..(n + 1) * in_len];
            vectorised(|| {
                for (output, y) in y.chunks_exact_mut(self.channels).enumerate() {
                    y.fill(T::neg_infinity());
                    for pixel in self.pixels(output) {
                        for (y, &x) in y.iter_mut().zip(&image[pixel..]) {
                            // NaN wins, so that divergence is not hidden.
                            *y = if x > *y || x.is_nan() { x } else { *y };
                        }
                    }
                }
            });
        });
    }

    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        x: &[T],
        grad_y: &[T],
        grad_x: &mut [T],
    ) {
        let (in_len, out_len) = self.image_lens();
        chunks::for_each(context.parallel, grad_x, in_len, |n, grad_x| {
            let image = &x[n * in_len..(n + 1) * in_len];
            let grad_y = &grad_y[n * out_len..(n + 1) * out_len];
            grad_x.fill(T::zero());
            let mut pixels = Vec::with_capacity(self.window.len());
            for (output, grad_y) in grad_y.chunks_exact(self.channels).enumerate() {
                pixels.clear();
                pixels.extend(self.pixels(output));
                vectorised(|| {
                    let (blocks, rest) = grad_y.as_chunks::<N_CHANNELS>();
                    for (block, grad_y) in blocks.iter().enumerate() {
                        self.add_to_largest(image, &pixels, block * N_CHANNELS, grad_y, grad_x);
                    }
                    for (channel, grad_y) in (blocks.len() * N_CHANNELS..).zip(rest) {
                        self.add_to_largest(image, &pixels, channel, &[*grad_y], grad_x);
                    }
                });
            }
        });
    }

    /// Adds the gradients of `N` channels of one window, from `first` on, each to its first largest
    /// pixel.
    #[inline(always)]
    fn add_to_largest<T: Real, const N: usize>(
        self,
        image: &[T],
        pixels: &[usize],
        first: usize,
        grad_y: &[T; N],
        grad_x: &mut [T],
    ) {
        let mut largest: [T; N] = *channels_at(image, pixels[0] + first);
        let mut place = [0_u32; N];
        for (&pixel, index) in pixels.iter().zip(0..).skip(1) {
            let x: &[T; N] = channels_at(image, pixel + first);
            for c in 0..N {
                let is_larger = x[c] > largest[c];
                largest[c] = if is_larger { x[c] } else { largest[c] };
                place[c] = if is_larger { index } else { place[c] };
            }
        }
        let mut grad_y = *grad_y;
        for c in 0..N {
            let passes = !self.relu || largest[c] > T::zero();
            grad_y[c] = if passes { grad_y[c] } else { T::zero() };
        }
        for (&pixel, index) in pixels.iter().zip(0..) {
            let grad_x = &mut grad_x[pixel + first..][..N];
            for c in 0..N {
                grad_x[c] += if place[c] == index { grad_y[c] } else { T::zero() };
            }
        }
    }

    /// Places of the pixels of a window, first channel, in row-major order.
    #[inline(always)]
    fn pixels(&self, output: usize) -> impl Iterator<Item = usize> {
        let channels = self.channels;
        self.window.pixels(output).map(move |pixel| pixel * channels)
    }

    fn image_lens(&self) -> (usize, usize) {
        (self.window.in_len() * self.channels, self.window.out_len() * self.channels)
    }
}

#[inline(always)]
fn channels_at<T, const N: usize>(image: &[T], start: usize) -> &[T; N] {
    image[start..].first_chunk().expect("pixels lie inside the image")
}
