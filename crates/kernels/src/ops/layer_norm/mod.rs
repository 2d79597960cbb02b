//! Normalisation of each row.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Initialiser, Node};
use crate::ops::Op;
use crate::ops::bias::Bias;

/// Added to variances.
pub(crate) const EPSILON: f32 = 1e-5;

/// Dimensions of a layer norm: `x` seen as `[rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LayerNorm {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Graph {
    /// Layer normalisation along the last axis.
    ///
    /// # Equation
    /// `h = (x - m) / sqrt(v + 1e-5)`, with m and v the mean and the (biased) variance of the row,
    /// `y = scale h + offset`. Backward, with k columns and `d = grad_y scale`:
    /// `grad_x = (d - sum(d) / k - h sum(d h) / k) / sqrt(v + 1e-5)`; `grad_scale` sums `grad_y h` over
    /// rows, `grad_offset` sums `grad_y`.
    ///
    /// # Shapes
    /// `x`, `y: [.., C]`. Declares `NAME/scale [C]` and `NAME/offset [C]`.
    ///
    /// # Numerics
    /// The variance is the mean of squared differences from the mean. Sums over rows run as those of a
    /// bias's gradient.
    ///
    /// # Errors
    /// If a name is taken.
    ///
    /// # Source
    /// Ba, Kiros and Hinton 2016.
    pub fn layer_norm(&mut self, x: Node, name: &str) -> Result<Node, Error> {
        let shape = self.shape(x).clone();
        let (rows, columns) = shape.rows_and_columns();
        let scale = self.parameter(&format!("{name}/scale"), &[columns], Initialiser::Ones)?;
        let offset = self.parameter(&format!("{name}/offset"), &[columns], Initialiser::Zeros)?;
        let op = LayerNorm { rows, columns };
        Ok(self.push(Op::LayerNorm(op), &[x, scale, offset], shape))
    }
}

impl LayerNorm {
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        inputs: &[Node],
        grad: Node,
        needed: &[bool],
    ) -> Result<Vec<Option<Node>>, Error> {
        let (x, scale) = (inputs[0], inputs[1]);
        let shape = graph.shape(x).clone();
        let grad_x = needed[0]
            .then(|| graph.push(Op::LayerNormGrad(self), &[x, scale, grad], shape.clone()));
        let bias = Bias { rows: self.rows, columns: self.columns };
        let columns = [self.columns];
        let grad_scale = needed[1].then(|| {
            let weighted = graph.push(Op::LayerNormWeigh(self), &[x, grad], shape);
            graph.push(Op::SumRows(bias), &[weighted], columns.into())
        });
        let grad_offset = needed[2].then(|| graph.push(Op::SumRows(bias), &[grad], columns.into()));
        Ok(vec![grad_x, grad_scale, grad_offset])
    }
}
