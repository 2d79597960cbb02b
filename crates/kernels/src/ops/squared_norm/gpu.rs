//! Launches of the squared norm.

use super::SquaredNorm;
use super::cpu::BLOCK;
use crate::gpu::launch::{Launch, Operand, Shader, word};
use crate::ops::sum::Sum;

const FORWARD: Shader =
    Shader { name: "squared_norm/forward", source: include_str!("forward.wgsl") };
const GRAD: Shader = Shader { name: "squared_norm/grad", source: include_str!("grad.wgsl") };

impl SquaredNorm {
    /// Blocks of elements first, then the blocks, as the native kernel.
    pub(crate) fn launch(self) -> Vec<Launch> {
        let n_blocks = self.len.div_ceil(BLOCK);
        let (input, output) = (Operand::Input(0), Operand::Output(0));
        let squares = |to| {
            Launch::new(FORWARD, n_blocks)
                .reads([input])
                .writes([to])
                .words([word(self.len), word(BLOCK)])
        };
        if n_blocks <= 1 {
            return vec![squares(output)];
        }
        let blocks = Operand::Workspace(n_blocks);
        let total = Sum { len: n_blocks, scale: 1.0 };
        vec![squares(blocks), total.launch_from(blocks)]
    }

    pub(crate) fn launch_grad(self) -> Launch {
        Launch::elementwise(GRAD, 2, self.len)
    }
}
