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
/// | `Adam` | `v <- gamma v + (1 - gamma) g` | `w <- w (1 - eta lambda) - eta v' / (sqrt(s') + epsilon)` |
///
/// Adam also keeps the mean square `s <- beta2 s + (1 - beta2) g^2`; at its t-th step
/// `v' = v / (1 - gamma^t)` and `s' = s / (1 - beta2^t)`. Weight decay lambda is decoupled (AdamW); Adam
/// itself has none.
///
/// # Numerics
/// A velocity below 2^-100 becomes zero. Without gradient (a dead unit) it shrinks
/// by `gamma` each step into the subnormal numbers, which are a hundred times slower on a CPU and
/// zero on many GPUs; no weight of ordinary size could feel it. A mean square below 2^-100 becomes zero
/// likewise. The powers of Adam's decays are products, a factor a step, in f32.
///
/// # Source
/// Shallue et al. 2018; the learning rate multiplies the velocity at its use, no dampening. Adam: Kingma
/// and Ba 2015; decoupled weight decay: Loshchilov and Hutter 2019.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateRule {
    /// Plain stochastic gradient descent.
    Sgd,
    /// Heavy-ball momentum.
    Momentum,
    /// Nesterov momentum.
    NesterovMomentum,
    /// Adam, with decoupled weight decay.
    Adam,
}

impl UpdateRule {
    /// Whether the rule keeps a velocity.
    pub fn has_velocity(self) -> bool {
        self != UpdateRule::Sgd
    }

    /// Whether the rule keeps the mean of squared gradients.
    pub fn has_second_moment(self) -> bool {
        self == UpdateRule::Adam
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
