//! Launches of the shortcut.

use super::IdentityShortcut;
use crate::gpu::launch::{Launch, Shader, constant};

const FORWARD: Shader =
    Shader { name: "identity_shortcut/forward", source: include_str!("forward.wgsl") };
const GRAD: Shader = Shader { name: "identity_shortcut/grad", source: include_str!("grad.wgsl") };

impl IdentityShortcut {
    pub(crate) fn launch(self) -> Launch {
        let out_image = self.out_height() * self.out_width() * self.out_channels;
        self.launch_elementwise(FORWARD, out_image)
    }

    pub(crate) fn launch_grad(self) -> Launch {
        self.launch_elementwise(GRAD, self.in_height * self.in_width * self.in_channels)
    }

    fn launch_elementwise(self, shader: Shader, image_len: usize) -> Launch {
        Launch::elementwise(shader, 1, self.batch * image_len).constants([
            ("IN_HEIGHT", constant(self.in_height)),
            ("IN_WIDTH", constant(self.in_width)),
            ("IN_CHANNELS", constant(self.in_channels)),
            ("OUT_HEIGHT", constant(self.out_height())),
            ("OUT_WIDTH", constant(self.out_width())),
            ("OUT_CHANNELS", constant(self.out_channels)),
            ("STRIDE", constant(self.stride)),
        ])
    }
}
