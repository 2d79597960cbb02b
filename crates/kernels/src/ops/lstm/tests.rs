//! Tests of the long short-term memory.

use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser, Node};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::{check_gradients, random_values};

fn lstm(graph: &mut Graph, [batch, places, units, outputs]: [usize; 4]) -> Node {
    let mut parameter =
        |name: &str, shape: &[usize]| graph.parameter(name, shape, Initialiser::Zeros).unwrap();
    let gates = parameter("gates", &[batch, places, 4 * units]);
    let recurrent = parameter("recurrent", &[outputs, 4 * units]);
    let projection = parameter("projection_kernel", &[units, outputs]);
    graph.lstm(gates, recurrent, projection).unwrap()
}

#[test]
fn gradients() {
    for dimensions in [[1, 1, 1, 1], [2, 3, 2, 3], [3, 4, 3, 2], [6, 2, 1, 1]] {
        check_gradients(61, |graph| Ok(lstm(graph, dimensions))).unwrap();
    }
}

/// Against the equations, a number at a time.
#[test]
fn equals_the_definition() {
    let [batch, places, units, outputs] = [2, 3, 2, 3];
    let mut graph = Graph::new();
    let y = lstm(&mut graph, [batch, places, units, outputs]);
    let program = Program::new(vec![Plan::forward(&graph, &[y]).unwrap()], vec![]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    let values: Vec<f64> = random_values(62, program.n_parameters());
    executor.load(0, &Snapshot::fresh(LaneState::default(), values.clone())).unwrap();
    executor.run(0, &[1]).unwrap();
    let got = executor.read(0, 0, y).unwrap();
    let (gates, kernels) = values.split_at(batch * places * 4 * units);
    let (recurrent, projection) = kernels.split_at(outputs * 4 * units);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for n in 0..batch {
        let (mut c, mut y) = (vec![0.0; units], vec![0.0; outputs]);
        for t in 0..places {
            let z = |gate: usize, unit: usize| -> f64 {
                let column = gate * units + unit;
                let sum: f64 = (0..outputs).map(|p| y[p] * recurrent[p * 4 * units + column]).sum();
                gates[(n * places + t) * 4 * units + column] + sum
            };
            let next: Vec<(f64, f64)> = (0..units)
                .map(|u| {
                    let cell = sigmoid(z(1, u) + 1.0) * c[u] + sigmoid(z(0, u)) * z(2, u).tanh();
                    (cell, sigmoid(z(3, u)) * cell.tanh())
                })
                .collect();
            c = next.iter().map(|(cell, _)| *cell).collect();
            let h = |u: usize| next[u].1;
            y = (0..outputs)
                .map(|p| (0..units).map(|u| h(u) * projection[u * outputs + p]).sum())
                .collect();
            for (p, expected) in y.iter().enumerate() {
                let got = got[(n * places + t) * outputs + p];
                assert!((got - expected).abs() < 1e-14, "{n} {t} {p}: {got} {expected}");
            }
        }
    }
}

#[test]
fn refuses_kernels_that_do_not_fit() {
    let mut graph = Graph::new();
    let mut parameter =
        |name: &str, shape: &[usize]| graph.parameter(name, shape, Initialiser::Zeros).unwrap();
    let gates = parameter("gates", &[2, 3, 8]);
    let recurrent = parameter("recurrent", &[5, 8]);
    let projection = parameter("projection_kernel", &[2, 5]);
    let wide = parameter("wide", &[3, 5]);
    let flat = parameter("flat", &[6, 8]);
    assert!(graph.lstm(gates, recurrent, projection).is_ok());
    assert!(graph.lstm(gates, recurrent, wide).is_err());
    assert!(graph.lstm(gates, flat, projection).is_err());
    assert!(graph.lstm(flat, recurrent, projection).is_err());
}
