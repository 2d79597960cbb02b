//! Tests of the product.

use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::{assert_close, check_gradients, random_values};

const TRANSPOSES: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

#[test]
fn gradients_of_all_transposes() {
    for (transpose_lhs, transpose_rhs) in TRANSPOSES {
        check_gradients(7, |graph| {
            let lhs_shape = if transpose_lhs { [4, 3] } else { [3, 4] };
            let rhs_shape = if transpose_rhs { [5, 4] } else { [4, 5] };
            let lhs = graph.parameter("lhs", &lhs_shape, Initialiser::Zeros)?;
            let rhs = graph.parameter("rhs", &rhs_shape, Initialiser::Zeros)?;
            graph.matmul_transposed(lhs, rhs, transpose_lhs, transpose_rhs)
        })
        .unwrap();
    }
}

#[test]
fn gradients_through_a_fused_epilogue() {
    check_gradients(8, |graph| {
        let x = graph.parameter("x", &[3, 4], Initialiser::Zeros)?;
        let w = graph.parameter("w", &[4, 6], Initialiser::Zeros)?;
        let bias = graph.parameter("bias", &[6], Initialiser::Zeros)?;
        let product = graph.matmul(x, w)?;
        let shifted = graph.add_bias(product, bias)?;
        graph.relu(shifted)
    })
    .unwrap();
}

#[test]
fn equals_the_definition() {
    for (transpose_lhs, transpose_rhs) in TRANSPOSES {
        for (m, k, n) in
            [(1, 1, 1), (2, 784, 64), (65, 17, 131), (1, 300, 7), (200, 3, 2), (70, 600, 530)]
        {
            let lhs: Vec<f32> = random_values(9, m * k);
            let rhs: Vec<f32> = random_values(10, k * n);
            let at = |slice: &[f32], rows, columns, transposed, i: usize, j: usize| -> f64 {
                f64::from(if transposed { slice[j * rows + i] } else { slice[i * columns + j] })
            };
            let mut reference = vec![0.0; m * n];
            for i in 0..m {
                for j in 0..n {
                    for l in 0..k {
                        reference[i * n + j] += at(&lhs, m, k, transpose_lhs, i, l)
                            * at(&rhs, k, n, transpose_rhs, l, j);
                    }
                }
            }
            let mut graph = Graph::new();
            let lhs_shape = if transpose_lhs { [k, m] } else { [m, k] };
            let rhs_shape = if transpose_rhs { [n, k] } else { [k, n] };
            let a = graph.parameter("lhs", &lhs_shape, Initialiser::Zeros).unwrap();
            let b = graph.parameter("rhs", &rhs_shape, Initialiser::Zeros).unwrap();
            let y = graph.matmul_transposed(a, b, transpose_lhs, transpose_rhs).unwrap();
            let plan = Plan::forward(&graph, &[y]).unwrap();
            let mut executor =
                CpuExecutor::<f32>::new(&Program::new(vec![plan], vec![]).unwrap(), 1).unwrap();
            executor.poison().unwrap();
            let snapshot = Snapshot::fresh(LaneState::default(), [lhs, rhs].concat());
            executor.load(0, &snapshot).unwrap();
            executor.run(0, &[1]).unwrap();
            assert_close("product", &executor.read(0, 0, y).unwrap(), &reference, k);
        }
    }
}

#[test]
fn refuses_other_inner_dimensions() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[64, 128], Initialiser::Zeros).unwrap();
    let w = graph.parameter("w", &[64, 10], Initialiser::Zeros).unwrap();
    let v = graph.parameter("v", &[64], Initialiser::Zeros).unwrap();
    assert_eq!(
        graph.matmul(x, w).unwrap_err().to_string(),
        "matmul: inner dimensions differ: lhs [64, 128], rhs [64, 10]; rhs needs 128 rows, has 64"
    );
    assert_eq!(
        graph.matmul(x, v).unwrap_err().to_string(),
        "matmul: got shape [64]; both operands must have two axes"
    );
}
