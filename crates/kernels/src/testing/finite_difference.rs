//! Central differences in f64: what every backward is held to.

use super::{random_projection, random_values, sample_lane};
use crate::cpu::CpuExecutor;
use crate::error::Error;
use crate::executor::{Executor, Program};
use crate::graph::{Graph, Node};
use crate::lane::Snapshot;
use crate::plan::Plan;

/// Step of the differences; their error is about `STEP^2`, plus `epsilon / STEP` from rounding.
const STEP: f64 = 1e-5;

/// Largest error allowed, as a share of the largest gradient of the tensor.
const ALLOWED: f64 = 1e-6;

/// Elements of each parameter that are checked at most, spread evenly.
const MAX_ELEMENTS: usize = 60;

/// Compares the gradients of all parameters that `build` declares with central differences of
/// `random projection of build's value`, at a random point.
///
/// # Errors
/// Those of building the graph.
///
/// # Panics
/// If a gradient is off.
pub fn check_gradients(
    seed: u32,
    build: impl FnOnce(&mut Graph) -> Result<Node, Error>,
) -> Result<(), Error> {
    let mut graph = Graph::new();
    let y = build(&mut graph)?;
    let loss = random_projection(&mut graph, y)?;
    let nodes: Vec<Node> = graph.trained_parameters().map(|parameter| parameter.node).collect();
    let gradients = graph.gradients(loss, &nodes)?;
    let keep: Vec<Node> = gradients.iter().copied().chain([loss]).collect();
    let program = Program::new(vec![Plan::forward(&graph, &keep)?], vec![])?;
    let mut executor = CpuExecutor::<f64>::new(&program, 1)?;
    executor.poison()?;
    let point: Vec<f64> = random_values(seed, graph.n_parameters());
    let mut loss_at = |parameters: Vec<f64>| -> Result<_, Error> {
        executor.load(0, &Snapshot::fresh(sample_lane(seed), parameters))?;
        executor.run(0, &[1])?;
        let values =
            keep.iter().map(|&node| executor.read(0, 0, node)).collect::<Result<Vec<_>, _>>()?;
        Ok(values)
    };
    let analytic = loss_at(point.clone())?;
    for (parameter, gradient) in graph.trained_parameters().zip(&analytic) {
        let magnitude = gradient.iter().fold(0.0_f64, |max, value| max.max(value.abs()));
        let stride = gradient.len().div_ceil(MAX_ELEMENTS);
        for index in (0..gradient.len()).step_by(stride) {
            let mut shifted = |step: f64| -> Result<f64, Error> {
                let mut parameters = point.clone();
                parameters[parameter.offset + index] += step;
                Ok(loss_at(parameters)?[nodes.len()][0])
            };
            let difference = (shifted(STEP)? - shifted(-STEP)?) / (2.0 * STEP);
            let error = (gradient[index] - difference).abs();
            assert!(
                error <= ALLOWED * magnitude.max(1e-3),
                "gradient of {}[{index}]: {} by the backward pass, {difference} by differences",
                parameter.name,
                gradient[index],
            );
        }
    }
    Ok(())
}
