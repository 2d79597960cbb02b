//! Launches of the sum and the broadcast.

use super::{Broadcast, Sum};
use crate::gpu::launch::{Launch, Operand, Shader, word};

const SUM: Shader = Shader { name: "sum/sum", source: include_str!("sum.wgsl") };
const BROADCAST: Shader = Shader { name: "sum/broadcast", source: include_str!("broadcast.wgsl") };

impl Sum {
    pub(crate) fn launch(self) -> Launch {
        self.launch_from(Operand::Input(0))
    }

    /// The sum of an operand that another kernel of the same op may have written.
    pub(crate) fn launch_from(self, from: Operand) -> Launch {
        Launch::new(SUM, 1)
            .reads([from])
            .writes([Operand::Output(0)])
            .words([word(self.len), rounded(self.scale)])
    }
}

impl Broadcast {
    pub(crate) fn launch(self) -> Launch {
        Launch::elementwise(BROADCAST, 1, self.n_out).words([word(self.n_in), rounded(self.scale)])
    }
}

#[expect(clippy::cast_possible_truncation, reason = "kernels work in f32")]
fn rounded(scale: f64) -> u32 {
    (scale as f32).to_bits()
}
