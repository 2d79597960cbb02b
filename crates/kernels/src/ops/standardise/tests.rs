//! Tests of the standardisation.

use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::random_values;

fn standardised(shape: &[usize], x: Vec<f64>) -> Vec<f64> {
    let mut graph = Graph::new();
    let parameter = graph.parameter("x", shape, Initialiser::Zeros).unwrap();
    let y = graph.standardise(parameter).unwrap();
    let program = Program::new(vec![Plan::forward(&graph, &[y]).unwrap()], vec![]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    executor.load(0, &Snapshot::fresh(LaneState::default(), x)).unwrap();
    executor.run(0, &[1]).unwrap();
    executor.read(0, 0, y).unwrap()
}

#[test]
fn examples_have_mean_0_and_variance_1() {
    let (n_examples, len) = (3, 5 * 7 * 3);
    let x: Vec<f64> = random_values(9, n_examples * len);
    let y = standardised(&[n_examples, 5, 7, 3], x.clone());
    for (y, x) in y.chunks(len).zip(x.chunks(len)) {
        let mean = y.iter().sum::<f64>() / len as f64;
        let variance = y.iter().map(|y| y * y).sum::<f64>() / len as f64;
        assert!(mean.abs() < 1e-14 && (variance - 1.0).abs() < 1e-13, "{mean} {variance}");
        let slope = (y[1] - y[0]) / (x[1] - x[0]);
        assert!(slope > 0.0 && ((y[2] - y[0]) / (x[2] - x[0]) / slope - 1.0).abs() < 1e-12);
    }
}

/// What TensorFlow's documentation says of an image of one colour, and of one that nearly is.
#[test]
fn deviations_are_at_least_that_of_one_part_in_all() {
    assert_eq!(standardised(&[1, 2, 2, 1], vec![7.0; 4]), [0.0; 4]);
    // Deviation 0.25 and at least 1 / sqrt(4).
    let y = standardised(&[1, 2, 2, 1], vec![1.25, 0.75, 1.25, 0.75]);
    assert_eq!(y, [0.5, -0.5, 0.5, -0.5]);
}

#[test]
fn a_nan_shows() {
    let y = standardised(&[2, 3], vec![1.0, f64::NAN, 2.0, 1.0, 2.0, 4.0]);
    assert!(y[..3].iter().all(|y| y.is_nan()) && y[3..].iter().all(|y| y.is_finite()), "{y:?}");
}
