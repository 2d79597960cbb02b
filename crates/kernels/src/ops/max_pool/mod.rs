//! Maximum over windows.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use super::window::{Padding, Window};
use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Dimensions of a max-pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxPool {
    pub(crate) batch: usize,
    pub(crate) window: Window,
    pub(crate) channels: usize,
    /// Backward: whether `x` came out of a ReLU whose gradient is taken at once, so that a pixel
    /// passes it on only if it is positive.
    pub(crate) relu: bool,
}

impl Graph {
    /// Maximum over `size x size` windows of each channel.
    ///
    /// # Equation
    /// `y[n, i, j, c] = max_{u, v} x[n, i s + u - p, j s + v - q, c]` over pixels inside the
    /// image. Backward: `grad_y` goes to the first largest pixel of its window, in row-major
    /// order; a pixel that is it in several windows gets the sum.
    ///
    /// # Shapes
    /// `x: [N, H, W, C]`, `y: [N, H', W', C]` with H', W' as [`Padding`] says.
    ///
    /// # Errors
    /// If `x` is no batch of images, or the window does not fit.
    pub fn max_pool(
        &mut self,
        x: Node,
        size: usize,
        stride: usize,
        padding: Padding,
    ) -> Result<Node, Error> {
        let &[batch, height, width, channels] = &**self.shape(x) else {
            return Err(self.operand_error("max_pool", x, "images must be [N, H, W, C]"));
        };
        let window = Window::new("max_pool", [height, width], [size; 2], stride, padding)?;
        let shape = [batch, window.out_height, window.out_width, channels];
        Ok(self.push(
            Op::MaxPool(MaxPool { batch, window, channels, relu: false }),
            &[x],
            shape.into(),
        ))
    }
}

impl MaxPool {
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        x: Node,
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let shape = graph.shape(x).clone();
        Ok(vec![Some(graph.push(Op::MaxPoolGrad(self), &[x, grad], shape))])
    }
}
