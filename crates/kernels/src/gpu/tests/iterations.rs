//! A plan that measures over several iterations at a lane's current weights: draws, masks and
//! running sums of each iteration, against the native executor, without a trace in the trial.

use std::sync::Arc;

use super::{bits, gpu, lane};
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program, Split};
use crate::graph::{Graph, Initialiser};
use crate::lane::Snapshot;
use crate::ops::dropout::Masks;
use crate::ops::gather::{Pixels, Sampling, Source};
use crate::ops::update::UpdateRule;
use crate::plan::Plan;
use crate::testing::random_values;

const N_EXAMPLES: usize = 37;
const PIXELS: usize = 6;
const BATCH: usize = 5;
const N_ITERATIONS: usize = 6;

const TRAINING: usize = 0;
const MEASUREMENT: usize = 1;

/// The loss of a linear network with dropout on its inputs; the batch's labels are its targets.
fn graph(sampling: Sampling, masks: Masks) -> (Graph, [crate::graph::Node; 3]) {
    let mut graph = Graph::new();
    let source = Source { split: 0, n_examples: N_EXAMPLES, sampling };
    let images = graph
        .gather_images(source, BATCH, &[PIXELS, 1, 1], Pixels::resident(1.0 / 255.0, 0.0))
        .unwrap();
    let labels = graph.gather_labels(source, BATCH).unwrap();
    let weights = graph.parameter("weights", &[PIXELS, 3], Initialiser::Zeros).unwrap();
    let x = graph.reshape(images, &[BATCH, PIXELS]).unwrap();
    let x = graph.dropout(x, 0.4, 1, masks).unwrap();
    let logits = graph.matmul(x, weights).unwrap();
    let losses = graph.softmax_cross_entropy(logits, labels, true).unwrap();
    let loss = graph.sum(losses, 0.2).unwrap();
    (graph, [loss, weights, labels])
}

fn program() -> Program {
    let (training, [loss, ..]) = graph(Sampling::Shuffled, Masks::EachStep);
    let training = Plan::training(training, loss, UpdateRule::Momentum, &[]).unwrap();
    let (mut graph, [loss, weights, labels]) = graph(Sampling::Drawn, Masks::EachIteration);
    let gradient = graph.gradients(loss, &[weights]).unwrap()[0];
    let total = graph.accumulate(gradient).unwrap();
    let values = [
        graph.squared_norm(gradient).unwrap(),
        graph.squared_norm(total).unwrap(),
        graph.sum(labels, 1.0).unwrap(),
    ];
    let measurement = Plan::evaluation(&graph, &values, N_ITERATIONS).unwrap();
    let images: Vec<u8> =
        (0..N_EXAMPLES * PIXELS).map(|i| (i * 37 % 251).try_into().unwrap()).collect();
    let labels = (0..3).cycle().take(N_EXAMPLES).collect();
    let split = Arc::new(Split::resident(images, labels));
    Program::new(vec![training, measurement], vec![split]).unwrap()
}

fn trial(seed: u32) -> Snapshot<f32> {
    Snapshot::fresh(lane(seed), random_values(seed, PIXELS * 3))
}

#[test]
fn iterations_are_measured_as_natively() {
    let program = program();
    let mut tested = gpu(&program, 2);
    let mut native = CpuExecutor::<f32>::new(&program, 2).unwrap();
    native.poison().unwrap();
    for index in 0..2_u32 {
        tested.load(index as usize, &trial(index + 3)).unwrap();
        native.load(index as usize, &trial(index + 3)).unwrap();
    }
    // The second run must not go on with the sums of the first.
    for repeats in [[6, 2], [3, 6]] {
        tested.run(MEASUREMENT, &repeats).unwrap();
        native.run(MEASUREMENT, &repeats).unwrap();
        let [got, reference] = [tested.records(MEASUREMENT), native.records(MEASUREMENT)];
        let (got, reference) = (got.unwrap(), reference.unwrap());
        for (index, n_iterations) in repeats.into_iter().enumerate() {
            let (got, reference) = (&got[index], &reference[index]);
            assert_eq!(got.len(), n_iterations as usize);
            for (row, (got, reference)) in got.iter().zip(reference).enumerate() {
                assert_eq!(got[2], reference[2], "drawn labels of row {row}, lane {index}");
                for (got, reference) in got.iter().zip(reference) {
                    let error = (got - reference).abs();
                    assert!(error <= 1e-5 * reference, "row {row}: {got}, native {reference}");
                }
            }
            assert_eq!(reference[0][0], reference[0][1], "the first sum is the first gradient");
            assert_ne!(reference[0][0], reference[1][0], "iterations have draws of their own");
        }
    }
}

#[test]
fn a_measurement_leaves_no_trace() {
    let program = program();
    let run = |measured: bool| {
        let mut executor = gpu(&program, 2);
        executor.load(1, &trial(3)).unwrap();
        for _ in 0..3 {
            if measured {
                executor.run(MEASUREMENT, &[0, 4]).unwrap();
            }
            executor.run(TRAINING, &[0, 5]).unwrap();
        }
        bits(&executor.save(1).unwrap())
    };
    assert!(run(true) == run(false), "measuring changed the trial");
}
