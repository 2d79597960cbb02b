//! Softmax cross entropy with label smoothing.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Dimensions of a cross entropy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SoftmaxCrossEntropy {
    pub(crate) rows: usize,
    pub(crate) classes: usize,
    /// Whether the lane's label smoothing applies (in training) or none (in evaluation).
    pub(crate) smoothed: bool,
}

impl Graph {
    /// Cross entropy of each example in nats, against one-hot labels smoothed by the lane's `s`.
    ///
    /// # Equation
    /// `y[n] = sum_k t[n, k] (lse_n - z[n, k])`, `lse_n = log sum_k exp z[n, k]`,
    /// `t[n, k] = (1 - s) [k = labels[n]] + s / K`.
    /// Backward: `grad_z[n, k] = grad_y[n] (softmax(z[n])_k - t[n, k])`.
    ///
    /// With `smoothed = false`, `s` is 0: the metric that is reported. An example with a negative
    /// label is left out: loss and gradient 0.
    ///
    /// # Shapes
    /// `logits z: [N, K]`, `labels: [N]`, `y: [N]`.
    ///
    /// # Numerics
    /// The row maximum is subtracted first: no overflow for finite logits. Exponentials below the
    /// smallest normal number count as 0. A label of K or more
    /// gives NaN, which ends the trial as diverged rather than reading outside the row.
    ///
    /// # Errors
    /// If the shapes do not fit.
    ///
    /// # Source
    /// Label smoothing: Szegedy et al. 2016, sec. 7.
    pub fn softmax_cross_entropy(
        &mut self,
        logits: Node,
        labels: Node,
        smoothed: bool,
    ) -> Result<Node, Error> {
        let (rows, classes) = self.rows_of_logits("softmax_cross_entropy", logits, labels)?;
        let op = Op::SoftmaxCrossEntropy(SoftmaxCrossEntropy { rows, classes, smoothed });
        Ok(self.push(op, &[logits, labels], [rows].into()))
    }
}

impl SoftmaxCrossEntropy {
    // d lse / d z_k = softmax_k and the t_k sum to 1. Labels are data: no gradient.
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        inputs: &[Node],
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let shape = graph.shape(inputs[0]).clone();
        let op = Op::SoftmaxCrossEntropyGrad(self);
        Ok(vec![Some(graph.push(op, &[inputs[0], inputs[1], grad], shape)), None])
    }
}
