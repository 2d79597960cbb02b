//! Which parameters are updated where: in the product that makes their gradient, if nothing else
//! wants the gradient and nothing reads the parameter any more, else all together at the end.

use super::Fused;
use crate::graph::{Graph, Node, Parameter};
use crate::ops::Op;
use crate::ops::matmul::Epilogue;
use crate::ops::matmul_update::MatmulUpdate;
use crate::ops::update::{Update, UpdateRule};

/// The updates at the end of a training plan, and what they read.
pub(crate) struct Updates {
    /// One for each run of neighbouring parameters.
    pub(crate) at_end: Vec<Update>,
    /// Of each parameter: where its gradient is stored; None if it never is.
    pub(crate) gradient_offsets: Vec<Option<usize>>,
}

/// Fuses what can be into `dispatches`.
pub(crate) fn plan_updates(
    graph: &Graph,
    dispatches: &mut [Fused],
    gradients: &[Node],
    keep: &[Node],
    rule: UpdateRule,
) -> Updates {
    let mut updates = Updates { at_end: vec![], gradient_offsets: vec![] };
    let mut n_stored = 0;
    for (parameter, &gradient) in graph.trained_parameters().zip(gradients) {
        let (offset, len) = (parameter.offset, parameter.shape.len());
        if let Some(position) = fusible(graph, dispatches, parameter, gradient, keep)
            && let Op::Matmul(matmul) = dispatches[position].op
        {
            let update = Update { rule, len, offset, gradient_offset: 0 };
            let op = Op::MatmulUpdate(MatmulUpdate { matmul, update });
            dispatches[position].op = op;
            dispatches[position].output = None;
            updates.gradient_offsets.push(None);
            continue;
        }
        updates.gradient_offsets.push(Some(n_stored));
        match updates.at_end.last_mut().filter(|last| last.offset + last.len == offset) {
            Some(last) => last.len += len,
            None => {
                updates.at_end.push(Update { rule, len, offset, gradient_offset: n_stored });
            }
        }
        n_stored += len;
    }
    updates
}

/// Place of the product that makes a gradient, if it may update the parameter itself.
fn fusible(
    graph: &Graph,
    dispatches: &[Fused],
    parameter: &Parameter,
    gradient: Node,
    keep: &[Node],
) -> Option<usize> {
    let storage = graph.storage(gradient);
    let position = dispatches.iter().position(|dispatch| dispatch.output == Some(storage))?;
    let reads = |dispatch: &Fused, node: Node| {
        dispatch.inputs.iter().any(|&input| graph.storage(input) == node)
    };
    let is_plain_product = matches!(
        dispatches[position].op,
        Op::Matmul(matmul) if matmul.epilogue == Epilogue::default() && !matmul.transpose_rhs
    );
    let is_wanted = keep.iter().any(|&node| graph.storage(node) == storage)
        || dispatches.iter().any(|dispatch| reads(dispatch, storage));
    let is_read = dispatches[position..].iter().any(|dispatch| reads(dispatch, parameter.node));
    (is_plain_product && !is_wanted && !is_read).then_some(position)
}
