//! Launches of ghost batch norm.

use super::{Affine, BatchNorm, DECAY, EPSILON, RunningMoments};
use crate::gpu::launch::{Launch, Operand, Shader, word};

const MOMENTS: Shader = Shader { name: "batch_norm/moments", source: include_str!("moments.wgsl") };
const SUMS: Shader = Shader { name: "batch_norm/sums", source: include_str!("sums.wgsl") };
const NORMALISE: Shader =
    Shader { name: "batch_norm/normalise", source: include_str!("normalise.wgsl") };
const GRAD: Shader = Shader { name: "batch_norm/grad", source: include_str!("grad.wgsl") };
const SUM_GROUPS: Shader =
    Shader { name: "batch_norm/sum_groups", source: include_str!("sum_groups.wgsl") };
const RUNNING: Shader = Shader { name: "batch_norm/running", source: include_str!("running.wgsl") };

/// Columns of one workgroup of the sums over rows.
const TILE_COLUMNS: usize = 32;

impl BatchNorm {
    pub(crate) fn launch_moments(self) -> Launch {
        self.launch_tiles(MOMENTS, 1)
    }

    pub(crate) fn launch_sums(self) -> Launch {
        self.launch_tiles(SUMS, 3).words([EPSILON.to_bits()])
    }

    pub(crate) fn launch(self) -> Launch {
        self.launch_elementwise(NORMALISE, 4)
    }

    pub(crate) fn launch_grad(self) -> Launch {
        self.launch_elementwise(GRAD, 5)
    }

    pub(crate) fn launch_sum_groups(self, which: Affine) -> Launch {
        let which = match which {
            Affine::Offset => 0.0,
            Affine::Scale => 1.0,
        };
        Launch::elementwise(SUM_GROUPS, 1, self.columns)
            .constants([("WHICH", which)])
            .words([word(self.n_groups)])
    }

    fn launch_tiles(self, shader: Shader, n_inputs: usize) -> Launch {
        Launch::new(shader, self.n_groups * self.columns.div_ceil(TILE_COLUMNS))
            .reads((0..n_inputs).map(Operand::Input))
            .writes([Operand::Output(0)])
            .words([word(self.n_groups), word(self.group_rows), word(self.columns)])
    }

    fn launch_elementwise(self, shader: Shader, n_inputs: usize) -> Launch {
        Launch::elementwise(shader, n_inputs, self.n_groups * self.group_len())
            .words([word(self.n_groups), word(self.group_rows), word(self.columns)])
            .words([EPSILON.to_bits()])
    }
}

impl RunningMoments {
    pub(crate) fn launch(self) -> Launch {
        Launch::elementwise(RUNNING, 1, self.len).words([
            word(self.n_groups),
            word(self.n_groups * self.n_parts),
            word(self.columns),
            DECAY.to_bits(),
        ])
    }
}
