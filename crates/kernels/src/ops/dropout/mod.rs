//! Dropout with counter-based masks.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Elements that share one Philox block.
const QUAD: usize = 4;

/// When a dropout takes new masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masks {
    /// At every training step, as training wants it.
    EachStep,
    /// At every training step and, within one, at every iteration of a run: for plans that measure
    /// at a lane's current weights and want independent masks.
    EachIteration,
}

/// One dropout of a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dropout {
    pub(crate) len: usize,
    pub(crate) rate: f32,
    /// Tells the dropouts of one network apart.
    pub(crate) stream: u32,
    pub(crate) masks: Masks,
}

impl Graph {
    /// Zeroes each element with probability `rate` and scales the others to keep the mean.
    ///
    /// # Equation
    /// `y[i] = x[i] / (1 - rate) if m_i, else 0`. The mask `m` is a function of (lane key, step,
    /// stream, i), with [`Masks::EachIteration`] of the iteration too, so the backward pass
    /// recomputes it: `grad_x` is the same op on `grad_y`.
    ///
    /// # Numerics
    /// An element is dropped if its 32 random bits are below `rate 2^32`, rounded.
    ///
    /// # Errors
    /// If `rate` is not in [0, 1).
    ///
    /// # Source
    /// Srivastava et al. 2014, in the inverted form that needs nothing at evaluation.
    pub fn dropout(
        &mut self,
        x: Node,
        rate: f32,
        stream: u32,
        masks: Masks,
    ) -> Result<Node, Error> {
        if !(0.0..1.0).contains(&rate) {
            let needs = "it must be at least 0 and below 1";
            let value = f64::from(rate);
            return Err(Error::Attribute { op: "dropout", name: "rate", value, needs });
        }
        let shape = self.shape(x).clone();
        let op = Op::Dropout(Dropout { len: shape.len(), rate, stream, masks });
        Ok(self.push(op, &[x], shape))
    }
}

impl Dropout {
    // y = M x with a diagonal M: grad_x = M grad_y.
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let shape = graph.shape(grad).clone();
        Ok(vec![Some(graph.push(Op::Dropout(self), &[grad], shape))])
    }

    /// Philox blocks from one iteration's masks to the next one's: each takes the following part of
    /// the stream.
    pub(crate) fn iteration_stride(self) -> usize {
        match self.masks {
            Masks::EachStep => 0,
            Masks::EachIteration => self.len.div_ceil(QUAD),
        }
    }

    /// Bits below this drop their element.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rate is in [0, 1), so the product is in [0, 2^32)"
    )]
    pub(crate) fn threshold(self) -> u32 {
        (f64::from(self.rate) * 4_294_967_296.0) as u32
    }

    /// Factor of the elements that stay.
    pub(crate) fn scale(self) -> f32 {
        1.0 / (1.0 - self.rate)
    }
}
