//! From the graph to dispatches: what is needed, in order, with bias and ReLU fused into the
//! product or convolution before them, and the gradient of a ReLU into that of the max-pool after it.

use crate::graph::{Graph, Node};
use crate::ops::Op;

/// A dispatch whose operands are still nodes.
#[derive(Debug, Clone)]
pub(crate) struct Fused {
    pub(crate) op: Op,
    pub(crate) inputs: Vec<Node>,
    /// None for the ops at a plan's end, which change buffers in place.
    pub(crate) output: Option<Node>,
}

impl Fused {
    /// An op that ends a plan.
    pub(crate) fn effect(op: Op, inputs: &[Node]) -> Self {
        Self { op, inputs: inputs.to_vec(), output: None }
    }
}

/// The dispatches that compute `targets`, in topological order.
pub(crate) fn fuse(graph: &Graph, targets: &[Node]) -> Vec<Fused> {
    let n_uses = count_uses(graph, targets);
    let mut dispatches: Vec<Option<Fused>> = Vec::new();
    let mut producer: Vec<Option<usize>> = vec![None; graph.n_nodes()];
    for index in (0..graph.n_nodes()).filter(|&index| n_uses[index] > 0) {
        let info = graph.info(Node(index));
        if matches!(info.op, Op::Parameter(_) | Op::Reshape) {
            continue;
        }
        let mut dispatch =
            Fused { op: info.op.clone(), inputs: info.inputs.clone(), output: Some(Node(index)) };
        // An epilogue runs where the last op of the chain stood: all its operands exist there.
        let before = continued(&info.op, &info.inputs).filter(|input| n_uses[input.0] == 1);
        if let Some(position) = before.and_then(|input| producer[input.0])
            && let Some(merged) = dispatches[position].as_ref().and_then(|p| absorb(p, &dispatch))
        {
            dispatches[position] = None;
            dispatch = merged;
        }
        producer[index] = Some(dispatches.len());
        dispatches.push(Some(dispatch));
    }
    dispatches.into_iter().flatten().collect()
}

/// Has convolutions know that no gradient follows, where none does.
pub(crate) fn without_backward(dispatches: &mut [Fused]) {
    let is_gradient = |op: &Op| matches!(op, Op::Conv2dGradInput(_) | Op::Conv2dGradFilter(_));
    if dispatches.iter().any(|dispatch| is_gradient(&dispatch.op)) {
        return;
    }
    for dispatch in dispatches {
        if let Op::Conv2d(conv2d) = &mut dispatch.op {
            conv2d.has_backward = false;
        }
    }
}

/// The operand that an epilogue goes on with.
fn continued(op: &Op, inputs: &[Node]) -> Option<Node> {
    let index = usize::from(matches!(op, Op::ReluGrad { .. }));
    inputs.get(index).copied()
}

/// `epilogue` taken into the op before it, if that op can.
fn absorb(before: &Fused, epilogue: &Fused) -> Option<Fused> {
    let mut op = before.op.clone();
    let slot = match &mut op {
        Op::MaxPoolGrad(pool) => {
            let is_of_input = before.inputs[0] == epilogue.inputs[0];
            let can = matches!(epilogue.op, Op::ReluGrad { .. }) && is_of_input && !pool.relu;
            pool.relu = true;
            return can.then(|| Fused {
                op,
                inputs: before.inputs.clone(),
                output: epilogue.output,
            });
        }
        Op::Matmul(matmul) => &mut matmul.epilogue,
        Op::Conv2d(conv2d) => &mut conv2d.epilogue,
        _ => return None,
    };
    let mut inputs = before.inputs.clone();
    match epilogue.op {
        Op::AddBias(_) if !slot.bias && !slot.relu => {
            slot.bias = true;
            inputs.push(epilogue.inputs[1]);
        }
        Op::Relu { .. } if !slot.relu => slot.relu = true,
        _ => return None,
    }
    Some(Fused { op, inputs, output: epilogue.output })
}

/// How often each node is used by a needed node or as a target; 0 for nodes not needed.
fn count_uses(graph: &Graph, targets: &[Node]) -> Vec<usize> {
    let mut n_uses = vec![0; graph.n_nodes()];
    for target in targets {
        n_uses[target.0] += 1;
    }
    for index in (0..graph.n_nodes()).rev() {
        if n_uses[index] > 0 {
            for input in &graph.info(Node(index)).inputs {
                n_uses[input.0] += 1;
            }
        }
    }
    n_uses
}
