//! Launch of dropout.

use super::Dropout;
use crate::gpu::launch::{Launch, Shader, word};

const DROPOUT: Shader = Shader { name: "dropout/dropout", source: include_str!("dropout.wgsl") };

/// Elements of one thread: those that share a Philox block.
const QUAD: usize = 4;

impl Dropout {
    pub(crate) fn launch(self) -> Launch {
        Launch::elementwise(DROPOUT, 1, self.len.div_ceil(QUAD)).words([
            word(self.len),
            self.threshold(),
            self.scale().to_bits(),
            self.stream,
        ])
    }
}
