//! What one lane carries beside its weights: name, metaparameters, place in training.

use bytemuck::{Pod, Zeroable};

use crate::real::Real;

/// State of one lane, on the host and, word for word, on the device (`wgsl/lane.wgsl`).
///
/// The random key and the counters decide every bit of a trial's data order and dropout, so a
/// trial may pause, resume and change lanes without changing its results.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct LaneState {
    /// Key of the lane's random numbers: a hash of the trial's name.
    pub key: [u32; 2],
    /// Updates applied so far.
    pub step: u32,
    /// Epoch of the next training example.
    pub epoch: u32,
    /// Place of the next training example within its epoch's shuffled order.
    pub offset: u32,
    /// Iterations still to run in this call of `run`; set by the executor.
    pub remaining: u32,
    /// Iterations run in this call of `run`; set by the executor.
    pub cursor: u32,
    /// Update at which a loss or weight stopped being finite; 0 while all is well.
    pub diverged_at: u32,
    /// Initial learning rate, per step.
    pub learning_rate: f32,
    /// Momentum coefficient (unused by plain SGD).
    pub momentum: f32,
    /// Factor alpha that the learning rate decays to; 1 for a constant schedule.
    pub end_learning_rate_factor: f32,
    /// Steps T over which it decays linearly; at least 1.
    pub learning_rate_decay_steps: f32,
    /// Label smoothing s in [0, 1].
    pub label_smoothing: f32,
    /// Keeps the size a multiple of 16 bytes.
    pub padding: [u32; 3],
}

impl Default for LaneState {
    fn default() -> Self {
        Self {
            learning_rate: 0.0,
            end_learning_rate_factor: 1.0,
            learning_rate_decay_steps: 1.0,
            ..Self::zeroed()
        }
    }
}

impl LaneState {
    /// Learning rate of the update after `step` updates.
    ///
    /// # Equation
    /// `eta(t) = eta0 (1 - (1 - alpha) min(t, T) / T)`; a constant schedule is `alpha = 1`,
    /// which gives `eta0` exactly.
    ///
    /// # Source
    /// Shallue et al. 2018, linear decay.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the schedule is defined in f32 on both devices"
    )]
    pub fn scheduled_learning_rate(&self) -> f32 {
        let progress =
            (self.step as f32).min(self.learning_rate_decay_steps) / self.learning_rate_decay_steps;
        self.learning_rate * (1.0 - (1.0 - self.end_learning_rate_factor) * progress)
    }
}

/// Everything that a trial needs to go on in any lane.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot<T> {
    /// Counters, key and metaparameters.
    pub state: LaneState,
    /// All parameters, in the order of their declaration.
    pub parameters: Vec<T>,
    /// Velocity of each parameter.
    pub velocity: Vec<T>,
}

impl<T: Real> Snapshot<T> {
    /// A trial before its first step: velocity zero.
    pub fn fresh(state: LaneState, parameters: Vec<T>) -> Self {
        let velocity = vec![T::zero(); parameters.len()];
        Self { state, parameters, velocity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_schedule_is_exact() {
        let state = LaneState { learning_rate: 0.1, step: 77, ..LaneState::default() };
        assert_eq!(state.scheduled_learning_rate().to_bits(), 0.1_f32.to_bits());
    }

    #[test]
    fn linear_decay_reaches_its_end_factor_and_stays() {
        let mut state = LaneState {
            learning_rate: 2.0,
            end_learning_rate_factor: 0.25,
            learning_rate_decay_steps: 10.0,
            ..LaneState::default()
        };
        let mut rate_at = |step| {
            state.step = step;
            state.scheduled_learning_rate()
        };
        assert_eq!(rate_at(0), 2.0);
        assert_eq!(rate_at(5), 2.0 * (1.0 - 0.75 * 0.5));
        assert_eq!(rate_at(10), 0.5);
        assert_eq!(rate_at(11), 0.5);
    }
}
