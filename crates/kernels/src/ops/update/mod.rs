//! The update of all parameters at once, each lane with its own metaparameters.

mod cpu;
#[cfg(test)]
mod tests;

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

/// The update of `len` parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) rule: UpdateRule,
    pub(crate) len: usize,
}
