//! Launches of the attention: a workgroup a sequence, head and place.

use super::Attention;
use crate::gpu::launch::{Launch, Operand, Shader, constant, word};

const FORWARD: Shader = Shader { name: "attention/forward", source: include_str!("forward.wgsl") };
const GRAD_QUERIES: Shader =
    Shader { name: "attention/grad_queries", source: include_str!("grad_queries.wgsl") };
const GRAD_KEYS: Shader =
    Shader { name: "attention/grad_keys", source: include_str!("grad_keys.wgsl") };

/// Columns of a head at most: four for each thread of a workgroup.
pub(super) const MAX_COLUMNS: usize = 256;

impl Attention {
    pub(crate) fn launch(self) -> Launch {
        self.launch_places(FORWARD).reads([Operand::Input(0)]).writes([Operand::Output(0)])
    }

    /// Queries first, which leave what makes their probabilities again: the logarithm of the sum of
    /// exponentials and the mean change; then keys and values.
    pub(crate) fn launch_grad(self) -> Vec<Launch> {
        let rows = Operand::Workspace(2 * self.batch * self.heads * self.places);
        let inputs = [Operand::Input(0), Operand::Input(1)];
        vec![
            self.launch_places(GRAD_QUERIES).reads(inputs).writes([Operand::Output(0), rows]),
            self.launch_places(GRAD_KEYS).reads(inputs).reads([rows]).writes([Operand::Output(0)]),
        ]
    }

    fn launch_places(self, shader: Shader) -> Launch {
        #[expect(clippy::cast_possible_truncation, reason = "as the device computes")]
        let scale = self.scale() as f32;
        Launch::new(shader, self.batch * self.heads * self.places)
            .constants([("COLUMNS", constant(self.head_columns))])
            .words([word(self.batch), word(self.places), word(self.heads), scale.to_bits()])
    }
}
