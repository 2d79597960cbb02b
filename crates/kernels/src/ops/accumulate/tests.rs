//! Tests of the running sum.

use std::sync::Arc;

use bytes::Bytes;

use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program, Split};
use crate::graph::{Graph, Initialiser};
use crate::lane::Snapshot;
use crate::ops::gather::{Sampling, Source};
use crate::plan::Plan;
use crate::testing::{check_gradients, sample_lane};

#[test]
fn gradients() {
    check_gradients(5, |graph| {
        let x = graph.parameter("x", &[7, 3], Initialiser::Zeros)?;
        let sum = graph.accumulate(x)?;
        graph.squared_norm(sum)
    })
    .unwrap();
}

/// Labels 0, 1, 2, ... in batches of 2, and the sum of the batches so far; a lane each for runs of
/// 4, 0 and 2 iterations.
#[test]
fn sums_the_iterations_of_one_run_in_each_lane() {
    let mut graph = Graph::new();
    graph.parameter("unused", &[1], Initialiser::Zeros).unwrap();
    let source = Source { split: 0, n_examples: 8, sampling: Sampling::Sequential };
    let labels = graph.gather_labels(source, 2).unwrap();
    let sums = graph.accumulate(labels).unwrap();
    let both = graph.accumulate(sums).unwrap();
    let values = [graph.sum(sums, 1.0).unwrap(), graph.sum(both, 1.0).unwrap()];
    let plan = Plan::evaluation(&graph, &values, 4).unwrap();
    let split = Split::resident(Bytes::new(), (0..8).collect());
    let program = Program::new(vec![plan], vec![Arc::new(split)]).unwrap();
    assert_eq!(program.lane_len(), 2 + 2 * 4 + 2 + 2, "weight and velocity, records, sums");
    let mut executor = CpuExecutor::<f64>::new(&program, 3).unwrap();
    executor.poison().unwrap();
    for lane in 0..3 {
        executor.load(lane, &Snapshot::fresh(sample_lane(1), vec![0.0])).unwrap();
    }
    // A second run starts anew: it measures the same.
    for _ in 0..2 {
        executor.run(0, &[4, 0, 2]).unwrap();
        let rows = executor.records(0).unwrap();
        assert_eq!(rows[0], [[1.0, 1.0], [6.0, 7.0], [15.0, 22.0], [28.0, 50.0]]);
        assert!(rows[1].is_empty(), "an idle lane records nothing");
        assert_eq!(rows[2], rows[0][..2]);
    }
}
