//! Tests of the gather: what is taken, in which order, and how it is normalised.

use std::sync::Arc;

use super::{Pixels, Sampling, Source};
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program, Split};
use crate::graph::{Graph, Initialiser, Node};
use crate::lane::Snapshot;
use crate::ops::update::UpdateRule;
use crate::plan::Plan;
use crate::testing::{VariedStream, sample_lane};

/// Example `i` is the bytes `[i, 2 i, 255]` with label `i`.
fn split(n: u8) -> Arc<Split> {
    let images: Vec<u8> = (0..n).flat_map(|i| [i, 2 * i, 255]).collect();
    Arc::new(Split::resident(images, (0..u32::from(n)).collect()))
}

fn source(n_examples: usize, sampling: Sampling) -> Source {
    Source { split: 0, n_examples, sampling }
}

fn batch(graph: &mut Graph, source: Source, size: usize) -> (Node, Node) {
    let images =
        graph.gather_images(source, size, &[1, 3, 1], Pixels::resident(1.0 / 255.0, 0.5)).unwrap();
    (images, graph.gather_labels(source, size).unwrap())
}

/// A training program that only goes through its data: the labels of each step's batch.
fn epochs(n: u8, size: usize, n_steps: u32) -> Vec<Vec<f64>> {
    let mut graph = Graph::new();
    let w = graph.parameter("w", &[3, 1], Initialiser::Zeros).unwrap();
    let (images, labels) = batch(&mut graph, source(usize::from(n), Sampling::Shuffled), size);
    let images_matrix = graph.reshape(images, &[size, 3]).unwrap();
    let product = graph.matmul(images_matrix, w).unwrap();
    let loss = graph.sum(product, 1.0).unwrap();
    let plan = Plan::training(graph, loss, UpdateRule::Sgd, &[labels, images]).unwrap();
    let program = Program::new(vec![plan], vec![split(n)]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    let mut state = sample_lane(5);
    state.learning_rate = 0.0;
    executor.load(0, &Snapshot::fresh(state, vec![0.0; 3])).unwrap();
    (0..n_steps)
        .map(|_| {
            executor.run(0, &[1]).unwrap();
            let labels = executor.read(0, 0, labels).unwrap();
            let images = executor.read(0, 0, images).unwrap();
            for (image, &label) in images.chunks(3).zip(&labels) {
                let value = |byte: f64| f64::from((1.0_f32 / 255.0) * byte as f32 + 0.5);
                assert_eq!(image, [value(label), value(2.0 * label), value(255.0)]);
            }
            labels
        })
        .collect()
}

#[test]
fn every_example_comes_once_an_epoch_even_when_batches_straddle() {
    let labels: Vec<f64> = epochs(10, 4, 5).concat();
    for epoch in labels.chunks(10) {
        let mut sorted = epoch.to_vec();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(sorted, (0..10).map(f64::from).collect::<Vec<_>>());
    }
    assert_ne!(labels[..10], labels[10..], "epochs have orders of their own");
}

#[test]
fn the_whole_set_is_a_batch() {
    for labels in epochs(7, 7, 3) {
        let mut sorted = labels;
        sorted.sort_by(f64::total_cmp);
        assert_eq!(sorted, (0..7).map(f64::from).collect::<Vec<_>>());
    }
}

#[test]
fn sequential_passes_mark_what_is_past_the_end() {
    let mut graph = Graph::new();
    let (images, labels) = batch(&mut graph, source(5, Sampling::Sequential), 3);
    let total = graph.sum(labels, 1.0).unwrap();
    let brightness = graph.sum(images, 1.0).unwrap();
    let plan = Plan::evaluation(&graph, &[total, brightness], 2).unwrap();
    let program = Program::new(vec![plan], vec![split(5)]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    executor.run(0, &[2]).unwrap();
    let records = executor.records(0).unwrap().swap_remove(0);
    let totals: Vec<f64> = records.iter().map(|row| row[0]).collect();
    assert_eq!(totals, [0.0 + 1.0 + 2.0, 3.0 + 4.0 - 1.0]);
    let expected = (3.0 + 4.0) * 3.0 / 255.0 + 2.0 + 6.0 * 0.5;
    assert!((records[1][1] - expected).abs() < 1e-6, "got {}, expected {expected}", records[1][1]);
}

#[test]
fn refuses_batches_and_data_that_do_not_fit() {
    let mut graph = Graph::new();
    let shuffled = source(5, Sampling::Shuffled);
    for size in [0, 6] {
        let message = graph.gather_labels(shuffled, size).unwrap_err().to_string();
        assert!(message.contains(&format!("batch size is {size}")), "{message}");
    }
    let labels = graph.gather_labels(shuffled, 5).unwrap();
    let plan = Plan::forward(&graph, &[labels]).unwrap();
    let message = Program::new(vec![plan.clone()], vec![split(6)]).unwrap_err().to_string();
    assert!(message.contains("built for 5 examples, given 6"), "{message}");
    assert!(Program::new(vec![plan], vec![]).is_err());
}

/// Sentences of three tokens, the last place padded in every second one.
#[test]
fn tokens_are_read_with_their_padding() {
    let sentence = |i: u16| [300 * i, 300 * i + 1, if i.is_multiple_of(2) { u16::MAX } else { 7 }];
    let images: Vec<u8> = (0..5).flat_map(sentence).flat_map(u16::to_le_bytes).collect();
    let split = Arc::new(Split::resident(images, vec![0; 5]));
    let mut graph = Graph::new();
    let source = source(5, Sampling::Sequential);
    let inputs = graph.gather_tokens(source, 3, 3, [0, 2]).unwrap();
    let labels = graph.gather_tokens(source, 3, 3, [1, 2]).unwrap();
    let sum = graph.sum(inputs, 1.0).unwrap();
    let plan = Plan::evaluation(&graph, &[sum], 2).unwrap();
    let forward = Plan::forward(&graph, &[inputs, labels]).unwrap();
    let program = Program::new(vec![forward, plan], vec![split]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    executor.run(0, &[1]).unwrap();
    assert_eq!(executor.read(0, 0, inputs).unwrap(), [0.0, 1.0, 300.0, 301.0, 600.0, 601.0]);
    assert_eq!(executor.read(0, 0, labels).unwrap(), [1.0, -1.0, 301.0, 7.0, 601.0, -1.0]);
    executor.run(1, &[2]).unwrap();
    let sums = executor.records(1).unwrap()[0].concat();
    let last = 900.0 + 901.0 + 1200.0 + 1201.0 - 2.0;
    assert_eq!(sums, [0.0 + 1.0 + 300.0 + 301.0 + 600.0 + 601.0, last]);
    assert!(graph.gather_tokens(source, 3, 3, [2, 2]).is_err());
    assert!(graph.gather_tokens(source, 3, 3, [2, 0]).is_err());
}

/// What one lane sees of a stream in so many steps, run by run.
fn streamed(seed: u32, n_lanes: usize, n_steps: u32) -> Vec<Vec<f64>> {
    let mut graph = Graph::new();
    let w = graph.parameter("w", &[3, 1], Initialiser::Zeros).unwrap();
    let pixels = Pixels { is_streamed: true, ..Pixels::resident(1.0, 0.0) };
    let source = source(4, Sampling::Shuffled);
    let images = graph.gather_images(source, 4, &[1, 3, 1], pixels).unwrap();
    let matrix = graph.reshape(images, &[4, 3]).unwrap();
    let product = graph.matmul(matrix, w).unwrap();
    let loss = graph.sum(product, 1.0).unwrap();
    let plan = Plan::training(graph, loss, UpdateRule::Sgd, &[images]).unwrap();
    let images_of = VariedStream { n_examples: 4, example_len: 3 }.into();
    let split = Arc::new(Split { images: images_of, labels: vec![0; 4] });
    let program = Program::new(vec![plan], vec![split]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, n_lanes).unwrap();
    executor.load(n_lanes - 1, &Snapshot::fresh(sample_lane(seed), vec![0.0; 3])).unwrap();
    (0..n_steps)
        .map(|_| {
            executor.run(0, &vec![1; n_lanes]).unwrap();
            executor.read(0, n_lanes - 1, images).unwrap()
        })
        .collect()
}

#[test]
fn a_stream_is_varied_anew_in_each_epoch_and_trial_and_by_nothing_else() {
    let seen = streamed(5, 1, 3);
    assert_eq!(seen, streamed(5, 3, 3), "the same in another lane");
    let values = |batch: &[f64]| {
        let mut examples: Vec<Vec<u64>> =
            batch.chunks(3).map(|example| example.iter().map(|v| v.to_bits()).collect()).collect();
        examples.sort();
        examples
    };
    assert_ne!(values(&seen[0]), values(&seen[1]), "another epoch");
    assert_ne!(values(&seen[0]), values(&streamed(6, 1, 1)[0]), "another trial");
}

#[test]
fn a_stream_is_no_data_in_memory() {
    let mut graph = Graph::new();
    let pixels = Pixels { is_streamed: true, ..Pixels::resident(1.0, 0.0) };
    let images =
        graph.gather_images(source(5, Sampling::Sequential), 2, &[1, 3, 1], pixels).unwrap();
    let plan = Plan::forward(&graph, &[images]).unwrap();
    let message = Program::new(vec![plan], vec![split(5)]).unwrap_err().to_string();
    assert!(message.contains("built for a stream, given data in memory"), "{message}");
}
