//! Tests of ghost batch norm.

use super::{DECAY, EPSILON, Moments};
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::ops::update::UpdateRule;
use crate::plan::Plan;
use crate::testing::{check_gradients, random_values};

#[test]
fn gradients_in_one_group_and_several() {
    for (shape, group) in [([4, 1, 1, 3], 4), ([6, 3, 2, 5], 2), ([2, 20, 30, 2], 1)] {
        check_gradients(31, |graph| {
            let x = graph.parameter("x", &shape, Initialiser::Zeros)?;
            graph.batch_norm(x, "norm", Moments::OfGroups(group))
        })
        .unwrap();
    }
}

/// A batch of two groups is normalised as two batches of one, and the running moments move to the mean
/// of both.
#[test]
fn groups_know_nothing_of_each_other() {
    let (x, columns): (Vec<f64>, usize) = (random_values(5, 8 * 3), 3);
    let run = |batch: usize, x: Vec<f64>| {
        let mut graph = Graph::new();
        let parameter = graph.parameter("x", &[batch, columns], Initialiser::Zeros).unwrap();
        let y = graph.batch_norm(parameter, "norm", Moments::OfGroups(4)).unwrap();
        let loss = graph.sum(y, 1.0).unwrap();
        let plan = Plan::training(graph, loss, UpdateRule::Sgd, &[y]).unwrap();
        let program = Program::new(vec![plan], vec![]).unwrap();
        let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
        executor.poison().unwrap();
        let affine = [2.0, 2.0, 2.0, 0.5, 0.5, 0.5];
        let moments = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let values = [&x[..], &affine, &moments].concat();
        executor.load(0, &Snapshot::fresh(LaneState::default(), values)).unwrap();
        executor.run(0, &[1]).unwrap();
        let y = executor.read(0, 0, y).unwrap();
        let running = executor.save(0).unwrap().parameters[x.len() + 6..].to_vec();
        (y, running)
    };
    let (first, first_running) = run(4, x[..12].to_vec());
    let (second, second_running) = run(4, x[12..].to_vec());
    let (both, running) = run(8, x.clone());
    assert_eq!(both, [first.clone(), second].concat());
    for (index, running) in running.iter().enumerate() {
        let mean = (first_running[index] + second_running[index]) / 2.0;
        assert!((running - mean).abs() < 1e-15, "{running} {mean}");
    }
    for c in 0..columns {
        let channel: Vec<f64> = x[..12].iter().skip(c).step_by(columns).copied().collect();
        let mean = channel.iter().sum::<f64>() / 4.0;
        let variance = channel.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 4.0;
        let (decay, epsilon) = (f64::from(DECAY), f64::from(EPSILON));
        let expected = 2.0 * (x[c] - mean) / (variance + epsilon).sqrt() + 0.5;
        assert!((first[c] - expected).abs() < 1e-12, "{} {expected}", first[c]);
        assert!((first_running[c] - (1.0 - decay) * mean).abs() < 1e-12);
        let expected = decay + (1.0 - decay) * variance;
        assert!((first_running[columns + c] - expected).abs() < 1e-12);
    }
}

#[test]
fn evaluation_takes_the_running_moments() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[2, 1], Initialiser::Zeros).unwrap();
    let y = graph.batch_norm(x, "norm", Moments::Running).unwrap();
    let names: Vec<&str> = graph.parameters().iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["x", "norm/scale", "norm/offset", "norm/moments"]);
    let program = Program::new(vec![Plan::forward(&graph, &[y]).unwrap()], vec![]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    let values = vec![1.0, 5.0, 3.0, 10.0, 2.0, 4.0];
    executor.load(0, &Snapshot::fresh(LaneState::default(), values)).unwrap();
    executor.run(0, &[1]).unwrap();
    let deviation = (4.0 + f64::from(EPSILON)).sqrt();
    let expected = [10.0 - 3.0 / deviation, 10.0 + 9.0 / deviation];
    for (y, expected) in executor.read(0, 0, y).unwrap().into_iter().zip(expected) {
        assert!((y - expected).abs() < 1e-12, "{y} {expected}");
    }
    let loss = graph.sum(y, 1.0).unwrap();
    assert!(graph.gradients(loss, &[x]).unwrap_err().to_string().contains("running moments"));
}

#[test]
fn groups_that_do_not_divide_the_batch_are_refused() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[6, 2], Initialiser::Zeros).unwrap();
    let message = graph.batch_norm(x, "norm", Moments::OfGroups(4)).unwrap_err().to_string();
    assert_eq!(
        message,
        "batch_norm: group size is 4; the examples of a group must divide the batch"
    );
}
