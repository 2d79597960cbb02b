//! Smooth activations, elementwise: GELU, tanh, sigmoid.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

pub(crate) use cpu::sigmoid;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Gelu,
    Tanh,
    Sigmoid,
}

/// A function of so many elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Activation {
    pub(crate) function: Function,
    pub(crate) len: usize,
}

impl Graph {
    /// Gaussian error linear unit, in the form with tanh.
    ///
    /// # Equation
    /// `y = x sigmoid(2 u)`, `u = sqrt(2 / pi) (x + 0.044715 x^3)`, which equals
    /// `x (1 + tanh u) / 2`. Backward:
    /// `grad_x = grad_y (s + x s (1 - s) 2 sqrt(2 / pi) (1 + 0.134145 x^2))`, `s = sigmoid(2 u)`.
    ///
    /// # Errors
    /// None at present; fallible as every op is.
    ///
    /// # Source
    /// Hendrycks and Gimpel 2016.
    pub fn gelu(&mut self, x: Node) -> Result<Node, Error> {
        Ok(self.activation(Function::Gelu, x))
    }

    /// Hyperbolic tangent.
    ///
    /// # Equation
    /// `y = tanh x`, computed as `2 sigmoid(2 x) - 1` where |x| is at least 0.25, else by its series.
    /// Backward: `grad_x = grad_y (1 - y^2)`.
    ///
    /// # Errors
    /// None at present; fallible as every op is.
    pub fn tanh(&mut self, x: Node) -> Result<Node, Error> {
        Ok(self.activation(Function::Tanh, x))
    }

    /// Logistic function.
    ///
    /// # Equation
    /// `y = 1 / (1 + exp(-x))`. Backward: `grad_x = grad_y y (1 - y)`.
    ///
    /// # Errors
    /// None at present; fallible as every op is.
    pub fn sigmoid(&mut self, x: Node) -> Result<Node, Error> {
        Ok(self.activation(Function::Sigmoid, x))
    }

    fn activation(&mut self, function: Function, x: Node) -> Node {
        let shape = self.shape(x).clone();
        self.push(Op::Activation(Activation { function, len: shape.len() }), &[x], shape)
    }
}

impl Activation {
    /// From the input, whatever the function: the output is not enough for GELU.
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        x: Node,
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let shape = graph.shape(grad).clone();
        Ok(vec![Some(graph.push(Op::ActivationGrad(self), &[x, grad], shape))])
    }
}
