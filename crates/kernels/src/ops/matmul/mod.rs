//! Matrix product with any transposes and a fused epilogue.

mod cpu;
mod gpu;
mod on_matrix_unit;
#[cfg(test)]
mod tests;

pub(crate) use cpu::PASS_TERMS;
pub(crate) use gpu::put_together;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// What a product or convolution does to its result before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Epilogue {
    /// Add the third operand along the last axis.
    pub(crate) bias: bool,
    /// Then take `max(., 0)`.
    pub(crate) relu: bool,
}

/// Dimensions of `[m, k] x [k, n]`; a transposed operand is stored as `[k, m]` or `[n, k]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Matmul {
    pub(crate) m: usize,
    pub(crate) k: usize,
    pub(crate) n: usize,
    pub(crate) transpose_lhs: bool,
    pub(crate) transpose_rhs: bool,
    pub(crate) epilogue: Epilogue,
}

impl Graph {
    /// Matrix product.
    ///
    /// # Equation
    /// `y = lhs rhs`. Backward: `grad_lhs = grad_y rhs^T`, `grad_rhs = lhs^T grad_y`.
    ///
    /// # Shapes
    /// `lhs: [m, k]`, `rhs: [k, n]`, `y: [m, n]`.
    ///
    /// # Numerics
    /// Sums over k in the element type, in an order that (m, k, n) alone decide on one machine. Large products
    /// of f32 are made of six products of parts where the processor has a matrix unit, as exact as the others.
    /// Of numbers that are not finite they are NaN.
    ///
    /// # Errors
    /// If an operand is no matrix or the inner dimensions differ.
    pub fn matmul(&mut self, lhs: Node, rhs: Node) -> Result<Node, Error> {
        self.matmul_transposed(lhs, rhs, false, false)
    }

    /// As [`Graph::matmul`], of transposed operands: `lhs` is stored as `[k, m]` if
    /// `transpose_lhs`, `rhs` as `[n, k]` if `transpose_rhs`.
    ///
    /// # Errors
    /// As [`Graph::matmul`].
    pub fn matmul_transposed(
        &mut self,
        lhs: Node,
        rhs: Node,
        transpose_lhs: bool,
        transpose_rhs: bool,
    ) -> Result<Node, Error> {
        let (m, k) = self.matrix(lhs, transpose_lhs)?;
        let (rhs_k, n) = self.matrix(rhs, transpose_rhs)?;
        if k != rhs_k {
            let advice = format!("rhs needs {k} rows, has {rhs_k}");
            let problem = "inner dimensions differ";
            return Err(self.shapes_error("matmul", problem, (lhs, rhs), advice));
        }
        let epilogue = Epilogue::default();
        let op = Op::Matmul(Matmul { m, k, n, transpose_lhs, transpose_rhs, epilogue });
        Ok(self.push(op, &[lhs, rhs], [m, n].into()))
    }

    fn matrix(&self, node: Node, transposed: bool) -> Result<(usize, usize), Error> {
        match **self.shape(node) {
            [rows, columns] if transposed => Ok((columns, rows)),
            [rows, columns] => Ok((rows, columns)),
            _ => Err(self.operand_error("matmul", node, "both operands must have two axes")),
        }
    }
}

impl Matmul {
    // With A = op(lhs), B = op(rhs): dA = G B^T, dB = A^T G; a transposed operand gets the
    // transpose of that, which is the product with its factors swapped.
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        inputs: &[Node],
        grad: Node,
        needed: &[bool],
    ) -> Result<Vec<Option<Node>>, Error> {
        let (lhs, rhs) = (inputs[0], inputs[1]);
        let (ta, tb) = (self.transpose_lhs, self.transpose_rhs);
        let mut product = |needed: bool, a, b, ta, tb| {
            needed.then(|| graph.matmul_transposed(a, b, ta, tb)).transpose()
        };
        let grad_lhs = if ta {
            product(needed[0], rhs, grad, tb, true)?
        } else {
            product(needed[0], grad, rhs, false, !tb)?
        };
        let grad_rhs = if tb {
            product(needed[1], grad, lhs, true, ta)?
        } else {
            product(needed[1], lhs, grad, !ta, false)?
        };
        Ok(vec![grad_lhs, grad_rhs])
    }

    pub(crate) fn flops(self) -> u64 {
        2 * (self.m * self.k * self.n) as u64
    }
}
