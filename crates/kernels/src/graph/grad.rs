//! Reverse-mode differentiation: gradients are nodes of the same graph.

use std::collections::{HashMap, HashSet};

use super::{Graph, Node, NodeInfo};
use crate::error::Error;
use crate::ops::Op;

impl Graph {
    /// Adds the nodes that compute `d loss / d wrt[i]`, and returns them in the order of `wrt`.
    ///
    /// Walks from the loss to the parameters in reverse topological order. A value used several
    /// times gets the sum of the gradients of its uses, added in the order of the walk. Where a graph
    /// [recomputes](Graph::recompute_activations), the walk reads copies of what lies between
    /// checkpoints, made when it reaches them.
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
        let mut recomputation = Recomputation::of(self);
        grads[loss.0] = Some(self.push(Op::Fill { value: 1.0, len: 1 }, &[], seed_shape));
        for index in (0..=loss.0).rev() {
            let (Some(grad), true) = (grads[index], depends[index]) else { continue };
            let inputs = self.info(Node(index)).inputs.clone();
            let needed: Vec<bool> = inputs.iter().map(|input| depends[input.0]).collect();
            if !needed.contains(&true) {
                continue;
            }
            let node = recomputation.copy(self, Node(index));
            let input_grads = self.backward(node, grad, &needed)?;
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

/// Copies of values that the backward pass reads, made when it first does.
struct Recomputation {
    checkpoints: HashSet<Node>,
    /// Values from here on are kept: the walk begins with them.
    kept_from: usize,
    copies: HashMap<Node, Node>,
}

impl Recomputation {
    fn of(graph: &Graph) -> Self {
        let checkpoints: HashSet<Node> = match graph.recomputes {
            true => graph.checkpoints.iter().map(|&node| graph.storage(node)).collect(),
            false => HashSet::new(),
        };
        let kept_from = checkpoints.iter().map(|node| node.0).max().unwrap_or(0);
        Self { checkpoints, kept_from, copies: HashMap::new() }
    }

    /// The value to read in the place of a node: itself if it is kept.
    fn copy(&mut self, graph: &mut Graph, node: Node) -> Node {
        let info = graph.info(node);
        let is_data = matches!(
            info.op,
            Op::Parameter(_) | Op::GatherImages(_) | Op::GatherLabels(_) | Op::GatherTokens(_)
        );
        if is_data || node.0 >= self.kept_from || self.checkpoints.contains(&node) {
            return node;
        }
        if let Some(&copy) = self.copies.get(&node) {
            return copy;
        }
        let NodeInfo { op, inputs, shape } = info.clone();
        let inputs: Vec<Node> = inputs.into_iter().map(|input| self.copy(graph, input)).collect();
        let copy = graph.push(op, &inputs, shape);
        self.copies.insert(node, copy);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::CpuExecutor;
    use crate::executor::{Executor, Program};
    use crate::graph::Initialiser;
    use crate::lane::Snapshot;
    use crate::ops::batch_norm::Moments;
    use crate::ops::conv2d::Padding;
    use crate::ops::dropout::Masks;
    use crate::plan::Plan;
    use crate::testing::{random_values, sample_lane};

    /// Blocks of convolution, batch norm, activation, dropout and shortcut, each a checkpoint.
    fn blocks(recomputes: bool) -> (Graph, Node) {
        let mut graph = Graph::new();
        let mut x = graph.parameter("x", &[4, 6, 6, 3], Initialiser::Zeros).unwrap();
        for block in 0..5 {
            let name = |part: &str| format!("{part}{block}");
            let filter = graph.parameter(&name("f"), &[3, 3, 3, 3], Initialiser::Zeros).unwrap();
            let y = graph.conv2d(x, filter, 1, Padding::Same).unwrap();
            let y = graph.batch_norm(y, &name("norm"), Moments::OfGroups(2)).unwrap();
            let y = graph.relu(y).unwrap();
            let y = graph.dropout(y, 0.2, block, Masks::EachStep).unwrap();
            let y = graph.gelu(y).unwrap();
            x = graph.add(x, y).unwrap();
            graph.checkpoint(x);
        }
        let loss = graph.squared_norm(x).unwrap();
        if recomputes {
            graph.recompute_activations();
        }
        (graph, loss)
    }

    #[test]
    fn values_computed_again_change_no_bit_and_take_less_memory() {
        let [(kept, a), (again, b)] = [false, true].map(|recomputes| {
            let (mut graph, loss) = blocks(recomputes);
            let nodes: Vec<Node> = graph.trained_parameters().map(|p| p.node).collect();
            let gradients = graph.gradients(loss, &nodes).unwrap();
            let plan = Plan::forward(&graph, &gradients).unwrap();
            let program = Program::new(vec![plan], vec![]).unwrap();
            let mut executor = CpuExecutor::<f32>::new(&program, 1).unwrap();
            executor.poison().unwrap();
            let values = random_values(7, program.n_parameters());
            executor.load(0, &Snapshot::fresh(sample_lane(2), values)).unwrap();
            executor.run(0, &[1]).unwrap();
            let read = |&node: &Node| executor.read(0, 0, node).unwrap();
            let gradients: Vec<Vec<f32>> = gradients.iter().map(read).collect();
            (program.plans()[0].scratch_len(), gradients)
        });
        assert!(a == b, "another gradient");
        assert!(2 * again < kept, "{again} elements of scratch, {kept} where all is kept");
    }

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
