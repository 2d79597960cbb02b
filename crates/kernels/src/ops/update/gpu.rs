//! Launch of the update.

use super::{SMALLEST_VELOCITY, Update, UpdateRule};
use crate::gpu::launch::{Launch, Operand, Resource, Shader, flag};

const SGD: Shader = Shader { name: "update/sgd", source: include_str!("sgd.wgsl") };
const MOMENTUM: Shader = Shader { name: "update/momentum", source: include_str!("momentum.wgsl") };

impl Update {
    pub(crate) fn launch(self) -> Launch {
        let launch = match self.rule {
            UpdateRule::Sgd => Launch::elementwise(SGD, 1, self.len),
            UpdateRule::Momentum | UpdateRule::NesterovMomentum => {
                let nesterov = self.rule == UpdateRule::NesterovMomentum;
                Launch::elementwise(MOMENTUM, 1, self.len)
                    .constants([("NESTEROV", flag(nesterov))])
                    .writes([Operand::Output(1)])
                    .words([SMALLEST_VELOCITY.to_bits()])
            }
        };
        launch.resources([Resource::Faults])
    }
}
