//! Launch of the error count.

use super::ErrorCount;
use crate::gpu::launch::{Launch, Shader, word};

const ERROR_COUNT: Shader =
    Shader { name: "error_count/error_count", source: include_str!("error_count.wgsl") };

impl ErrorCount {
    pub(crate) fn launch(self) -> Launch {
        Launch::per_row(ERROR_COUNT, 2, [self.rows, self.classes]).words([word(self.classes)])
    }
}
