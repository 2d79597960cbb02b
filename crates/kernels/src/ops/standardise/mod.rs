//! Standardisation of each example.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Dimensions of a standardisation: `x` seen as `[rows, columns]`, a row an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standardise {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Graph {
    /// Shifts and scales each example to mean 0 and variance 1 over all its elements.
    ///
    /// For data: it has no backward.
    ///
    /// # Equation
    /// `y[n, i] = (x[n, i] - m_n) / max(s_n, 1 / sqrt(k))`, with m and s mean and standard deviation
    /// of example n, and k its elements: an example of one colour becomes 0.
    ///
    /// # Shapes
    /// `x: [N, ..]`, `y` of the same shape.
    ///
    /// # Errors
    /// If an example is empty.
    ///
    /// # Source
    /// As TensorFlow's `per_image_standardization`, the preprocessing of CIFAR-10 in Shallue et al.
    /// 2018.
    pub fn standardise(&mut self, x: Node) -> Result<Node, Error> {
        let shape = self.shape(x).clone();
        let rows = shape.first().copied().unwrap_or(1);
        if shape.is_empty() {
            return Err(self.operand_error("standardise", x, "every axis must be at least 1"));
        }
        let columns = shape.len() / rows;
        Ok(self.push(Op::Standardise(Standardise { rows, columns }), &[x], shape))
    }
}

impl Standardise {
    /// What deviations are at least.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 elements")]
    pub(crate) fn least_deviation(self) -> f64 {
        1.0 / (self.columns as f64).sqrt()
    }
}
