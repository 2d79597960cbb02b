//! Launches of the convolution, forward and backward.

use super::Conv2d;
use crate::gpu::gemm::Gemm;
use crate::gpu::launch::{Launch, Operand, Shader, constant, word};
use crate::ops::matmul::put_together;

const FORWARD: Shader = Shader { name: "conv2d/forward", source: include_str!("forward.wgsl") };
const GRAD_INPUT: Shader =
    Shader { name: "conv2d/grad_input", source: include_str!("grad_input.wgsl") };
const GRAD_FILTER: Shader =
    Shader { name: "conv2d/grad_filter", source: include_str!("grad_filter.wgsl") };

impl Conv2d {
    pub(crate) fn launch(self) -> Launch {
        let rows = self.batch * self.window.out_len();
        let gemm = Gemm::whole(rows, self.patch_len(), self.out_channels);
        self.launch_gemm(FORWARD, gemm)
            .constants(self.epilogue.constants())
            .reads([Operand::Input(0), Operand::Input(1), self.epilogue.bias_operand()])
            .writes([Operand::Output(0)])
            .words([word(rows)])
    }

    pub(crate) fn launch_grad_input(self) -> Launch {
        let rows = self.batch * self.window.in_len();
        let gemm = Gemm::whole(rows, self.window.len() * self.out_channels, self.in_channels);
        self.launch_gemm(GRAD_INPUT, gemm)
            .reads([Operand::Input(0), Operand::Input(1)])
            .writes([Operand::Output(0)])
            .words([word(rows)])
    }

    pub(crate) fn launch_grad_filter(self) -> Vec<Launch> {
        let terms = self.batch * self.window.out_len();
        let gemm = Gemm::split(self.patch_len(), terms, self.out_channels);
        put_together(gemm, self.patch_len() * self.out_channels, |target| {
            self.launch_gemm(GRAD_FILTER, gemm)
                .reads([Operand::Input(0), Operand::Input(1)])
                .writes([target])
                .words([word(terms), gemm.k_per_part()])
        })
    }

    fn launch_gemm(&self, shader: Shader, gemm: Gemm) -> Launch {
        Launch::new(shader, gemm.n_workgroups())
            .constants(gemm.constants())
            .constants(self.window.constants())
            .constants([
                ("IN_CHANNELS", constant(self.in_channels)),
                ("OUT_CHANNELS", constant(self.out_channels)),
            ])
    }
}
