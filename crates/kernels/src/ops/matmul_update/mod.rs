//! The gradient of a weight matrix and its update in one: the gradient is never stored.
//!
//! # Equation
//! `g = lhs rhs`, then the update of [`UpdateRule`](super::update::UpdateRule) with it, row block by
//! row block. Plans put it in the place of a product whose only use is an update
//! (`plan/updates.rs`): at small batch sizes a step is bound by memory, and writing and reading
//! the gradient would be two of its six passes over the parameters.
//!
//! # Numerics
//! As the product followed by the update, bit for bit on one executor.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

use super::matmul::Matmul;
use super::update::Update;

/// A product with a plain epilogue whose result is the gradient of the parameters in `update`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MatmulUpdate {
    pub(crate) matmul: Matmul,
    pub(crate) update: Update,
}
