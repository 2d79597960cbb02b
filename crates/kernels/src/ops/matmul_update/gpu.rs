//! Launches: the product, in parts, into scratch memory, then the update that adds them up.

use super::MatmulUpdate;
use crate::gpu::launch::{Launch, Operand};

impl MatmulUpdate {
    pub(crate) fn launch(self) -> Vec<Launch> {
        let (n_parts, product) = self.matmul.launch_parts();
        let grads = Operand::Workspace(n_parts * self.update.len);
        vec![product(grads), self.update.launch_on(grads, n_parts)]
    }
}
