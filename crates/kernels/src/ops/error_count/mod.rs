//! Whether the largest logit belongs to another class than the label.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Dimensions of an error count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ErrorCount {
    pub(crate) rows: usize,
    pub(crate) classes: usize,
}

impl Graph {
    /// 1 for each example whose largest logit is not its label's, else 0.
    ///
    /// # Equation
    /// `y[n] = 0 if argmax_k logits[n, k] = labels[n], else 1`. The first of equal logits is the
    /// largest; a NaN logit makes an error; an example with a negative label is left out (0).
    ///
    /// # Shapes
    /// `logits: [N, K]`, `labels: [N]`, `y: [N]`. No derivative.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn error_count(&mut self, logits: Node, labels: Node) -> Result<Node, Error> {
        let (rows, classes) = self.rows_of_logits("error_count", logits, labels)?;
        let op = Op::ErrorCount(ErrorCount { rows, classes });
        Ok(self.push(op, &[logits, labels], [rows].into()))
    }

    /// The shape rule of all ops on logits `[N, K]` with labels `[N]`.
    pub(crate) fn rows_of_logits(
        &self,
        op: &'static str,
        logits: Node,
        labels: Node,
    ) -> Result<(usize, usize), Error> {
        let &[rows, classes] = &**self.shape(logits) else {
            return Err(self.operand_error(op, logits, "logits must be [N, K]"));
        };
        if **self.shape(labels) != [rows] {
            let advice = format!("labels must be [{rows}]");
            return Err(self.shapes_error(op, "one label a row", (logits, labels), advice));
        }
        Ok((rows, classes))
    }
}
