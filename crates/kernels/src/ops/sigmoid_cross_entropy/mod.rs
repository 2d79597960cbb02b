//! Sigmoid cross entropy over many labels.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

pub(in crate::ops) use cpu::labels;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Dimensions of a cross entropy over label sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SigmoidCrossEntropy {
    pub(crate) rows: usize,
    pub(crate) classes: usize,
    /// Places for labels in a row.
    pub(crate) set_len: usize,
    /// Whether the lane's label smoothing applies (in training) or none (in evaluation).
    pub(crate) smoothed: bool,
}

impl Graph {
    /// Cross entropy of each example in nats, summed over its classes, each of which is there or not,
    /// against targets smoothed by the lane's `s`.
    ///
    /// # Equation
    /// `y[n] = sum_k log(1 + exp z[n, k]) - t[n, k] z[n, k]`,
    /// `t[n, k] = (1 - s) [k in sets[n]] + s / 2`.
    /// Backward: `grad_z[n, k] = grad_y[n] (sigmoid(z[n, k]) - t[n, k])`.
    ///
    /// With `smoothed = false`, `s` is 0: the metric that is reported. An example without any label is
    /// left out: loss and gradient 0.
    ///
    /// # Shapes
    /// `logits z: [N, K]`, `sets: [N, S]`: distinct labels, and negative numbers behind the last one;
    /// `y: [N]`.
    ///
    /// # Numerics
    /// No exponential of a positive number: no overflow. A label of K or more gives NaN, which ends the
    /// trial as diverged.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn sigmoid_cross_entropy(
        &mut self,
        logits: Node,
        sets: Node,
        smoothed: bool,
    ) -> Result<Node, Error> {
        let [rows, classes, set_len] =
            self.sets_of_logits("sigmoid_cross_entropy", logits, sets)?;
        let op = SigmoidCrossEntropy { rows, classes, set_len, smoothed };
        Ok(self.push(Op::SigmoidCrossEntropy(op), &[logits, sets], [rows].into()))
    }

    /// The shape rule of all ops on logits `[N, K]` with label sets `[N, S]`.
    pub(crate) fn sets_of_logits(
        &self,
        op: &'static str,
        logits: Node,
        sets: Node,
    ) -> Result<[usize; 3], Error> {
        let &[rows, classes] = &**self.shape(logits) else {
            return Err(self.operand_error(op, logits, "logits must be [N, K]"));
        };
        match &**self.shape(sets) {
            &[n, set_len] if n == rows => Ok([rows, classes, set_len]),
            _ => {
                let advice = format!("label sets must be [{rows}, S]");
                Err(self.shapes_error(op, "one set a row", (logits, sets), advice))
            }
        }
    }
}

impl SigmoidCrossEntropy {
    // d log(1 + exp z) / dz = sigmoid(z). Labels are data: no gradient.
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        inputs: &[Node],
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let shape = graph.shape(inputs[0]).clone();
        let op = Op::SigmoidCrossEntropyGrad(self);
        Ok(vec![Some(graph.push(op, &[inputs[0], inputs[1], grad], shape)), None])
    }
}
