//! Buffers that go round: after the first steps nothing is allocated any more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::real::Real;

/// Free buffers by length.
pub(crate) struct ScratchPool<T> {
    free: Mutex<HashMap<usize, Vec<Vec<T>>>>,
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
}
