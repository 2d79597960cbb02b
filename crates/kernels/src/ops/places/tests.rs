//! Tests of places.

use crate::cpu::CpuExecutor;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Initialiser};
use crate::lane::{LaneState, Snapshot};
use crate::plan::Plan;

#[test]
fn places_are_taken_out_and_put_together() {
    let mut graph = Graph::new();
    let x = graph.parameter("x", &[2, 3, 2], Initialiser::Zeros).unwrap();
    let places = [2, 0, 1].map(|t| graph.place(x, t).unwrap());
    let y = graph.stack_places(&places).unwrap();
    let keep = [places[0], y];
    let program = Program::new(vec![Plan::forward(&graph, &keep).unwrap()], vec![]).unwrap();
    let mut executor = CpuExecutor::<f64>::new(&program, 1).unwrap();
    executor.poison().unwrap();
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    executor.load(0, &Snapshot::fresh(LaneState::default(), values)).unwrap();
    executor.run(0, &[1]).unwrap();
    assert_eq!(executor.read(0, 0, places[0]).unwrap(), [4.0, 5.0, 10.0, 11.0]);
    let expected = [4.0, 5.0, 0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 6.0, 7.0, 8.0, 9.0];
    assert_eq!(executor.read(0, 0, y).unwrap(), expected);
}
