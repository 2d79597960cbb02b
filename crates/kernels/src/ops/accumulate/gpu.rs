//! Launch of the running sum.

use crate::gpu::launch::{Launch, Shader};

const ACCUMULATE: Shader =
    Shader { name: "accumulate/accumulate", source: include_str!("accumulate.wgsl") };

pub(crate) fn launch(len: usize) -> Launch {
    Launch::elementwise(ACCUMULATE, 1, len)
}
