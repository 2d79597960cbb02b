//! Tests of the updates, against the equations written out in f64 with their own variables.

use super::UpdateRule;
use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;

/// Minimises `w^2 / 2` (through a product of w with itself), so the gradient is `w`.
fn train(rule: UpdateRule, state: LaneState, w: f64, steps: u32) -> (LaneState, Snapshot<f64>) {
    let mut graph = Graph::new();
    let node = graph.parameter("w", &[1, 1], Initialiser::Zeros).unwrap();
    let square = graph.matmul(node, node).unwrap();
    let loss = graph.sum(square, 0.5).unwrap();
    let plan = Plan::training(graph, loss, rule, &[]).unwrap();
    let program = Program::new(vec![plan], vec![]).unwrap();
    let mut executor = CpuExecutor::new(&program, 1).unwrap();
    executor.poison().unwrap();
    executor.load(0, &Snapshot::fresh(state, vec![w])).unwrap();
    let states = executor.run(0, &[steps]).unwrap();
    (states[0], executor.save(0).unwrap())
}

#[test]
fn rules_follow_their_equations() {
    let state = LaneState {
        learning_rate: 0.25,
        momentum: 0.5,
        end_learning_rate_factor: 0.5,
        learning_rate_decay_steps: 4.0,
        ..LaneState::default()
    };
    for rule in [UpdateRule::Sgd, UpdateRule::Momentum, UpdateRule::NesterovMomentum] {
        let (mut w, mut v) = (1.5_f64, 0.0_f64);
        for t in 0..6 {
            let eta = 0.25 * (1.0 - 0.5 * f64::from(t.min(4)) / 4.0);
            let g = w;
            v = 0.5 * v + g;
            w -= eta
                * match rule {
                    UpdateRule::Sgd => g,
                    UpdateRule::Momentum => v,
                    UpdateRule::NesterovMomentum => g + 0.5 * v,
                    UpdateRule::Adam => unreachable!("it has a test of its own"),
                };
        }
        let (state, snapshot) = train(rule, state, 1.5, 6);
        assert!((snapshot.parameters[0] - w).abs() < 1e-12, "{rule:?}: {snapshot:?}, expected {w}");
        let velocity = if rule.has_velocity() { v } else { 0.0 };
        assert!((snapshot.velocity[0] - velocity).abs() < 1e-12, "{rule:?}: expected {velocity}");
        assert_eq!((state.step, state.remaining, state.diverged_at), (6, 0, 0));
    }
}

/// Decays whose powers are exact in f32.
#[test]
fn adam_follows_its_equation() {
    let (beta1, beta2, epsilon, weight_decay) = (0.5, 0.75, 0.125, 0.0625);
    let state = LaneState {
        learning_rate: 0.25,
        momentum: 0.5,
        beta2: 0.75,
        epsilon: 0.125,
        weight_decay: 0.0625,
        ..LaneState::default()
    };
    let (mut w, mut v, mut s) = (1.5_f64, 0.0_f64, 0.0_f64);
    for t in 1..=6 {
        let g = w;
        v = beta1 * v + (1.0 - beta1) * g;
        s = beta2 * s + (1.0 - beta2) * g * g;
        let (mean, square) = (v / (1.0 - beta1.powi(t)), s / (1.0 - beta2.powi(t)));
        w = w * (1.0 - 0.25 * weight_decay) - 0.25 * mean / (square.sqrt() + epsilon);
    }
    let (state, snapshot) = train(UpdateRule::Adam, state, 1.5, 6);
    for (got, expected) in
        [(&snapshot.parameters, w), (&snapshot.velocity, v), (&snapshot.second_moment, s)]
    {
        assert!((got[0] - expected).abs() < 1e-12, "{got:?}, expected {expected}");
    }
    assert_eq!((state.beta1_power, state.beta2_power), (0.5_f32.powi(6), 0.75_f32.powi(6)));
}

#[test]
fn a_snapshot_goes_on_where_it_was_taken() {
    let state = LaneState {
        learning_rate: 0.1,
        momentum: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        ..LaneState::default()
    };
    let (_, whole) = train(UpdateRule::Adam, state, 1.5, 10);
    let mut graph = Graph::new();
    let node = graph.parameter("w", &[1, 1], Initialiser::Zeros).unwrap();
    let square = graph.matmul(node, node).unwrap();
    let loss = graph.sum(square, 0.5).unwrap();
    let plan = Plan::training(graph, loss, UpdateRule::Adam, &[]).unwrap();
    let program = Program::new(vec![plan], vec![]).unwrap();
    let mut executor = CpuExecutor::new(&program, 2).unwrap();
    executor.load(0, &Snapshot::fresh(state, vec![1.5])).unwrap();
    executor.run(0, &[4, 0]).unwrap();
    let half = executor.save(0).unwrap();
    assert_eq!(half.second_moment.len(), 1);
    executor.load(1, &half).unwrap();
    executor.run(0, &[0, 6]).unwrap();
    assert_eq!(executor.save(1).unwrap().parameters, whole.parameters);
    // Without one it begins at zero, whatever the lane held.
    executor.load(1, &Snapshot::fresh(state, vec![1.5])).unwrap();
    executor.run(0, &[0, 10]).unwrap();
    assert_eq!(executor.save(1).unwrap().parameters, whole.parameters);
    let short = Snapshot { second_moment: vec![1.0; 2], ..half };
    assert!(executor.load(1, &short).unwrap_err().to_string().contains("2 mean squares"));
}

/// `w <- (1 - eta) w` with eta = 1e100 leaves f64 in the fourth step.
#[test]
fn divergence_is_seen_at_its_step_and_ends_the_lane() {
    let mut state = LaneState { learning_rate: f32::MAX, ..LaneState::default() };
    let (ended, snapshot) = train(UpdateRule::Sgd, state, 1e200, 50);
    // 1e200 -> 3e238 -> 1e277 -> beyond 1e308; but the loss w^2 overflows before: at once.
    assert_eq!(ended.diverged_at, 1, "the loss of the first step is infinite");
    assert_eq!((ended.step, ended.remaining), (1, 0));
    assert!(snapshot.parameters[0].is_finite(), "the lane stops where it diverged");
    state.learning_rate = 1e30;
    let (ended, _) = train(UpdateRule::Sgd, state, 1.0, 50);
    // w: 1, 1e30, ..., 1e150 after 5 updates; the loss of update 7 is (1e180)^2 / 2: infinite.
    assert_eq!(ended.diverged_at, 7, "the loss of update 7 is no longer finite");
}

#[test]
fn a_velocity_without_gradient_ends_at_zero() {
    assert_eq!(super::SMALLEST_VELOCITY, 2.0_f32.powi(-100));
    let mut graph = Graph::new();
    let w = graph.parameter("w", &[2, 1], Initialiser::Zeros).unwrap();
    let zeros = graph.parameter("zeros", &[1, 2], Initialiser::Zeros).unwrap();
    let product = graph.matmul(zeros, w).unwrap();
    let loss = graph.sum(product, 1.0).unwrap();
    let plan = Plan::training(graph, loss, UpdateRule::Momentum, &[]).unwrap();
    let program = Program::new(vec![plan], vec![]).unwrap();
    let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
    let state = LaneState { momentum: 0.5, ..LaneState::default() };
    let mut snapshot = Snapshot::fresh(state, vec![0.0; 4]);
    snapshot.velocity = vec![1.0, 0.0, f32::NAN, 0.0];
    executor.load(0, &snapshot).unwrap();
    executor.run(0, &[100]).unwrap();
    // The learning rate is zero: a NaN velocity makes its weight NaN in the first step.
    assert_eq!(executor.save(0).unwrap().state.diverged_at, 1);
    snapshot.velocity[2] = 0.0;
    executor.load(0, &snapshot).unwrap();
    executor.run(0, &[100]).unwrap();
    assert_eq!(executor.save(0).unwrap().velocity[0], 2.0_f32.powi(-100));
    executor.run(0, &[1]).unwrap();
    assert_eq!(executor.save(0).unwrap().velocity[0], 0.0);
}
