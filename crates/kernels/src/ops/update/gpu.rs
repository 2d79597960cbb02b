//! Launch of the update.

use super::{SMALLEST_VELOCITY, Update, UpdateRule};
use crate::gpu::launch::{Launch, Operand, Resource, Shader, flag, word};

const SGD: Shader = Shader { name: "update/sgd", source: include_str!("sgd.wgsl") };
const MOMENTUM: Shader = Shader { name: "update/momentum", source: include_str!("momentum.wgsl") };
const ADAM: Shader = Shader { name: "update/adam", source: include_str!("adam.wgsl") };

impl Update {
    pub(crate) fn launch(self) -> Launch {
        self.launch_on(Operand::Input(0), 1)
    }

    /// With gradients that are the sum of so many parts.
    pub(crate) fn launch_on(self, grads: Operand, n_parts: usize) -> Launch {
        let launch = match self.rule {
            UpdateRule::Sgd => Launch::elementwise(SGD, 0, self.len).words([word(n_parts)]),
            UpdateRule::Adam => Launch::elementwise(ADAM, 0, self.len)
                .writes([Operand::Output(1), Operand::Output(2)])
                .words([word(n_parts), SMALLEST_VELOCITY.to_bits()]),
            UpdateRule::Momentum | UpdateRule::NesterovMomentum => {
                let nesterov = self.rule == UpdateRule::NesterovMomentum;
                Launch::elementwise(MOMENTUM, 0, self.len)
                    .constants([("NESTEROV", flag(nesterov))])
                    .writes([Operand::Output(1)])
                    .words([word(n_parts), SMALLEST_VELOCITY.to_bits()])
            }
        };
        launch.reads([grads]).resources([Resource::Faults])
    }
}
