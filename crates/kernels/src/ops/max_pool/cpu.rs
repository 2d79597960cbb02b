//! Native kernels of the max-pool.

use super::MaxPool;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

impl MaxPool {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        let (in_len, out_len) = self.image_lens();
        chunks::for_each(context.parallel, y, out_len, |n, y| {
            let image = &x[n * in_len..(n + 1) * in_len];
            for (output, y) in y.chunks_exact_mut(self.channels).enumerate() {
                y.fill(T::neg_infinity());
                for pixel in self.pixels(output) {
                    for (y, &x) in y.iter_mut().zip(&image[pixel..]) {
                        // NaN wins, so that divergence is not hidden.
                        if x > *y || x.is_nan() {
                            *y = x;
                        }
                    }
                }
            }
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
            for (output, grad_y) in grad_y.chunks_exact(self.channels).enumerate() {
                for (channel, &grad_y) in grad_y.iter().enumerate() {
                    grad_x[self.largest(image, output, channel)] += grad_y;
                }
            }
        });
    }

    /// Place of the first largest element of one window and channel.
    fn largest<T: Real>(&self, image: &[T], output: usize, channel: usize) -> usize {
        let mut places = self.pixels(output).map(|pixel| pixel + channel);
        let first = places.next().expect("every window covers a pixel");
        places.fold(first, |best, place| if image[place] > image[best] { place } else { best })
    }

    /// Places of the pixels of a window, first channel, in row-major order.
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
