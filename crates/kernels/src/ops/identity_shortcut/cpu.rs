//! Native kernels of the shortcut.

use super::IdentityShortcut;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

impl IdentityShortcut {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        let (in_len, out_len) = self.image_lens();
        chunks::for_each(context.parallel, y, out_len, |n, y| {
            let image = &x[n * in_len..(n + 1) * in_len];
            for (output, y) in y.chunks_exact_mut(self.out_channels).enumerate() {
                let (kept, zeros) = y.split_at_mut(self.in_channels);
                kept.copy_from_slice(&image[self.pixel(output)..][..self.in_channels]);
                zeros.fill(T::zero());
            }
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
            grad_x.fill(T::zero());
            let grad_y = grad_y[n * out_len..(n + 1) * out_len].chunks_exact(self.out_channels);
            for (output, grad_y) in grad_y.enumerate() {
                let kept = &grad_y[..self.in_channels];
                grad_x[self.pixel(output)..][..self.in_channels].copy_from_slice(kept);
            }
        });
    }

    /// Place of the pixel that an output is taken from.
    fn pixel(self, output: usize) -> usize {
        let (i, j) = (output / self.out_width(), output % self.out_width());
        (i * self.in_width + j) * self.stride * self.in_channels
    }

    fn image_lens(self) -> (usize, usize) {
        (
            self.in_height * self.in_width * self.in_channels,
            self.out_height() * self.out_width() * self.out_channels,
        )
    }
}
