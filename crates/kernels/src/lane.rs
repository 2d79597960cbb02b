//! What one lane carries beside its weights: name, metaparameters, place in training.

use std::borrow::Cow;

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
    /// Momentum coefficient; of Adam, beta1 (unused by plain SGD).
    pub momentum: f32,
    /// Factor alpha that the learning rate decays to; 1 for a constant schedule.
    pub end_learning_rate_factor: f32,
    /// Steps T over which it decays; at least 1.
    pub learning_rate_decay_steps: f32,
    /// Label smoothing s in [0, 1].
    pub label_smoothing: f32,
    /// Whether the decay follows half a cosine (1) or a line (0).
    pub cosine_decay: u32,
    /// Steps W over which the learning rate rises before it decays.
    pub warmup_steps: f32,
    /// Decay of Adam's mean of squared gradients.
    pub beta2: f32,
    /// Added to the root of Adam's mean of squared gradients.
    pub epsilon: f32,
    /// Decoupled weight decay, a share of the learning rate.
    pub weight_decay: f32,
    /// beta1 to the power of `step`.
    pub beta1_power: f32,
    /// beta2 to the power of `step`.
    pub beta2_power: f32,
}

impl Default for LaneState {
    fn default() -> Self {
        Self {
            learning_rate: 0.0,
            end_learning_rate_factor: 1.0,
            learning_rate_decay_steps: 1.0,
            beta1_power: 1.0,
            beta2_power: 1.0,
            ..Self::zeroed()
        }
    }
}

impl LaneState {
    /// Sets out on so many iterations behind the `first` ones. Nothing runs in a lane that diverged
    /// before: its trial has ended.
    pub(crate) fn set_out(&mut self, first: u32, repeats: u32) {
        self.remaining = if self.diverged_at > 0 { 0 } else { repeats };
        self.cursor = if self.remaining > 0 { first } else { 0 };
    }

    /// Learning rate of the update after `step` updates.
    ///
    /// # Equation
    /// `eta(t) = r(t) eta0 (1 - (1 - alpha) d(p))`, `p = min(max(t - W, 0), T) / T`, `d(p) = p` for a
    /// linear decay, `(1 - cos(pi p)) / 2` for one along a cosine; `r(t) = (t + 1) / W` for `t < W`,
    /// then 1. A constant schedule is `alpha = 1`, which gives `eta0` exactly.
    ///
    /// # Numerics
    /// In f32; the cosine is a polynomial, off by 1e-7 at most, because that of a device may be off by
    /// 5e-4.
    ///
    /// # Source
    /// Shallue et al. 2018 (linear decay); Loshchilov and Hutter 2017 (cosine).
    #[expect(
        clippy::cast_precision_loss,
        reason = "the schedule is defined in f32 on both devices"
    )]
    pub fn scheduled_learning_rate(&self) -> f32 {
        let step = self.step as f32;
        let decayed = (step - self.warmup_steps).max(0.0).min(self.learning_rate_decay_steps);
        let progress = decayed / self.learning_rate_decay_steps;
        let progress = if self.cosine_decay > 0 { cosine_progress(progress) } else { progress };
        let rate = self.learning_rate * (1.0 - (1.0 - self.end_learning_rate_factor) * progress);
        if step < self.warmup_steps { rate * ((step + 1.0) / self.warmup_steps) } else { rate }
    }
}

/// `(1 - cos(pi p)) / 2` for p in [0, 1]: with `x = pi (p - 1/2)` it is `(1 + sin x) / 2`, by the first
/// seven terms of the sine's series.
fn cosine_progress(progress: f32) -> f32 {
    let x = std::f32::consts::PI * (progress - 0.5);
    let square = x * x;
    let mut series = 1.0;
    for factor in [156.0, 110.0, 72.0, 42.0, 20.0, 6.0] {
        series = 1.0 - square / factor * series;
    }
    0.5 + 0.5 * x * series
}

/// Everything that a trial needs to go on in any lane.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot<T> {
    /// Counters, key and metaparameters.
    pub state: LaneState,
    /// All parameters, in the order of their declaration.
    pub parameters: Vec<T>,
    /// Velocity of each parameter; of Adam, the mean of its gradients.
    pub velocity: Vec<T>,
    /// Mean of the squared gradients of each parameter; empty where no rule keeps it.
    pub second_moment: Vec<T>,
}

impl<T: Real> Snapshot<T> {
    /// A trial before its first step: all moments zero.
    pub fn fresh(state: LaneState, parameters: Vec<T>) -> Self {
        let velocity = vec![T::zero(); parameters.len()];
        Self { state, parameters, velocity, second_moment: vec![] }
    }
}

/// The trial in a lane as it lies there, or, where the host cannot reach it, a copy: see [`Snapshot`] for
/// the fields.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneView<'lane, T: Clone> {
    /// Counters, key and metaparameters.
    pub state: LaneState,
    /// All parameters.
    pub parameters: Cow<'lane, [T]>,
    /// Velocity of each parameter.
    pub velocity: Cow<'lane, [T]>,
    /// Mean of the squared gradients of each parameter; empty where no rule keeps it.
    pub second_moment: Cow<'lane, [T]>,
}

impl<T: Clone> LaneView<'_, T> {
    /// A copy that outlives the next step.
    pub fn into_snapshot(self) -> Snapshot<T> {
        Snapshot {
            state: self.state,
            parameters: self.parameters.into_owned(),
            velocity: self.velocity.into_owned(),
            second_moment: self.second_moment.into_owned(),
        }
    }
}

impl<T: Clone> From<Snapshot<T>> for LaneView<'_, T> {
    fn from(snapshot: Snapshot<T>) -> Self {
        Self {
            state: snapshot.state,
            parameters: snapshot.parameters.into(),
            velocity: snapshot.velocity.into(),
            second_moment: snapshot.second_moment.into(),
        }
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

    #[test]
    fn cosine_decay_follows_the_cosine() {
        let mut state = LaneState {
            learning_rate: 2.0,
            end_learning_rate_factor: 0.25,
            learning_rate_decay_steps: 1000.0,
            cosine_decay: 1,
            ..LaneState::default()
        };
        for step in 0..=1100 {
            state.step = step;
            let progress = f64::from(step.min(1000)) / 1000.0;
            let d = (1.0 - (std::f64::consts::PI * progress).cos()) / 2.0;
            let expected = 2.0 * (1.0 - 0.75 * d);
            let rate = f64::from(state.scheduled_learning_rate());
            assert!((rate - expected).abs() < 5e-7, "{step}: {rate} {expected}");
        }
    }

    #[test]
    fn warm_up_rises_to_the_rate_that_then_decays() {
        let mut state = LaneState {
            learning_rate: 8.0,
            end_learning_rate_factor: 0.5,
            learning_rate_decay_steps: 4.0,
            warmup_steps: 4.0,
            ..LaneState::default()
        };
        let rates = (0..10).map(|step| {
            state.step = step;
            state.scheduled_learning_rate()
        });
        let expected = [2.0, 4.0, 6.0, 8.0, 8.0, 7.0, 6.0, 5.0, 4.0, 4.0];
        assert_eq!(rates.collect::<Vec<_>>(), expected);
    }
}
