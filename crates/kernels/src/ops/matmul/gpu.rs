//! Launches of the product.

use super::{Epilogue, Matmul};
use crate::gpu::gemm::{Gemm, Tiling};
use crate::gpu::launch::{Launch, Operand, Shader, flag, word};

const MATMUL: Shader = Shader { name: "matmul/matmul", source: include_str!("matmul.wgsl") };
const SUM_PARTS: Shader =
    Shader { name: "matmul/sum_parts", source: include_str!("sum_parts.wgsl") };

impl Matmul {
    pub(crate) fn launch(self, tiling: Tiling) -> Vec<Launch> {
        let gemm = Gemm::new(tiling, self.m, self.k, self.n);
        put_together(gemm, [self.m, self.n], self.epilogue, |epilogue, target| {
            Self { epilogue, ..self }.launch_gemm(tiling, gemm, target)
        })
    }

    /// Into how many parts the sum over k is cut, and the launch that writes them one after the
    /// other.
    pub(crate) fn launch_parts(self, tiling: Tiling) -> (usize, impl FnOnce(Operand) -> Launch) {
        let gemm = Gemm::new(tiling, self.m, self.k, self.n);
        (gemm.n_parts, move |target| self.launch_gemm(tiling, gemm, target))
    }

    fn launch_gemm(self, tiling: Tiling, gemm: Gemm, target: Operand) -> Launch {
        let Self { m, k, n, transpose_lhs, transpose_rhs, epilogue } = self;
        Launch::new(MATMUL, gemm.n_workgroups())
            .tiling(tiling)
            .constants(gemm.constants())
            .constants([
                ("TRANSPOSE_LHS", flag(transpose_lhs)),
                ("TRANSPOSE_RHS", flag(transpose_rhs)),
            ])
            .constants(epilogue.constants())
            .quads("LHS_QUADS", 0, if transpose_lhs { m } else { k })
            .quads("RHS_QUADS", 1, if transpose_rhs { k } else { n })
            .reads([Operand::Input(0), Operand::Input(1)])
            .reads([epilogue.bias_operand(Operand::Input(1))])
            .writes([target])
            .words([word(m), word(k), word(n), gemm.k_per_part()])
    }
}

impl Epilogue {
    pub(crate) fn constants(self) -> [(&'static str, f64); 2] {
        [("BIAS", flag(self.bias)), ("RELU", flag(self.relu))]
    }

    /// The op's third operand, or another in its place where there is no bias to be read.
    pub(crate) fn bias_operand(self, other: Operand) -> Operand {
        if self.bias { Operand::Input(2) } else { other }
    }
}

/// The product `launch(epilogue, target)` of `[rows, columns]`, and the sum of its parts where it
/// has several: the epilogue then comes with the sum.
pub(crate) fn put_together(
    gemm: Gemm,
    [rows, columns]: [usize; 2],
    epilogue: Epilogue,
    launch: impl FnOnce(Epilogue, Operand) -> Launch,
) -> Vec<Launch> {
    if gemm.n_parts == 1 {
        return vec![launch(epilogue, Operand::Output(0))];
    }
    let len = rows * columns;
    let parts = Operand::Workspace(gemm.n_parts * len);
    let sum = Launch::per_element(SUM_PARTS, len)
        .constants(epilogue.constants())
        .reads([parts, epilogue.bias_operand(parts)])
        .writes([Operand::Output(0)])
        .words([word(gemm.n_parts), word(columns)]);
    vec![launch(Epilogue::default(), parts), sum]
}
