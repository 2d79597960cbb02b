//! Launches: the product, in parts, into scratch memory, then the update that adds them up.

use super::MatmulUpdate;
use crate::gpu::gemm::Tiling;
use crate::gpu::launch::{Launch, Operand};

impl MatmulUpdate {
    pub(crate) fn launch(self, tiling: Tiling) -> Vec<Launch> {
        let (n_parts, product) = self.matmul.launch_parts(tiling);
        let grads = Operand::Workspace(n_parts * self.update.len);
        vec![product(grads), self.update.launch_on(grads, n_parts)]
    }
}
