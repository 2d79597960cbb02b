//! A constant: the seed of every backward pass. Made by [`Graph::gradients`] only.
//!
//! [`Graph::gradients`]: crate::Graph::gradients

mod gpu;

pub(crate) use gpu::launch;
