//! Tests of the layer norm.

use super::EPSILON;
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::check_gradients;

#[test]
fn gradients() {
    for shape in [[1, 2], [5, 17], [3, 40]] {
        check_gradients(43, |graph| {
            let x = graph.parameter("x", &shape, Initialiser::Zeros)?;
            graph.layer_norm(x, "norm")
        })
        .unwrap();
    }
}

#[test]
fn rows_are_normalised_on_their_own() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[2, 2], Initialiser::Zeros).unwrap();
    let y = graph.layer_norm(x, "norm").unwrap();
    let program = Program::new(vec![Plan::forward(&graph, &[y]).unwrap()], vec![]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    // Means 2 and 0, variances 1 and 9; scales 2 and 3, offsets 0.5 and 0.
    let values = vec![1.0, 3.0, 3.0, -3.0, 2.0, 3.0, 0.5, 0.0];
    executor.load(0, &Snapshot::fresh(LaneState::default(), values)).unwrap();
    executor.run(0, &[1]).unwrap();
    let epsilon = f64::from(EPSILON);
    let (first, second) = (1.0 / (1.0 + epsilon).sqrt(), 3.0 / (9.0 + epsilon).sqrt());
    let expected = [0.5 - 2.0 * first, 3.0 * first, 0.5 + 2.0 * second, -3.0 * second];
    for (y, expected) in executor.read(0, 0, y).unwrap().into_iter().zip(expected) {
        assert!((y - expected).abs() < 1e-14, "{y} {expected}");
    }
}
