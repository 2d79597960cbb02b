//! Batches of a stream, read on the host: the device sees what the native executor reads itself.

use std::sync::Arc;

use super::{bits, gpu, lane};
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program, Split};
use crate::gpu::submissions::Limits;
use crate::graph::{Graph, Initialiser, Node};
use crate::lane::Snapshot;
use crate::ops::gather::{Pixels, Sampling, Source};
use crate::ops::update::UpdateRule;
use crate::plan::Plan;
use crate::testing::{VariedStream, random_values};

const N_EXAMPLES: usize = 23;
const BATCH: usize = 5;
/// No multiple of a word.
const PIXELS: usize = 7;

const TRAINING: usize = 0;
const IN_ORDER: usize = 1;
const DRAWN: usize = 2;
const N_ITERATIONS: usize = 5;

/// Mean loss of a linear network, and the sum of what it saw.
fn graph(sampling: Sampling) -> (Graph, [Node; 2]) {
    let mut graph = Graph::new();
    let source = Source { split: 0, n_examples: N_EXAMPLES, sampling };
    let pixels = Pixels { is_streamed: true, ..Pixels::resident(1.0 / 255.0, -0.5) };
    let images = graph.gather_images(source, BATCH, &[PIXELS, 1, 1], pixels).unwrap();
    let labels = graph.gather_labels(source, BATCH).unwrap();
    let weights = graph.parameter("weights", &[PIXELS, 3], Initialiser::Zeros).unwrap();
    let x = graph.reshape(images, &[BATCH, PIXELS]).unwrap();
    let logits = graph.matmul(x, weights).unwrap();
    let losses = graph.softmax_cross_entropy(logits, labels, false).unwrap();
    let loss = graph.sum(losses, 0.2).unwrap();
    let seen = graph.sum(images, 1.0).unwrap();
    (graph, [loss, seen])
}

fn program() -> Program {
    let (training, [loss, _]) = graph(Sampling::Shuffled);
    let mut plans = vec![Plan::training(training, loss, UpdateRule::Momentum, &[]).unwrap()];
    for sampling in [Sampling::Sequential, Sampling::Drawn] {
        let (graph, values) = graph(sampling);
        plans.push(Plan::evaluation(&graph, &values, N_ITERATIONS).unwrap());
    }
    let labels = (0..3).cycle().take(N_EXAMPLES).collect();
    let images = VariedStream { n_examples: N_EXAMPLES, example_len: PIXELS }.into();
    Program::new(plans, vec![Arc::new(Split { images, labels })]).unwrap()
}

#[test]
fn the_device_sees_what_the_host_reads() {
    let program = program();
    let mut tested = gpu(&program, 3);
    let mut native = CpuExecutor::<f32>::new(&program, 3).unwrap();
    for index in 0..3 {
        let trial = Snapshot::fresh(lane(3 + index), random_values(index, PIXELS * 3));
        tested.load(index as usize, &trial).unwrap();
        native.load(index as usize, &trial).unwrap();
    }
    // Lanes that stop and go on at their own places in their own epochs.
    for repeats in [[6, 0, 2], [1, 13, 2]] {
        let got = tested.run(TRAINING, &repeats).unwrap();
        assert_eq!(got, native.run(TRAINING, &repeats).unwrap());
        for plan in [IN_ORDER, DRAWN] {
            let repeats = [5, 0, 3];
            tested.run(plan, &[2, 0, 2]).unwrap();
            tested.run_from(2, plan, &[3, 0, 1]).unwrap();
            native.run(plan, &repeats).unwrap();
            let (got, reference) = (tested.records(plan).unwrap(), native.records(plan).unwrap());
            for lane in [0, 2] {
                let (got, reference) = (&got[lane], &reference[lane]);
                assert_eq!(got.len(), repeats[lane] as usize);
                for (got, reference) in got.iter().flatten().zip(reference.iter().flatten()) {
                    let error = (got - reference).abs();
                    assert!(error <= 2e-6 * reference.abs().max(1.0), "{got}, native {reference}");
                }
            }
        }
    }
    for lane in 0..3 {
        let (got, reference) = (tested.save(lane).unwrap(), native.save(lane).unwrap());
        for (got, reference) in got.parameters.iter().zip(&reference.parameters) {
            assert!((got - reference).abs() <= 1e-5, "{got}, native {reference}");
        }
    }
}

/// Batches are written before the first of them.
#[test]
fn an_iteration_in_several_submissions_sees_one_batch() {
    let program = program();
    let train = |limits| {
        let mut executor = gpu(&program, 2).with_limits(limits);
        executor.load(1, &Snapshot::fresh(lane(9), random_values(9, PIXELS * 3))).unwrap();
        executor.run(TRAINING, &[0, 11]).unwrap();
        bits(&executor.save(1).unwrap())
    };
    let limits = Limits::default();
    assert!(
        train(Limits { n_kernels: 1, ..limits }) == train(limits),
        "the cuts changed the trial"
    );
}

#[test]
fn neighbours_do_not_matter() {
    let program = program();
    let run = |n_lanes: usize, lane_index: usize| {
        let mut executor = gpu(&program, n_lanes);
        for index in 0..n_lanes {
            let seed = if index == lane_index { 9 } else { 20 };
            let trial = Snapshot::fresh(lane(seed), random_values(seed, PIXELS * 3));
            executor.load(index, &trial).unwrap();
        }
        executor.run(TRAINING, &vec![11; n_lanes]).unwrap();
        bits(&executor.save(lane_index).unwrap())
    };
    assert!(run(1, 0) == run(3, 2), "a neighbour changed the trial");
}
