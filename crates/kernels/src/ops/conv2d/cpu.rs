//! Native kernels of the convolution: products whose left operand is the image itself.
//!
//! Each image is copied into a *frame*, with zeros around it, so that the window of every pixel is
//! inside. Row u of a window is then a run of neighbours in memory, and the windows of a row of
//! pixels are the rows of a left operand in `height` segments: nothing is unrolled.

use super::Conv2d;
use crate::cpu::product::{
    Lhs, Order, Panels, Rows, Source, column_width, multiply, pack, packed_len, transpose,
};
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Parts that a filter gradient is summed in at most; fixed, so that bits do not depend on
/// threads.
const MAX_PARTS: usize = 8;

/// Elements of a panel that one pass over an image takes, half a first-level cache in f32, so that
/// they stay there for all pixels.
const PASS_LEN: usize = 6 << 10;

/// Where an image stands in its frame, and how far apart its pixels are: 1, or the stride where
/// gradients are spread out.
#[derive(Clone, Copy)]
struct Frame {
    size: [usize; 2],
    image: [usize; 2],
    channels: usize,
    offset: [isize; 2],
    spread: usize,
}

impl Conv2d {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let (x, bias) = (inputs[0], inputs.get(2).copied());
        let filter = Packed::new(context, inputs[1], self.patch_len(), self.out_channels);
        let frame = self.frame_of_x();
        chunks::for_each(context.parallel, y, self.out_image_len(), |n, y| {
            let mut padded = context.scratch.take(frame.len());
            frame.fill(&x[n * self.image_len()..][..self.image_len()], &mut padded);
            self.correlate(
                &padded,
                frame,
                &filter,
                [self.window.out_height, self.window.stride],
                y,
            );
            self.epilogue.apply(bias, y);
            context.scratch.give(padded);
        });
        filter.give(context);
    }

    /// The same sums with gradients for pixels and the filter turned by half a turn.
    pub(crate) fn grad_input_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_x: &mut [T],
    ) {
        let grad_y = inputs[0];
        let n_terms = self.window.len() * self.out_channels;
        let mut turned = context.scratch.take(inputs[1].len());
        self.turn(inputs[1], &mut turned);
        let filter = Packed::new(context, &turned, n_terms, self.in_channels);
        context.scratch.give(turned);
        let frame = self.frame_of_grad_y();
        chunks::for_each(context.parallel, grad_x, self.image_len(), |n, grad_x| {
            let mut padded = context.scratch.take(frame.len());
            frame.fill(&grad_y[n * self.out_image_len()..][..self.out_image_len()], &mut padded);
            self.correlate(&padded, frame, &filter, [self.window.in_height, 1], grad_x);
            context.scratch.give(padded);
        });
        filter.give(context);
    }

    pub(crate) fn grad_filter_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_filter: &mut [T],
    ) {
        let filter_len = grad_filter.len();
        let images_per_part = self.batch.div_ceil(MAX_PARTS);
        let n_parts = self.batch.div_ceil(images_per_part);
        if n_parts == 1 {
            return self.add_images(context, inputs, 0..self.batch, grad_filter);
        }
        let mut parts = context.scratch.take(n_parts * filter_len);
        chunks::for_each(context.parallel, &mut parts, filter_len, |part, sum| {
            let first = part * images_per_part;
            let images = first..(first + images_per_part).min(self.batch);
            self.add_images(context, inputs, images, sum);
        });
        let (first, rest) = parts.split_at(filter_len);
        grad_filter.copy_from_slice(first);
        vectorised(|| {
            for part in rest.chunks_exact(filter_len) {
                for (sum, &part) in grad_filter.iter_mut().zip(part) {
                    *sum += part;
                }
            }
        });
        context.scratch.give(parts);
    }

    /// Sums the filter gradient over some images.
    fn add_images<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        images: std::ops::Range<usize>,
        sum: &mut [T],
    ) {
        let (x, grad_y) = (inputs[0], inputs[1]);
        let window = &self.window;
        let frame = self.frame_of_x();
        let [_, width] = frame.size;
        let (n_rows, n_columns) = (window.width * self.in_channels, self.out_channels);
        let mut padded = context.scratch.take(frame.len());
        for n in images.clone() {
            frame.fill(&x[n * self.image_len()..][..self.image_len()], &mut padded);
            let grad_y = &grad_y[n * self.out_image_len()..][..self.out_image_len()];
            let grad_y = Packed::new(context, grad_y, window.out_len(), n_columns);
            for u in 0..window.height {
                let lhs = Lhs {
                    data: &padded[u * width * self.in_channels..],
                    order: Order::RowsInside,
                    stride: window.stride * self.in_channels,
                    n_segments: window.out_height,
                    segment_len: window.out_width,
                    segment_stride: window.stride * width * self.in_channels,
                };
                let y = &mut sum[u * n_rows * n_columns..][..n_rows * n_columns];
                let rows = Rows { y, stride: n_columns, n_rows };
                multiply(&lhs, &grad_y.panels(), rows, n > images.start);
            }
            grad_y.give(context);
        }
        context.scratch.give(padded);
    }

    /// `y[i, j, o]` = sum over the window at row `stride i`, column `stride j` of a frame.
    fn correlate<T: Real>(
        self,
        padded: &[T],
        frame: Frame,
        filter: &Packed<T>,
        [n_image_rows, stride]: [usize; 2],
        y: &mut [T],
    ) {
        let (height, run_len) = (self.window.height, self.window.width * frame.channels);
        let row_len = frame.size[1] * frame.channels;
        let runs_per_pass = (PASS_LEN / (run_len * column_width::<T>())).clamp(1, height);
        let y_row_len = y.len() / n_image_rows;
        for first_run in (0..height).step_by(runs_per_pass) {
            let rhs = filter.panels().from_term(first_run * run_len);
            for (i, y) in y.chunks_exact_mut(y_row_len).enumerate() {
                let lhs = Lhs {
                    data: &padded[(i * stride + first_run) * row_len..],
                    order: Order::TermsInside,
                    stride: stride * frame.channels,
                    n_segments: runs_per_pass.min(height - first_run),
                    segment_len: run_len,
                    segment_stride: row_len,
                };
                let n_columns = filter.n_columns;
                let rows = Rows { n_rows: y.len() / n_columns, y, stride: n_columns };
                multiply(&lhs, &rhs, rows, first_run > 0);
            }
        }
    }

    /// `turned[h - 1 - u, w - 1 - v, o, c] = filter[u, v, c, o]`.
    fn turn<T: Real>(self, filter: &[T], turned: &mut [T]) {
        let (c, o) = (self.in_channels, self.out_channels);
        let taps = filter.chunks_exact(c * o).zip(turned.chunks_exact_mut(o * c).rev());
        taps.for_each(|(tap, turned)| transpose(tap, [c, o], o, turned, c));
    }

    #[expect(clippy::cast_possible_wrap, reason = "sides of images are far below 2^31")]
    fn frame_of_x(self) -> Frame {
        let window = &self.window;
        let side = |out: usize, size: usize| (out - 1) * window.stride + size;
        Frame {
            size: [side(window.out_height, window.height), side(window.out_width, window.width)],
            image: [window.in_height, window.in_width],
            channels: self.in_channels,
            offset: [window.pad_top as isize, window.pad_left as isize],
            spread: 1,
        }
    }

    #[expect(clippy::cast_possible_wrap, reason = "sides of images are far below 2^31")]
    fn frame_of_grad_y(self) -> Frame {
        let window = &self.window;
        let offset = |size: usize, padding: usize| size as isize - 1 - padding as isize;
        Frame {
            size: [window.in_height + window.height - 1, window.in_width + window.width - 1],
            image: [window.out_height, window.out_width],
            channels: self.out_channels,
            offset: [offset(window.height, window.pad_top), offset(window.width, window.pad_left)],
            spread: window.stride,
        }
    }
}

impl Frame {
    fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.channels
    }

    /// Copies an image to its place, with zeros wherever it is not.
    fn fill<T: Real>(&self, image: &[T], frame: &mut [T]) {
        frame.fill(T::zero());
        let [height, width] = self.size;
        let image_row_len = self.image[1] * self.channels;
        for (i, row) in image.chunks_exact(image_row_len).enumerate() {
            let Some(i) = self.place(i, self.offset[0], height) else { continue };
            let frame = &mut frame[i * width * self.channels..][..width * self.channels];
            if self.spread == 1 {
                // Where the frame ends before the image does, so does the row.
                let skipped = self.offset[1].min(0).unsigned_abs() * self.channels;
                let start = self.offset[1].max(0).unsigned_abs() * self.channels;
                let len = (row.len() - skipped).min(frame.len() - start);
                frame[start..start + len].copy_from_slice(&row[skipped..skipped + len]);
                continue;
            }
            for (j, pixel) in row.chunks_exact(self.channels).enumerate() {
                if let Some(j) = self.place(j, self.offset[1], width) {
                    frame[j * self.channels..][..self.channels].copy_from_slice(pixel);
                }
            }
        }
    }

    /// Where row or column `index` of the image is, if that is inside.
    #[expect(clippy::cast_possible_wrap, reason = "sides of images are far below 2^31")]
    fn place(&self, index: usize, offset: isize, size: usize) -> Option<usize> {
        let place = (index * self.spread) as isize + offset;
        usize::try_from(place).ok().filter(|&place| place < size)
    }
}

/// A right operand in panels, in scratch memory.
struct Packed<T> {
    data: Vec<T>,
    n_terms: usize,
    n_columns: usize,
}

impl<T: Real> Packed<T> {
    fn new(context: &CpuContext<'_, T>, data: &[T], n_terms: usize, n_columns: usize) -> Self {
        let mut packed = context.scratch.take(packed_len::<T>(n_terms, n_columns));
        pack(&Source { data, stride: n_columns, n_terms, n_columns }, &mut packed);
        Self { data: packed, n_terms, n_columns }
    }

    fn panels(&self) -> Panels<'_, T> {
        Panels::packed(&self.data, self.n_terms, self.n_columns)
    }

    fn give(self, context: &CpuContext<'_, T>) {
        context.scratch.give(self.data);
    }
}
