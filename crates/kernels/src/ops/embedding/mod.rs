//! Rows of a table by token.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Dimensions of an embedding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Embedding {
    /// Tokens that are looked up.
    pub(crate) rows: usize,
    /// Rows of the table.
    pub(crate) vocabulary: usize,
    pub(crate) columns: usize,
    pub(crate) scale: f32,
}

impl Graph {
    /// Rows of a table by token.
    ///
    /// # Equation
    /// `y[.., :] = scale table[tokens[..], :]`; zeros where a token is negative (padding). Backward:
    /// `grad_table[v, :]` is scale times the sum of `grad_y` over the places of token v, in their order.
    /// Tokens are data: no gradient.
    ///
    /// # Shapes
    /// `table: [V, D]`, `tokens: [..]` of whole numbers, `y: [.., D]`.
    ///
    /// # Numerics
    /// A token of V or more gives NaN, which ends the trial as diverged rather than reading outside the
    /// table.
    ///
    /// # Errors
    /// If the table is no matrix.
    pub fn embedding(&mut self, table: Node, tokens: Node, scale: f32) -> Result<Node, Error> {
        let &[vocabulary, columns] = &**self.shape(table) else {
            return Err(self.operand_error("embedding", table, "the table must be [V, D]"));
        };
        let tokens_shape = self.shape(tokens);
        let shape = [&tokens_shape[..], &[columns]].concat();
        let op = Embedding { rows: tokens_shape.len(), vocabulary, columns, scale };
        Ok(self.push(Op::Embedding(op), &[table, tokens], shape.as_slice().into()))
    }
}

impl Embedding {
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        inputs: &[Node],
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let shape = graph.shape(inputs[0]).clone();
        Ok(vec![Some(graph.push(Op::EmbeddingGrad(self), &[inputs[1], grad], shape)), None])
    }
}
