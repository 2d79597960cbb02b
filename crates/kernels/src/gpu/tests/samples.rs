//! One op of every kind and variant on each kind of device, for tests of what needs no device.

use crate::executor::Program;
use crate::executor::Split;
use crate::gpu::gemm::Tiling;
use crate::gpu::lower::{Kernel, lower};
use crate::graph::{Graph, Initialiser, Node};
use crate::ops::batch_norm::Moments;
use crate::ops::dropout::Masks;
use crate::ops::gather::{Pixels, Sampling, Source};
use crate::ops::update::UpdateRule;
use crate::ops::window::Padding;
use crate::plan::Plan;
use std::sync::Arc;

/// Kernels of plans that together hold every op: all update rules, both kinds of sampling.
pub(super) fn kernels() -> Vec<Kernel> {
    let split = Split::resident(vec![7; 9 * 64], vec![1; 9]);
    let plans =
        [UpdateRule::Sgd, UpdateRule::Momentum, UpdateRule::NesterovMomentum, UpdateRule::Adam]
            .into_iter()
            .map(|rule| {
                let (graph, loss, _) = network(Sampling::Shuffled);
                Plan::training(graph, loss, rule, &[]).unwrap()
            });
    let (graph, loss, errors) = network(Sampling::Sequential);
    let evaluation = Plan::evaluation(&graph, &[loss, errors], 3).unwrap();
    let program = Program::new(plans.chain([evaluation]).collect(), vec![Arc::new(split)]);
    let program = program.unwrap();
    let tilings = [Tiling::Shared, Tiling::Subgroup(8)];
    tilings.into_iter().flat_map(|tiling| lower(&program, tiling).concat()).collect()
}

/// A network that uses every op; returns its loss and number of errors.
fn network(sampling: Sampling) -> (Graph, Node, Node) {
    const BATCH: usize = 4;
    let mut graph = Graph::new();
    let source = Source { split: 0, n_examples: 9, sampling };
    let images = graph
        .gather_images(source, BATCH, &[8, 8, 1], Pixels::resident(1.0 / 255.0, -0.5))
        .unwrap();
    let images = graph.standardise(images).unwrap();
    let labels = graph.gather_labels(source, BATCH).unwrap();
    let tokens = graph.gather_tokens(source, BATCH, 32, [1, 3]).unwrap();
    let zeros = Initialiser::Zeros;
    let filters = [
        graph.parameter("filter_0", &[3, 3, 1, 4], zeros).unwrap(),
        graph.parameter("filter_1", &[3, 3, 4, 4], zeros).unwrap(),
    ];
    let bias = graph.parameter("bias", &[4], zeros).unwrap();
    let weights = graph.parameter("weights", &[4 * 16, 5], zeros).unwrap();
    let x = graph.conv2d(images, filters[0], 1, Padding::Same).unwrap();
    let x = graph.add_bias(x, bias).unwrap();
    let x = graph.relu(x).unwrap();
    let x = graph.max_pool(x, 2, 2, Padding::Valid).unwrap();
    let skip = x;
    let x = graph.conv2d(x, filters[1], 1, Padding::Same).unwrap();
    let x = graph.add(x, skip).unwrap();
    let skip = graph.identity_shortcut(x, 1, 4).unwrap();
    let x = graph.avg_pool(x, [3, 3], 1, Padding::Same).unwrap();
    let x = graph.batch_norm(x, "norm", Moments::OfGroups(2)).unwrap();
    let x = graph.add(x, skip).unwrap();
    let x = graph.relu(x).unwrap();
    let x = graph.add_bias(x, bias).unwrap();
    let x = graph.dropout(x, 0.25, 1, Masks::EachStep).unwrap();
    let x = graph.reshape(x, &[BATCH, 64]).unwrap();
    let x = graph.layer_norm(x, "layer_norm").unwrap();
    let table = graph.parameter("table", &[5, 64], zeros).unwrap();
    let embedded = graph.embedding(table, labels, 1.0).unwrap();
    let x = graph.add(x, embedded).unwrap();
    let qkv = graph.parameter("qkv", &[64, 3 * 64], zeros).unwrap();
    let attended = graph.matmul(x, qkv).unwrap();
    let attended = graph.reshape(attended, &[1, BATCH, 3 * 64]).unwrap();
    let attended = graph.causal_attention(attended, 2).unwrap();
    let x = graph.reshape(attended, &[BATCH, 64]).unwrap();
    let gate = graph.sigmoid(x).unwrap();
    let x = graph.gelu(x).unwrap();
    let x = graph.tanh(x).unwrap();
    let x = graph.multiply(x, gate).unwrap();
    let gates = graph.parameter("gates", &[64, 8], zeros).unwrap();
    let recurrent = graph.parameter("recurrent", &[64, 8], zeros).unwrap();
    let projection = graph.parameter("projection", &[2, 64], zeros).unwrap();
    let gates = graph.matmul(x, gates).unwrap();
    let gates = graph.reshape(gates, &[1, BATCH, 8]).unwrap();
    let remembered = graph.lstm(gates, recurrent, projection).unwrap();
    let remembered = graph.reshape(remembered, &[BATCH, 64]).unwrap();
    let x = graph.add(x, remembered).unwrap();
    let logits = graph.matmul(x, weights).unwrap();
    let losses = graph.softmax_cross_entropy(logits, labels, true).unwrap();
    let errors = graph.error_count(logits, labels).unwrap();
    let loss = graph.sum(losses, 0.25).unwrap();
    let sets = graph.reshape(labels, &[BATCH, 1]).unwrap();
    let of_sets = graph.sigmoid_cross_entropy(logits, sets, true).unwrap();
    let of_sets = graph.sum(of_sets, 1.0).unwrap();
    let loss = graph.add(loss, of_sets).unwrap();
    let scores = graph.score_histogram(logits, sets).unwrap();
    let n_scores = graph.sum(scores, 1.0).unwrap();
    let mean = graph.mean_of_labelled(losses, labels).unwrap();
    let loss = graph.add(loss, mean).unwrap();
    let n_labels = graph.count_labels(labels).unwrap();
    // More than one block of the squared norm.
    let large = graph.parameter("large", &[40_000], zeros).unwrap();
    let penalty = graph.squared_norm(large).unwrap();
    let loss = graph.add(loss, penalty).unwrap();
    // A sum over k in several parts.
    let row = graph.reshape(large, &[1, 40_000]).unwrap();
    let column = graph.reshape(large, &[40_000, 1]).unwrap();
    let product = graph.matmul(row, column).unwrap();
    let product = graph.reshape(product, &[1]).unwrap();
    let loss = graph.add(loss, product).unwrap();
    let errors = graph.sum(errors, 1.0).unwrap();
    let errors = graph.accumulate(errors).unwrap();
    let errors = graph.add(errors, n_labels).unwrap();
    let sum_of_tokens = graph.sum(tokens, 1.0).unwrap();
    let errors = graph.add(errors, sum_of_tokens).unwrap();
    let errors = graph.add(errors, n_scores).unwrap();
    (graph, loss, errors)
}
