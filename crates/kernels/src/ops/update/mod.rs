//! The update of parameters, each lane with its own metaparameters.

mod cpu;
mod gpu;
#[cfg(test)]
mod tests;

/// Velocities below this magnitude (2^-100) count as zero.
pub(crate) const SMALLEST_VELOCITY: f32 = f32::from_bits(27 << 23);

/// How gradients change parameters.
///
/// # Equation
/// With gradient `g`, velocity `v` (zero at the start), scheduled learning rate `eta` and
/// momentum `gamma`:
///
/// | rule | velocity | parameter |
/// | --- | --- | --- |
/// | `Sgd` | | `w <- w - eta g` |
/// | `Momentum` | `v <- gamma v + g` | `w <- w - eta v` |
/// | `NesterovMomentum` | `v <- gamma v + g` | `w <- w - eta (g + gamma v)` |
///
/// # Numerics
/// A velocity below 2^-100 becomes zero. Without gradient (a dead unit) it shrinks
/// by `gamma` each step into the subnormal numbers, which are a hundred times slower on a CPU and
/// zero on many GPUs; no weight of ordinary size could feel it.
///
/// # Source
/// Shallue et al. 2018; the learning rate multiplies the velocity at its use, no dampening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateRule {
    /// Plain stochastic gradient descent.
    Sgd,
    /// Heavy-ball momentum.
    Momentum,
    /// Nesterov momentum.
    NesterovMomentum,
}

impl UpdateRule {
    /// Whether the rule keeps a velocity.
    pub fn has_velocity(self) -> bool {
        self != UpdateRule::Sgd
    }
}

/// The update of `len` neighbouring parameters from `offset` on, with the gradients stored from
/// `gradient_offset` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) rule: UpdateRule,
    pub(crate) len: usize,
    pub(crate) offset: usize,
    pub(crate) gradient_offset: usize,
}
