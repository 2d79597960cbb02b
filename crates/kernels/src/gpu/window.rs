//! The geometry of sliding windows as pipeline constants (`wgsl/window.wgsl`).

use super::launch::constant;
use crate::ops::window::Window;

impl Window {
    pub(crate) fn constants(&self) -> [(&'static str, f64); 9] {
        [
            ("IN_HEIGHT", constant(self.in_height)),
            ("IN_WIDTH", constant(self.in_width)),
            ("WINDOW_HEIGHT", constant(self.height)),
            ("WINDOW_WIDTH", constant(self.width)),
            ("STRIDE", constant(self.stride)),
            ("PAD_TOP", constant(self.pad_top)),
            ("PAD_LEFT", constant(self.pad_left)),
            ("OUT_HEIGHT", constant(self.out_height)),
            ("OUT_WIDTH", constant(self.out_width)),
        ]
    }
}
