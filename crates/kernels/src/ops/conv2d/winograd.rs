//! Convolutions by Winograd's minimal filtering: tiles of pixels are transformed, multiplied point by
//! point with the transformed filter (a product over channels for each point), and transformed back.
//!
//! A filter of 3 x 3 needs four times fewer multiplications than the sums as they stand, with tiles of
//! 6 x 6 for 4 x 4 outputs; one of 5 x 5 needs 2.8 times fewer with tiles of 6 x 6 for 2 x 2 outputs, and
//! 6.25 times fewer with tiles of 8 x 8 for 4 x 4. Rounding errors are some three to seven times those of
//! the plain sum in the mean, far below what a gradient's noise is, and the same for any number of
//! lanes and threads.
//!
//! # Windows of zeros, and why the forward pass of training has the smaller tiles
//! With two outputs a tile, what lies outside of an output's window does not enter its sum at all. With more
//! it enters with factors that cancel up to rounding, so a window of zeros, the background of an image,
//! would give the rounding errors of its neighbours, and while biases are zero a ReLU would let through the
//! gradients of about half of them. Such outputs are set to zero, which their sums are. Where biases have
//! become small numbers, so have the sums of the background, and the errors of its neighbours decide whether
//! they are above zero: with the larger tiles in the forward pass losses on two devices were 5e-3 apart
//! after 35 steps, which with the smaller ones are 2e-5 apart (`tests/devices_agree.rs`). An evaluation has
//! no gradients, and takes the larger tiles.
//!
//! # Source
//! Lavin and Gray 2016; the filter gradient is the transpose of the forward map.

use std::iter;

use super::cpu::Correlation;
use super::tiles::{Gradients, Inputs, Outputs};
use super::transforms;
use crate::cpu::product::{Lhs, Order, Packed, Panels, Rows, Source, multiply, packed_len};
use crate::cpu::simd::dispatch;
use crate::cpu::vector::add_scaled;
use crate::cpu::{CpuContext, ScratchPool, chunks};
use crate::memory::{Buffers, keep_most};
use crate::real::Real;

/// Channels come in multiples of this, the longest vector of f32.
const N_CHANNELS: usize = 16;

/// Tiles whose products are made at once, at least: fewer would not pay for reading the filter ...
const MIN_TILES: usize = 32;

/// ... or, of a filter gradient, which is summed in this order, for adding to it.
const MIN_SUMMED_TILES: usize = 16;

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

/// What a convolution is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Forward,
    Backward,
    /// Forward, without a backward.
    Evaluation,
}

/// The matrices of a transformed filter, one for each point, `[in_channels, out_channels]` each.
pub(super) struct Spectrum<T>(Vec<Packed<T>>);

impl<T: Real> Spectrum<T> {
    pub(super) fn give(self, scratch: &ScratchPool<T>) {
        self.0.into_iter().for_each(|matrix| matrix.give(scratch));
    }
}

impl Winograd {
    /// If the filter has transforms and the channels fill vectors.
    pub(super) fn of(correlation: Correlation, pass: Pass) -> Option<Self> {
        let Correlation { frame, filter, out, stride, out_channels } = correlation;
        let fits = stride == 1
            && frame.spread == 1
            && filter[0] == filter[1]
            && frame.channels.is_multiple_of(N_CHANNELS)
            && out_channels.is_multiple_of(N_CHANNELS);
        if !fits {
            return None;
        }
        let outputs = match (filter[0], pass) {
            (3, _) | (5, Pass::Backward | Pass::Evaluation) => 4,
            (5, Pass::Forward) => 2,
            _ => return None,
        };
        let tiles = out.map(|side| side.div_ceil(outputs));
        let mut framed = correlation;
        framed.frame.size = tiles.map(|n_tiles| n_tiles * outputs + filter[0] - 1);
        Some(Self { correlation: framed, tiles, taps: filter[0], outputs })
    }

    /// Pixels of a tile along each axis.
    fn side(&self) -> usize {
        self.outputs + self.taps - 1
    }

    /// Whether what lies in a tile but outside of an output's window enters its sum.
    fn mixes_windows(&self) -> bool {
        self.outputs > 2
    }

    fn n_points(&self) -> usize {
        self.side() * self.side()
    }

    /// Images whose tiles go through the filter together.
    pub(super) fn group(&self) -> usize {
        MIN_TILES.div_ceil(self.tiles_per_image())
    }

    /// Images whose tiles are added to a filter gradient together.
    fn summed_group(&self) -> usize {
        MIN_SUMMED_TILES.div_ceil(self.tiles_per_image())
    }

    /// Elements of a filter gradient before it is transformed back.
    pub(super) fn spectrum_len(&self) -> usize {
        self.n_points() * self.filter_point_len()
    }

    /// Elements of the filter at one of its taps or points.
    fn filter_point_len(&self) -> usize {
        self.correlation.frame.channels * self.correlation.out_channels
    }

    /// Elements of a row of taps.
    pub(super) fn filter_row_len(&self) -> usize {
        self.taps * self.filter_point_len()
    }

    /// Lengths of the buffers that [`Winograd::transform_filter`] takes.
    pub(super) fn filter_scratch<T: Real>(&self) -> Vec<usize> {
        let (c, o) = (self.correlation.frame.channels, self.correlation.out_channels);
        let matrices = iter::repeat_n(packed_len::<T>(c, o), self.n_points());
        matrices.chain([self.filter_row_len(), self.filter_point_len()]).collect()
    }

    /// Lengths of the buffers that [`Winograd::correlate`] takes for so many images in groups.
    pub(super) fn correlate_scratch(&self, n_images: usize) -> Vec<usize> {
        let [height, width] = self.correlation.frame.image;
        let clearing = self.mixes_windows().then(|| vec![height * width]);
        most_at_a_time(self.moments(self.group(), n_images).into_iter().chain(clearing))
    }

    /// Lengths of the buffers that [`Winograd::add_images`] takes for one of these runs of images at a time.
    pub(super) fn add_images_scratch(&self, n_images: &[usize]) -> Vec<usize> {
        let of_run = |&n_images: &usize| self.moments(self.summed_group(), n_images);
        most_at_a_time(n_images.iter().flat_map(of_run))
    }

    /// Lengths of the buffers that are held together for images in groups: beside the tiles of a group
    /// before their products, first a frame, then the tiles after them.
    fn moments(&self, group: usize, n_images: usize) -> Vec<Vec<usize>> {
        let (c, o) = (self.correlation.frame.channels, self.correlation.out_channels);
        let of_group = |n_images: usize| {
            let n_tiles = n_images * self.tiles_per_image();
            let [x, y] = [c, o].map(|channels| self.n_points() * plane_len(n_tiles, channels));
            [vec![x, self.correlation.frame.len()], vec![x, y]]
        };
        let groups = chunks::lens(n_images, group).into_iter().filter(|&n_images| n_images > 0);
        groups.flat_map(of_group).collect()
    }

    fn tiles_per_image(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// The rows of `G`.
    fn filter_rows(&self) -> Vec<Vec<f64>> {
        let side = self.side();
        (0..side).map(|row| transforms::filter_row(row, side, self.taps)).collect()
    }

    /// `G g G^T` of every pair of channels.
    pub(super) fn transform_filter<T: Real>(
        &self,
        context: &CpuContext<'_, T>,
        filter: &[T],
    ) -> Spectrum<T> {
        let (c, o) = (self.correlation.frame.channels, self.correlation.out_channels);
        let mut taps = context.scratch.take(self.filter_row_len());
        let mut matrix = context.scratch.take(self.filter_point_len());
        let mut spectrum = Spectrum(Vec::with_capacity(self.n_points()));
        let g = self.filter_rows();
        for row in &g {
            weighted_sum(row, filter, &mut taps);
            for column in &g {
                weighted_sum(column, &taps, &mut matrix);
                spectrum.0.push(Source::matrix(&matrix, c, o).pack(context.scratch));
            }
        }
        context.scratch.give(matrix);
        context.scratch.give(taps);
        spectrum
    }

    /// `G^T s G`: the filter gradient from its sum over tiles.
    pub(super) fn filter_gradient<T: Real>(
        &self,
        context: &CpuContext<'_, T>,
        spectrum: &[T],
        grad_filter: &mut [T],
    ) {
        let len = self.filter_point_len();
        let mut taps = context.scratch.take(self.filter_row_len());
        grad_filter.fill(T::zero());
        let g = self.filter_rows();
        for (row, points) in g.iter().zip(spectrum.chunks_exact(g.len() * len)) {
            taps.fill(T::zero());
            for (column, point) in g.iter().zip(points.chunks_exact(len)) {
                add_weighted(column, point, &mut taps);
            }
            add_weighted(row, &taps, grad_filter);
        }
        context.scratch.give(taps);
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
        let n_tiles = y.len() / self.correlation.out_len() * self.tiles_per_image();
        let points = self.transform_images(context, images);
        let mut products = context.scratch.take(self.n_points() * plane_len(n_tiles, o));
        let matrices = points.chunks_exact(plane_len(n_tiles, c)).zip(&filter.0);
        let planes = products.chunks_exact_mut(plane_len(n_tiles, o));
        for (product, (lhs, rhs)) in planes.zip(matrices) {
            let lhs = Lhs::matrix(lhs, Order::TermsInside, c, c);
            multiply(&lhs, &rhs.panels(), Rows { y: product, stride: o, n_rows: n_tiles }, false);
        }
        for (n, y) in y.chunks_exact_mut(self.correlation.out_len()).enumerate() {
            let first_tile = n * self.tiles_per_image();
            let products = &products;
            match (self.side(), self.outputs) {
                (6, 2) => {
                    dispatch(Outputs::<T, 6, 2> { of: self, products, n_tiles, first_tile, y })
                }
                (6, _) => {
                    dispatch(Outputs::<T, 6, 4> { of: self, products, n_tiles, first_tile, y })
                }
                _ => dispatch(Outputs::<T, 8, 4> { of: self, products, n_tiles, first_tile, y }),
            }
        }
        context.scratch.give(products);
        context.scratch.give(points);
        if self.mixes_windows() {
            self.clear_blank_windows(context, images, y);
        }
    }

    /// Sets the outputs to zero whose windows hold nothing else.
    fn clear_blank_windows<T: Real>(&self, context: &CpuContext<'_, T>, images: &[T], y: &mut [T]) {
        let Correlation { frame, out, out_channels, .. } = self.correlation;
        let [height, width] = frame.image;
        // Of each pixel: 1, or 0 if it is blank.
        let mut pixels = context.scratch.take(height * width);
        let images = images.chunks_exact(pixels.len() * frame.channels);
        for (image, y) in images.zip(y.chunks_exact_mut(self.correlation.out_len())) {
            for (pixel, channels) in pixels.iter_mut().zip(image.chunks_exact(frame.channels)) {
                let is_blank = channels.iter().all(|value| *value == T::zero());
                *pixel = if is_blank { T::zero() } else { T::one() };
            }
            for (place, y) in y.chunks_exact_mut(out_channels).enumerate() {
                let rows = frame.covered(0, place / out[1], self.taps);
                let columns = frame.covered(1, place % out[1], self.taps);
                let mut window = rows.flat_map(|row| &pixels[row * width..][columns.clone()]);
                if window.all(|pixel| *pixel == T::zero()) {
                    y.fill(T::zero());
                }
            }
        }
        context.scratch.give(pixels);
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
        let group = self.summed_group();
        let x_len = group * frame.image[0] * frame.image[1] * c;
        let y_len = group * self.correlation.out_len();
        for (index, (x, grad_y)) in x.chunks(x_len).zip(grad_y.chunks(y_len)).enumerate() {
            let points = self.transform_images(context, x);
            let grads = self.transform_gradients(context, grad_y);
            let n_tiles = grad_y.len() / self.correlation.out_len() * self.tiles_per_image();
            let matrices = points
                .chunks_exact(plane_len(n_tiles, c))
                .zip(grads.chunks_exact(plane_len(n_tiles, o)));
            for ((lhs, rhs), sum) in matrices.zip(sum.chunks_exact_mut(c * o)) {
                let lhs = Lhs::matrix(lhs, Order::RowsInside, c, n_tiles);
                let rhs = Panels::in_place(rhs, o);
                multiply(&lhs, &rhs, Rows { y: sum, stride: o, n_rows: c }, index > 0);
            }
            context.scratch.give(grads);
            context.scratch.give(points);
        }
    }

    /// `B^T d B` of all tiles of some images: `[points, plane]`, a [plane](plane_len) beginning with
    /// `[tiles, channels]`.
    fn transform_images<T: Real>(&self, context: &CpuContext<'_, T>, images: &[T]) -> Vec<T> {
        let frame = self.correlation.frame;
        let images = images.chunks_exact(frame.image[0] * frame.image[1] * frame.channels);
        let n_tiles = images.len() * self.tiles_per_image();
        let mut points = context.scratch.take(self.n_points() * plane_len(n_tiles, frame.channels));
        let mut padded = context.scratch.take(frame.len());
        for (n, image) in images.enumerate() {
            frame.fill(image, &mut padded);
            let first_tile = n * self.tiles_per_image();
            let (padded, points) = (&padded, &mut points);
            match self.side() {
                6 => dispatch(Inputs::<T, 6> { of: self, padded, first_tile, n_tiles, points }),
                _ => dispatch(Inputs::<T, 8> { of: self, padded, first_tile, n_tiles, points }),
            }
        }
        context.scratch.give(padded);
        points
    }

    /// `A g A^T` of all tiles of some output gradients: `[points, plane]`, as
    /// [`Winograd::transform_images`].
    fn transform_gradients<T: Real>(&self, context: &CpuContext<'_, T>, grad_y: &[T]) -> Vec<T> {
        let images = grad_y.chunks_exact(self.correlation.out_len());
        let n_tiles = images.len() * self.tiles_per_image();
        let mut points = context
            .scratch
            .take(self.n_points() * plane_len(n_tiles, self.correlation.out_channels));
        for (n, grad_y) in images.enumerate() {
            let first_tile = n * self.tiles_per_image();
            let points = &mut points;
            match self.side() {
                6 => {
                    dispatch(Gradients::<T, 6, 4> { of: self, grad_y, first_tile, n_tiles, points })
                }
                _ => {
                    dispatch(Gradients::<T, 8, 4> { of: self, grad_y, first_tile, n_tiles, points })
                }
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

/// Elements from a point of all tiles to the next, in f32 an odd number of cache lines: a tile is written to
/// all points, whose addresses then lie in different sets of the first-level cache.
pub(super) fn plane_len(n_tiles: usize, channels: usize) -> usize {
    ((n_tiles * channels / N_CHANNELS) | 1) * N_CHANNELS
}

/// Lengths of buffers enough for each of these moments.
fn most_at_a_time(moments: impl Iterator<Item = Vec<usize>>) -> Vec<usize> {
    let mut most = Buffers::new();
    for moment in moments {
        let mut buffers = Buffers::new();
        moment.into_iter().for_each(|len| *buffers.entry(len).or_default() += 1);
        keep_most(&mut most, buffers);
    }
    most.into_iter().flat_map(|(len, count)| iter::repeat_n(len, count)).collect()
}

/// `sum = sum over k of factors[k] parts[k]`.
fn weighted_sum<T: Real>(factors: &[f64], parts: &[T], sum: &mut [T]) {
    sum.fill(T::zero());
    for (&factor, part) in factors.iter().zip(parts.chunks_exact(sum.len())) {
        if factor != 0.0 {
            add_scaled(T::of(factor), part, sum);
        }
    }
}

/// `sums[k] += factors[k] part`.
fn add_weighted<T: Real>(factors: &[f64], part: &[T], sums: &mut [T]) {
    for (&factor, sum) in factors.iter().zip(sums.chunks_exact_mut(part.len())) {
        if factor != 0.0 {
            add_scaled(T::of(factor), part, sum);
        }
    }
}
