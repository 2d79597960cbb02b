//! Long short-term memory with a projection, place by place.
//!
//! The graph holds every place: its product with the recurrent kernel, its cell, its projection are
//! ops of their own, so that products are those of all other layers. The backward pass is put together
//! as a whole, so that the gradients of the kernels are one product each over all places.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::ops::places::Places;

/// Added to the forget gate's argument, so that cells remember at the start (Jozefowicz et al. 2015).
pub(crate) const FORGET_BIAS: f64 = 1.0;

/// Parts of a cell's state: input gate, forget gate, candidate, output gate, cell.
pub(crate) const STATE_PARTS: usize = 5;

/// Gates: all parts but the cell.
pub(crate) const GATES: usize = 4;

/// Elementwise work at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LstmCell {
    pub(crate) batch: usize,
    pub(crate) places: usize,
    pub(crate) units: usize,
    pub(crate) place: usize,
    pub(crate) step: Step,
}

/// What is computed. Names: z gates before their function, `s = [i | f | g | o | c]` state, h hidden
/// values, c cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// s from all places' inputs of the gates and, but for the first place, this place's product and
    /// the state before.
    State,
    /// h from s.
    Hidden,
    /// `d loss / d c` from s and the gradient of h and, but for the last place, the state after and
    /// its own `d loss / d c`.
    CellGrad,
    /// `d loss / d z` from s, the gradients of h and c and, but for the first place, the state before.
    GatesGrad,
}

impl Graph {
    /// Long short-term memory with a projection, from zero at the start of every sequence.
    ///
    /// # Equation
    /// With `z_t = gates[:, t] + y_{t-1} W`, in four equal parts, and `y_0 = c_0 = 0`:
    /// `i = sigmoid(z_i)`, `f = sigmoid(z_f + 1)`, `g = tanh(z_g)`, `o = sigmoid(z_o)`,
    /// `c_t = f c_{t-1} + i g`, `h_t = o tanh(c_t)`, `y_t = h_t V`.
    /// Backward, from the last place to the first, with `dy_t = grad_y[:, t] + dz_{t+1} W^T` and
    /// `dh = dy V^T`: `dc_t = dh o (1 - tanh(c_t)^2) + dc_{t+1} f_{t+1}`, `dz_i = dc g i (1 - i)`,
    /// `dz_f = dc c_{t-1} f (1 - f)`, `dz_g = dc i (1 - g^2)`, `dz_o = dh tanh(c) o (1 - o)`;
    /// `grad_gates = dz`, `grad_W = sum_t y_{t-1}^T dz_t`, `grad_V = sum_t h_t^T dy_t`.
    ///
    /// # Shapes
    /// `gates: [N, T, 4 H]`, the inputs' part of the gates' arguments; `recurrent W: [P, 4 H]`,
    /// `projection V: [H, P]`, `y: [N, T, P]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    ///
    /// # Source
    /// Sak, Senior and Beaufays 2014, without peepholes; forget bias: Jozefowicz et al. 2015.
    pub fn lstm(&mut self, gates: Node, recurrent: Node, projection: Node) -> Result<Node, Error> {
        let &[batch, places, width] = &**self.shape(gates) else {
            return Err(self.operand_error("lstm", gates, "gates must be [N, T, 4 H]"));
        };
        let units = width / GATES;
        let n_outputs = self.shape(projection).last().copied().unwrap_or(0);
        if **self.shape(projection) != [units, n_outputs] || width != GATES * units {
            let advice = "projection must be [H, P] for gates of [N, T, 4 H]".to_owned();
            let problem = "numbers of units differ";
            return Err(self.shapes_error("lstm", problem, (gates, projection), advice));
        }
        if **self.shape(recurrent) != [n_outputs, width] {
            let advice = format!("recurrent must be [{n_outputs}, {width}]");
            let problem = "the recurrent kernel does not fit";
            return Err(self.shapes_error("lstm", problem, (recurrent, projection), advice));
        }
        let mut states = Vec::with_capacity(places);
        let mut hidden = Vec::with_capacity(places);
        let mut outputs: Vec<Node> = Vec::with_capacity(places);
        for place in 0..places {
            let cell = |step| LstmCell { batch, places, units, place, step };
            let mut inputs = vec![gates];
            if let (Some(&output), Some(&state)) = (outputs.last(), states.last()) {
                inputs.extend([self.matmul(output, recurrent)?, state]);
            }
            let shape = [batch, STATE_PARTS * units];
            let state = self.push(Op::LstmCell(cell(Step::State)), &inputs, shape.into());
            let h = self.push(Op::LstmCell(cell(Step::Hidden)), &[state], [batch, units].into());
            states.push(state);
            hidden.push(h);
            outputs.push(self.matmul(h, projection)?);
        }
        let op = Places { batch, places, columns: n_outputs };
        let inputs = [&outputs[..], &states, &hidden, &[gates, recurrent, projection]].concat();
        Ok(self.push(Op::Lstm(op), &inputs, [batch, places, n_outputs].into()))
    }
}

/// The gradients of gates and kernels; those of all places' values are among them.
pub(crate) fn backward(
    graph: &mut Graph,
    op: Places,
    inputs: &[Node],
    grad: Node,
) -> Result<Vec<Option<Node>>, Error> {
    let Places { batch, places, columns: n_outputs } = op;
    let (outputs, rest) = inputs.split_at(places);
    let (states, rest) = rest.split_at(places);
    let (hidden, kernels) = rest.split_at(places);
    let &[_, recurrent, projection] = kernels else { unreachable!("gates and two kernels") };
    let units = graph.shape(projection)[0];
    let mut grad_z: Vec<Node> = Vec::with_capacity(places);
    let mut grad_outputs = Vec::with_capacity(places);
    let mut after: Option<(Node, Node)> = None;
    for place in (0..places).rev() {
        let cell = |step| LstmCell { batch, places, units, place, step };
        let mut grad_output = graph.place(grad, place)?;
        if let Some(&later) = grad_z.last() {
            let recurrent = graph.matmul_transposed(later, recurrent, false, true)?;
            grad_output = graph.add(grad_output, recurrent)?;
        }
        let grad_h = graph.matmul_transposed(grad_output, projection, false, true)?;
        let mut operands = vec![states[place], grad_h];
        operands.extend(after.into_iter().flat_map(|(state, grad_c)| [state, grad_c]));
        let shape = [batch, units];
        let grad_c = graph.push(Op::LstmCell(cell(Step::CellGrad)), &operands, shape.into());
        let mut operands = vec![states[place], grad_h, grad_c];
        operands.extend(place.checked_sub(1).map(|before| states[before]));
        let shape = [batch, GATES * units];
        let grad = graph.push(Op::LstmCell(cell(Step::GatesGrad)), &operands, shape.into());
        grad_z.push(grad);
        grad_outputs.push(grad_output);
        after = Some((states[place], grad_c));
    }
    grad_z.reverse();
    grad_outputs.reverse();
    let grad_gates = graph.stack_places(&grad_z)?;
    let rows = [batch * places, GATES * units];
    let grad_z = graph.reshape(grad_gates, &rows)?;
    let zeros =
        graph.push(Op::Fill { value: 0.0, len: batch * n_outputs }, &[], [batch, n_outputs].into());
    let before = [&[zeros], &outputs[..places - 1]].concat();
    let before = stacked_rows(graph, &before)?;
    let grad_recurrent = graph.matmul_transposed(before, grad_z, true, false)?;
    let hidden = stacked_rows(graph, hidden)?;
    let grad_outputs = stacked_rows(graph, &grad_outputs)?;
    let grad_projection = graph.matmul_transposed(hidden, grad_outputs, true, false)?;
    let of_places = vec![None; 3 * places];
    let of_kernels = [Some(grad_gates), Some(grad_recurrent), Some(grad_projection)];
    Ok([&of_places[..], &of_kernels].concat())
}

/// The places as rows of one matrix.
fn stacked_rows(graph: &mut Graph, xs: &[Node]) -> Result<Node, Error> {
    let columns = graph.shape(xs[0]).last().copied().unwrap_or(1);
    let stacked = graph.stack_places(xs)?;
    let len = graph.shape(stacked).len();
    graph.reshape(stacked, &[len / columns, columns])
}
