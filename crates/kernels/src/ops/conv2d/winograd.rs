//! Convolutions by Winograd's minimal filtering: tiles of 6 x 6 pixels are transformed, multiplied
//! point by point with the transformed filter (36 products over channels), and transformed back.
//!
//! A filter of 5 x 5 needs 2.8 times fewer multiplications than the sums as they stand, one of
//! 3 x 3 four times fewer. Rounding errors are about ten times those of the plain sum, far below
//! what a gradient's noise is, and the same for any number of lanes and threads.
//!
//! # Source
//! Lavin and Gray 2016; the filter gradient is the transpose of the forward map.

use std::collections::BTreeSet;
use std::iter;

use super::cpu::Correlation;
use super::tiles::{Gradients, Inputs, Outputs};
use super::transforms::{self, FILTER_SIZES, TILE};
use crate::cpu::product::{Lhs, Order, Packed, Panels, Rows, Source, multiply, packed_len};
use crate::cpu::simd::dispatch;
use crate::cpu::vector::add_scaled;
use crate::cpu::{CpuContext, ScratchPool, chunks};
use crate::real::Real;

/// Channels come in multiples of this, the longest vector of f32.
const N_CHANNELS: usize = 16;

/// Points of a tile.
pub(super) const N_POINTS: usize = TILE * TILE;

/// Tiles whose products are made at once, at least: fewer would not pay for reading the filter.
const MIN_TILES: usize = 48;

/// A convolution with stride 1 cut into tiles.
#[derive(Clone, Copy)]
pub(super) struct Winograd {
    pub(super) correlation: Correlation,
    /// Tiles along height and width.
    tiles: [usize; 2],
    /// Taps of the filter along each axis, and outputs of a tile.
    taps: usize,
    outputs: usize,
}

/// The 36 matrices of a transformed filter, `[in_channels, out_channels]` each.
pub(super) struct Spectrum<T>(Vec<Packed<T>>);

impl<T: Real> Spectrum<T> {
    pub(super) fn give(self, scratch: &ScratchPool<T>) {
        self.0.into_iter().for_each(|matrix| matrix.give(scratch));
    }
}

impl Winograd {
    /// If the filter has transforms and the channels fill vectors.
    pub(super) fn of(correlation: Correlation) -> Option<Self> {
        let Correlation { frame, filter, out, stride, out_channels } = correlation;
        let fits = stride == 1
            && frame.spread == 1
            && filter[0] == filter[1]
            && FILTER_SIZES.contains(&filter[0])
            && frame.channels.is_multiple_of(N_CHANNELS)
            && out_channels.is_multiple_of(N_CHANNELS);
        if !fits {
            return None;
        }
        let outputs = TILE + 1 - filter[0];
        let tiles = out.map(|side| side.div_ceil(outputs));
        let mut framed = correlation;
        framed.frame.size = tiles.map(|n_tiles| n_tiles * outputs + filter[0] - 1);
        Some(Self { correlation: framed, tiles, taps: filter[0], outputs })
    }

    /// Images whose tiles go through together.
    pub(super) fn group(&self) -> usize {
        MIN_TILES.div_ceil(self.tiles_per_image())
    }

    /// Elements of a filter gradient before it is transformed back.
    pub(super) fn spectrum_len(&self) -> usize {
        N_POINTS * self.correlation.frame.channels * self.correlation.out_channels
    }

    /// Lengths of the buffers that [`Winograd::transform_filter`] takes.
    pub(super) fn filter_scratch<T: Real>(&self) -> Vec<usize> {
        let (c, o) = (self.correlation.frame.channels, self.correlation.out_channels);
        iter::repeat_n(packed_len::<T>(c, o), N_POINTS).chain([c * o]).collect()
    }

    /// Lengths of the buffers for one of these runs of images at a time: a frame, and the tiles of each
    /// size of group, before and after their products.
    pub(super) fn group_scratch(&self, n_images: &[usize]) -> Vec<usize> {
        let (c, o) = (self.correlation.frame.channels, self.correlation.out_channels);
        let groups = n_images.iter().flat_map(|&n_images| chunks::lens(n_images, self.group()));
        let groups: BTreeSet<usize> = groups.collect();
        let points =
            groups.into_iter().map(|n_images| N_POINTS * n_images * self.tiles_per_image());
        let tiles = points.flat_map(|points| [points * c, points * o]);
        tiles.chain([self.correlation.frame.len()]).collect()
    }

    fn tiles_per_image(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// `G g G^T` of every pair of channels.
    pub(super) fn transform_filter<T: Real>(
        &self,
        context: &CpuContext<'_, T>,
        filter: &[T],
    ) -> Spectrum<T> {
        let (c, o) = (self.correlation.frame.channels, self.correlation.out_channels);
        let mut matrix = context.scratch.take(c * o);
        let matrices = (0..N_POINTS).map(|point| {
            self.filter_point(filter, point, &mut matrix);
            Source::matrix(&matrix, c, o).pack(context.scratch)
        });
        let spectrum = Spectrum(matrices.collect());
        context.scratch.give(matrix);
        spectrum
    }

    /// One of the 36 matrices: a sum over the taps.
    fn filter_point<T: Real>(&self, filter: &[T], point: usize, matrix: &mut [T]) {
        let row = transforms::filter_row(point / TILE, self.taps);
        let column = transforms::filter_row(point % TILE, self.taps);
        matrix.fill(T::zero());
        for (tap, values) in filter.chunks_exact(matrix.len()).enumerate() {
            let factor = row[tap / self.taps] * column[tap % self.taps];
            if factor != 0.0 {
                add_scaled(T::of(factor), values, matrix);
            }
        }
    }

    /// `G^T s G`: the filter gradient from its sum over tiles.
    pub(super) fn filter_gradient<T: Real>(&self, spectrum: &[T], grad_filter: &mut [T]) {
        let len = spectrum.len() / N_POINTS;
        grad_filter.fill(T::zero());
        for (point, matrix) in spectrum.chunks_exact(len).enumerate() {
            let row = transforms::filter_row(point / TILE, self.taps);
            let column = transforms::filter_row(point % TILE, self.taps);
            for (tap, grads) in grad_filter.chunks_exact_mut(len).enumerate() {
                let factor = row[tap / self.taps] * column[tap % self.taps];
                if factor != 0.0 {
                    add_scaled(T::of(factor), matrix, grads);
                }
            }
        }
    }

    /// Some images through the filter.
    pub(super) fn correlate<T: Real>(
        &self,
        context: &CpuContext<'_, T>,
        images: &[T],
        filter: &Spectrum<T>,
        y: &mut [T],
    ) {
        let (c, o) = (self.correlation.frame.channels, self.correlation.out_channels);
        let points = self.transform_images(context, images);
        let n_tiles = points.len() / N_POINTS / c;
        let mut products = context.scratch.take(N_POINTS * n_tiles * o);
        let matrices = points.chunks_exact(n_tiles * c).zip(&filter.0);
        for (product, (lhs, rhs)) in products.chunks_exact_mut(n_tiles * o).zip(matrices) {
            let lhs = Lhs::matrix(lhs, Order::TermsInside, c, c);
            multiply(&lhs, &rhs.panels(), Rows { y: product, stride: o, n_rows: n_tiles }, false);
        }
        for (n, y) in y.chunks_exact_mut(self.correlation.out_len()).enumerate() {
            let first_tile = n * self.tiles_per_image();
            match self.outputs {
                2 => dispatch(Outputs::<T, 2> { of: self, products: &products, first_tile, y }),
                _ => dispatch(Outputs::<T, 4> { of: self, products: &products, first_tile, y }),
            }
        }
        context.scratch.give(products);
        context.scratch.give(points);
    }

    /// The sum over some images whose transform is the filter gradient.
    pub(super) fn add_images<T: Real>(
        &self,
        context: &CpuContext<'_, T>,
        x: &[T],
        grad_y: &[T],
        sum: &mut [T],
    ) {
        let frame = self.correlation.frame;
        let (c, o) = (frame.channels, self.correlation.out_channels);
        let group = self.group();
        let x_len = group * frame.image[0] * frame.image[1] * c;
        let y_len = group * self.correlation.out_len();
        for (index, (x, grad_y)) in x.chunks(x_len).zip(grad_y.chunks(y_len)).enumerate() {
            let points = self.transform_images(context, x);
            let n_tiles = points.len() / N_POINTS / c;
            let grads = self.transform_gradients(context, grad_y);
            let matrices = points.chunks_exact(n_tiles * c).zip(grads.chunks_exact(n_tiles * o));
            for ((lhs, rhs), sum) in matrices.zip(sum.chunks_exact_mut(c * o)) {
                let lhs = Lhs::matrix(lhs, Order::RowsInside, c, n_tiles);
                let rhs = Panels::in_place(rhs, o);
                multiply(&lhs, &rhs, Rows { y: sum, stride: o, n_rows: c }, index > 0);
            }
            context.scratch.give(grads);
            context.scratch.give(points);
        }
    }

    /// `B^T d B` of all tiles of some images: `[36, tiles, channels]`.
    fn transform_images<T: Real>(&self, context: &CpuContext<'_, T>, images: &[T]) -> Vec<T> {
        let frame = self.correlation.frame;
        let images = images.chunks_exact(frame.image[0] * frame.image[1] * frame.channels);
        let n_tiles = images.len() * self.tiles_per_image();
        let mut points = context.scratch.take(N_POINTS * n_tiles * frame.channels);
        let mut padded = context.scratch.take(frame.len());
        for (n, image) in images.enumerate() {
            frame.fill(image, &mut padded);
            let first_tile = n * self.tiles_per_image();
            dispatch(Inputs {
                of: self,
                padded: &padded,
                first_tile,
                n_tiles,
                points: &mut points,
            });
        }
        context.scratch.give(padded);
        points
    }

    /// `A g A^T` of all tiles of some output gradients: `[36, tiles, channels]`.
    fn transform_gradients<T: Real>(&self, context: &CpuContext<'_, T>, grad_y: &[T]) -> Vec<T> {
        let images = grad_y.chunks_exact(self.correlation.out_len());
        let n_tiles = images.len() * self.tiles_per_image();
        let mut points = context.scratch.take(N_POINTS * n_tiles * self.correlation.out_channels);
        for (n, grad_y) in images.enumerate() {
            let first_tile = n * self.tiles_per_image();
            let points = &mut points;
            match self.outputs {
                2 => dispatch(Gradients::<T, 2> { of: self, grad_y, first_tile, n_tiles, points }),
                _ => dispatch(Gradients::<T, 4> { of: self, grad_y, first_tile, n_tiles, points }),
            }
        }
        points
    }

    /// Tiles of an image with the places of their first pixels.
    #[inline(always)]
    pub(super) fn corners(self) -> impl Iterator<Item = (usize, [usize; 2])> {
        let [_, columns] = self.tiles;
        (0..self.tiles_per_image())
            .map(move |tile| (tile, [tile / columns * self.outputs, tile % columns * self.outputs]))
    }
}
