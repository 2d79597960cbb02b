//! Tests of the embedding.

use std::sync::Arc;

use bytes::Bytes;

use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program, Split};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::ops::gather::{Sampling, Source};
use crate::plan::Plan;

/// Six tokens, the last past the end of the data and so -1.
fn graph() -> (Graph, [crate::graph::Node; 2], Arc<Split>) {
    let labels = vec![2, 0, 2, 1, 2];
    let split = Split::resident(Bytes::new(), labels);
    let mut graph = Graph::new();
    let table = graph.parameter("table", &[4, 3], Initialiser::Zeros).unwrap();
    let weights = graph.parameter("weights", &[6, 3], Initialiser::Zeros).unwrap();
    let source = Source { split: 0, n_examples: 5, sampling: Sampling::Sequential };
    let tokens = graph.gather_labels(source, 6).unwrap();
    let y = graph.embedding(table, tokens, 0.5).unwrap();
    let product = graph.multiply(y, weights).unwrap();
    let loss = graph.sum(product, 1.0).unwrap();
    let gradient = graph.gradients(loss, &[table]).unwrap()[0];
    (graph, [y, gradient], Arc::new(split))
}

#[test]
fn rows_are_taken_and_their_gradients_added_up() {
    let (graph, nodes, split) = graph();
    let program = Program::new(vec![Plan::forward(&graph, &nodes).unwrap()], vec![split]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    let table: Vec<f64> = (0..12).map(f64::from).collect();
    let weights: Vec<f64> = (0..18).map(|i| f64::from(1 << i)).collect();
    let values = [table, weights].concat();
    executor.load(0, &Snapshot::fresh(LaneState::default(), values)).unwrap();
    executor.run(0, &[1]).unwrap();
    let row = |token: f64| [1.5 * token, 1.5 * token + 0.5, 1.5 * token + 1.0];
    let expected = [row(2.0), row(0.0), row(2.0), row(1.0), row(2.0), [0.0; 3]].concat();
    assert_eq!(executor.read(0, 0, nodes[0]).unwrap(), expected);
    let weight = |place: usize, c: usize| f64::from(1 << (3 * place + c));
    let sum = |places: &[usize]| -> Vec<f64> {
        (0..3).map(|c| places.iter().map(|&place| 0.5 * weight(place, c)).sum()).collect()
    };
    let expected = [sum(&[1]), sum(&[3]), sum(&[0, 2, 4]), sum(&[])].concat();
    assert_eq!(executor.read(0, 0, nodes[1]).unwrap(), expected);
}

#[test]
fn a_token_beyond_the_table_shows() {
    let mut graph = Graph::new();
    let table = graph.parameter("table", &[2, 1], Initialiser::Zeros).unwrap();
    let tokens = graph.parameter("tokens", &[2], Initialiser::Zeros).unwrap();
    let y = graph.embedding(table, tokens, 1.0).unwrap();
    let program = Program::new(vec![Plan::forward(&graph, &[y]).unwrap()], vec![]).unwrap();
    let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
    executor.load(0, &Snapshot::fresh(LaneState::default(), vec![5.0, 6.0, 1.0, 2.0])).unwrap();
    executor.run(0, &[1]).unwrap();
    let y = executor.read(0, 0, y).unwrap();
    assert!(y[0] == 6.0 && y[1].is_nan(), "{y:?}");
}
