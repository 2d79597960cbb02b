//! Launches of the gather.

use super::{Gather, Pixels, Sampling};
use crate::gpu::launch::{Launch, Operand, Resource, Shader, constant, flag, word};

const IMAGES: Shader = Shader { name: "gather/images", source: include_str!("images.wgsl") };
const LABELS: Shader = Shader { name: "gather/labels", source: include_str!("labels.wgsl") };

/// Words between the dimensions and the table of values, which WGSL aligns to 16 bytes.
const PADDING: [u32; 3] = [0; 3];

impl Gather {
    pub(crate) fn launch_images(&self) -> Launch {
        Launch::new(IMAGES, self.batch)
            .constants(self.constants())
            .constants([
                ("N_CHANNELS", constant(self.pixels.n_channels())),
                ("IS_STREAMED", flag(self.pixels.is_streamed)),
            ])
            .writes([Operand::Output(0)])
            .resources([Resource::Words(self.source.split), Resource::MoreWords(self.source.split)])
            .words([word(self.source.n_examples), word(self.batch), word(self.example_len)])
            .words(PADDING)
            .words(self.values().map(f32::to_bits))
    }

    pub(crate) fn launch_labels(&self) -> Launch {
        Launch::elementwise(LABELS, 0, self.batch)
            .constants(self.constants())
            .resources([Resource::Labels(self.source.split)])
            .words([word(self.source.n_examples)])
    }

    /// What each byte stands for in each channel, rounded on the host: a device may fuse the multiplication and
    /// the addition, and would then round otherwise than the native executor.
    fn values(&self) -> impl Iterator<Item = f32> {
        let Pixels { scale, shifts, .. } = self.pixels;
        let of_channel =
            move |shift| (0..=u8::MAX).map(move |byte| scale * f32::from(byte) + shift);
        shifts.into_iter().flat_map(of_channel)
    }

    pub(super) fn constants(&self) -> [(&'static str, f64); 2] {
        // As `wgsl/sampling.wgsl` numbers them.
        let sampling = match self.source.sampling {
            Sampling::Shuffled => 0.0,
            Sampling::Sequential => 1.0,
            Sampling::Drawn => 2.0,
            Sampling::Parts { .. } => 3.0,
        };
        let whole_batch = match self.source.sampling {
            Sampling::Parts { batch } => batch,
            _ => self.batch,
        };
        [("SAMPLING", sampling), ("WHOLE_BATCH", constant(whole_batch))]
    }
}
