//! Tests of the native executor's bookkeeping.

use super::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
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
