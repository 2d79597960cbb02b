//! Causal attention, fused: the scores of all pairs are never stored.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;

/// Dimensions of an attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attention {
    pub(crate) batch: usize,
    /// Places of a sequence.
    pub(crate) places: usize,
    pub(crate) heads: usize,
    /// Columns of one head.
    pub(crate) head_columns: usize,
}

impl Graph {
    /// Causal attention of several heads.
    ///
    /// # Equation
    /// For each head, with D columns: `s[i, j] = q[i] . k[j] / sqrt(D)` for `j <= i`,
    /// `p[i, :] = softmax(s[i, :])`, `y[i] = sum_{j <= i} p[i, j] v[j]`.
    /// Backward, with `dp[i, j] = grad_y[i] . v[j]` and
    /// `ds[i, j] = p[i, j] (dp[i, j] - sum_j p[i, j] dp[i, j]) / sqrt(D)`:
    /// `grad_q[i] = sum_j ds[i, j] k[j]`, `grad_k[j] = sum_i ds[i, j] q[i]`,
    /// `grad_v[j] = sum_i p[i, j] grad_y[i]`.
    ///
    /// # Shapes
    /// `qkv: [N, T, 3 C]`, the queries of all heads, then keys, then values, as one product makes them;
    /// head h has the h-th of `heads` equal parts of C. `y: [N, T, C]`.
    ///
    /// # Numerics
    /// Natively the scores of 16 places at a time; on a device 64 keys at a time with a running maximum
    /// and sum. Neither depends on how many lanes or threads there are. The backward pass computes the
    /// probabilities again.
    ///
    /// # Errors
    /// If the last axis is not three times a multiple of `heads`, or a head has more than 256 columns.
    ///
    /// # Source
    /// Vaswani et al. 2017; fused: Milakov and Gimelshein 2018, Dao et al. 2022.
    pub fn causal_attention(&mut self, qkv: Node, heads: usize) -> Result<Node, Error> {
        let &[batch, places, width] = &**self.shape(qkv) else {
            return Err(self.operand_error("causal_attention", qkv, "qkv must be [N, T, 3 C]"));
        };
        if heads == 0 || !width.is_multiple_of(3 * heads) {
            let needs = "the last axis must be three times a multiple of the number of heads";
            return Err(self.operand_error("causal_attention", qkv, needs));
        }
        let head_columns = width / 3 / heads;
        if head_columns > gpu::MAX_COLUMNS {
            #[expect(clippy::cast_precision_loss, reason = "for a message")]
            let value = head_columns as f64;
            let (op, name) = ("causal_attention", "columns of a head");
            return Err(Error::Attribute { op, name, value, needs: "it must be at most 256" });
        }
        let op = Attention { batch, places, heads, head_columns };
        Ok(self.push(Op::Attention(op), &[qkv], [batch, places, width / 3].into()))
    }
}

impl Attention {
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        qkv: Node,
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let shape = graph.shape(qkv).clone();
        Ok(vec![Some(graph.push(Op::AttentionGrad(self), &[qkv, grad], shape))])
    }

    /// Columns of all heads.
    pub(crate) fn columns(self) -> usize {
        self.heads * self.head_columns
    }

    /// What scores are multiplied by.
    #[expect(clippy::cast_precision_loss, reason = "at most 256 columns")]
    pub(crate) fn scale(self) -> f64 {
        1.0 / (self.head_columns as f64).sqrt()
    }

    /// Two products forward over half of all pairs; twice as many backward, and the scores again.
    pub(crate) fn flops(self, is_backward: bool) -> u64 {
        let pairs = self.places * (self.places + 1) / 2;
        let product = 2 * self.batch * self.columns() * pairs;
        (product * if is_backward { 5 } else { 2 }) as u64
    }
}
