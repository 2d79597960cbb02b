//! Buffers that go round: after the first steps nothing is allocated any more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::real::Real;

/// Free buffers by length.
pub(crate) struct ScratchPool<T> {
    free: Mutex<HashMap<usize, Vec<Vec<T>>>>,
}

/// Lengths of the buffers that an op's kernel takes beside its operands, once for each that is in
/// use at the same time.
#[derive(Default)]
pub(crate) struct ScratchLens {
    /// Of the whole op, in each lane that runs.
    pub(crate) of_op: Vec<usize>,
    /// Of each of its pieces, of which one a thread is worked on.
    pub(crate) of_piece: Vec<usize>,
}

impl<T: Real> ScratchPool<T> {
    pub(crate) fn new() -> Self {
        Self { free: Mutex::new(HashMap::new()) }
    }

    /// A buffer of `len` elements with arbitrary contents.
    pub(crate) fn take(&self, len: usize) -> Vec<T> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.get_mut(&len).and_then(Vec::pop).unwrap_or_else(|| vec![T::zero(); len])
    }

    /// Hands a buffer back.
    pub(crate) fn give(&self, buffer: Vec<T>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.entry(buffer.len()).or_default().push(buffer);
    }

    /// How many free buffers there are of each length.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> HashMap<usize, usize> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.iter().map(|(&len, buffers)| (len, buffers.len())).collect()
    }
}
