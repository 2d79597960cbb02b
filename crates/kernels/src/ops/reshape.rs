//! The same numbers under another shape: a view, no kernel.

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::shape::Shape;

impl Graph {
    /// The value under another shape with as many elements; row-major order stays.
    ///
    /// # Errors
    /// If the number of elements differs.
    pub fn reshape(&mut self, x: Node, shape: &[usize]) -> Result<Node, Error> {
        let shape = Shape::from(shape);
        if shape.len() != self.shape(x).len() {
            let needs = format!("the new shape {shape} has {} elements", shape.len());
            return Err(self.operand_error("reshape", x, &needs));
        }
        Ok(self.push(Op::Reshape, &[x], shape))
    }
}

pub(crate) fn backward(graph: &mut Graph, x: Node, grad: Node) -> Result<Vec<Option<Node>>, Error> {
    let shape = graph.shape(x).clone();
    Ok(vec![Some(graph.reshape(grad, &shape)?)])
}
