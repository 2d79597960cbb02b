//! Tests of the shortcut.

use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::check_gradients;

#[test]
fn gradients() {
    for (shape, stride, channels) in
        [([2, 4, 4, 3], 2, 6), ([1, 5, 7, 2], 3, 2), ([2, 3, 2, 1], 1, 4)]
    {
        check_gradients(21, |graph| {
            let x = graph.parameter("x", &shape, Initialiser::Zeros)?;
            graph.identity_shortcut(x, stride, channels)
        })
        .unwrap();
    }
}

#[test]
fn takes_every_second_pixel_and_adds_channels_of_zeros() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[1, 3, 3, 1], Initialiser::Zeros).unwrap();
    let y = graph.identity_shortcut(x, 2, 2).unwrap();
    assert_eq!(**graph.shape(y), [1, 2, 2, 2]);
    let program = Program::new(vec![Plan::forward(&graph, &[y]).unwrap()], vec![]).unwrap();
    let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    let pixels = (1_u8..=9).map(f32::from).collect();
    executor.load(0, &Snapshot::fresh(LaneState::default(), pixels)).unwrap();
    executor.run(0, &[1]).unwrap();
    assert_eq!(executor.read(0, 0, y).unwrap(), [1.0, 0.0, 3.0, 0.0, 7.0, 0.0, 9.0, 0.0]);
}

#[test]
fn refuses_fewer_channels_and_no_stride() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[1, 2, 2, 4], Initialiser::Zeros).unwrap();
    let message = graph.identity_shortcut(x, 2, 3).unwrap_err().to_string();
    assert_eq!(
        message,
        "identity_shortcut: channels is 3; there must be at least those of the input"
    );
    assert!(graph.identity_shortcut(x, 0, 4).is_err());
}
