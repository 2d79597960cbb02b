//! Launch of dropout.

use super::{Dropout, QUAD};
use crate::gpu::launch::{Launch, Shader, word};

const DROPOUT: Shader = Shader { name: "dropout/dropout", source: include_str!("dropout.wgsl") };

impl Dropout {
    pub(crate) fn launch(self) -> Launch {
        Launch::elementwise(DROPOUT, 1, self.len.div_ceil(QUAD)).words([
            word(self.len),
            self.threshold(),
            self.scale().to_bits(),
            self.stream,
            word(self.iteration_stride()),
        ])
    }
}
