//! Mean over windows.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use super::window::{Padding, Window};
use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Dimensions of an average pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AvgPool {
    pub(crate) batch: usize,
    pub(crate) window: Window,
    pub(crate) channels: usize,
}

impl Graph {
    /// Mean over `height x width` windows of each channel; padding does not count.
    ///
    /// # Equation
    /// `y[n, i, j, c] = 1/k sum_{u, v} x[n, i s + u - p, j s + v - q, c]` over the k pixels inside
    /// the image. Backward: each of them gets `grad_y / k`, summed over the windows it is in.
    ///
    /// # Shapes
    /// `x: [N, H, W, C]`, `y: [N, H', W', C]` with H', W' as [`Padding`] says.
    ///
    /// # Errors
    /// If `x` is no batch of images, or the window does not fit.
    pub fn avg_pool(
        &mut self,
        x: Node,
        size: [usize; 2],
        stride: usize,
        padding: Padding,
    ) -> Result<Node, Error> {
        let &[batch, height, width, channels] = &**self.shape(x) else {
            return Err(self.operand_error("avg_pool", x, "images must be [N, H, W, C]"));
        };
        let window = Window::new("avg_pool", [height, width], size, stride, padding)?;
        let shape = [batch, window.out_height, window.out_width, channels];
        Ok(self.push(Op::AvgPool(AvgPool { batch, window, channels }), &[x], shape.into()))
    }

    /// Mean over all pixels of each channel.
    ///
    /// # Shapes
    /// `x: [N, H, W, C]`, `y: [N, C]`.
    ///
    /// # Errors
    /// If `x` is no batch of images.
    ///
    /// # Source
    /// Lin, Chen and Yan 2013.
    pub fn global_avg_pool(&mut self, x: Node) -> Result<Node, Error> {
        let &[batch, height, width, channels] = &**self.shape(x) else {
            return Err(self.operand_error("global_avg_pool", x, "images must be [N, H, W, C]"));
        };
        let y = self.avg_pool(x, [height, width], 1, Padding::Valid)?;
        self.reshape(y, &[batch, channels])
    }
}

impl AvgPool {
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        x: Node,
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let shape = graph.shape(x).clone();
        Ok(vec![Some(graph.push(Op::AvgPoolGrad(self), &[grad], shape))])
    }
}
