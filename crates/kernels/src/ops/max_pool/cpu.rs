//! Native kernels of the max-pool: all channels of a window at once.

use super::MaxPool;
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Channels whose largest pixels are looked for at once, in registers.
const N_CHANNELS: usize = 16;

/// Where the pixels of each window are, first channel, in row-major order.
struct Windows {
    places: Vec<usize>,
    /// Where in `places` each window ends.
    ends: Vec<usize>,
}

impl Windows {
    fn iter(&self) -> impl Iterator<Item = &[usize]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.places[start..end])
    }
}

impl MaxPool {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        let (in_len, out_len) = self.image_lens();
        let windows = self.windows();
        chunks::for_each(context.parallel, y, out_len, |n, y| {
            let image = &x[n * in_len..(n + 1) * in_len];
            vectorised!({
                for (pixels, y) in windows.iter().zip(y.chunks_exact_mut(self.channels)) {
                    let (blocks, rest) = y.as_chunks_mut::<N_CHANNELS>();
                    let n_in_blocks = N_CHANNELS * blocks.len();
                    for (block, y) in blocks.iter_mut().enumerate() {
                        *y = largest(image, pixels, block * N_CHANNELS);
                    }
                    for (channel, y) in (n_in_blocks..).zip(rest) {
                        [*y] = largest(image, pixels, channel);
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
        let windows = self.windows();
        chunks::for_each(context.parallel, grad_x, in_len, |n, grad_x| {
            let image = &x[n * in_len..(n + 1) * in_len];
            let grad_y = &grad_y[n * out_len..(n + 1) * out_len];
            grad_x.fill(T::zero());
            vectorised!({
                for (pixels, grad_y) in windows.iter().zip(grad_y.chunks_exact(self.channels)) {
                    let (blocks, rest) = grad_y.as_chunks::<N_CHANNELS>();
                    for (block, grad_y) in blocks.iter().enumerate() {
                        self.add_to_largest(image, pixels, block * N_CHANNELS, grad_y, grad_x);
                    }
                    for (channel, grad_y) in (blocks.len() * N_CHANNELS..).zip(rest) {
                        self.add_to_largest(image, pixels, channel, &[*grad_y], grad_x);
                    }
                }
            });
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

    /// The windows of an image: the same for all images.
    fn windows(&self) -> Windows {
        let n_windows = self.window.out_len();
        let mut windows = Windows {
            places: Vec::with_capacity(n_windows * self.window.len()),
            ends: Vec::with_capacity(n_windows),
        };
        for output in 0..n_windows {
            let pixels = self.window.pixels(output);
            windows.places.extend(pixels.map(|pixel| pixel * self.channels));
            windows.ends.push(windows.places.len());
        }
        windows
    }

    fn image_lens(&self) -> (usize, usize) {
        (self.window.in_len() * self.channels, self.window.out_len() * self.channels)
    }
}

/// The largest pixel of a window in each of `N` channels from `first` on. NaN wins, so that divergence is
/// not hidden.
#[inline(always)]
fn largest<T: Real, const N: usize>(image: &[T], pixels: &[usize], first: usize) -> [T; N] {
    let mut largest = [T::neg_infinity(); N];
    for pixel in pixels {
        let x: &[T; N] = channels_at(image, pixel + first);
        for c in 0..N {
            largest[c] = if x[c] > largest[c] || x[c].is_nan() { x[c] } else { largest[c] };
        }
    }
    largest
}

#[inline(always)]
fn channels_at<T, const N: usize>(image: &[T], start: usize) -> &[T; N] {
    image[start..].first_chunk().expect("pixels lie inside the image")
}
