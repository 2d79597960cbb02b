//! Launches for the places of a sequence.

use super::Places;
use crate::gpu::launch::{Launch, Operand, Shader, word};

const PLACE: Shader = Shader { name: "places/place", source: include_str!("place.wgsl") };
const STACK: Shader = Shader { name: "places/stack", source: include_str!("stack.wgsl") };

impl Places {
    pub(crate) fn launch_place(self, t: usize) -> Launch {
        self.launch(PLACE, Operand::Input(0), t)
    }

    /// A kernel for each place.
    pub(crate) fn launch_stack(self) -> Vec<Launch> {
        (0..self.places).map(|t| self.launch(STACK, Operand::Input(t), t)).collect()
    }

    fn launch(self, shader: Shader, from: Operand, t: usize) -> Launch {
        Launch::per_element(shader, self.batch * self.columns)
            .reads([from])
            .writes([Operand::Output(0)])
            .words([word(self.places), word(self.columns), word(t)])
    }
}
