//! Launches of the bias and of sums over rows.

use super::Bias;
use super::cpu::SUM_BLOCK_ROWS;
use crate::gpu::launch::{Launch, Operand, Shader, word};

const ADD_BIAS: Shader = Shader { name: "bias/add_bias", source: include_str!("add_bias.wgsl") };
const SUM_ROWS: Shader = Shader { name: "bias/sum_rows", source: include_str!("sum_rows.wgsl") };

/// Columns of one workgroup of `sum_rows.wgsl`.
const TILE_COLUMNS: usize = 32;

impl Bias {
    pub(crate) fn launch_add(self) -> Launch {
        Launch::elementwise(ADD_BIAS, 2, self.rows * self.columns).words([word(self.columns)])
    }

    /// Blocks of rows first, then the blocks, as the native kernel.
    pub(crate) fn launch_sum_rows(self) -> Vec<Launch> {
        let Self { rows, columns } = self;
        let n_blocks = rows.div_ceil(SUM_BLOCK_ROWS);
        let (input, output) = (Operand::Input(0), Operand::Output(0));
        if n_blocks <= 1 {
            return vec![self.launch_blocks(rows, input, output)];
        }
        let blocks = Operand::Workspace(n_blocks * columns);
        vec![
            self.launch_blocks(SUM_BLOCK_ROWS, input, blocks),
            Self { rows: n_blocks, columns }.launch_blocks(n_blocks, blocks, output),
        ]
    }

    /// `to[b, c]` = sum of `from[r, c]` over the b-th `block_rows` rows.
    pub(crate) fn launch_blocks(self, block_rows: usize, from: Operand, to: Operand) -> Launch {
        let n_blocks = self.rows.div_ceil(block_rows);
        Launch::new(SUM_ROWS, n_blocks * self.columns.div_ceil(TILE_COLUMNS))
            .reads([from])
            .writes([to])
            .words([word(self.rows), word(self.columns), word(block_rows)])
    }
}
