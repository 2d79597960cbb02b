//! Elementwise product of two tensors of one shape.

mod gpu;
#[cfg(test)]
mod tests;

pub(crate) use gpu::launch;

use crate::cpu::chunks;
use crate::cpu::simd::vectorised;
use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::real::Real;

impl Graph {
    /// Elementwise product.
    ///
    /// # Equation
    /// `y = lhs rhs`; `grad_lhs = grad_y rhs`, `grad_rhs = grad_y lhs`.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn multiply(&mut self, lhs: Node, rhs: Node) -> Result<Node, Error> {
        let shape = self.shape(lhs).clone();
        if shape != *self.shape(rhs) {
            let advice = format!("both must be {shape}");
            return Err(self.shapes_error("multiply", "shapes differ", (lhs, rhs), advice));
        }
        Ok(self.push(Op::Multiply { len: shape.len() }, &[lhs, rhs], shape))
    }
}

pub(crate) fn backward(
    graph: &mut Graph,
    inputs: &[Node],
    grad: Node,
    needed: &[bool],
) -> Result<Vec<Option<Node>>, Error> {
    let (lhs, rhs) = (inputs[0], inputs[1]);
    let mut times =
        |is_needed: bool, other| is_needed.then(|| graph.multiply(grad, other)).transpose();
    Ok(vec![times(needed[0], rhs)?, times(needed[1], lhs)?])
}

pub(crate) fn cpu<T: Real>(parallel: bool, lhs: &[T], rhs: &[T], y: &mut [T]) {
    chunks::for_each(parallel, y, chunks::ELEMENTWISE, |chunk, y| {
        let start = chunk * chunks::ELEMENTWISE;
        vectorised!({
            for ((y, &lhs), &rhs) in y.iter_mut().zip(&lhs[start..]).zip(&rhs[start..]) {
                *y = lhs * rhs;
            }
        });
    });
}
