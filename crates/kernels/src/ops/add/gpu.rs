//! Launch of the elementwise sum.

use crate::gpu::launch::{Launch, Shader};

const ADD: Shader = Shader { name: "add/add", source: include_str!("add.wgsl") };

pub(crate) fn launch(len: usize) -> Launch {
    Launch::elementwise(ADD, 2, len)
}
