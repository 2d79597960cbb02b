//! Tests of the attention.

use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;
use crate::testing::{check_gradients, random_values};

#[test]
fn gradients() {
    for (batch, places, heads, columns) in
        [(1, 1, 1, 1), (2, 5, 2, 3), (1, 9, 1, 17), (2, 35, 1, 2)]
    {
        check_gradients(51, |graph| {
            let shape = [batch, places, 3 * heads * columns];
            let qkv = graph.parameter("qkv", &shape, Initialiser::Zeros)?;
            graph.causal_attention(qkv, heads)
        })
        .unwrap();
    }
}

/// Against the definition, with the whole matrix of scores.
#[test]
fn equals_the_definition() {
    // One block of places, whole blocks, and blocks with a rest.
    for [places, heads, columns] in [[7, 2, 4], [16, 1, 32], [64, 2, 33], [75, 2, 5]] {
        check_definition(places, heads, columns);
    }
}

fn check_definition(places: usize, heads: usize, columns: usize) {
    let width = heads * columns;
    let qkv: Vec<f64> = random_values(52, places * 3 * width);
    let mut graph = Graph::new();
    let x = graph.parameter("qkv", &[1, places, 3 * width], Initialiser::Zeros).unwrap();
    let y = graph.causal_attention(x, heads).unwrap();
    let program = Program::new(vec![Plan::forward(&graph, &[y]).unwrap()], vec![]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    executor.load(0, &Snapshot::fresh(LaneState::default(), qkv.clone())).unwrap();
    executor.run(0, &[1]).unwrap();
    let got = executor.read(0, 0, y).unwrap();
    let at = |part: usize, place: usize, head: usize, c: usize| {
        qkv[place * 3 * width + part * width + head * columns + c]
    };
    for head in 0..heads {
        for i in 0..places {
            let weight = |j: usize| -> f64 {
                let product: f64 =
                    (0..columns).map(|c| at(0, i, head, c) * at(1, j, head, c)).sum();
                (product / (columns as f64).sqrt()).exp()
            };
            let total: f64 = (0..=i).map(weight).sum();
            for c in 0..columns {
                let sum: f64 = (0..=i).map(|j| weight(j) * at(2, j, head, c)).sum();
                let got = got[i * width + head * columns + c];
                assert!((got - sum / total).abs() < 1e-13, "{got} {}", sum / total);
            }
        }
    }
}

#[test]
fn refuses_what_heads_do_not_divide() {
    let mut graph = Graph::new();
    let x = graph.parameter("qkv", &[1, 2, 12], Initialiser::Zeros).unwrap();
    for heads in [0, 3, 5] {
        assert!(graph.causal_attention(x, heads).is_err(), "{heads}");
    }
    assert!(graph.causal_attention(x, 2).is_ok());
    let wide = graph.parameter("wide", &[1, 2, 3 * 257], Initialiser::Zeros).unwrap();
    let message = graph.causal_attention(wide, 1).unwrap_err().to_string();
    assert_eq!(message, "causal_attention: columns of a head is 257; it must be at most 256");
}
