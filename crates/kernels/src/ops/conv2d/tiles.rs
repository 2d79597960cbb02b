//! Tiles of images, products and gradients through the transforms, a vector of channels at a time.
//!
//! `rows` lives outside of the loops: within, it would be cleared for each tile.

#![expect(clippy::needless_range_loop, reason = "indices are those of the transforms' matrices")]

use pulp::{Simd, WithSimd};

use super::cpu::Correlation;
use super::transforms;
use super::winograd::{Winograd, plane_len};
use crate::cpu::simd::lanes;
use crate::real::Real;

/// Transforms one image in its frame, `N x N` pixels a tile.
pub(super) struct Inputs<'a, T, const N: usize> {
    pub(super) of: &'a Winograd,
    pub(super) padded: &'a [T],
    pub(super) first_tile: usize,
    pub(super) n_tiles: usize,
    pub(super) points: &'a mut [T],
}

impl<T: Real, const N: usize> WithSimd for Inputs<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let frame = self.of.correlation.frame;
        let (channels, width) = (frame.channels, frame.size[1]);
        let plane = plane_len(self.n_tiles, channels);
        let zero = T::splat(simd, T::zero());
        let mut rows = [[zero; N]; N];
        for (tile, [row, column]) in self.of.corners() {
            let corner = &self.padded[(row * width + column) * channels..];
            for first in (0..channels).step_by(lanes::<S, T>()) {
                for i in 0..N {
                    let pixels = &corner[i * width * channels + first..];
                    let mut row = [zero; N];
                    for j in 0..N {
                        row[j] = vector::<S, T>(pixels, j * channels);
                    }
                    rows[i] = transforms::input::<S, T, N>(simd, row);
                }
                for j in 0..N {
                    let mut column = [zero; N];
                    for i in 0..N {
                        column[i] = rows[i][j];
                    }
                    let values = transforms::input::<S, T, N>(simd, column);
                    for i in 0..N {
                        let place = (i * N + j) * plane + (self.first_tile + tile) * channels;
                        *vector_mut::<S, T>(self.points, place + first) = values[i];
                    }
                }
            }
        }
    }
}

/// Transforms one image's products back, `M x M` outputs a tile, fewer at the edge.
pub(super) struct Outputs<'a, T, const N: usize, const M: usize> {
    pub(super) of: &'a Winograd,
    pub(super) products: &'a [T],
    pub(super) first_tile: usize,
    pub(super) n_tiles: usize,
    pub(super) y: &'a mut [T],
}

impl<T: Real, const N: usize, const M: usize> WithSimd for Outputs<'_, T, N, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Correlation { out: [height, width], out_channels: channels, .. } = self.of.correlation;
        let plane = plane_len(self.n_tiles, channels);
        let zero = T::splat(simd, T::zero());
        let mut rows = [[zero; M]; N];
        for (tile, [row, column]) in self.of.corners() {
            for first in (0..channels).step_by(lanes::<S, T>()) {
                for i in 0..N {
                    let mut row = [zero; N];
                    for j in 0..N {
                        let place = (i * N + j) * plane + (self.first_tile + tile) * channels;
                        row[j] = vector::<S, T>(self.products, place + first);
                    }
                    rows[i] = transforms::output::<S, T, N, M>(simd, row);
                }
                for j in 0..M.min(width - column) {
                    let mut sums = [zero; N];
                    for i in 0..N {
                        sums[i] = rows[i][j];
                    }
                    let values = transforms::output::<S, T, N, M>(simd, sums);
                    for i in 0..M.min(height - row) {
                        let place = (row + i) * width + column + j;
                        *vector_mut::<S, T>(self.y, place * channels + first) = values[i];
                    }
                }
            }
        }
    }
}

/// Transforms one image's output gradients, zero beyond the edge.
pub(super) struct Gradients<'a, T, const N: usize, const M: usize> {
    pub(super) of: &'a Winograd,
    pub(super) grad_y: &'a [T],
    pub(super) first_tile: usize,
    pub(super) n_tiles: usize,
    pub(super) points: &'a mut [T],
}

impl<T: Real, const N: usize, const M: usize> WithSimd for Gradients<'_, T, N, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Correlation { out: [height, width], out_channels: channels, .. } = self.of.correlation;
        let plane = plane_len(self.n_tiles, channels);
        let zero = T::splat(simd, T::zero());
        let mut rows = [[zero; N]; M];
        for (tile, [row, column]) in self.of.corners() {
            for first in (0..channels).step_by(lanes::<S, T>()) {
                for i in height - row..M {
                    rows[i] = [zero; N];
                }
                for i in 0..M.min(height - row) {
                    let mut pixels = [zero; M];
                    for j in 0..M.min(width - column) {
                        let place = (row + i) * width + column + j;
                        pixels[j] = vector::<S, T>(self.grad_y, place * channels + first);
                    }
                    rows[i] = transforms::output_transposed::<S, T, N, M>(simd, pixels);
                }
                for j in 0..N {
                    let mut column = [zero; M];
                    for i in 0..M {
                        column[i] = rows[i][j];
                    }
                    let values = transforms::output_transposed::<S, T, N, M>(simd, column);
                    for i in 0..N {
                        let place = (i * N + j) * plane + (self.first_tile + tile) * channels;
                        *vector_mut::<S, T>(self.points, place + first) = values[i];
                    }
                }
            }
        }
    }
}

/// The vector at an index.
#[inline(always)]
fn vector<S: Simd, T: Real>(slice: &[T], index: usize) -> T::Vector<S> {
    T::vectors::<S>(&slice[index..index + lanes::<S, T>()])[0]
}

/// As [`vector`], to be written.
#[inline(always)]
fn vector_mut<S: Simd, T: Real>(slice: &mut [T], index: usize) -> &mut T::Vector<S> {
    &mut T::vectors_mut::<S>(&mut slice[index..index + lanes::<S, T>()])[0]
}
