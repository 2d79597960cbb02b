//! Elementwise sum of two tensors of one shape.

mod gpu;
#[cfg(test)]
mod tests;

pub(crate) use gpu::launch;

use crate::cpu::simd::vectorised;
use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::real::Real;

impl Graph {
    /// Elementwise sum.
    ///
    /// # Equation
    /// `y = lhs + rhs`, so both gradients are the upstream one.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn add(&mut self, lhs: Node, rhs: Node) -> Result<Node, Error> {
        let shape = self.shape(lhs).clone();
        if shape != *self.shape(rhs) {
            let advice = format!("both must be {shape}");
            return Err(self.shapes_error("add", "shapes differ", (lhs, rhs), advice));
        }
        Ok(self.push(Op::Add { len: shape.len() }, &[lhs, rhs], shape))
    }
}

pub(crate) fn cpu<T: Real>(lhs: &[T], rhs: &[T], y: &mut [T]) {
    vectorised!({
        for ((y, &lhs), &rhs) in y.iter_mut().zip(lhs).zip(rhs) {
            *y = lhs + rhs;
        }
    });
}
