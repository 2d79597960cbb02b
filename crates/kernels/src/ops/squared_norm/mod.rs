//! Sum of the squares of all elements.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Squared Euclidean norm of `len` elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SquaredNorm {
    pub(crate) len: usize,
}

impl Graph {
    /// Squared Euclidean norm: the sum of the squares of all elements.
    ///
    /// # Equation
    /// `y = sum_i x_i^2`. Backward: `grad_x[i] = 2 grad_y x_i`.
    ///
    /// # Shapes
    /// `x`: any, `y: [1]`.
    ///
    /// # Numerics
    /// Blocks of 2^14 elements, then the blocks, each in the order of [`Graph::sum`]: up to 2^28
    /// elements no partial sum has more than 64 terms. Overflows in f32 from
    /// norms of about 1.8e19 on.
    ///
    /// # Errors
    /// None at present; fallible as every op is.
    pub fn squared_norm(&mut self, x: Node) -> Result<Node, Error> {
        let len = self.shape(x).len();
        Ok(self.push(Op::SquaredNorm(SquaredNorm { len }), &[x], [1].into()))
    }
}

impl SquaredNorm {
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        x: Node,
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let shape = graph.shape(x).clone();
        Ok(vec![Some(graph.push(Op::SquaredNormGrad(self), &[x, grad], shape))])
    }
}
