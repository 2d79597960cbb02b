//! Launches of the cross entropy.

use super::SoftmaxCrossEntropy;
use crate::gpu::launch::{Launch, Shader, word};

const FORWARD: Shader =
    Shader { name: "softmax_cross_entropy/forward", source: include_str!("forward.wgsl") };
const GRAD: Shader =
    Shader { name: "softmax_cross_entropy/grad", source: include_str!("grad.wgsl") };

impl SoftmaxCrossEntropy {
    pub(crate) fn launch(self) -> Launch {
        self.launch_rows(FORWARD, 2)
    }

    pub(crate) fn launch_grad(self) -> Launch {
        self.launch_rows(GRAD, 3)
    }

    fn launch_rows(self, shader: Shader, n_inputs: usize) -> Launch {
        Launch::per_row(shader, n_inputs, [self.rows, self.classes])
            .words([word(self.classes), u32::from(self.smoothed)])
    }
}
