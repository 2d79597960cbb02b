//! Launches of the smooth activations.

use super::{Activation, Function};
use crate::gpu::launch::{Launch, Shader};

const FORWARD: Shader = Shader { name: "activation/forward", source: include_str!("forward.wgsl") };
const GRAD: Shader = Shader { name: "activation/grad", source: include_str!("grad.wgsl") };

impl Activation {
    pub(crate) fn launch(self) -> Launch {
        Launch::elementwise(FORWARD, 1, self.len).constants(self.constants())
    }

    pub(crate) fn launch_grad(self) -> Launch {
        Launch::elementwise(GRAD, 2, self.len).constants(self.constants())
    }

    fn constants(self) -> [(&'static str, f64); 1] {
        // As `wgsl/activation.wgsl` numbers them.
        let function = match self.function {
            Function::Gelu => 0.0,
            Function::Tanh => 1.0,
            Function::Sigmoid => 2.0,
        };
        [("FUNCTION", function)]
    }
}
