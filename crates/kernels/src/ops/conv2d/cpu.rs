//! Native kernels of the convolution.
//!
//! Forward and backward to the input are the same sums, a filter over a [`Frame`]: backward with
//! gradients for pixels and the filter turned by half a turn. Wide layers with filters of 3 or 5 go
//! by way of [`winograd`](super::winograd), all others are [`direct`](super::direct).

use super::direct;
use super::frame::Frame;
use super::winograd::{Pass, Winograd};
use super::{Conv2d, Epilogue};
use crate::cpu::product::{Source, packed_len, transpose};
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, ScratchLens, chunks};
use crate::real::Real;

/// Parts that a filter gradient is summed in at most.
const MAX_PARTS: usize = 8;

/// A filter moved over images in frames.
#[derive(Clone, Copy)]
pub(super) struct Correlation {
    pub(super) frame: Frame,
    /// Height and width of the filter.
    pub(super) filter: [usize; 2],
    /// Height and width of the output.
    pub(super) out: [usize; 2],
    /// Pixels of the frame from one window to the next.
    pub(super) stride: usize,
    pub(super) out_channels: usize,
}

impl Conv2d {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let epilogue = (self.epilogue, inputs.get(2).copied());
        self.forward().run(context, self.pass(), [inputs[0], inputs[1]], y, epilogue);
    }

    pub(crate) fn grad_input_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_x: &mut [T],
    ) {
        let mut turned = context.scratch.take(inputs[1].len());
        self.turn(inputs[1], &mut turned);
        let epilogue = (Epilogue::default(), None);
        let operands = [inputs[0], &turned];
        self.backward_to_input().run(context, Pass::Backward, operands, grad_x, epilogue);
        context.scratch.give(turned);
    }

    pub(crate) fn grad_filter_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_filter: &mut [T],
    ) {
        let (x, grad_y) = (inputs[0], inputs[1]);
        let (image_len, out_len) = (self.image_len(), self.out_image_len());
        let sum_images = |part: usize, images_per_part: usize| {
            let images = part * images_per_part..((part + 1) * images_per_part).min(self.batch);
            (
                &x[images.start * image_len..images.end * image_len],
                &grad_y[images.start * out_len..images.end * out_len],
            )
        };
        match Winograd::of(self.forward(), Pass::Backward) {
            Some(winograd) => {
                let mut sum = context.scratch.take(winograd.spectrum_len());
                self.in_parts(context, &mut sum, |part, images_per_part, sum| {
                    let (x, grad_y) = sum_images(part, images_per_part);
                    winograd.add_images(context, x, grad_y, sum);
                });
                winograd.filter_gradient(context, &sum, grad_filter);
                context.scratch.give(sum);
            }
            None => self.in_parts(context, grad_filter, |part, images_per_part, sum| {
                let (x, grad_y) = sum_images(part, images_per_part);
                direct::sum_images(context, &self.forward(), x, grad_y, sum);
            }),
        }
    }

    /// What [`Conv2d::cpu`] takes.
    pub(crate) fn scratch<T: Real>(self) -> ScratchLens {
        self.forward().scratch::<T>(self.pass(), self.batch)
    }

    /// What [`Conv2d::grad_input_cpu`] takes.
    pub(crate) fn grad_input_scratch<T: Real>(self) -> ScratchLens {
        let mut lens = self.backward_to_input().scratch::<T>(Pass::Backward, self.batch);
        lens.of_op.push(self.filter_len());
        lens
    }

    /// What [`Conv2d::grad_filter_cpu`] takes.
    pub(crate) fn grad_filter_scratch<T: Real>(self) -> ScratchLens {
        let (images_per_part, n_parts) = self.parts();
        let parts = |len| (n_parts > 1).then_some(n_parts * len);
        let forward = self.forward();
        match Winograd::of(forward, Pass::Backward) {
            Some(winograd) => {
                let sum = winograd.spectrum_len();
                let of_op =
                    [sum, winograd.filter_row_len()].into_iter().chain(parts(sum)).collect();
                let parts = chunks::lens(self.batch, images_per_part);
                let of_piece = winograd.add_images_scratch(&parts);
                ScratchLens { of_op, of_piece }
            }
            None => ScratchLens {
                of_op: parts(self.filter_len()).into_iter().collect(),
                of_piece: direct::sum_scratch::<T>(&forward),
            },
        }
    }

    /// What the forward convolution is for.
    fn pass(self) -> Pass {
        if self.has_backward { Pass::Forward } else { Pass::Evaluation }
    }

    fn filter_len(self) -> usize {
        self.window.len() * self.in_channels * self.out_channels
    }

    /// Images of a part of a filter gradient's sum, and the parts; the batch alone decides, so that
    /// bits do not depend on threads.
    fn parts(self) -> (usize, usize) {
        let images_per_part = self.batch.div_ceil(MAX_PARTS);
        (images_per_part, self.batch.div_ceil(images_per_part))
    }

    /// Sums the images in parts: `work(part, images per part, sum)` makes one, and they are added
    /// in order.
    fn in_parts<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        sum: &mut [T],
        work: impl Fn(usize, usize, &mut [T]) + Sync,
    ) {
        let (images_per_part, n_parts) = self.parts();
        let len = sum.len();
        if n_parts == 1 {
            return work(0, images_per_part, sum);
        }
        let mut parts = context.scratch.take(n_parts * len);
        chunks::for_each(context.parallel, &mut parts, len, |part, sum| {
            work(part, images_per_part, sum);
        });
        let (first, rest) = parts.split_at(len);
        sum.copy_from_slice(first);
        vectorised!({
            for part in rest.chunks_exact(len) {
                for (sum, &part) in sum.iter_mut().zip(part) {
                    *sum += part;
                }
            }
        });
        context.scratch.give(parts);
    }

    /// `turned[h - 1 - u, w - 1 - v, o, c] = filter[u, v, c, o]`.
    fn turn<T: Real>(self, filter: &[T], turned: &mut [T]) {
        let (c, o) = (self.in_channels, self.out_channels);
        let taps = filter.chunks_exact(c * o).zip(turned.chunks_exact_mut(o * c).rev());
        taps.for_each(|(tap, turned)| transpose(tap, [c, o], o, turned, c));
    }

    #[expect(clippy::cast_possible_wrap, reason = "sides of images are far below 2^31")]
    fn forward(self) -> Correlation {
        let window = &self.window;
        let side = |out: usize, size: usize| (out - 1) * window.stride + size;
        Correlation {
            frame: Frame {
                size: [
                    side(window.out_height, window.height),
                    side(window.out_width, window.width),
                ],
                image: [window.in_height, window.in_width],
                channels: self.in_channels,
                offset: [window.pad_top as isize, window.pad_left as isize],
                spread: 1,
            },
            filter: [window.height, window.width],
            out: [window.out_height, window.out_width],
            stride: window.stride,
            out_channels: self.out_channels,
        }
    }

    #[expect(clippy::cast_possible_wrap, reason = "sides of images are far below 2^31")]
    fn backward_to_input(self) -> Correlation {
        let window = &self.window;
        let offset = |size: usize, padding: usize| size as isize - 1 - padding as isize;
        Correlation {
            frame: Frame {
                size: [window.in_height + window.height - 1, window.in_width + window.width - 1],
                image: [window.out_height, window.out_width],
                channels: self.out_channels,
                offset: [
                    offset(window.height, window.pad_top),
                    offset(window.width, window.pad_left),
                ],
                spread: window.stride,
            },
            filter: [window.height, window.width],
            out: [window.in_height, window.in_width],
            stride: 1,
            out_channels: self.in_channels,
        }
    }
}

impl Correlation {
    /// `y[n, i, j, o] = sum_{u, v, c} frame(x)[n, i stride + u, j stride + v, c] filter[u, v, c, o]`,
    /// then the epilogue.
    fn run<T: Real>(
        &self,
        context: &CpuContext<'_, T>,
        pass: Pass,
        [x, filter]: [&[T]; 2],
        y: &mut [T],
        (epilogue, bias): (Epilogue, Option<&[T]>),
    ) {
        let frame = self.frame;
        let image_len = frame.image[0] * frame.image[1] * frame.channels;
        let out_len = self.out_len();
        let mut in_groups = |n_images: usize, work: &(dyn Fn(&[T], &mut [T]) + Sync)| {
            chunks::for_each(context.parallel, y, n_images * out_len, |group, y| {
                let n_images_now = y.len() / out_len;
                let x = &x[group * n_images * image_len..][..n_images_now * image_len];
                work(x, y);
                epilogue.apply(bias, y);
            });
        };
        if let Some(winograd) = Winograd::of(*self, pass) {
            let filter = winograd.transform_filter(context, filter);
            in_groups(winograd.group(), &|x, y| winograd.correlate(context, x, &filter, y));
            filter.give(context.scratch);
        } else {
            let n_terms = self.filter[0] * self.filter[1] * frame.channels;
            let filter = Source::matrix(filter, n_terms, self.out_channels);
            let filter = filter.pack(context.scratch);
            in_groups(1, &|x, y| direct::correlate(context, self, x, &filter, y));
            filter.give(context.scratch);
        }
    }

    /// What [`Correlation::run`] takes.
    fn scratch<T: Real>(&self, pass: Pass, n_images: usize) -> ScratchLens {
        match Winograd::of(*self, pass) {
            Some(winograd) => ScratchLens {
                of_op: winograd.filter_scratch::<T>(),
                of_piece: winograd.correlate_scratch(n_images),
            },
            None => {
                let n_terms = self.filter[0] * self.filter[1] * self.frame.channels;
                let filter = packed_len::<T>(n_terms, self.out_channels);
                ScratchLens { of_op: vec![filter], of_piece: vec![self.frame.len()] }
            }
        }
    }

    /// Elements of one image's output.
    pub(super) fn out_len(&self) -> usize {
        self.out[0] * self.out[1] * self.out_channels
    }
}
