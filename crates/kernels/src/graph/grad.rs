//! Reverse-mode differentiation: gradients are nodes of the same graph.

use super::{Graph, Node};
use crate::error::Error;
use crate::ops::Op;

impl Graph {
    /// Adds the nodes that compute `d loss / d wrt[i]`, and returns them in the order of `wrt`.
    ///
    /// Walks from the loss to the parameters in reverse topological order. A value used several
    /// times gets the sum of the gradients of its uses, added in the order of the walk.
    ///
    /// # Errors
    /// If the loss is no scalar, does not depend on one of `wrt`, or depends on it through an op
    /// without a derivative.
    pub fn gradients(&mut self, loss: Node, wrt: &[Node]) -> Result<Vec<Node>, Error> {
        if self.shape(loss).len() != 1 {
            return Err(self.operand_error("gradients", loss, "the loss must hold one element"));
        }
        let depends = self.depends_on(wrt, loss);
        let mut grads: Vec<Option<Node>> = vec![None; loss.0 + 1];
        let seed_shape = self.shape(loss).clone();
        grads[loss.0] = Some(self.push(Op::Fill { value: 1.0, len: 1 }, &[], seed_shape));
        for index in (0..=loss.0).rev() {
            let (Some(grad), true) = (grads[index], depends[index]) else { continue };
            let inputs = self.info(Node(index)).inputs.clone();
            let needed: Vec<bool> = inputs.iter().map(|input| depends[input.0]).collect();
            if !needed.contains(&true) {
                continue;
            }
            let input_grads = self.backward(Node(index), grad, &needed)?;
            for ((input, needed), input_grad) in inputs.iter().zip(needed).zip(input_grads) {
                let (true, Some(input_grad)) = (needed, input_grad) else { continue };
                grads[input.0] = Some(match grads[input.0] {
                    Some(sum) => self.add(sum, input_grad)?,
                    None => input_grad,
                });
            }
        }
        wrt.iter()
            .map(|&node| {
                grads.get(node.0).copied().flatten().ok_or_else(|| {
                    self.operand_error("gradients", node, "the loss does not depend on this value")
                })
            })
            .collect()
    }

    /// For each node up to `loss`: whether it is one of `wrt` or computed from one.
    fn depends_on(&self, wrt: &[Node], loss: Node) -> Vec<bool> {
        let mut depends = vec![false; loss.0 + 1];
        for index in 0..=loss.0 {
            depends[index] = wrt.contains(&Node(index))
                || self.info(Node(index)).inputs.iter().any(|input| depends[input.0]);
        }
        depends
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Initialiser;

    #[test]
    fn refuses_a_loss_that_is_no_scalar_or_does_not_depend() {
        let mut graph = Graph::new();
        let x = graph.parameter("x", &[2, 2], Initialiser::Zeros).unwrap();
        let y = graph.parameter("y", &[2, 2], Initialiser::Zeros).unwrap();
        let message = graph.gradients(x, &[x]).unwrap_err().to_string();
        assert_eq!(message, "gradients: got shape [2, 2]; the loss must hold one element");
        let loss = graph.sum(x, 1.0).unwrap();
        let message = graph.gradients(loss, &[y]).unwrap_err().to_string();
        assert!(message.contains("does not depend"), "{message}");
    }
}
