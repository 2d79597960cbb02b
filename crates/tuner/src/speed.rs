//! How fast a study trains here, measured on a few steps.

use std::time::Duration;

use crate::error::TunerError;
use crate::space::Space;
use crate::store::Speed;
use crate::trainer::{LaneTrainer, TrainerError, TrainerFactory, Trial};

/// Measuring goes on until half of this is spent, for one lane and for all lanes each.
const TIME_LIMIT: Duration = Duration::from_millis(150);

/// The most steps that are timed in one go: enough for the clock, few enough to stay short.
const MAX_STEPS: u64 = 64;

/// Measures how long steps and evaluations take, for one lane alone and for the lanes that will run.
///
/// It takes about 0.3 s, or as long as one step of one lane, one step of all lanes, and one
/// evaluation take, if that is more. The lanes train at the lower ends of `space`, where training
/// hardly ever diverges; what is trained is thrown away. `clock` tells the time since any moment.
///
/// # Errors
///
/// Where the trainer fails.
pub fn measure_speed(
    factory: &mut dyn TrainerFactory,
    space: &Space,
    batch_size: u64,
    lanes: usize,
    clock: &mut dyn FnMut() -> Duration,
) -> Result<Speed, TunerError> {
    let failure = |source| TunerError::Trainer { action: "measure the speed", batch_size, source };
    let mut measure = || -> Result<Speed, TrainerError> {
        let seconds_per_step_alone = {
            let mut trainer = start(factory, space, batch_size, 1)?;
            seconds_per_step(trainer.as_mut(), clock)?
        };
        let mut trainer = start(factory, space, batch_size, lanes)?;
        Ok(Speed {
            seconds_per_step_alone,
            lanes: lanes as u64,
            seconds_per_step: match lanes {
                1 => seconds_per_step_alone,
                _ => seconds_per_step(trainer.as_mut(), clock)?,
            },
            seconds_per_evaluation: seconds_per_evaluation(trainer.as_mut(), clock)?,
        })
    };
    measure().map_err(failure)
}

/// A trainer with a trial in every lane.
fn start<'factory>(
    factory: &'factory mut dyn TrainerFactory,
    space: &Space,
    batch_size: u64,
    lanes: usize,
) -> Result<Box<dyn LaneTrainer + 'factory>, TrainerError> {
    let mut trainer = factory.build(batch_size, lanes)?;
    let parameters = space.parameters(&vec![0.0; space.n_dimensions()]);
    for lane in 0..lanes {
        let trial =
            Trial { batch_size, trial_id: lane as u64, seed: 0, parameters: parameters.clone() };
        trainer.start(lane, &trial)?;
    }
    Ok(trainer)
}

/// Times 1, 2, 4, ... steps of all lanes; the last and longest is the measurement, the ones before
/// have warmed it up. A step that is slow by itself is measured once.
fn seconds_per_step(
    trainer: &mut dyn LaneTrainer,
    clock: &mut dyn FnMut() -> Duration,
) -> Result<f64, TrainerError> {
    let (n_lanes, began) = (trainer.lanes(), clock());
    let mut n_steps = 1;
    loop {
        let before = clock();
        trainer.advance(&vec![n_steps; n_lanes])?;
        let now = clock();
        let elapsed = now.saturating_sub(before).as_secs_f64();
        if n_steps >= MAX_STEPS || now.saturating_sub(began) >= TIME_LIMIT / 2 {
            return Ok(elapsed / n_steps as f64);
        }
        n_steps *= 2;
    }
}

/// Times an evaluation of all lanes; one that is quick a second time, when it is warm.
fn seconds_per_evaluation(
    trainer: &mut dyn LaneTrainer,
    clock: &mut dyn FnMut() -> Duration,
) -> Result<f64, TrainerError> {
    let lanes: Vec<usize> = (0..trainer.lanes()).collect();
    let mut time = || -> Result<Duration, TrainerError> {
        let before = clock();
        trainer.evaluate(&lanes)?;
        Ok(clock().saturating_sub(before))
    };
    let first = time()?;
    let measured = if first < TIME_LIMIT / 2 { time()? } else { first };
    Ok(measured.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::noisy_quadratic::NoisyQuadratic;
    use crate::space::Scale;
    use crate::trainer::{Metrics, WorkloadFacts};

    /// The noisy quadratic model on a clock of its own: a step of L lanes takes 1 + L units, an
    /// evaluation 5 L.
    struct Timed {
        inner: NoisyQuadratic,
        unit: Duration,
        now: Rc<Cell<Duration>>,
        n_steps: Rc<Cell<u64>>,
    }

    struct TimedTrainer<'a> {
        inner: Box<dyn LaneTrainer + 'a>,
        unit: Duration,
        now: Rc<Cell<Duration>>,
        n_steps: Rc<Cell<u64>>,
    }

    impl TrainerFactory for Timed {
        fn facts(&self) -> WorkloadFacts {
            self.inner.facts()
        }

        fn max_lanes(&self, batch_size: u64) -> usize {
            self.inner.max_lanes(batch_size)
        }

        fn build(
            &mut self,
            batch_size: u64,
            lanes: usize,
        ) -> Result<Box<dyn LaneTrainer + '_>, TrainerError> {
            let (now, n_steps) = (Rc::clone(&self.now), Rc::clone(&self.n_steps));
            let inner = self.inner.build(batch_size, lanes)?;
            Ok(Box::new(TimedTrainer { inner, unit: self.unit, now, n_steps }))
        }
    }

    impl LaneTrainer for TimedTrainer<'_> {
        fn lanes(&self) -> usize {
            self.inner.lanes()
        }

        fn start(&mut self, lane: usize, trial: &Trial) -> Result<(), TrainerError> {
            self.inner.start(lane, trial)
        }

        fn advance(&mut self, steps: &[u64]) -> Result<Vec<Option<u64>>, TrainerError> {
            let n_units = u32::try_from(steps[0] * (1 + steps.len() as u64)).unwrap();
            self.now.set(self.now.get() + self.unit * n_units);
            self.n_steps.set(self.n_steps.get() + steps[0]);
            self.inner.advance(steps)
        }

        fn evaluate(&mut self, lanes: &[usize]) -> Result<Vec<Metrics>, TrainerError> {
            let n_units = u32::try_from(5 * lanes.len()).unwrap();
            self.now.set(self.now.get() + self.unit * n_units);
            self.inner.evaluate(lanes)
        }

        fn snapshot(&mut self, lane: usize) -> Result<Vec<u8>, TrainerError> {
            self.inner.snapshot(lane)
        }

        fn restore(
            &mut self,
            lane: usize,
            trial: &Trial,
            snapshot: &[u8],
        ) -> Result<(), TrainerError> {
            self.inner.restore(lane, trial, snapshot)
        }

        fn free(&mut self, lane: usize) {
            self.inner.free(lane);
        }
    }

    /// Speed, and steps and time that measuring took.
    fn measured(unit: Duration) -> (Speed, u64, Duration) {
        let inner = NoisyQuadratic::default();
        let (now, n_steps) = (Rc::default(), Rc::default());
        let mut timed = Timed { inner, unit, now: Rc::clone(&now), n_steps: Rc::clone(&n_steps) };
        let scales = [("learning_rate".to_owned(), Scale::Log(0.01, 1.0))];
        let space = Space { scales: scales.into() };
        let mut clock = || now.get();
        let speed = measure_speed(&mut timed, &space, 8, 4, &mut clock).unwrap();
        (speed, n_steps.get(), now.get())
    }

    #[test]
    fn steps_and_evaluations_are_timed_alone_and_together() {
        let (speed, n_steps, _) = measured(Duration::from_micros(1));
        assert!((speed.seconds_per_step_alone - 2e-6).abs() < 1e-12, "{speed:?}");
        assert!((speed.seconds_per_step - 5e-6).abs() < 1e-12, "{speed:?}");
        assert!((speed.seconds_per_evaluation - 20e-6).abs() < 1e-12, "{speed:?}");
        assert_eq!((speed.lanes, n_steps), (4, 2 * 127));
    }

    #[test]
    fn slow_steps_are_few_and_at_least_one() {
        let (speed, n_steps, took) = measured(Duration::from_millis(5));
        assert!((speed.seconds_per_step - 25e-3).abs() < 1e-9, "{speed:?}");
        assert!(n_steps < 20 && took < 4 * TIME_LIMIT, "{n_steps} {took:?}");
        let (speed, n_steps, _) = measured(Duration::from_secs(3));
        assert!((speed.seconds_per_step - 15.0).abs() < 1e-9, "{speed:?}");
        assert_eq!(n_steps, 2, "one alone, one together");
    }
}
