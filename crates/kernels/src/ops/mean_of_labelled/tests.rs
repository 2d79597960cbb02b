//! Tests of the mean over labelled examples.

use super::MeanOfLabelled;
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;

#[test]
fn padding_does_not_count() {
    let mut graph = Graph::new();
    let losses = graph.parameter("losses", &[4], Initialiser::Zeros).unwrap();
    let labels = graph.parameter("labels", &[4], Initialiser::Zeros).unwrap();
    let mean = graph.mean_of_labelled(losses, labels).unwrap();
    let count = graph.count_labels(labels).unwrap();
    let gradient = graph.gradients(mean, &[losses]).unwrap()[0];
    let plan = Plan::forward(&graph, &[mean, count, gradient]).unwrap();
    let program = Program::new(vec![plan], vec![]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 2).unwrap();
    executor.poison().unwrap();
    let some = vec![1.0, 0.0, 2.0, 6.0, 0.0, -1.0, 5.0, 2.0];
    let none = vec![0.0, 0.0, 0.0, 0.0, -1.0, -1.0, -1.0, -1.0];
    for (lane, values) in [some, none].into_iter().enumerate() {
        executor.load(lane, &Snapshot::fresh(LaneState::default(), values)).unwrap();
    }
    executor.run(0, &[1, 1]).unwrap();
    let third = 1.0 / 3.0;
    for (lane, mean_value, count_value, expected) in
        [(0, 3.0, 3.0, [third, 0.0, third, third]), (1, 0.0, 0.0, [0.0; 4])]
    {
        assert_eq!(executor.read(0, lane, mean).unwrap(), [mean_value]);
        assert_eq!(executor.read(0, lane, count).unwrap(), [count_value]);
        assert_eq!(executor.read(0, lane, gradient).unwrap(), expected);
    }
}

/// 2^24 is the last number that a sum of ones reaches in f32.
#[test]
fn more_labels_than_2_to_the_24_are_counted() {
    let n_labels = (1 << 24) + 8;
    let mut labels = vec![0.0_f32; n_labels + 5];
    labels[..5].fill(-1.0);
    let op = MeanOfLabelled { rows: 1, counted: labels.len() };
    let mut y = [0.0_f32];
    op.count_cpu(&labels, &mut y);
    assert_eq!(y[0] as usize, n_labels);
    op.cpu(&[&[n_labels as f32], &[0.0], &labels], &mut y);
    assert_eq!(y, [1.0]);
    op.grad_cpu(&[&[0.0], &labels, &[n_labels as f32]], &mut y);
    assert_eq!(y, [1.0]);
}

#[test]
fn refuses_labels_of_another_number() {
    let mut graph = Graph::new();
    let losses = graph.parameter("losses", &[4], Initialiser::Zeros).unwrap();
    let labels = graph.parameter("labels", &[3], Initialiser::Zeros).unwrap();
    let message = graph.mean_of_labelled(losses, labels).unwrap_err().to_string();
    assert!(message.contains("labels must be [4]"), "{message}");
}
