//! Running sum of a value over the iterations of a run.

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
    /// Sum of a value over the iterations of a run so far, this one included.
    ///
    /// The one value that outlives an iteration: it has storage of its own in every lane. The sum
    /// starts anew with every call of [`Executor::run`](crate::Executor::run). Only training and
    /// evaluation plans count their iterations; in others each is the first.
    ///
    /// # Equation
    /// `y_c = x_c` in the first iteration of a run (`c = 0`), `y_c = y_{c-1} + x_c` after it.
    /// Backward: `grad_x = grad_y`; earlier iterations are constants.
    ///
    /// # Shapes
    /// `x`: any, `y`: as `x`.
    ///
    /// # Numerics
    /// Terms are added in the order of the iterations, in the element type.
    ///
    /// # Errors
    /// None at present; fallible as every op is.
    pub fn accumulate(&mut self, x: Node) -> Result<Node, Error> {
        let shape = self.shape(x).clone();
        Ok(self.push(Op::Accumulate { len: shape.len() }, &[x], shape))
    }
}

/// `y` holds the sum so far, or anything in the first iteration (`cursor` 0).
pub(crate) fn cpu<T: Real>(cursor: u32, x: &[T], y: &mut [T]) {
    if cursor == 0 {
        y.copy_from_slice(x);
        return;
    }
    vectorised!({
        for (y, &x) in y.iter_mut().zip(x) {
            *y += x;
        }
    });
}
