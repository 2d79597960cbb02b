//! How many examples a second a workload trains on, and the rate of a plain matrix product on the
//! same executor, which no training can pass.
//!
//! Time is measured in rounds of many steps without a wait inside, 0.1 to 0.3 s each, so that the
//! host's wait at the end of a round is negligible; the rate is the median over rounds. Clocks are
//! passed in; they tell the time since any moment.

use std::time::Duration;

use critbatch_kernels::{Graph, Initialiser, LaneState, Plan, Program, Snapshot};
use critbatch_tuner::{LaneTrainer, Parameters, Scale, Space, TrainerFactory, Trial};

use crate::compute::{Compute, n_threads};
use crate::error::ModelError;
use crate::memory::peak_memory_bytes;
use crate::trainer::{TRAINING_PLAN, Trainer};
use crate::training::TrainingPlans;
use crate::workload::Workload;

/// A round takes about so long.
const ROUND_SECONDS: f64 = 0.2;

/// A round that took less is too short to be counted.
const SHORTEST_ROUND_SECONDS: f64 = 0.1;

/// The most steps of a round, which counts them in 32 bits.
const MAX_STEPS: f64 = 1e9;

/// Learning rate of the trials: nothing diverges, and weights still change.
const LEARNING_RATE: f64 = 1e-4;

/// Momentum of the trials, where there is one.
const MOMENTUM: f64 = 0.9;

/// Rows and columns of the product, and of larger ones for cards that one of 1024 does not fill.
const PRODUCT_SIDES: [usize; 3] = [1024, 2048, 4096];

/// A product that takes a GPU so long fills it.
const FILLING_SECONDS: f64 = 5e-3;

/// Measuring a product goes on for so long.
const PRODUCT_SECONDS: f64 = 0.3;

/// How fast lanes train side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throughput {
    /// Time measured, the warm-up not counted.
    pub seconds: f64,
    /// Examples of all lanes together: median over rounds.
    pub examples_per_second: f64,
    /// Steps of one lane.
    pub steps_per_second_per_lane: f64,
    /// Floating-point operations of all lanes: products and convolutions, a multiply-add counted as
    /// two, each value counted once, even where activations are computed again to save memory.
    pub flop_per_second: f64,
    /// Dispatches of a step of all lanes.
    pub dispatches_per_step: f64,
    /// Time of the host for each dispatch, on a GPU.
    pub seconds_per_dispatch: Option<f64>,
    /// The most memory that the process had until the measurement ended, where it is known.
    pub peak_memory_bytes: Option<u64>,
}

impl Throughput {
    /// Trains in so many lanes for about so many seconds after a warm-up, without evaluation; what is
    /// trained is thrown away.
    ///
    /// # Errors
    /// If the device cannot hold the lanes, or fails.
    pub fn measure(
        workload: &Workload,
        batch_size: usize,
        lanes: usize,
        seconds: f64,
        clock: &mut dyn FnMut() -> Duration,
    ) -> Result<Throughput, ModelError> {
        let TrainingPlans { plans, flops, .. } = workload.training_plans(batch_size)?;
        let mut trainer = start(workload, batch_size, lanes)?;
        let n_parts = f64::from(trainer.n_parts);
        let mut timer = Timer { lanes, clock, n_steps: 1, n_steps_in_all: 0 };
        timer.warm_up(&mut trainer)?;
        let before = trainer.host_cost().unwrap_or_default();
        timer.n_steps_in_all = 0;
        let (rate, seconds) = timer.median_steps_per_second(&mut trainer, seconds)?;
        let n_steps = timer.n_steps_in_all as f64;
        let host_cost = trainer.host_cost().map(|after| {
            let n_dispatches = (after.n_dispatches - before.n_dispatches) as f64;
            (n_dispatches, (after.recording - before.recording).as_secs_f64())
        });
        Ok(Throughput {
            seconds,
            examples_per_second: rate * (lanes * batch_size) as f64,
            steps_per_second_per_lane: rate,
            flop_per_second: rate * lanes as f64 * flops as f64,
            dispatches_per_step: host_cost.map_or_else(
                || n_parts * plans[TRAINING_PLAN].n_dispatches() as f64,
                |(n, _)| n / n_steps,
            ),
            seconds_per_dispatch: host_cost.map(|(n_dispatches, time)| time / n_dispatches),
            peak_memory_bytes: peak_memory_bytes(),
        })
    }

    /// The point at which speed is measured, as a search space without a dimension.
    pub fn space(workload: &Workload) -> Space {
        let known = workload.facts().metaparameters;
        let values = [("learning_rate", LEARNING_RATE), ("momentum", MOMENTUM)];
        let taken = values.into_iter().filter(|(name, _)| known.iter().any(|p| p.name == *name));
        Space {
            scales: taken.map(|(name, value)| (name.to_owned(), Scale::Fixed(value))).collect(),
        }
    }
}

/// A trainer with a trial in every lane.
fn start(workload: &Workload, batch_size: usize, lanes: usize) -> Result<Trainer, ModelError> {
    let most = workload.compute().most_lanes(&workload.program(batch_size)?);
    if lanes > most {
        let (what, value, limit) = ("the number of lanes", lanes as u64, most as u64);
        return Err(ModelError::TooLarge { what, value, limit });
    }
    let mut trainer = workload.trainer(batch_size, lanes)?;
    let parameters: Parameters = Throughput::space(workload).parameters(&[]);
    for lane in 0..lanes {
        let (batch_size, trial_id) = (batch_size as u64, lane as u64);
        let trial = Trial { batch_size, trial_id, seed: 0, parameters: parameters.clone() };
        trainer.start(lane, &trial).map_err(ModelError::Trainer)?;
    }
    Ok(trainer)
}

/// Times rounds whose length follows from the one before.
struct Timer<'a> {
    lanes: usize,
    clock: &'a mut dyn FnMut() -> Duration,
    n_steps: u64,
    n_steps_in_all: u64,
}

impl Timer<'_> {
    /// Rounds of ever more steps, until one is long enough.
    fn warm_up(&mut self, trainer: &mut dyn LaneTrainer) -> Result<(), ModelError> {
        while self.round(trainer)? < SHORTEST_ROUND_SECONDS {}
        Ok(())
    }

    /// Rounds until so many seconds are over, at least one; the median of their rates and the time
    /// that they took.
    fn median_steps_per_second(
        &mut self,
        trainer: &mut dyn LaneTrainer,
        seconds: f64,
    ) -> Result<(f64, f64), ModelError> {
        let (mut rates, mut spent) = (Vec::new(), 0.0);
        while rates.is_empty() || spent < seconds {
            let n_steps = self.n_steps as f64;
            let elapsed = self.round(trainer)?;
            spent += elapsed;
            rates.push(n_steps / elapsed);
        }
        Ok((median(&mut rates), spent))
    }

    /// Seconds of a round; sets the number of steps of the next one.
    fn round(&mut self, trainer: &mut dyn LaneTrainer) -> Result<f64, ModelError> {
        let before = (self.clock)();
        let steps = vec![self.n_steps; self.lanes];
        let diverged = trainer.advance(&steps).map_err(ModelError::Trainer)?;
        let elapsed = (self.clock)().saturating_sub(before).as_secs_f64();
        if let Some(step) = diverged.into_iter().flatten().next() {
            return Err(ModelError::Diverged(step));
        }
        self.n_steps_in_all += self.n_steps;
        self.n_steps = next_n_steps(self.n_steps, elapsed);
        // A clock that stood still says nothing; a rate must stay a number.
        Ok(elapsed.max(1e-9))
    }
}

/// Steps of a round after one of `n_steps` that took `elapsed` seconds: as many as fit, but not ten
/// times as many, because the first rounds are slower than the later ones.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 1e9")]
#[expect(clippy::cast_precision_loss, reason = "below 2^52")]
fn next_n_steps(n_steps: u64, elapsed: f64) -> u64 {
    let growth = if elapsed > 0.0 { (ROUND_SECONDS / elapsed).min(10.0) } else { 10.0 };
    (n_steps as f64 * growth).round().clamp(1.0, MAX_STEPS) as u64
}

/// Middle of the sorted values, the mean of the two in the middle of an even number.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let (middle, n) = (values.len() / 2, values.len());
    if n % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// Floating-point operations a second of products of two 1024 x 1024 matrices in f32, a multiply-add
/// counted as two, on the same executor that trains: the best of several runs within about 0.3 s.
///
/// On the CPU each thread has products of its own. On a GPU there is one at a time, and the best of
/// products of 1024, 2048 and 4096 counts, up to the first that takes 5 ms: a smaller one leaves a part
/// of the device idle.
///
/// # Errors
/// If the device fails.
pub fn product_flop_per_second(
    compute: &Compute,
    clock: &mut dyn FnMut() -> Duration,
) -> Result<f64, ModelError> {
    let mut best = 0.0_f64;
    for side in PRODUCT_SIDES {
        let (rate, seconds) = product_of_side(side, compute, clock)?;
        best = best.max(rate);
        if matches!(compute, Compute::Cpu) || seconds >= FILLING_SECONDS {
            break;
        }
    }
    Ok(best)
}

/// As [`product_flop_per_second`], of one size, and the seconds that a product takes.
fn product_of_side(
    side: usize,
    compute: &Compute,
    clock: &mut dyn FnMut() -> Duration,
) -> Result<(f64, f64), ModelError> {
    let lanes = match compute {
        Compute::Cpu => n_threads(),
        Compute::Gpu(_) => 1,
    };
    let mut graph = Graph::new();
    let shape = [side, side];
    let lhs = graph.parameter("lhs", &shape, Initialiser::Zeros)?;
    let rhs = graph.parameter("rhs", &shape, Initialiser::Zeros)?;
    let y = graph.matmul(lhs, rhs)?;
    let plan = Plan::forward(&graph, &[y])?;
    let flops = plan.flops() as f64;
    let program = Program::new(vec![plan], vec![])?;
    let mut executor = compute.executor(&program, lanes)?;
    // Numbers of about 1: multiplying zeros may draw less power and so run faster.
    let values =
        (0..program.n_parameters()).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
    let trial = Snapshot::fresh(LaneState::default(), values);
    for lane in 0..lanes {
        executor.load(lane, &trial)?;
    }
    let (mut n_times, mut best, mut spent) = (1_u64, 0.0_f64, 0.0);
    while spent < PRODUCT_SECONDS {
        let before = clock();
        executor.run(0, &vec![u32::try_from(n_times).unwrap_or(u32::MAX); lanes])?;
        let elapsed = clock().saturating_sub(before).as_secs_f64().max(1e-9);
        best = best.max(flops * (n_times * lanes as u64) as f64 / elapsed);
        spent += elapsed;
        // A sixth of the time each: long enough for the clock, and several runs.
        n_times = next_n_steps(n_times, elapsed * 4.0);
    }
    Ok((best, flops / best))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeviceChoice, Measured, Optimizer};

    #[test]
    fn rounds_grow_to_their_length_and_stay_there() {
        let mut n_steps = 1;
        // A step takes 1 ms, the first ones ten times as long.
        for _ in 0..20 {
            let slow = if n_steps < 10 { 10.0 } else { 1.0 };
            n_steps = next_n_steps(n_steps, n_steps as f64 * 1e-3 * slow);
        }
        assert_eq!(n_steps, 200);
        assert_eq!(next_n_steps(7, 70.0), 1, "slow steps go one by one");
        assert_eq!(next_n_steps(7, 0.0), 70);
        assert_eq!(next_n_steps(1_000_000_000, 0.0), 1_000_000_000);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    fn workload(model: &str, optimizer: &str) -> Workload {
        let measured = Measured { splits: &[], gradient_noise_scale: false };
        let (compute, _) = Compute::choose(DeviceChoice::Cpu).unwrap();
        Workload::load(["mnist_5k", model, optimizer], measured, None, compute).unwrap()
    }

    /// What is measured in 0.3 s by a clock that moves on by 0.15 s at each look: every round takes that
    /// long.
    fn measured(workload: &Workload, batch_size: usize, lanes: usize) -> Throughput {
        let mut now = Duration::ZERO;
        let mut clock = || {
            now += Duration::from_millis(150);
            now
        };
        Throughput::measure(workload, batch_size, lanes, 0.3, &mut clock).unwrap()
    }

    #[test]
    fn rates_follow_the_clock() {
        for optimizer in Optimizer::ALL {
            let workload = workload("fc_64_64_64", optimizer.name());
            let found = measured(&workload, 4, 3);
            // One step to warm up, then twice one step in 0.15 s.
            assert!((found.steps_per_second_per_lane - 1.0 / 0.15).abs() < 1e-6, "{found:?}");
            assert!((found.examples_per_second - 12.0 / 0.15).abs() < 1e-6, "{found:?}");
            assert!((found.seconds - 0.3).abs() < 1e-6, "{found:?}");
            let flops = workload.program(4).unwrap().plans()[0].flops() as f64;
            assert!((found.flop_per_second - 3.0 * flops / 0.15).abs() < 1.0, "{found:?}");
            assert_eq!(found.seconds_per_dispatch, None, "the CPU is told nothing");
            assert!(found.dispatches_per_step > 10.0, "{found:?}");
        }
    }

    #[test]
    fn what_is_computed_again_counts_once() {
        let workload = workload("resnet_8", "sgd");
        let flops = workload.training_plans(2).unwrap().flops;
        let workload = workload.with_scratch_bytes(1);
        let training = workload.training_plans(2).unwrap();
        let run = u64::from(training.n_parts) * training.plans[0].flops();
        assert!(run > flops * 11 / 10, "{run} FLOP run, {flops} without computing again");
        let found = measured(&workload, 2, 1);
        assert!((found.flop_per_second - flops as f64 / 0.15).abs() < 1.0, "{found:?}");
    }

    #[test]
    fn lanes_that_memory_has_no_room_for_are_refused() {
        let workload = workload("fc_64_64_64", "sgd");
        let mut clock = || Duration::ZERO;
        let found = Throughput::measure(&workload, 4, 1 << 40, 0.1, &mut clock);
        let message = found.unwrap_err().to_string();
        assert!(message.starts_with("the number of lanes is 1099511627776; at most "), "{message}");
    }

    #[test]
    fn products_are_counted() {
        let mut now = Duration::ZERO;
        let mut clock = || {
            now += Duration::from_millis(400);
            now
        };
        let rate = product_flop_per_second(&Compute::Cpu, &mut clock).unwrap();
        let expected = n_threads() as f64 * 2.0 * 1024.0_f64.powi(3) / 0.4;
        assert!((rate / expected - 1.0).abs() < 1e-9, "{rate} {expected}");
    }
}
