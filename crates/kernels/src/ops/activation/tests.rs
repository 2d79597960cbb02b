//! Tests of the smooth activations.

use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::check_gradients;

#[test]
fn gradients() {
    for function in [Graph::gelu, Graph::tanh, Graph::sigmoid] {
        check_gradients(41, |graph| {
            let x = graph.parameter("x", &[5, 13], Initialiser::Zeros)?;
            let y = graph.add(x, x)?;
            function(graph, y)
        })
        .unwrap();
    }
}

/// Values by Python's `math` module, to 15 digits, and the far ends.
#[test]
fn values_are_the_functions() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[4], Initialiser::Zeros).unwrap();
    let values = [graph.gelu(x), graph.tanh(x), graph.sigmoid(x)].map(Result::unwrap);
    let program = Program::new(vec![Plan::forward(&graph, &values).unwrap()], vec![]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    let points = vec![-1e3, -0.7, 0.3, 1e3];
    executor.load(0, &Snapshot::fresh(LaneState::default(), points)).unwrap();
    executor.run(0, &[1]).unwrap();
    let expected = [
        [0.0, -0.169_429_865_294_883, 0.185_370_923_542_759, 1e3],
        [-1.0, -0.604_367_777_117_164, 0.291_312_612_451_591, 1.0],
        [0.0, 0.331_812_227_831_834, 0.574_442_516_811_659, 1.0],
    ];
    for (node, expected) in values.into_iter().zip(expected) {
        for (got, expected) in executor.read(0, 0, node).unwrap().into_iter().zip(expected) {
            assert!((got - expected).abs() < 1e-14, "{got} {expected}");
        }
    }
}
