//! Launch of the elementwise product.

use crate::gpu::launch::{Launch, Shader};

const MULTIPLY: Shader =
    Shader { name: "multiply/multiply", source: include_str!("multiply.wgsl") };

pub(crate) fn launch(len: usize) -> Launch {
    Launch::elementwise(MULTIPLY, 2, len)
}
