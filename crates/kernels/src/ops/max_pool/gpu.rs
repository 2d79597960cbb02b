//! Launches of the max-pool.

use super::MaxPool;
use crate::gpu::launch::{Launch, Shader, constant, flag};

const FORWARD: Shader = Shader { name: "max_pool/forward", source: include_str!("forward.wgsl") };
const GRAD: Shader = Shader { name: "max_pool/grad", source: include_str!("grad.wgsl") };

impl MaxPool {
    pub(crate) fn launch(self) -> Launch {
        self.launch_elementwise(FORWARD, 1, self.window.out_len())
    }

    pub(crate) fn launch_grad(self) -> Launch {
        self.launch_elementwise(GRAD, 2, self.window.in_len())
            .constants([("RELU", flag(self.relu))])
    }

    fn launch_elementwise(self, shader: Shader, n_inputs: usize, n_pixels: usize) -> Launch {
        Launch::elementwise(shader, n_inputs, self.batch * n_pixels * self.channels)
            .constants(self.window.constants())
            .constants([("CHANNELS", constant(self.channels))])
    }
}
