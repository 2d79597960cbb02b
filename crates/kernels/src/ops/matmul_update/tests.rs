//! The fused update against the product and the update one after the other.

use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser, Node};
use crate::lane::{LaneState, Snapshot};
use crate::ops::Op;
use crate::ops::update::UpdateRule;
use crate::plan::Plan;
use crate::testing::random_values;

const RULES: [UpdateRule; 4] =
    [UpdateRule::Sgd, UpdateRule::Momentum, UpdateRule::NesterovMomentum, UpdateRule::Adam];

/// `sum((x w1 + b) w2)` of parameters only.
fn two_layers(graph: &mut Graph, [m, k, n]: [usize; 3]) -> (Node, Node) {
    let x = graph.parameter("x", &[m, k], Initialiser::Zeros).unwrap();
    let w1 = graph.parameter("w1", &[k, n], Initialiser::Zeros).unwrap();
    let b = graph.parameter("b", &[n], Initialiser::Zeros).unwrap();
    let w2 = graph.parameter("w2", &[n, 3], Initialiser::Zeros).unwrap();
    let y = graph.matmul(x, w1).unwrap();
    let y = graph.add_bias(y, b).unwrap();
    let y = graph.relu(y).unwrap();
    let y = graph.matmul(y, w2).unwrap();
    (graph.sum(y, 0.01).unwrap(), w1)
}

fn train(plan: Plan, values: &[f32]) -> Vec<u32> {
    let program = Program::new(vec![plan], vec![]).unwrap();
    let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    let state = LaneState {
        learning_rate: 0.01,
        momentum: 0.9,
        beta2: 0.99,
        epsilon: 1e-3,
        ..LaneState::default()
    };
    executor.load(0, &Snapshot::fresh(state, values.to_vec())).unwrap();
    executor.run(0, &[3]).unwrap();
    let Snapshot { parameters, velocity, second_moment, .. } = executor.save(0).unwrap();
    let values = parameters.iter().chain(&velocity).chain(&second_moment);
    values.map(|value| value.to_bits()).collect()
}

fn n_fused(plan: &Plan) -> usize {
    let fused = plan.dispatches.iter().filter(|d| matches!(d.op, Op::MatmulUpdate(_)));
    fused.count()
}

/// Keeping a gradient keeps it from being fused. More terms than a pass has, few terms in three blocks of
/// rows and in one, few rows, several blocks on a matrix unit.
#[test]
fn equals_product_and_update_bit_for_bit() {
    for size @ [m, k, n] in [[300, 70, 33], [3, 600, 64], [2, 40, 64], [5, 9, 16], [600, 300, 130]]
    {
        for rule in RULES {
            let mut graph = Graph::new();
            let (loss, _) = two_layers(&mut graph, size);
            let fused = Plan::training(graph, loss, rule, &[]).unwrap();
            let mut graph = Graph::new();
            let (loss, _) = two_layers(&mut graph, size);
            let nodes: Vec<Node> = graph.parameters().iter().map(|p| p.node).collect();
            let gradients = graph.gradients(loss, &nodes).unwrap();
            let apart = Plan::training_with(&graph, loss, gradients.clone(), rule, &gradients);
            let apart = apart.unwrap();
            assert!(n_fused(&fused) >= 1, "{fused}");
            assert_eq!(n_fused(&apart), 0, "{apart}");
            let values: Vec<f32> = random_values(21, m * k + k * n + n + 3 * n);
            assert_eq!(train(fused, &values), train(apart, &values), "{size:?} {rule:?}");
        }
    }
}

/// `x` is still read when its own gradient is known: it may not be changed by then.
#[test]
fn a_parameter_that_is_read_later_is_updated_at_the_end() {
    let mut graph = Graph::new();
    let (loss, w1) = two_layers(&mut graph, [4, 5, 6]);
    let w1_offset = graph.parameters().iter().find(|p| p.node == w1).unwrap().offset;
    let plan = Plan::training(graph, loss, UpdateRule::Momentum, &[]).unwrap();
    let mut updated_before_the_end = vec![];
    for (position, dispatch) in plan.dispatches.iter().enumerate() {
        if let Op::MatmulUpdate(op) = dispatch.op {
            updated_before_the_end.push(op.update.offset);
            let view = dispatch.outputs[0];
            let reads = |d: &crate::plan::Dispatch| {
                d.inputs.iter().any(|i| i.buffer == view.buffer && i.offset == view.offset)
            };
            assert!(!plan.dispatches[position + 1..].iter().any(reads), "{plan}");
        }
    }
    assert!(updated_before_the_end.contains(&w1_offset), "{plan}");
    assert!(!updated_before_the_end.contains(&0), "x is read by the gradient of w1: {plan}");
}
