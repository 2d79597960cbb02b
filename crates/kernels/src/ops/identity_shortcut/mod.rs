//! The shortcut of a residual block that changes its shape without weights.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::shape::Shape;

/// Dimensions of a shortcut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdentityShortcut {
    pub(crate) batch: usize,
    pub(crate) in_height: usize,
    pub(crate) in_width: usize,
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) stride: usize,
}

impl Graph {
    /// Every `stride`-th pixel, with channels of zeros behind the ones there are.
    ///
    /// # Equation
    /// `y[n, i, j, c] = x[n, i s, j s, c]` for `c < C`, else 0. Backward: the gradient of a pixel
    /// that was taken, and 0 elsewhere.
    ///
    /// # Shapes
    /// `x: [N, H, W, C]`, `y: [N, ceil(H / s), ceil(W / s), channels]`.
    ///
    /// # Errors
    /// If `x` is no batch of images, the stride is 0, or there would be fewer channels.
    ///
    /// # Source
    /// He et al. 2016, "Deep Residual Learning for Image Recognition", option A.
    pub fn identity_shortcut(
        &mut self,
        x: Node,
        stride: usize,
        channels: usize,
    ) -> Result<Node, Error> {
        const NAME: &str = "identity_shortcut";
        let &[batch, in_height, in_width, in_channels] = &**self.shape(x) else {
            return Err(self.operand_error(NAME, x, "images must be [N, H, W, C]"));
        };
        let attribute = |name, value: usize, needs| {
            #[expect(clippy::cast_precision_loss, reason = "for a message")]
            let value = value as f64;
            Err(Error::Attribute { op: NAME, name, value, needs })
        };
        if stride == 0 {
            return attribute("stride", stride, "it must be at least 1");
        }
        if channels < in_channels {
            return attribute("channels", channels, "there must be at least those of the input");
        }
        let op = IdentityShortcut {
            batch,
            in_height,
            in_width,
            in_channels,
            out_channels: channels,
            stride,
        };
        Ok(self.push(Op::IdentityShortcut(op), &[x], op.out_shape()))
    }
}

impl IdentityShortcut {
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        x: Node,
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let shape = graph.shape(x).clone();
        Ok(vec![Some(graph.push(Op::IdentityShortcutGrad(self), &[grad], shape))])
    }

    fn out_shape(self) -> Shape {
        [self.batch, self.out_height(), self.out_width(), self.out_channels].into()
    }

    fn out_height(self) -> usize {
        self.in_height.div_ceil(self.stride)
    }

    fn out_width(self) -> usize {
        self.in_width.div_ceil(self.stride)
    }
}
