//! Launches of the cross entropy over label sets.

use super::SigmoidCrossEntropy;
use crate::gpu::launch::{Launch, Operand, Shader, word};

const FORWARD: Shader =
    Shader { name: "sigmoid_cross_entropy/forward", source: include_str!("forward.wgsl") };
const GRAD: Shader =
    Shader { name: "sigmoid_cross_entropy/grad", source: include_str!("grad.wgsl") };

impl SigmoidCrossEntropy {
    pub(crate) fn launch(self) -> Launch {
        Launch::new(FORWARD, self.rows)
            .reads([Operand::Input(0), Operand::Input(1)])
            .writes([Operand::Output(0)])
            .words([word(self.rows)])
            .words(self.words())
    }

    pub(crate) fn launch_grad(self) -> Launch {
        Launch::elementwise(GRAD, 3, self.rows * self.classes).words(self.words())
    }

    fn words(self) -> [u32; 3] {
        [word(self.classes), word(self.set_len), u32::from(self.smoothed)]
    }
}
