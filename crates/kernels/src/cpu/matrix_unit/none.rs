//! In the place of a matrix unit where there is none that this engine knows.

use super::Unit;
use super::split::Chunk;

/// Never there.
pub(super) struct MatrixUnit;

impl MatrixUnit {
    pub(super) const NAME: &str = "none";

    pub(super) fn is_available() -> bool {
        false
    }

    pub(super) fn take() -> Self {
        Self
    }
}

impl Unit for MatrixUnit {
    fn multiply(&self, _: &[Chunk], _: &[Chunk], _: &mut [f32], _: usize, _: bool) {
        unreachable!("no matrix unit")
    }
}
