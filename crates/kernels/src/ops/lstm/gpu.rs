//! Launches of the cell: a thread for each unit of each example.

use super::{LstmCell, Step};
use crate::gpu::launch::{Launch, Operand, Shader, flag, word};

const STATE: Shader = Shader { name: "lstm/state", source: include_str!("state.wgsl") };
const HIDDEN: Shader = Shader { name: "lstm/hidden", source: include_str!("hidden.wgsl") };
const CELL_GRAD: Shader = Shader { name: "lstm/cell_grad", source: include_str!("cell_grad.wgsl") };
const GATES_GRAD: Shader =
    Shader { name: "lstm/gates_grad", source: include_str!("gates_grad.wgsl") };

impl LstmCell {
    pub(crate) fn launch(self) -> Launch {
        let input = Operand::Input;
        let has_before = self.place > 0;
        let has_after = self.place + 1 < self.places;
        // Where there is no place before or after, what is bound in its stead is not read.
        let or_first = |is_there: bool, index| if is_there { input(index) } else { input(0) };
        let (shader, reads, is_there) = match self.step {
            Step::State => (
                STATE,
                vec![input(0), or_first(has_before, 1), or_first(has_before, 2)],
                has_before,
            ),
            Step::Hidden => (HIDDEN, vec![input(0)], true),
            Step::CellGrad => {
                let reads =
                    vec![input(0), input(1), or_first(has_after, 2), or_first(has_after, 3)];
                (CELL_GRAD, reads, has_after)
            }
            Step::GatesGrad => {
                let reads = vec![input(0), input(1), input(2), or_first(has_before, 3)];
                (GATES_GRAD, reads, has_before)
            }
        };
        let launch = Launch::per_element(shader, self.batch * self.units)
            .reads(reads)
            .writes([Operand::Output(0)])
            .words([word(self.units)]);
        let launch = match self.step {
            Step::State => launch.words([word(self.places), word(self.place)]),
            _ => launch,
        };
        match self.step {
            Step::Hidden => launch,
            _ => launch.constants([("HAS_NEIGHBOUR", flag(is_there))]),
        }
    }
}
