//! Launches of the convolution, forward and backward.

use super::Conv2d;
use crate::gpu::gemm::{Gemm, Tiling};
use crate::gpu::launch::{Launch, Operand, Shader, constant, word};
use crate::ops::matmul::{Epilogue, put_together};

const FORWARD: Shader = Shader { name: "conv2d/forward", source: include_str!("forward.wgsl") };
const GRAD_INPUT: Shader =
    Shader { name: "conv2d/grad_input", source: include_str!("grad_input.wgsl") };
const GRAD_FILTER: Shader =
    Shader { name: "conv2d/grad_filter", source: include_str!("grad_filter.wgsl") };

impl Conv2d {
    pub(crate) fn launch(self, tiling: Tiling) -> Vec<Launch> {
        let Self { in_channels, out_channels, .. } = self;
        let rows = self.batch * self.window.out_len();
        let gemm = Gemm::new(tiling, rows, self.patch_len(), out_channels);
        put_together(gemm, [rows, out_channels], self.epilogue, |epilogue, target| {
            self.launch_gemm(FORWARD, tiling, gemm)
                .constants(epilogue.constants())
                .quads("X_QUADS", 0, in_channels)
                .quads("FILTER_QUADS", 1, out_channels)
                .reads([Operand::Input(0), Operand::Input(1)])
                .reads([epilogue.bias_operand(Operand::Input(1))])
                .writes([target])
                .words([word(rows), gemm.k_per_part()])
        })
    }

    pub(crate) fn launch_grad_input(self, tiling: Tiling) -> Vec<Launch> {
        let Self { in_channels, out_channels, .. } = self;
        let rows = self.batch * self.window.in_len();
        let gemm = Gemm::new(tiling, rows, self.window.len() * out_channels, in_channels);
        put_together(gemm, [rows, in_channels], Epilogue::default(), |_, target| {
            self.launch_gemm(GRAD_INPUT, tiling, gemm)
                .quads("GRAD_Y_QUADS", 0, out_channels)
                .quads("FILTER_QUADS", 1, out_channels)
                .reads([Operand::Input(0), Operand::Input(1)])
                .writes([target])
                .words([word(rows), gemm.k_per_part()])
        })
    }

    pub(crate) fn launch_grad_filter(self, tiling: Tiling) -> Vec<Launch> {
        let Self { in_channels, out_channels, .. } = self;
        let terms = self.batch * self.window.out_len();
        let gemm = Gemm::new(tiling, self.patch_len(), terms, out_channels);
        put_together(gemm, [self.patch_len(), out_channels], Epilogue::default(), |_, target| {
            self.launch_gemm(GRAD_FILTER, tiling, gemm)
                .quads("X_QUADS", 0, in_channels)
                .quads("GRAD_Y_QUADS", 1, out_channels)
                .reads([Operand::Input(0), Operand::Input(1)])
                .writes([target])
                .words([word(terms), gemm.k_per_part()])
        })
    }

    fn launch_gemm(&self, shader: Shader, tiling: Tiling, gemm: Gemm) -> Launch {
        Launch::new(shader, gemm.n_workgroups())
            .tiling(tiling)
            .constants(gemm.constants())
            .constants(self.window.constants())
            .constants([
                ("IN_CHANNELS", constant(self.in_channels)),
                ("OUT_CHANNELS", constant(self.out_channels)),
            ])
    }
}
