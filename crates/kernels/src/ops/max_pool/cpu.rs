//! Native kernels of the max-pool: all channels of a window at once.

use super::MaxPool;
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Channels whose largest pixels are looked for at once.
const N_CHANNELS: usize = 64;

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
            vectorised(|| {
                for (output, grad_y) in grad_y.chunks_exact(self.channels).enumerate() {
                    for (block, grad_y) in grad_y.chunks(N_CHANNELS).enumerate() {
                        self.add_to_largest(image, output, block * N_CHANNELS, grad_y, grad_x);
                    }
                }
            });
        });
    }

    /// Adds the gradients of some channels of one window, from `first` on, each to its first
    /// largest pixel.
    #[inline(always)]
    fn add_to_largest<T: Real>(
        self,
        image: &[T],
        output: usize,
        first: usize,
        grad_y: &[T],
        grad_x: &mut [T],
    ) {
        let n_channels = grad_y.len();
        let mut largest = [T::neg_infinity(); N_CHANNELS];
        let mut place = [0_u32; N_CHANNELS];
        for (index, pixel) in (0..).zip(self.pixels(output)) {
            let x = &image[pixel + first..][..n_channels];
            for ((largest, place), &x) in largest.iter_mut().zip(&mut place).zip(x) {
                // The first pixel is taken whatever it holds.
                let is_larger = x > *largest || index == 0;
                *largest = if is_larger { x } else { *largest };
                *place = if is_larger { index } else { *place };
            }
        }
        for (index, pixel) in (0..).zip(self.pixels(output)) {
            let grad_x = &mut grad_x[pixel + first..][..n_channels];
            for ((grad_x, &place), &grad_y) in grad_x.iter_mut().zip(&place).zip(grad_y) {
                *grad_x += if place == index { grad_y } else { T::zero() };
            }
        }
    }

    /// Places of the pixels of a window, first channel, in row-major order.
    #[inline(always)]
    fn pixels(&self, output: usize) -> impl Iterator<Item = usize> {
        let Self { window, channels, .. } = *self;
        let (i, j) = (output / window.out_width, output % window.out_width);
        window.rows(i).flat_map(move |row| {
            window.columns(j).map(move |column| {
                let pixel = window.in_row(i, row) * window.in_width + window.in_column(j, column);
                pixel * channels
            })
        })
    }

    fn image_lens(&self) -> (usize, usize) {
        (self.window.in_len() * self.channels, self.window.out_len() * self.channels)
    }
}
