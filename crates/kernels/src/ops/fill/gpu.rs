//! Launch of the constant.

use crate::gpu::launch::{Launch, Shader};

const FILL: Shader = Shader { name: "fill/fill", source: include_str!("fill.wgsl") };

pub(crate) fn launch(value: f32, len: usize) -> Launch {
    Launch::elementwise(FILL, 0, len).words([value.to_bits()])
}
