//! Tests of the average pool.

use super::Padding;
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::check_gradients;

#[test]
fn gradients() {
    let cases = [([2, 6, 6, 3], [2, 2], 2), ([2, 7, 5, 2], [3, 3], 2), ([1, 5, 5, 17], [3, 2], 1)];
    for (shape, size, stride) in cases {
        for padding in [Padding::Same, Padding::Valid] {
            check_gradients(15, |graph| {
                let x = graph.parameter("x", &shape, Initialiser::Zeros)?;
                graph.avg_pool(x, size, stride, padding)
            })
            .unwrap();
        }
    }
    check_gradients(16, |graph| {
        let x = graph.parameter("x", &[3, 4, 5, 7], Initialiser::Zeros)?;
        graph.global_avg_pool(x)
    })
    .unwrap();
}

/// Padding does not count, and windows may overlap.
#[test]
fn takes_the_mean_of_the_pixels_inside() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[1, 2, 3, 1], Initialiser::Zeros).unwrap();
    let same = graph.avg_pool(x, [2, 2], 1, Padding::Same).unwrap();
    let global = graph.global_avg_pool(x).unwrap();
    assert_eq!(**graph.shape(global), [1, 1]);
    let plan = Plan::forward(&graph, &[same, global]).unwrap();
    let program = Program::new(vec![plan], vec![]).unwrap();
    let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    let pixels = vec![1.0, 3.0, 5.0, 7.0, 9.0, 11.0];
    executor.load(0, &Snapshot::fresh(LaneState::default(), pixels)).unwrap();
    executor.run(0, &[1]).unwrap();
    assert_eq!(executor.read(0, 0, same).unwrap(), [5.0, 7.0, 8.0, 8.0, 10.0, 11.0]);
    assert_eq!(executor.read(0, 0, global).unwrap(), [6.0]);
}

#[test]
fn refuses_what_is_no_image() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[2, 3], Initialiser::Zeros).unwrap();
    let message = graph.global_avg_pool(x).unwrap_err().to_string();
    assert_eq!(message, "global_avg_pool: got shape [2, 3]; images must be [N, H, W, C]");
}
