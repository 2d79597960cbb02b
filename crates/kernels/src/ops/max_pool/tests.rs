//! Tests of the max-pool.

use super::Padding;
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::check_gradients;

#[test]
fn gradients() {
    for (shape, size, stride) in [([2, 6, 6, 3], 2, 2), ([2, 7, 5, 2], 3, 2), ([1, 5, 5, 1], 3, 1)]
    {
        for padding in [Padding::Same, Padding::Valid] {
            check_gradients(15, |graph| {
                let x = graph.parameter("x", &shape, Initialiser::Zeros)?;
                graph.max_pool(x, size, stride, padding)
            })
            .unwrap();
        }
    }
}

/// Values and, on ties, the first pixel of the window takes the gradient.
#[test]
fn takes_the_first_largest() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[1, 2, 4, 1], Initialiser::Zeros).unwrap();
    let y = graph.max_pool(x, 2, 2, Padding::Valid).unwrap();
    let loss = graph.sum(y, 1.0).unwrap();
    let grad = graph.gradients(loss, &[x]).unwrap()[0];
    let program = Program::new(vec![Plan::forward(&graph, &[y, grad]).unwrap()], vec![]).unwrap();
    let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    let pixels = vec![1.0, 5.0, -7.0, -7.0, 5.0, 2.0, -7.0, -8.0];
    executor.load(0, &Snapshot::fresh(LaneState::default(), pixels)).unwrap();
    executor.run(0, &[1]).unwrap();
    assert_eq!(executor.read(0, 0, y).unwrap(), [5.0, -7.0]);
    assert_eq!(executor.read(0, 0, grad).unwrap(), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}
