//! The sums of a convolution as they stand, as products whose left operand is the frame itself.
//!
//! Row u of a window is a run of neighbours in memory, and the windows of a row of pixels are the
//! rows of a left operand in `height` segments: nothing is unrolled.

use super::cpu::Correlation;
use crate::cpu::CpuContext;
use crate::cpu::product::{Lhs, Order, Packed, Rows, Source, column_width, multiply, packed_len};
use crate::real::Real;

/// Elements of a panel that one pass over an image takes, half a first-level cache in f32, so that
/// they stay there for all pixels.
const PASS_LEN: usize = 6 << 10;

/// One image through the filter.
pub(super) fn correlate<T: Real>(
    context: &CpuContext<'_, T>,
    correlation: &Correlation,
    image: &[T],
    filter: &Packed<T>,
    y: &mut [T],
) {
    let &Correlation { frame, filter: [height, width], out, stride, out_channels } = correlation;
    let mut padded = context.scratch.take(frame.len());
    frame.fill(image, &mut padded);
    let run_len = width * frame.channels;
    let row_len = frame.size[1] * frame.channels;
    // With one channel pixels are neighbours too, and runs are short: rows inside is the better order.
    let (order, step) = if stride * frame.channels == 1 {
        (Order::RowsInside, 1)
    } else {
        (Order::TermsInside, stride * frame.channels)
    };
    let runs_per_pass = (PASS_LEN / (run_len * column_width::<T>())).clamp(1, height);
    for first_run in (0..height).step_by(runs_per_pass) {
        let rhs = filter.panels().starting_at(first_run * run_len);
        for (i, y) in y.chunks_exact_mut(out[1] * out_channels).enumerate() {
            let lhs = Lhs {
                data: &padded[(i * stride + first_run) * row_len..],
                order,
                stride: step,
                n_segments: runs_per_pass.min(height - first_run),
                segment_len: run_len,
                segment_stride: row_len,
            };
            let rows = Rows { y, stride: out_channels, n_rows: out[1] };
            multiply(&lhs, &rhs, rows, first_run > 0);
        }
    }
    context.scratch.give(padded);
}

/// The filter gradient of some images.
pub(super) fn sum_images<T: Real>(
    context: &CpuContext<'_, T>,
    correlation: &Correlation,
    x: &[T],
    grad_y: &[T],
    sum: &mut [T],
) {
    let &Correlation { frame, filter: [height, width], out, stride, out_channels } = correlation;
    let row_len = frame.size[1] * frame.channels;
    let n_rows = width * frame.channels;
    let mut padded = context.scratch.take(frame.len());
    let images = x.chunks_exact(frame.image[0] * frame.image[1] * frame.channels);
    for (n, (image, grad_y)) in images.zip(grad_y.chunks_exact(correlation.out_len())).enumerate() {
        frame.fill(image, &mut padded);
        let grad_y = Source::matrix(grad_y, out[0] * out[1], out_channels).pack(context.scratch);
        for (u, y) in (0..height).zip(sum.chunks_exact_mut(n_rows * out_channels)) {
            let lhs = Lhs {
                data: &padded[u * row_len..],
                order: Order::RowsInside,
                stride: stride * frame.channels,
                n_segments: out[0],
                segment_len: out[1],
                segment_stride: stride * row_len,
            };
            let rows = Rows { y, stride: out_channels, n_rows };
            multiply(&lhs, &grad_y.panels(), rows, n > 0);
        }
        grad_y.give(context.scratch);
    }
    context.scratch.give(padded);
}

/// Lengths of the buffers that [`sum_images`] takes.
pub(super) fn sum_scratch<T: Real>(correlation: &Correlation) -> Vec<usize> {
    let &Correlation { frame, out, out_channels, .. } = correlation;
    vec![frame.len(), packed_len::<T>(out[0] * out[1], out_channels)]
}
