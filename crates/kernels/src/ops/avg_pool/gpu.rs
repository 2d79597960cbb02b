//! Launches of the average pool.

use super::AvgPool;
use crate::gpu::launch::{Launch, Shader, constant};

const FORWARD: Shader = Shader { name: "avg_pool/forward", source: include_str!("forward.wgsl") };
const GRAD: Shader = Shader { name: "avg_pool/grad", source: include_str!("grad.wgsl") };

impl AvgPool {
    pub(crate) fn launch(self) -> Launch {
        self.launch_elementwise(FORWARD, self.window.out_len())
    }

    pub(crate) fn launch_grad(self) -> Launch {
        self.launch_elementwise(GRAD, self.window.in_len())
    }

    fn launch_elementwise(self, shader: Shader, n_pixels: usize) -> Launch {
        Launch::elementwise(shader, 1, self.batch * n_pixels * self.channels)
            .constants(self.window.constants())
            .constants([("CHANNELS", constant(self.channels))])
    }
}
