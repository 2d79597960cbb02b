//! Launches of the ReLU.

use crate::gpu::launch::{Launch, Shader};

const FORWARD: Shader = Shader { name: "relu/forward", source: include_str!("forward.wgsl") };
const GRAD: Shader = Shader { name: "relu/grad", source: include_str!("grad.wgsl") };

pub(crate) fn launch(len: usize) -> Launch {
    Launch::elementwise(FORWARD, 1, len)
}

pub(crate) fn launch_grad(len: usize) -> Launch {
    Launch::elementwise(GRAD, 2, len)
}
