//! Tests of the convolution.

use super::Padding;
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::{assert_close, check_gradients, random_values};

/// Images, filter, stride: odd sizes, filters larger than the stride and smaller, 1x1; then filters
/// of 3 and 5 over enough channels to be transformed, on sides that tiles fit and do not fit, many
/// images and few.
const CASES: [([usize; 4], [usize; 4], usize); 12] = [
    ([1, 1, 1, 1], [1, 1, 1, 1], 1),
    ([2, 5, 7, 3], [3, 3, 3, 4], 1),
    ([3, 8, 6, 2], [3, 2, 2, 5], 2),
    ([2, 7, 7, 1], [5, 5, 1, 3], 1),
    ([2, 6, 6, 4], [1, 1, 4, 2], 2),
    ([1, 9, 5, 2], [2, 3, 2, 1], 3),
    ([2, 14, 14, 16], [5, 5, 16, 32], 1),
    ([19, 7, 5, 32], [5, 5, 32, 16], 1),
    ([3, 12, 9, 16], [3, 3, 16, 48], 1),
    ([1, 6, 6, 16], [3, 3, 16, 16], 2),
    ([2, 9, 8, 1], [7, 7, 1, 2], 2),
    ([1, 8, 9, 16], [7, 7, 16, 16], 1),
];

/// The large cases are covered by [`transformed_gradients_equal_the_definition`].
#[test]
fn gradients() {
    for (x_shape, filter_shape, stride) in CASES.into_iter().filter(|(x, ..)| x[3] < 16) {
        for padding in [Padding::Same, Padding::Valid] {
            check_gradients(11, |graph| {
                let x = graph.parameter("x", &x_shape, Initialiser::Zeros)?;
                let filter = graph.parameter("filter", &filter_shape, Initialiser::Zeros)?;
                graph.conv2d(x, filter, stride, padding)
            })
            .unwrap();
        }
    }
}

/// Enough images that the filter gradient is summed in several parts.
#[test]
fn gradients_of_several_parts() {
    check_gradients(12, |graph| {
        let x = graph.parameter("x", &[9, 20, 20, 16], Initialiser::Zeros)?;
        let filter = graph.parameter("filter", &[5, 5, 16, 2], Initialiser::Zeros)?;
        graph.conv2d(x, filter, 1, Padding::Same)
    })
    .unwrap();
}

/// Plans of evaluation have other tiles than those of training: what they record, of all outputs.
#[test]
fn evaluations_give_what_training_gives() {
    for (x_shape, filter_shape, stride) in CASES.into_iter().filter(|(x, ..)| x[3] >= 16) {
        let mut graph = Graph::new();
        let x = graph.parameter("x", &x_shape, Initialiser::Zeros).unwrap();
        let filter = graph.parameter("filter", &filter_shape, Initialiser::Zeros).unwrap();
        let y = graph.conv2d(x, filter, stride, Padding::Same).unwrap();
        let plans =
            [Plan::forward(&graph, &[y]).unwrap(), Plan::evaluation(&graph, &[y], 1).unwrap()];
        let program = Program::new(plans.into(), vec![]).unwrap();
        let values: Vec<f64> = random_values(15, program.n_parameters());
        let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
        executor.poison().unwrap();
        executor.load(0, &Snapshot::fresh(LaneState::default(), values)).unwrap();
        executor.run(0, &[1]).unwrap();
        executor.run(1, &[1]).unwrap();
        let training = executor.read(0, 0, y).unwrap();
        let recorded = executor.records(1).unwrap()[0][0].clone();
        for (trained, evaluated) in training.iter().zip(&recorded) {
            assert!((trained - evaluated).abs() < 1e-11 * (1.0 + trained.abs()), "{x_shape:?}");
        }
        assert_eq!(training.len(), recorded.len());
    }
}

#[test]
fn equals_the_definition() {
    for (x_shape, filter_shape, stride) in CASES {
        for padding in [Padding::Same, Padding::Valid] {
            let x: Vec<f32> = random_values(13, x_shape.iter().product());
            let filter: Vec<f32> = random_values(14, filter_shape.iter().product());
            let reference = direct(&x, x_shape, &filter, filter_shape, stride, padding);
            let mut graph = Graph::new();
            let x_node = graph.parameter("x", &x_shape, Initialiser::Zeros).unwrap();
            let f_node = graph.parameter("filter", &filter_shape, Initialiser::Zeros).unwrap();
            let y = graph.conv2d(x_node, f_node, stride, padding).unwrap();
            let plan = Plan::forward(&graph, &[y]).unwrap();
            let program = Program::new(vec![plan], vec![]).unwrap();
            let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
            executor.poison().unwrap();
            let snapshot = Snapshot::fresh(LaneState::default(), [x, filter].concat());
            executor.load(0, &snapshot).unwrap();
            executor.run(0, &[1]).unwrap();
            let terms = filter_shape[..3].iter().product();
            assert_close("conv2d", &executor.read(0, 0, y).unwrap(), &reference, terms);
        }
    }
}

/// One bright pixel in each of two images, then one bright gradient: whatever lies outside of its reach is
/// exactly zero, and a ReLU sees no noise there.
#[test]
fn windows_of_zeros_give_zero() {
    use Padding::{Same, Valid};
    const SIZE: [usize; 2] = [14, 11];
    for (taps, padding, n_zeros) in [(5, Same, 2), (5, Valid, 0), (3, Same, 1), (3, Valid, 0)] {
        let mut graph = Graph::new();
        let x = graph.parameter("x", &[2, SIZE[0], SIZE[1], 16], Initialiser::Zeros).unwrap();
        let filter = graph.parameter("filter", &[taps, taps, 16, 16], Initialiser::Zeros).unwrap();
        let y = graph.conv2d(x, filter, 1, padding).unwrap();
        let out_size = [graph.shape(y)[1], graph.shape(y)[2]];
        let y_shape = graph.shape(y).to_vec();
        let grad_y = graph.parameter("grad_y", &y_shape, Initialiser::Zeros).unwrap();
        let product = graph.multiply(y, grad_y).unwrap();
        let loss = graph.sum(product, 1.0).unwrap();
        let grad_x = graph.gradients(loss, &[x]).unwrap()[0];
        let plan = Plan::forward(&graph, &[y, grad_x]).unwrap();
        let mut executor =
            CpuExecutor::<f32>::new(&Program::new(vec![plan], vec![]).unwrap(), 1).unwrap();
        let weights: Vec<f32> = random_values(19, taps * taps * 16 * 16);
        for bright in [[[0, 0], [6, 5]], [[7, 4], [9, 6]], [[3, 3], [9, 0]]] {
            let (pixels, grads) = (bright_pixels(bright, SIZE), bright_pixels(bright, out_size));
            let values = [pixels, weights.clone(), grads].concat();
            executor.load(0, &Snapshot::fresh(LaneState::default(), values)).unwrap();
            executor.run(0, &[1]).unwrap();
            // Windows begin in the zeros around the image.
            let in_window =
                |bright: usize, place| (place..place + taps).contains(&(bright + n_zeros));
            expect_zeros_outside(&executor.read(0, 0, y).unwrap(), out_size, |n, place| {
                (0..2).all(|axis| in_window(bright[n][axis], place[axis]))
            });
            expect_zeros_outside(&executor.read(0, 0, grad_x).unwrap(), SIZE, |n, place| {
                (0..2).all(|axis| in_window(place[axis], bright[n][axis]))
            });
        }
    }
}

/// Two images of 16 channels, each zero but for one pixel.
fn bright_pixels(bright: [[usize; 2]; 2], [height, width]: [usize; 2]) -> Vec<f32> {
    let mut pixels = vec![0.0; 2 * height * width * 16];
    for (n, [row, column]) in bright.into_iter().enumerate() {
        let place = (n * height + row) * width + column;
        pixels[place * 16..][..16].copy_from_slice(&random_values(20, 16));
    }
    pixels
}

/// Of images of 16 channels those pixels are zero that are not reached, and no others.
fn expect_zeros_outside(
    found: &[f32],
    [height, width]: [usize; 2],
    is_reached: impl Fn(usize, [usize; 2]) -> bool,
) {
    for (index, channels) in found.chunks_exact(16).enumerate() {
        let (n, place) = (index / (height * width), [index / width % height, index % width]);
        let is_zero = channels.iter().all(|value| *value == 0.0);
        assert_eq!(is_zero, !is_reached(n, place), "{n} at {place:?}: {channels:?}");
    }
}

/// Both gradients of `sum(y * weights)` against the definition's: each is bilinear, so that the one
/// is the derivative of the other's products. In f64, where a wrong transform cannot hide in rounding.
#[test]
fn transformed_gradients_equal_the_definition() {
    for (x_shape, filter_shape, stride) in CASES.into_iter().filter(|(x, ..)| x[3] >= 16) {
        for padding in [Padding::Same, Padding::Valid] {
            let x: Vec<f64> = random_values(15, x_shape.iter().product());
            let filter: Vec<f64> = random_values(16, filter_shape.iter().product());
            let mut graph = Graph::new();
            let x_node = graph.parameter("x", &x_shape, Initialiser::Zeros).unwrap();
            let f_node = graph.parameter("filter", &filter_shape, Initialiser::Zeros).unwrap();
            let y = graph.conv2d(x_node, f_node, stride, padding).unwrap();
            let y_shape = graph.shape(y).to_vec();
            // d sum(y) / dx . dx is the change of sum(y) when x changes by dx, exactly.
            let columns = *y_shape.last().unwrap();
            let rows = y_shape.iter().product::<usize>() / columns;
            let weights: Vec<f64> = random_values(17, columns);
            let w = graph.parameter("weights", &[columns, 1], Initialiser::Zeros).unwrap();
            let flat = graph.reshape(y, &[rows, columns]).unwrap();
            let product = graph.matmul(flat, w).unwrap();
            let loss = graph.sum(product, 1.0).unwrap();
            let gradients = graph.gradients(loss, &[x_node, f_node]).unwrap();
            let plan = Plan::forward(&graph, &gradients).unwrap();
            let program = Program::new(vec![plan], vec![]).unwrap();
            let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
            executor.poison().unwrap();
            let values = [x.clone(), filter.clone(), weights.clone()].concat();
            executor.load(0, &Snapshot::fresh(LaneState::default(), values)).unwrap();
            executor.run(0, &[1]).unwrap();
            let total = |x: &[f64], filter: &[f64]| -> f64 {
                let as_f32 = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<f32>>();
                let y = direct(&as_f32(x), x_shape, &as_f32(filter), filter_shape, stride, padding);
                y.iter().enumerate().map(|(i, y)| y * weights[i % columns]).sum()
            };
            for (gradient, shape, of_x) in
                [(gradients[0], x_shape, true), (gradients[1], filter_shape, false)]
            {
                let got = executor.read(0, 0, gradient).unwrap();
                // Whole numbers are exact in f32, in which `direct` takes its operands.
                let n: usize = shape.iter().product();
                for direction in 0..3 {
                    let change: Vec<f64> = (0..n)
                        .map(|i| if (i * 7 + direction * 3) % 11 < 2 { 1.0 } else { 0.0 })
                        .collect();
                    let expected = if of_x {
                        total(&change, &round(&filter))
                    } else {
                        total(&round(&x), &change)
                    };
                    let got: f64 = got.iter().zip(&change).map(|(g, c)| g * c).sum();
                    let close =
                        (got - expected).abs() <= 1e-5 * expected.abs().max(n as f64 * 1e-2);
                    assert!(close, "{x_shape:?} {filter_shape:?} {padding:?}: {got} {expected}");
                }
            }
        }
    }
}

/// The same numbers, as f32 holds them.
fn round(values: &[f64]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value as f32)).collect()
}

/// The sum of the definition, written without any of the op's own geometry.
fn direct(
    x: &[f32],
    [batch, height, width, channels]: [usize; 4],
    filter: &[f32],
    [filter_height, filter_width, _, out_channels]: [usize; 4],
    stride: usize,
    padding: Padding,
) -> Vec<f64> {
    let axis = |size: usize, filter: usize| match padding {
        Padding::Valid => ((size - filter) / stride + 1, 0),
        Padding::Same => {
            let out = size.div_ceil(stride);
            let total = ((out - 1) * stride + filter).saturating_sub(size);
            (out, total / 2)
        }
    };
    let ((out_height, top), (out_width, left)) =
        (axis(height, filter_height), axis(width, filter_width));
    let mut y = Vec::new();
    for n in 0..batch {
        for i in 0..out_height {
            for j in 0..out_width {
                for o in 0..out_channels {
                    let mut sum = 0.0;
                    for u in 0..filter_height {
                        for v in 0..filter_width {
                            let row = (i * stride + u).checked_sub(top).filter(|&r| r < height);
                            let column = (j * stride + v).checked_sub(left).filter(|&c| c < width);
                            let (Some(row), Some(column)) = (row, column) else { continue };
                            for c in 0..channels {
                                let pixel = x[((n * height + row) * width + column) * channels + c];
                                let weight = filter
                                    [((u * filter_width + v) * channels + c) * out_channels + o];
                                sum += f64::from(pixel) * f64::from(weight);
                            }
                        }
                    }
                    y.push(sum);
                }
            }
        }
    }
    y
}

#[test]
fn refuses_shapes_that_do_not_fit() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[2, 4, 4, 3], Initialiser::Zeros).unwrap();
    let filter = graph.parameter("filter", &[3, 3, 1, 8], Initialiser::Zeros).unwrap();
    let message = graph.conv2d(x, filter, 1, Padding::Same).unwrap_err().to_string();
    assert_eq!(
        message,
        "conv2d: channels differ: lhs [2, 4, 4, 3], rhs [3, 3, 1, 8]; the filter needs 3 input channels"
    );
}

/// Bias gradients see what filter gradients cannot where the input is zero: the image's edge.
#[test]
fn gradients_of_chains() {
    for side in [7, 14] {
        check_gradients(18, |graph| {
            let x = graph.parameter("x", &[2, side, side, 16], Initialiser::Zeros)?;
            let mut y = x;
            for (name, stride) in [("first", 2), ("second", 1), ("third", 1)] {
                let filter = graph.parameter(name, &[3, 3, 16, 16], Initialiser::Zeros)?;
                let bias = graph.parameter(&format!("{name}_bias"), &[16], Initialiser::Zeros)?;
                y = graph.conv2d(y, filter, stride, Padding::Same)?;
                y = graph.add_bias(y, bias)?;
                if stride == 2 {
                    y = graph.relu(y)?;
                }
            }
            Ok(y)
        })
        .unwrap();
    }
}
