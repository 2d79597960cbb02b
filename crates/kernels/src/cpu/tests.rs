//! Tests of the native executor's bookkeeping.

use super::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser, Node};
use crate::lane::{LaneState, Snapshot};
use crate::ops::conv2d::Padding;
use crate::ops::update::UpdateRule;
use crate::plan::Plan;

/// One gradient for two parameters is copied from one part of the gradients to another.
#[test]
fn two_parameters_may_share_a_gradient() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[2, 2], Initialiser::Zeros).unwrap();
    let w = graph.parameter("w", &[2, 2], Initialiser::Zeros).unwrap();
    let y = graph.add(x, w).unwrap();
    let loss = graph.sum(y, 2.0).unwrap();
    let plan = Plan::training(graph, loss, UpdateRule::Sgd, &[]).unwrap();
    let mut executor =
        CpuExecutor::<f64>::new(&Program::new(vec![plan], vec![]).unwrap(), 1).unwrap();
    executor.poison().unwrap();
    let state = LaneState { learning_rate: 0.5, ..LaneState::default() };
    executor.load(0, &Snapshot::fresh(state, vec![3.0; 8])).unwrap();
    executor.run(0, &[2]).unwrap();
    assert_eq!(executor.save(0).unwrap().parameters, [1.0; 8]);
}

/// Trains a lane alone on one thread, with the gradients of all operands, and compares the buffers
/// that it leaves behind with those that were planned.
fn check_scratch(shapes: &[&[usize]], op: impl Fn(&mut Graph, &[Node]) -> Node) {
    let mut graph = Graph::new();
    let names = shapes.iter().enumerate();
    let operands: Vec<Node> = names
        .map(|(k, shape)| graph.parameter(&k.to_string(), shape, Initialiser::Zeros).unwrap())
        .collect();
    let y = op(&mut graph, &operands);
    let loss = graph.sum(y, 1.0).unwrap();
    let plan = Plan::training(graph, loss, UpdateRule::Momentum, &[]).unwrap();
    let program = Program::new(vec![plan], vec![]).unwrap();
    let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
    let values = vec![0.5; program.n_parameters()];
    executor.load(0, &Snapshot::fresh(LaneState::default(), values)).unwrap();
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one_thread.install(|| executor.run(0, &[2]).unwrap());
    let mut planned = program.scratch_buffers(1, 1);
    planned.retain(|&len, _| len > 0);
    assert_eq!(executor.scratch.counts(), planned, "{shapes:?}");
}

#[test]
fn products_take_the_scratch_that_they_plan() {
    // One panel; more columns than panels hold of all terms; dots; few rows in place, and few columns;
    // updates in several pieces that are cut alike; several blocks on a matrix unit.
    let sizes = [
        [4, 3, 5],
        [40, 300, 1_100],
        [8, 64, 64],
        [3, 100, 128],
        [300, 20, 3],
        [2, 4, 2_000],
        [3, 200, 128],
        [70, 600, 500],
        [128, 64, 64],
    ];
    for [m, k, n] in sizes {
        for (lhs, transpose_lhs) in [([m, k], false), ([k, m], true)] {
            for (rhs, transpose_rhs) in [([k, n], false), ([n, k], true)] {
                check_scratch(&[&lhs, &rhs], |graph, operands| {
                    let (lhs, rhs) = (operands[0], operands[1]);
                    graph.matmul_transposed(lhs, rhs, transpose_lhs, transpose_rhs).unwrap()
                });
            }
        }
    }
}

#[test]
fn convolutions_take_the_scratch_that_they_plan() {
    // Plain sums, one image and several parts of a filter gradient; tiles of few images and of groups
    // with a rest, in filters of 5 and 3.
    let cases = [
        ([1, 5, 7, 3], [3, 3, 3, 4], 1),
        ([19, 8, 6, 2], [3, 2, 2, 5], 2),
        ([2, 14, 14, 16], [5, 5, 16, 32], 1),
        ([19, 7, 5, 32], [5, 5, 32, 16], 1),
        ([3, 12, 9, 16], [3, 3, 16, 48], 1),
        ([200, 6, 6, 16], [3, 3, 16, 16], 1),
    ];
    for (images, filter, stride) in cases {
        check_scratch(&[&images, &filter], |graph, operands| {
            graph.conv2d(operands[0], operands[1], stride, Padding::Same).unwrap()
        });
    }
}

#[test]
fn attention_takes_the_scratch_that_it_plans() {
    for ([batch, places, columns], heads) in [([2, 5, 12], 2), ([1, 64, 96], 1), ([3, 70, 90], 3)] {
        check_scratch(&[&[batch, places, columns]], |graph, operands| {
            graph.causal_attention(operands[0], heads).unwrap()
        });
    }
}

#[test]
fn nothing_runs_in_a_lane_that_diverged_before() {
    let mut graph = Graph::new();
    let w = graph.parameter("w", &[1], Initialiser::Zeros).unwrap();
    let loss = graph.sum(w, 1.0).unwrap();
    let plan = Plan::training(graph, loss, UpdateRule::Sgd, &[]).unwrap();
    let mut executor =
        CpuExecutor::<f32>::new(&Program::new(vec![plan], vec![]).unwrap(), 2).unwrap();
    let ended = LaneState { learning_rate: 1.0, step: 4, diverged_at: 4, ..LaneState::default() };
    executor.load(0, &Snapshot::fresh(ended, vec![7.0])).unwrap();
    executor.load(1, &Snapshot::fresh(LaneState { diverged_at: 0, ..ended }, vec![7.0])).unwrap();
    assert_eq!(executor.run_from(5, 0, &[3, 0]).unwrap()[0].cursor, 0);
    let states = executor.run(0, &[3, 3]).unwrap();
    assert_eq!(executor.save(0).unwrap().parameters, [7.0]);
    assert_eq!(executor.save(1).unwrap().parameters, [4.0]);
    assert_eq!([states[0].step, states[1].step], [4, 7]);
}

#[test]
fn calls_that_do_not_fit_are_refused() {
    let mut graph = Graph::new();
    let w = graph.parameter("w", &[1], Initialiser::Zeros).unwrap();
    let value = graph.sum(w, 1.0).unwrap();
    let plan = Plan::evaluation(&graph, &[value], 2).unwrap();
    let program = Program::new(vec![plan], vec![]).unwrap();
    assert!(CpuExecutor::<f32>::new(&program, 0).is_err());
    let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
    let message = |result: Result<Vec<LaneState>, crate::Error>| result.unwrap_err().to_string();
    assert_eq!(message(executor.run(1, &[1])), "run: got plan 1, expected an index below 1");
    assert_eq!(
        message(executor.run(0, &[1, 1])),
        "run: got 2 repeat counts, expected one for each of 1 lanes"
    );
    assert_eq!(
        message(executor.run(0, &[3])),
        "run: got 3 iterations, expected at most the 2 rows that the plan records"
    );
    assert!(executor.load(1, &Snapshot::fresh(LaneState::default(), vec![0.0])).is_err());
    assert!(executor.load(0, &Snapshot::fresh(LaneState::default(), vec![0.0; 2])).is_err());
}
