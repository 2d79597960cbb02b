//! Tiles of images, products and gradients through the transforms, a vector of channels at a time.

#![expect(clippy::needless_range_loop, reason = "indices are those of the transforms' matrices")]

use pulp::{Simd, WithSimd};

use super::cpu::Correlation;
use super::transforms::{self, TILE};
use super::winograd::{N_POINTS, Winograd};
use crate::cpu::simd::lanes;
use crate::real::Real;

/// Transforms one image in its frame.
pub(super) struct Inputs<'a, T> {
    pub(super) of: &'a Winograd,
    pub(super) padded: &'a [T],
    pub(super) first_tile: usize,
    pub(super) n_tiles: usize,
    pub(super) points: &'a mut [T],
}

impl<T: Real> WithSimd for Inputs<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let frame = self.of.correlation.frame;
        let (channels, width) = (frame.channels, frame.size[1]);
        for (tile, [row, column]) in self.of.corners() {
            let corner = &self.padded[(row * width + column) * channels..];
            for first in (0..channels).step_by(lanes::<S, T>()) {
                let zero = T::splat(simd, T::zero());
                let mut rows = [[zero; TILE]; TILE];
                for i in 0..TILE {
                    let pixels = &corner[i * width * channels + first..];
                    let mut row = [zero; TILE];
                    for j in 0..TILE {
                        row[j] = vector::<S, T>(pixels, j * channels);
                    }
                    rows[i] = transforms::input::<S, T>(simd, row);
                }
                for j in 0..TILE {
                    let mut column = [zero; TILE];
                    for i in 0..TILE {
                        column[i] = rows[i][j];
                    }
                    let values = transforms::input::<S, T>(simd, column);
                    for i in 0..TILE {
                        let place = (i * TILE + j) * self.n_tiles + self.first_tile + tile;
                        *vector_mut::<S, T>(self.points, place * channels + first) = values[i];
                    }
                }
            }
        }
    }
}

/// Transforms one image's products back, `M x M` outputs a tile, fewer at the edge.
pub(super) struct Outputs<'a, T, const M: usize> {
    pub(super) of: &'a Winograd,
    pub(super) products: &'a [T],
    pub(super) first_tile: usize,
    pub(super) y: &'a mut [T],
}

impl<T: Real, const M: usize> WithSimd for Outputs<'_, T, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Correlation { out: [height, width], out_channels: channels, .. } = self.of.correlation;
        let n_tiles = self.products.len() / N_POINTS / channels;
        for (tile, [row, column]) in self.of.corners() {
            for first in (0..channels).step_by(lanes::<S, T>()) {
                let zero = T::splat(simd, T::zero());
                let mut rows = [[zero; M]; TILE];
                for i in 0..TILE {
                    let mut row = [zero; TILE];
                    for j in 0..TILE {
                        let place = (i * TILE + j) * n_tiles + self.first_tile + tile;
                        row[j] = vector::<S, T>(self.products, place * channels + first);
                    }
                    rows[i] = transforms::output::<S, T, M>(simd, row);
                }
                for j in 0..M.min(width - column) {
                    let mut sums = [zero; TILE];
                    for i in 0..TILE {
                        sums[i] = rows[i][j];
                    }
                    let values = transforms::output::<S, T, M>(simd, sums);
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
pub(super) struct Gradients<'a, T, const M: usize> {
    pub(super) of: &'a Winograd,
    pub(super) grad_y: &'a [T],
    pub(super) first_tile: usize,
    pub(super) n_tiles: usize,
    pub(super) points: &'a mut [T],
}

impl<T: Real, const M: usize> WithSimd for Gradients<'_, T, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Correlation { out: [height, width], out_channels: channels, .. } = self.of.correlation;
        for (tile, [row, column]) in self.of.corners() {
            for first in (0..channels).step_by(lanes::<S, T>()) {
                let zero = T::splat(simd, T::zero());
                let mut rows = [[zero; TILE]; M];
                for i in 0..M.min(height - row) {
                    let mut pixels = [zero; M];
                    for j in 0..M.min(width - column) {
                        let place = (row + i) * width + column + j;
                        pixels[j] = vector::<S, T>(self.grad_y, place * channels + first);
                    }
                    rows[i] = transforms::output_transposed::<S, T, M>(simd, pixels);
                }
                for j in 0..TILE {
                    let mut column = [zero; M];
                    for i in 0..M {
                        column[i] = rows[i][j];
                    }
                    let values = transforms::output_transposed::<S, T, M>(simd, column);
                    for i in 0..TILE {
                        let place = (i * TILE + j) * self.n_tiles + self.first_tile + tile;
                        *vector_mut::<S, T>(self.points, place * channels + first) = values[i];
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
