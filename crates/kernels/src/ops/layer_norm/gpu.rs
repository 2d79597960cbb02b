//! Launches of the layer norm: a workgroup a row.

use super::{EPSILON, LayerNorm};
use crate::gpu::launch::{Launch, Operand, Shader, word};

const FORWARD: Shader = Shader { name: "layer_norm/forward", source: include_str!("forward.wgsl") };
const GRAD: Shader = Shader { name: "layer_norm/grad", source: include_str!("grad.wgsl") };
const WEIGH: Shader = Shader { name: "layer_norm/weigh", source: include_str!("weigh.wgsl") };

impl LayerNorm {
    pub(crate) fn launch(self) -> Launch {
        self.launch_rows(FORWARD, 3)
    }

    pub(crate) fn launch_grad(self) -> Launch {
        self.launch_rows(GRAD, 3)
    }

    pub(crate) fn launch_weigh(self) -> Launch {
        self.launch_rows(WEIGH, 2)
    }

    fn launch_rows(self, shader: Shader, n_inputs: usize) -> Launch {
        Launch::new(shader, self.rows)
            .reads((0..n_inputs).map(Operand::Input))
            .writes([Operand::Output(0)])
            .words([word(self.rows), word(self.columns), EPSILON.to_bits()])
    }
}
