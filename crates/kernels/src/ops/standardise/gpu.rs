//! Launch of the standardisation.

use super::Standardise;
use crate::gpu::launch::{Launch, Operand, Shader, word};

const STANDARDISE: Shader =
    Shader { name: "standardise/standardise", source: include_str!("standardise.wgsl") };

impl Standardise {
    pub(crate) fn launch(self) -> Launch {
        #[expect(clippy::cast_possible_truncation, reason = "as the device computes")]
        let least_deviation = self.least_deviation() as f32;
        Launch::new(STANDARDISE, self.rows)
            .reads([Operand::Input(0)])
            .writes([Operand::Output(0)])
            .words([word(self.rows), word(self.columns), least_deviation.to_bits()])
    }
}
