//! Bias along the last axis, and the sum over rows that is its transpose.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

pub(crate) use cpu::SUM_BLOCK_ROWS;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Dimensions of a bias: `x` seen as `[rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bias {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Graph {
    /// Adds a vector along the last axis.
    ///
    /// # Equation
    /// `y[.., c] = x[.., c] + bias[c]`. Backward: `grad_bias[c]` sums `grad_y[.., c]`.
    ///
    /// # Shapes
    /// `x: [.., C]`, `bias: [C]`, `y: [.., C]`.
    ///
    /// # Numerics
    /// The backward sum adds blocks of 512 rows first, then the blocks in
    /// order, so its error grows with the block and the number of blocks, not with all rows.
    ///
    /// # Errors
    /// If `bias` is not `[C]`.
    pub fn add_bias(&mut self, x: Node, bias: Node) -> Result<Node, Error> {
        let shape = self.shape(x).clone();
        let (rows, columns) = shape.rows_and_columns();
        if **self.shape(bias) != [columns] {
            let advice = format!("rhs must be [{columns}]");
            return Err(self.shapes_error("add_bias", "last axis differs", (x, bias), advice));
        }
        Ok(self.push(Op::AddBias(Bias { rows, columns }), &[x, bias], shape))
    }
}

impl Bias {
    // y = x + 1 b^T: grad_x = grad_y, grad_b = grad_y^T 1.
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        grad: Node,
        needed: &[bool],
    ) -> Result<Vec<Option<Node>>, Error> {
        let grad_bias =
            needed[1].then(|| graph.push(Op::SumRows(self), &[grad], [self.columns].into()));
        Ok(vec![Some(grad), grad_bias])
    }
}
