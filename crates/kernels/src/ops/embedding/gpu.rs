//! Launches of the embedding.

use super::Embedding;
use crate::gpu::launch::{Launch, Operand, Shader, word};

const FORWARD: Shader = Shader { name: "embedding/forward", source: include_str!("forward.wgsl") };
const GRAD: Shader = Shader { name: "embedding/grad", source: include_str!("grad.wgsl") };

/// Columns of one workgroup of `grad.wgsl`.
const TILE_COLUMNS: usize = 256;

impl Embedding {
    pub(crate) fn launch(self) -> Launch {
        Launch::elementwise(FORWARD, 2, self.rows * self.columns).words([
            word(self.vocabulary),
            word(self.columns),
            self.scale.to_bits(),
        ])
    }

    pub(crate) fn launch_grad(self) -> Launch {
        Launch::new(GRAD, self.vocabulary * self.columns.div_ceil(TILE_COLUMNS))
            .reads([Operand::Input(0), Operand::Input(1)])
            .writes([Operand::Output(0)])
            .words([word(self.rows), word(self.vocabulary), word(self.columns)])
            .words([self.scale.to_bits()])
    }
}
