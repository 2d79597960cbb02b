//! Two-dimensional convolution.

mod cpu;
mod direct;
mod frame;
mod gpu;
#[cfg(test)]
mod tests;
mod tiles;
mod transforms;
mod winograd;

pub use super::window::Padding;

use super::matmul::Epilogue;
use super::window::Window;
use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Dimensions of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conv2d {
    pub(crate) batch: usize,
    pub(crate) window: Window,
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) epilogue: Epilogue,
    /// Whether gradients may follow, for which small sums must not have their neighbours' rounding errors.
    pub(crate) has_backward: bool,
}

impl Graph {
    /// Convolution as networks mean it (cross-correlation).
    ///
    /// # Equation
    /// `y[n, i, j, o] = sum_{u, v, c} x[n, i s + u - p, j s + v - q, c] f[u, v, c, o]`, with
    /// stride s and zeros outside the image. Backward: `grad_x` gathers each window's
    /// `grad_y f^T`, `grad_f[u, v, c, o]` sums `x grad_y` over n, i, j.
    ///
    /// # Shapes
    /// `x: [N, H, W, C]`, `filter f: [h, w, C, O]`, `y: [N, H', W', O]` with H', W' as
    /// [`Padding`] says.
    ///
    /// # Numerics
    /// Natively, filters of 3 x 3 and 5 x 5 with stride 1 over whole vectors of channels go through
    /// Winograd's transforms, with some three to seven times the rounding error of the plain sum in the
    /// mean; all others, and all on a GPU, are plain sums. A window of zeros gives exactly 0 either
    /// way. The order of all sums is decided by the shape alone, and by whether the plan is one of
    /// evaluation, which has larger tiles.
    ///
    /// # Errors
    /// If shapes do not fit or the stride is 0.
    ///
    /// # Source
    /// Transforms: Lavin and Gray 2016.
    pub fn conv2d(
        &mut self,
        x: Node,
        filter: Node,
        stride: usize,
        padding: Padding,
    ) -> Result<Node, Error> {
        let &[batch, in_height, in_width, in_channels] = &**self.shape(x) else {
            return Err(self.operand_error("conv2d", x, "images must be [N, H, W, C]"));
        };
        let &[height, width, filter_channels, out_channels] = &**self.shape(filter) else {
            return Err(self.operand_error("conv2d", filter, "the filter must be [h, w, C, O]"));
        };
        if filter_channels != in_channels {
            let advice = format!("the filter needs {in_channels} input channels");
            return Err(self.shapes_error("conv2d", "channels differ", (x, filter), advice));
        }
        let size = [in_height, in_width];
        let window = Window::new("conv2d", size, [height, width], stride, padding)?;
        let epilogue = Epilogue::default();
        let op = Conv2d { batch, window, in_channels, out_channels, epilogue, has_backward: true };
        let shape = [batch, window.out_height, window.out_width, out_channels];
        Ok(self.push(Op::Conv2d(op), &[x, filter], shape.into()))
    }
}

impl Conv2d {
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        inputs: &[Node],
        grad: Node,
        needed: &[bool],
    ) -> Result<Vec<Option<Node>>, Error> {
        let (x, filter) = (inputs[0], inputs[1]);
        let (x_shape, filter_shape) = (graph.shape(x).clone(), graph.shape(filter).clone());
        let grad_x =
            needed[0].then(|| graph.push(Op::Conv2dGradInput(self), &[grad, filter], x_shape));
        let grad_filter =
            needed[1].then(|| graph.push(Op::Conv2dGradFilter(self), &[x, grad], filter_shape));
        Ok(vec![grad_x, grad_filter])
    }

    /// Elements of one unrolled window: the inner dimension of the product.
    pub(crate) fn patch_len(&self) -> usize {
        self.window.len() * self.in_channels
    }

    /// Elements of one input image.
    pub(crate) fn image_len(&self) -> usize {
        self.window.in_len() * self.in_channels
    }

    /// Elements of one output image.
    pub(crate) fn out_image_len(&self) -> usize {
        self.window.out_len() * self.out_channels
    }

    pub(crate) fn flops(self) -> u64 {
        2 * (self.batch * self.window.out_len() * self.patch_len() * self.out_channels) as u64
    }
}
