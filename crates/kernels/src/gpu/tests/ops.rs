//! Every kernel but the windowed ones against the native executor.

use std::sync::Arc;

use bytes::Bytes;

use super::{check, check_product, check_values, device, gpu, lane};
use crate::error::Error;
use crate::executor::{Executor, Program, Split};
use crate::gpu::gemm::Tiling;
use crate::graph::{Graph, Initialiser, Node};
use crate::lane::Snapshot;
use crate::ops::batch_norm::Moments;
use crate::ops::dropout::Masks;
use crate::ops::gather::{Sampling, Source};
use crate::ops::update::UpdateRule;
use crate::plan::Plan;
use crate::testing::{SIZES, assert_close, random_projection, random_values};

const TRANSPOSES: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

fn parameter(graph: &mut Graph, name: &str, shape: &[usize]) -> Result<Node, Error> {
    graph.parameter(name, shape, Initialiser::Zeros)
}

/// Around every tile side, several tiles, and sums over k long enough to be cut into parts.
#[test]
fn matmul() {
    let shapes = [
        (1, 1, 1),
        (7, 15, 9),
        (8, 16, 8),
        (9, 17, 65),
        (64, 33, 64),
        (65, 131, 63),
        (2, 784, 131),
        (1, 5, 300),
        (200, 3, 2),
        (3, 2100, 5),
        (36, 1100, 68),
    ];
    for (transpose_lhs, transpose_rhs) in TRANSPOSES {
        for (m, k, n) in shapes {
            let name = format!("matmul {m} x {k} x {n}, {transpose_lhs} {transpose_rhs}");
            check_product(&name, m * n + k, |graph| {
                let lhs_shape = if transpose_lhs { [k, m] } else { [m, k] };
                let rhs_shape = if transpose_rhs { [n, k] } else { [k, n] };
                let lhs = parameter(graph, "lhs", &lhs_shape)?;
                let rhs = parameter(graph, "rhs", &rhs_shape)?;
                graph.matmul_transposed(lhs, rhs, transpose_lhs, transpose_rhs)
            });
        }
    }
}

/// The tiles of 8 x 8 elements a thread that only large products get, and their edges.
#[test]
fn large_matmul() {
    for (transpose_lhs, transpose_rhs) in TRANSPOSES {
        for (m, k, n) in [(513, 17, 500), (1411, 9, 1409)] {
            let mut graph = Graph::new();
            let lhs_shape = if transpose_lhs { [k, m] } else { [m, k] };
            let rhs_shape = if transpose_rhs { [n, k] } else { [k, n] };
            let lhs = parameter(&mut graph, "lhs", &lhs_shape).unwrap();
            let rhs = parameter(&mut graph, "rhs", &rhs_shape).unwrap();
            let y = graph.matmul_transposed(lhs, rhs, transpose_lhs, transpose_rhs).unwrap();
            let name = format!("matmul {m} x {k} x {n}, {transpose_lhs} {transpose_rhs}");
            check_values(&name, k, Tiling::Shared, &graph, &[y], vec![]);
        }
    }
}

#[test]
fn matmul_with_fused_epilogues() {
    for (m, k, n) in [(1, 1, 1), (17, 40, 65), (70, 1100, 3)] {
        for (bias, relu) in [(true, false), (false, true), (true, true)] {
            check_product(
                &format!("{m} x {k} x {n}, bias {bias}, relu {relu}"),
                m * n + k,
                |graph| {
                    let lhs = parameter(graph, "lhs", &[m, k])?;
                    let rhs = parameter(graph, "rhs", &[k, n])?;
                    let mut y = graph.matmul(lhs, rhs)?;
                    if bias {
                        let bias = parameter(graph, "bias", &[n])?;
                        y = graph.add_bias(y, bias)?;
                    }
                    if relu { graph.relu(y) } else { Ok(y) }
                },
            );
        }
    }
}

/// Rows around the block of the backward sum, columns around its tile.
#[test]
fn add_bias() {
    for rows in [1, 7, 511, 512, 513, 1500] {
        for columns in [1, 31, 33, 70] {
            check(&format!("add_bias {rows} x {columns}"), rows, |graph| {
                let x = parameter(graph, "x", &[rows, columns])?;
                let bias = parameter(graph, "bias", &[columns])?;
                graph.add_bias(x, bias)
            });
        }
    }
}

#[test]
fn elementwise() {
    for len in SIZES.into_iter().chain([255, 256, 257, 1000]) {
        check(&format!("relu {len}"), 1, |graph| {
            let x = parameter(graph, "x", &[len])?;
            graph.relu(x)
        });
        check(&format!("add {len}"), 1, |graph| {
            let lhs = parameter(graph, "lhs", &[len])?;
            let rhs = parameter(graph, "rhs", &[len])?;
            let sum = graph.add(lhs, rhs)?;
            graph.add(sum, lhs)
        });
        check(&format!("dropout {len}"), 1, |graph| {
            let x = parameter(graph, "x", &[len])?;
            graph.dropout(x, 0.3, 5, Masks::EachStep)
        });
        check(&format!("accumulate {len}"), 1, |graph| {
            let x = parameter(graph, "x", &[len])?;
            graph.accumulate(x)
        });
        check(&format!("squared_norm {len}"), len.min(80), |graph| {
            let x = parameter(graph, "x", &[len])?;
            graph.squared_norm(x)
        });
        check(&format!("sum {len}"), len, |graph| {
            let x = parameter(graph, "x", &[len])?;
            let positive = graph.relu(x)?;
            graph.sum(positive, 1.0 / 3.0)
        });
    }
}

#[test]
fn batch_norm() {
    for (shape, group) in
        [([4, 1, 1, 3], 4), ([6, 5, 3, 33], 2), ([2, 20, 30, 2], 1), ([3, 1, 1, 65], 3)]
    {
        let reduction_len = group * shape[1] * shape[2];
        check(&format!("batch_norm {shape:?} {group}"), reduction_len, |graph| {
            let x = parameter(graph, "x", &shape)?;
            graph.batch_norm(x, "norm", Moments::OfGroups(group))
        });
    }
}

#[test]
fn activations() {
    for (name, function) in [
        ("gelu", Graph::gelu as fn(&mut Graph, Node) -> _),
        ("tanh", Graph::tanh),
        ("sigmoid", Graph::sigmoid),
    ] {
        for len in [1, 255, 257, 1000] {
            check(&format!("{name} {len}"), 16, |graph| {
                let x = parameter(graph, "x", &[len])?;
                let y = graph.add(x, x)?;
                function(graph, y)
            });
        }
    }
}

#[test]
fn multiply() {
    for len in [1, 255, 257, 1000] {
        check(&format!("multiply {len}"), 1, |graph| {
            let lhs = parameter(graph, "lhs", &[len])?;
            let rhs = parameter(graph, "rhs", &[len])?;
            let product = graph.multiply(lhs, rhs)?;
            graph.multiply(product, lhs)
        });
    }
}

#[test]
fn layer_norm() {
    // Not of two columns: they become -1 and 1 whatever they were, and the gradient is what rounding
    // leaves of a difference of equal numbers.
    for (rows, columns) in [(1, 3), (3, 17), (65, 255), (2, 513)] {
        check(&format!("layer_norm {rows} x {columns}"), columns.max(rows), |graph| {
            let x = parameter(graph, "x", &[rows, columns])?;
            graph.layer_norm(x, "norm")
        });
    }
}

#[test]
fn embedding() {
    for (rows, vocabulary, columns) in [(1, 1, 1), (7, 3, 5), (300, 11, 257)] {
        let mut graph = Graph::new();
        let table = parameter(&mut graph, "table", &[vocabulary as usize, columns]).unwrap();
        let (tokens, split) = labels(&mut graph, rows, vocabulary);
        let y = graph.embedding(table, tokens, 0.75).unwrap();
        let loss = random_projection(&mut graph, y).unwrap();
        let gradient = graph.gradients(loss, &[table]).unwrap()[0];
        let name = format!("embedding {rows} of {vocabulary} x {columns}");
        check_values(&name, rows, device().tiling, &graph, &[y, gradient], vec![split]);
    }
}

#[test]
fn mean_of_labelled() {
    for rows in [1, 2, 255, 300] {
        let mut graph = Graph::new();
        let losses = parameter(&mut graph, "losses", &[rows]).unwrap();
        let (labels, split) = labels(&mut graph, rows, 10);
        let mean = graph.mean_of_labelled(losses, labels).unwrap();
        let count = graph.count_labels(labels).unwrap();
        let gradient = graph.gradients(mean, &[losses]).unwrap()[0];
        let keep = [mean, count, gradient];
        let name = format!("mean_of_labelled {rows}");
        check_values(&name, rows, device().tiling, &graph, &keep, vec![split]);
    }
}

#[test]
fn causal_attention() {
    for (batch, places, heads, columns) in
        [(1, 1, 1, 1), (2, 5, 2, 3), (1, 70, 1, 65), (2, 130, 3, 8)]
    {
        let name = format!("causal_attention {batch} x {places}, {heads} heads of {columns}");
        check(&name, places.max(columns), |graph| {
            let qkv = parameter(graph, "qkv", &[batch, places, 3 * heads * columns])?;
            graph.causal_attention(qkv, heads)
        });
    }
}

#[test]
fn lstm() {
    for [batch, places, units, outputs] in [[1, 1, 1, 1], [3, 4, 5, 2], [2, 3, 70, 33]] {
        check(&format!("lstm {batch} x {places}, {units} units"), units.max(outputs), |graph| {
            let gates = parameter(graph, "gates", &[batch, places, 4 * units])?;
            let recurrent = parameter(graph, "recurrent", &[outputs, 4 * units])?;
            let projection = parameter(graph, "projection_kernel", &[units, outputs])?;
            graph.lstm(gates, recurrent, projection)
        });
    }
}

#[test]
fn standardise() {
    for (rows, columns) in [(1, 1), (3, 2), (2, 255), (2, 257), (5, 3072)] {
        let mut graph = Graph::new();
        let x = parameter(&mut graph, "x", &[rows, columns]).unwrap();
        let y = graph.standardise(x).unwrap();
        let name = format!("standardise {rows} x {columns}");
        check_values(&name, columns, device().tiling, &graph, &[y], vec![]);
    }
}

/// Around one block, and several.
#[test]
fn squared_norm_of_blocks() {
    for len in [16_383, 16_384, 16_385, 100_000] {
        check(&format!("squared_norm {len}"), 80, |graph| {
            let x = parameter(graph, "x", &[len])?;
            graph.squared_norm(x)
        });
    }
}

/// Labels of `rows` examples, the last of them past the end of the data and so left out.
fn labels(graph: &mut Graph, rows: usize, classes: u32) -> (Node, Arc<Split>) {
    let n_examples = (rows - 1).max(1);
    let labels = (0..).map(|i| i * i % classes).take(n_examples).collect();
    let source = Source { split: 0, n_examples, sampling: Sampling::Sequential };
    (graph.gather_labels(source, rows).unwrap(), Arc::new(Split::resident(Bytes::new(), labels)))
}

#[test]
fn cross_entropy_and_error_count() {
    for rows in [1, 2, 7, 255, 257] {
        for classes in [1, 2, 10, 131] {
            for smoothed in [false, true] {
                let mut graph = Graph::new();
                let shape = [rows, classes as usize];
                let logits = parameter(&mut graph, "logits", &shape).unwrap();
                let (labels, split) = labels(&mut graph, rows, classes);
                let losses = graph.softmax_cross_entropy(logits, labels, smoothed).unwrap();
                let errors = graph.error_count(logits, labels).unwrap();
                let loss = random_projection(&mut graph, losses).unwrap();
                let gradient = graph.gradients(loss, &[logits]).unwrap()[0];
                let name = format!("cross entropy {rows} x {classes}, smoothed {smoothed}");
                let keep = [losses, errors, gradient];
                check_values(&name, classes as usize, device().tiling, &graph, &keep, vec![split]);
            }
        }
    }
}

/// Sets of none to three labels, the last example past the end of the data.
#[test]
fn label_sets() {
    for (rows, classes) in [(1, 1), (2, 7), (7, 131), (40, 1000)] {
        for smoothed in [false, true] {
            let mut graph = Graph::new();
            let logits = parameter(&mut graph, "logits", &[rows, classes]).unwrap();
            // So that some logits are beyond the bins.
            let logits = graph.add(logits, logits).unwrap();
            let n_examples = (rows - 1).max(1);
            let set = |row: usize| {
                let n_labels = (row % 4).min(classes);
                let label = |j| if j < n_labels { (row + j * 3) % classes } else { 0xffff };
                [label(0), label(1), label(2)].map(|label| u16::try_from(label).unwrap())
            };
            let sets: Vec<u8> = (1..=n_examples).flat_map(set).flat_map(u16::to_le_bytes).collect();
            let split = Arc::new(Split::resident(sets, vec![0; n_examples]));
            let source = Source { split: 0, n_examples, sampling: Sampling::Sequential };
            let sets = graph.gather_tokens(source, rows, 3, [0, 3]).unwrap();
            let losses = graph.sigmoid_cross_entropy(logits, sets, smoothed).unwrap();
            let scores = graph.score_histogram(logits, sets).unwrap();
            let loss = random_projection(&mut graph, losses).unwrap();
            let gradient = graph.gradients(loss, &[logits]).unwrap()[0];
            let name = format!("label sets {rows} x {classes}, smoothed {smoothed}");
            let keep = [losses, scores, gradient];
            check_values(&name, classes, device().tiling, &graph, &keep, vec![split]);
        }
    }
}

/// Logits far below 0, as those of thousands of classes that a photograph does not show.
#[test]
fn small_terms_of_label_sets_are_not_lost() {
    let n = 1_000;
    let mut graph = Graph::new();
    let logits = parameter(&mut graph, "logits", &[1, n]).unwrap();
    let split = Arc::new(Split::resident(0_u16.to_le_bytes().to_vec(), vec![0]));
    let source = Source { split: 0, n_examples: 1, sampling: Sampling::Sequential };
    let sets = graph.gather_tokens(source, 1, 1, [0, 1]).unwrap();
    let losses = graph.sigmoid_cross_entropy(logits, sets, false).unwrap();
    let program =
        Program::new(vec![Plan::forward(&graph, &[losses]).unwrap()], vec![split]).unwrap();
    let mut start = vec![-12.0_f32; n];
    start[0] = 0.0;
    let mut tested = gpu(&program, 1);
    tested.load(0, &Snapshot::fresh(lane(1), start)).unwrap();
    tested.run(0, &[1]).unwrap();
    let loss = f64::from(tested.read(0, 0, losses).unwrap()[0]);
    let expected = 2.0_f64.ln() + (n - 1) as f64 * (-12.0_f64).exp().ln_1p();
    assert!((loss / expected - 1.0).abs() < 2e-6, "{loss}, expected {expected}");
}

/// The update's copy of a shared gradient: a kernel that would read and write one buffer.
#[test]
fn gradients_that_two_parameters_share() {
    let mut graph = Graph::new();
    let x = parameter(&mut graph, "x", &[40]).unwrap();
    let w = parameter(&mut graph, "w", &[40]).unwrap();
    let y = graph.add(x, w).unwrap();
    let loss = random_projection(&mut graph, y).unwrap();
    let plan = Plan::training(graph, loss, UpdateRule::Sgd, &[]).unwrap();
    let program = Program::new(vec![plan], vec![]).unwrap();
    let start: Vec<f32> = random_values(3, 120);
    let snapshot = Snapshot::fresh(lane(1), start.clone());
    let mut tested = gpu(&program, 1);
    tested.load(0, &snapshot).unwrap();
    assert_eq!(tested.run(0, &[1]).unwrap()[0].step, 2);
    let rate = f64::from(snapshot.state.scheduled_learning_rate());
    // loss = sum_i p_i (x_i + w_i): the gradients are p, p and x + w.
    let step = |index: usize| {
        let at = |place: usize| f64::from(start[place]);
        let i = index % 40;
        let gradient = if index < 80 { at(80 + i) } else { at(i) + at(40 + i) };
        at(index) - rate * gradient
    };
    let reference: Vec<f64> = (0..120).map(step).collect();
    assert_close("shared", &tested.save(0).unwrap().parameters, &reference, 2);
}
