//! Launches of the product.

use super::{Epilogue, Matmul};
use crate::gpu::gemm::Gemm;
use crate::gpu::launch::{Launch, Operand, Shader, flag, word};
use crate::ops::bias::Bias;

const MATMUL: Shader = Shader { name: "matmul/matmul", source: include_str!("matmul.wgsl") };

impl Matmul {
    pub(crate) fn launch(self) -> Vec<Launch> {
        let Self { m, k, n, .. } = self;
        let plain = self.epilogue == Epilogue::default();
        let gemm = if plain { Gemm::split(m, k, n) } else { Gemm::whole(m, k, n) };
        put_together(gemm, m * n, |target| self.launch_gemm(gemm, target))
    }

    /// Into how many parts the sum over k is cut, and the launch that writes them one after the
    /// other.
    pub(crate) fn launch_parts(self) -> (usize, impl FnOnce(Operand) -> Launch) {
        let gemm = Gemm::split(self.m, self.k, self.n);
        (gemm.n_parts, move |target| self.launch_gemm(gemm, target))
    }

    fn launch_gemm(self, gemm: Gemm, target: Operand) -> Launch {
        let Self { m, k, n, .. } = self;
        Launch::new(MATMUL, gemm.n_workgroups())
            .constants(gemm.constants())
            .constants([
                ("TRANSPOSE_LHS", flag(self.transpose_lhs)),
                ("TRANSPOSE_RHS", flag(self.transpose_rhs)),
            ])
            .constants(self.epilogue.constants())
            .reads([Operand::Input(0), Operand::Input(1), self.epilogue.bias_operand()])
            .writes([target])
            .words([word(m), word(k), word(n), gemm.k_per_part()])
    }
}

impl Epilogue {
    pub(crate) fn constants(self) -> [(&'static str, f64); 2] {
        [("BIAS", flag(self.bias)), ("RELU", flag(self.relu))]
    }

    /// The third operand, or the second in its place where there is no bias to be read.
    pub(crate) fn bias_operand(self) -> Operand {
        Operand::Input(if self.bias { 2 } else { 1 })
    }
}

/// The product `launch(target)`, and the sum of its parts where it has several.
pub(crate) fn put_together(
    gemm: Gemm,
    len: usize,
    launch: impl FnOnce(Operand) -> Launch,
) -> Vec<Launch> {
    if gemm.n_parts == 1 {
        return vec![launch(Operand::Output(0))];
    }
    let parts = Operand::Workspace(gemm.n_parts * len);
    let sum = Bias { rows: gemm.n_parts, columns: len };
    vec![launch(parts), sum.launch_blocks(gemm.n_parts, parts, Operand::Output(0))]
}
