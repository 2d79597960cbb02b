//! Mean over the examples that have a label.

mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::real::Real;

/// Dimensions of a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MeanOfLabelled {
    pub(crate) rows: usize,
}

impl Graph {
    /// Mean of the losses whose label is not negative: of sentences, without their padding.
    ///
    /// # Equation
    /// `y = sum_n losses[n] / max(1, k)`, with k the number of `labels[n] >= 0`; a loss without label
    /// is 0 already. Backward: `grad_losses[n] = grad_y / max(1, k)` where there is a label, else 0.
    ///
    /// # Shapes
    /// `losses: [N]`, `labels: [N]`, `y: [1]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn mean_of_labelled(&mut self, losses: Node, labels: Node) -> Result<Node, Error> {
        let &[rows] = &**self.shape(losses) else {
            return Err(self.operand_error("mean_of_labelled", losses, "losses must be [N]"));
        };
        if **self.shape(labels) != [rows] {
            let advice = format!("labels must be [{rows}]");
            let operands = (losses, labels);
            return Err(self.shapes_error(
                "mean_of_labelled",
                "one label a loss",
                operands,
                advice,
            ));
        }
        let op = Op::MeanOfLabelled(MeanOfLabelled { rows });
        Ok(self.push(op, &[losses, labels], [1].into()))
    }

    /// Number of labels that are not negative.
    ///
    /// # Shapes
    /// `labels: [N]`, `y: [1]`. No derivative.
    ///
    /// # Errors
    /// None at present; fallible as every op is.
    pub fn count_labels(&mut self, labels: Node) -> Result<Node, Error> {
        let rows = self.shape(labels).len();
        Ok(self.push(Op::CountLabels(MeanOfLabelled { rows }), &[labels], [1].into()))
    }
}

impl MeanOfLabelled {
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        inputs: &[Node],
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let op = Op::MeanOfLabelledGrad(self);
        Ok(vec![Some(graph.push(op, &[inputs[1], grad], [self.rows].into())), None])
    }

    pub(crate) fn cpu<T: Real>(self, losses: &[T], labels: &[T], y: &mut [T]) {
        let sum: T = losses.iter().copied().sum();
        y[0] = sum / count(labels).max(T::one());
    }

    pub(crate) fn grad_cpu<T: Real>(self, labels: &[T], grad_y: &[T], grad_losses: &mut [T]) {
        let share = grad_y[0] / count(labels).max(T::one());
        for (grad, &label) in grad_losses.iter_mut().zip(labels) {
            *grad = if label >= T::zero() { share } else { T::zero() };
        }
    }

    pub(crate) fn count_cpu<T: Real>(self, labels: &[T], y: &mut [T]) {
        y[0] = count(labels);
    }
}

/// Exact: labels are fewer than 2^24.
fn count<T: Real>(labels: &[T]) -> T {
    labels.iter().map(|&label| if label >= T::zero() { T::one() } else { T::zero() }).sum()
}
