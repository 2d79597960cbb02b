//! Launches of the end of an iteration.

use super::{Advance, Record};
use crate::gpu::launch::{Launch, Operand, Resource, Shader, word};

const RECORD: Shader = Shader { name: "advance/record", source: include_str!("record.wgsl") };
const TRAINING: Shader = Shader { name: "advance/training", source: include_str!("training.wgsl") };
const EVALUATION: Shader =
    Shader { name: "advance/evaluation", source: include_str!("evaluation.wgsl") };

impl Record {
    /// One kernel a value, since each value has a buffer of its own.
    pub(crate) fn launch(&self) -> Vec<Launch> {
        let mut column = 0;
        let value = |(index, &len): (usize, &usize)| {
            let launch = Launch::per_element(RECORD, len)
                .reads([Operand::Input(index)])
                .writes([Operand::Output(0)])
                .words([word(self.rows), word(self.row_len()), word(column)]);
            column += len;
            launch
        };
        self.lens.iter().enumerate().map(value).collect()
    }
}

impl Advance {
    pub(crate) fn launch(self) -> Launch {
        if !self.training {
            return Launch { resources: vec![Resource::LanesMut], ..Launch::new(EVALUATION, 1) };
        }
        let resources = vec![Resource::LanesMut, Resource::Faults];
        Launch { resources, ..Launch::new(TRAINING, 1) }
            .reads([Operand::Input(0)])
            .words([word(self.batch), word(self.n_examples)])
    }
}
