//! Launches of the mean over labelled examples.

use super::MeanOfLabelled;
use crate::gpu::launch::{Launch, Operand, Shader, word};

const MEAN: Shader = Shader { name: "mean_of_labelled/mean", source: include_str!("mean.wgsl") };
const GRAD: Shader = Shader { name: "mean_of_labelled/grad", source: include_str!("grad.wgsl") };
const COUNT: Shader = Shader { name: "mean_of_labelled/count", source: include_str!("count.wgsl") };

impl MeanOfLabelled {
    pub(crate) fn launch(self) -> Launch {
        self.launch_one(MEAN, [0, 2]).words([word(self.counted)])
    }

    pub(crate) fn launch_grad(self) -> Launch {
        self.launch_one(GRAD, [0, 1, 2]).words([word(self.counted)])
    }

    pub(crate) fn launch_count(self) -> Launch {
        self.launch_one(COUNT, [0])
    }

    fn launch_one<const N: usize>(self, shader: Shader, inputs: [usize; N]) -> Launch {
        Launch::new(shader, 1)
            .reads(inputs.map(Operand::Input))
            .writes([Operand::Output(0)])
            .words([word(self.rows)])
    }
}
