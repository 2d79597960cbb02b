//! Rectified linear unit.

mod gpu;
#[cfg(test)]
mod tests;

pub(crate) use gpu::{launch, launch_grad};

use crate::cpu::chunks;
use crate::cpu::simd::vectorised;
use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::real::Real;

impl Graph {
    /// Rectified linear unit.
    ///
    /// # Equation
    /// `y = x if x > 0, else 0`, elementwise; NaN gives NaN, so that divergence is not hidden.
    /// Backward: `grad_x = grad_y if y > 0, else 0`.
    ///
    /// # Errors
    /// None at present; fallible as every op is.
    ///
    /// # Source
    /// Nair and Hinton 2010.
    pub fn relu(&mut self, x: Node) -> Result<Node, Error> {
        let shape = self.shape(x).clone();
        Ok(self.push(Op::Relu { len: shape.len() }, &[x], shape))
    }
}

/// From the output rather than the input, so that a fused ReLU needs no second buffer.
pub(crate) fn backward(
    graph: &mut Graph,
    len: usize,
    y: Node,
    grad: Node,
) -> Result<Vec<Option<Node>>, Error> {
    let shape = graph.shape(grad).clone();
    Ok(vec![Some(graph.push(Op::ReluGrad { len }, &[y, grad], shape))])
}

/// `max(x, 0)` that keeps NaN.
#[inline(always)]
pub(crate) fn relu<T: Real>(x: T) -> T {
    if x <= T::zero() { T::zero() } else { x }
}

pub(crate) fn cpu<T: Real>(parallel: bool, x: &[T], y: &mut [T]) {
    chunks::for_each(parallel, y, chunks::ELEMENTWISE, |chunk, y| {
        vectorised!({
            for (y, &x) in y.iter_mut().zip(&x[chunk * chunks::ELEMENTWISE..]) {
                *y = relu(x);
            }
        });
    });
}

pub(crate) fn grad_cpu<T: Real>(parallel: bool, y: &[T], grad_y: &[T], grad_x: &mut [T]) {
    chunks::for_each(parallel, grad_x, chunks::ELEMENTWISE, |chunk, grad_x| {
        let start = chunk * chunks::ELEMENTWISE;
        vectorised!({
            for ((grad_x, &y), &grad_y) in grad_x.iter_mut().zip(&y[start..]).zip(&grad_y[start..])
            {
                *grad_x = if y > T::zero() { grad_y } else { T::zero() };
            }
        });
    });
}
