//! Launch of the histogram of scores.

use super::ScoreHistogram;
use crate::gpu::launch::{Launch, Operand, Shader, word};

const HISTOGRAM: Shader = Shader {
    name: "score_histogram/score_histogram",
    source: include_str!("score_histogram.wgsl"),
};

impl ScoreHistogram {
    /// One workgroup, since it counts in its own memory.
    pub(crate) fn launch(self) -> Launch {
        Launch::new(HISTOGRAM, 1)
            .reads([Operand::Input(0), Operand::Input(1)])
            .writes([Operand::Output(0)])
            .words([word(self.rows), word(self.classes), word(self.set_len)])
    }
}
