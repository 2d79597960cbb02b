//! Convolution and pooling against the native executor.

use super::{check, check_product};
use crate::graph::Initialiser;
use crate::ops::window::Padding;

/// Images, filter, stride: odd sizes, filters larger than the stride and smaller, 1x1; several
/// tiles of rows and of channels; sums over windows long enough to be cut into parts.
const CONVOLUTIONS: [([usize; 4], [usize; 4], usize); 10] = [
    ([1, 1, 1, 1], [1, 1, 1, 1], 1),
    ([2, 5, 7, 3], [3, 3, 3, 4], 1),
    ([3, 8, 6, 2], [3, 2, 2, 5], 2),
    ([2, 7, 7, 1], [5, 5, 1, 3], 1),
    ([2, 6, 6, 4], [1, 1, 4, 2], 2),
    ([1, 9, 5, 2], [2, 3, 2, 1], 3),
    ([1, 8, 8, 1], [3, 3, 1, 16], 1),
    ([2, 9, 7, 17], [3, 3, 17, 65], 2),
    ([1, 4, 4, 70], [2, 2, 70, 9], 1),
    ([6, 20, 20, 2], [3, 3, 2, 3], 1),
];

const PADDINGS: [Padding; 2] = [Padding::Same, Padding::Valid];

#[test]
fn conv2d() {
    for (x_shape, filter_shape, stride) in CONVOLUTIONS {
        for padding in PADDINGS {
            let name = format!("conv2d {x_shape:?} {filter_shape:?} {stride} {padding:?}");
            let n_pixels = x_shape[..3].iter().product::<usize>();
            let reduction_len = n_pixels.max(filter_shape.iter().product());
            check_product(&name, reduction_len, |graph| {
                let x = graph.parameter("x", &x_shape, Initialiser::Zeros)?;
                let filter = graph.parameter("filter", &filter_shape, Initialiser::Zeros)?;
                graph.conv2d(x, filter, stride, padding)
            });
        }
    }
}

#[test]
fn conv2d_with_fused_epilogues() {
    for (bias, relu) in [(true, false), (false, true), (true, true)] {
        check_product(&format!("conv2d, bias {bias}, relu {relu}"), 27 + 2 * 36, |graph| {
            let x = graph.parameter("x", &[2, 6, 6, 3], Initialiser::Zeros)?;
            let filter = graph.parameter("filter", &[3, 3, 3, 10], Initialiser::Zeros)?;
            let mut y = graph.conv2d(x, filter, 1, Padding::Same)?;
            if bias {
                let bias = graph.parameter("bias", &[10], Initialiser::Zeros)?;
                y = graph.add_bias(y, bias)?;
            }
            if relu { graph.relu(y) } else { Ok(y) }
        });
    }
}

#[test]
fn max_pool() {
    for shape in [[1, 1, 1, 1], [2, 4, 4, 3], [3, 7, 5, 2], [2, 16, 17, 9]] {
        for (size, stride) in [(1, 1), (2, 2), (3, 2), (3, 1), (2, 3)] {
            for padding in PADDINGS {
                if padding == Padding::Valid && shape[1].min(shape[2]) < size {
                    continue;
                }
                let name = format!("max_pool {shape:?} {size} {stride} {padding:?}");
                check(&name, size * size, |graph| {
                    let x = graph.parameter("x", &shape, Initialiser::Zeros)?;
                    graph.max_pool(x, size, stride, padding)
                });
            }
        }
    }
}

#[test]
fn avg_pool() {
    for shape in [[1, 1, 1, 1], [2, 4, 4, 3], [3, 7, 5, 2], [2, 16, 17, 9]] {
        for (size, stride) in [([1, 1], 1), ([2, 2], 2), ([3, 2], 2), ([3, 3], 1), ([2, 2], 3)] {
            for padding in PADDINGS {
                if padding == Padding::Valid && (shape[1] < size[0] || shape[2] < size[1]) {
                    continue;
                }
                let name = format!("avg_pool {shape:?} {size:?} {stride} {padding:?}");
                check(&name, size[0] * size[1], |graph| {
                    let x = graph.parameter("x", &shape, Initialiser::Zeros)?;
                    graph.avg_pool(x, size, stride, padding)
                });
            }
        }
        check(&format!("global_avg_pool {shape:?}"), shape[1] * shape[2], |graph| {
            let x = graph.parameter("x", &shape, Initialiser::Zeros)?;
            graph.global_avg_pool(x)
        });
    }
}

#[test]
fn identity_shortcut() {
    for shape in [[1, 1, 1, 1], [2, 4, 4, 3], [3, 7, 5, 2], [2, 16, 17, 9]] {
        for (stride, more) in [(1, 0), (2, 5), (3, 1)] {
            check(&format!("identity_shortcut {shape:?} {stride} {more}"), 1, |graph| {
                let x = graph.parameter("x", &shape, Initialiser::Zeros)?;
                graph.identity_shortcut(x, stride, shape[3] + more)
            });
        }
    }
}
