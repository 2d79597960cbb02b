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
    /// Labels that are counted.
    pub(crate) counted: usize,
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
        self.share_of_labelled(losses, labels, labels)
    }

    /// A part's share of such a mean: the sum of its losses over the number of labels of the whole batch,
    /// `all_labels: [M]`.
    ///
    /// # Equation
    /// As [`Graph::mean_of_labelled`], with k the number of `all_labels[m] >= 0`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn share_of_labelled(
        &mut self,
        losses: Node,
        labels: Node,
        all_labels: Node,
    ) -> Result<Node, Error> {
        let (rows, counted) = (self.shape(losses).len(), self.shape(all_labels).len());
        if self.shape(labels).len() != rows {
            let advice = format!("labels must be [{rows}]");
            let operands = (losses, labels);
            return Err(self.shapes_error(
                "share_of_labelled",
                "one label a loss",
                operands,
                advice,
            ));
        }
        let op = Op::MeanOfLabelled(MeanOfLabelled { rows, counted });
        Ok(self.push(op, &[losses, labels, all_labels], [1].into()))
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
        let op = Op::CountLabels(MeanOfLabelled { rows, counted: rows });
        Ok(self.push(op, &[labels], [1].into()))
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
        let grad = graph.push(op, &[inputs[1], inputs[2], grad], [self.rows].into());
        Ok(vec![Some(grad), None, None])
    }

    pub(crate) fn cpu<T: Real>(self, inputs: &[&[T]], y: &mut [T]) {
        let sum: T = inputs[0].iter().copied().sum();
        y[0] = sum / count(inputs[2]).max(T::one());
    }

    pub(crate) fn grad_cpu<T: Real>(self, inputs: &[&[T]], grad_losses: &mut [T]) {
        let share = inputs[2][0] / count(inputs[1]).max(T::one());
        for (grad, &label) in grad_losses.iter_mut().zip(inputs[0]) {
            *grad = if label >= T::zero() { share } else { T::zero() };
        }
    }

    pub(crate) fn count_cpu<T: Real>(self, labels: &[T], y: &mut [T]) {
        y[0] = count(labels);
    }
}

/// Rounded once: a sum of ones in f32 stays at 2^24 for ever, and a large batch of sentences has more
/// labels. (On a device each of the 256 threads counts its share, which stays below 2^24.)
#[expect(clippy::cast_precision_loss, reason = "rounded once, to the nearest value")]
fn count<T: Real>(labels: &[T]) -> T {
    T::of(labels.iter().filter(|&&label| label >= T::zero()).count() as f64)
}
