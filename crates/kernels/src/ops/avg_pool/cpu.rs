//! Native kernels of the average pool: all channels of a window at once.

use super::AvgPool;
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

impl AvgPool {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        let (in_len, out_len) = self.image_lens();
        chunks::for_each(context.parallel, y, out_len, |n, y| {
            let image = &x[n * in_len..(n + 1) * in_len];
            vectorised!({
                for (output, y) in y.chunks_exact_mut(self.channels).enumerate() {
                    y.fill(T::zero());
                    for pixel in self.window.pixels(output) {
                        for (y, &x) in y.iter_mut().zip(&image[pixel * self.channels..]) {
                            *y += x;
                        }
                    }
                    let share: T = self.share(output);
                    y.iter_mut().for_each(|y| *y *= share);
                }
            });
        });
    }

    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        grad_y: &[T],
        grad_x: &mut [T],
    ) {
        let (in_len, out_len) = self.image_lens();
        chunks::for_each(context.parallel, grad_x, in_len, |n, grad_x| {
            let grad_y = &grad_y[n * out_len..(n + 1) * out_len];
            grad_x.fill(T::zero());
            vectorised!({
                for (output, grad_y) in grad_y.chunks_exact(self.channels).enumerate() {
                    let share: T = self.share(output);
                    for pixel in self.window.pixels(output) {
                        let grad_x = &mut grad_x[pixel * self.channels..];
                        for (grad_x, &grad_y) in grad_x.iter_mut().zip(grad_y) {
                            *grad_x += share * grad_y;
                        }
                    }
                }
            });
        });
    }

    /// What one pixel counts in the mean of a window.
    #[inline(always)]
    fn share<T: Real>(self, output: usize) -> T {
        let Self { window, .. } = self;
        let (i, j) = (output / window.out_width, output % window.out_width);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 pixels")]
        let n_pixels = (window.rows(i).len() * window.columns(j).len()) as f64;
        T::one() / T::of(n_pixels)
    }

    fn image_lens(&self) -> (usize, usize) {
        (self.window.in_len() * self.channels, self.window.out_len() * self.channels)
    }
}
