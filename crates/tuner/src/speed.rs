//! How fast a study trains here, and in how many lanes it trains fastest, measured on a few steps.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::TunerError;
use crate::lane_counts::{LaneCounts, LanesReason};
use crate::space::Space;
use crate::store::Speed;
use crate::trainer::{LaneTrainer, TrainerError, TrainerFactory, Trial};

/// Measuring goes on until half of this is spent, for one lane and for all lanes each.
const TIME_LIMIT: Duration = Duration::from_millis(150);

/// The most steps that are timed in one go, and parts of an evaluation: enough for the clock, few enough to
/// stay short.
const MAX_AT_ONCE: u32 = 64;

/// More lanes are worth it if they train this many times as many examples a second.
const GROWTH: f64 = 1.05;

/// Looking for more lanes may take this share of the time that the study takes ...
const SEARCH_SHARE: f64 = 0.01;

/// ... and never longer than this.
const SEARCH_LIMIT: Duration = Duration::from_millis(500);

/// How fast a study trains, and what was found on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredSpeed {
    /// The speed in the lanes that are best.
    pub speed: Speed,
    /// Why they are.
    pub reason: LanesReason,
    /// The most lanes that were tried: so many were held in memory at once.
    pub most_lanes: usize,
}

/// Measures how fast studies of one workload train.
pub struct SpeedMeter<'clock> {
    clock: &'clock mut dyn FnMut() -> Duration,
    /// By the number of lanes: an evaluation takes equally long at all batch sizes.
    evaluations: BTreeMap<usize, EvaluationSeconds>,
}

/// How long it takes to evaluate all lanes, and to measure the gradient noise of all.
#[derive(Debug, Clone, Copy)]
struct EvaluationSeconds {
    metrics: f64,
    gradient_noise: f64,
    /// What it took to find out.
    spent: f64,
}

impl<'clock> SpeedMeter<'clock> {
    /// A meter that has measured nothing yet; `clock` tells the time since any moment.
    pub fn new(clock: &'clock mut dyn FnMut() -> Duration) -> Self {
        SpeedMeter { clock, evaluations: BTreeMap::new() }
    }

    /// Measures how long steps and evaluations take, for one lane alone and for the lanes that will run.
    ///
    /// Their number is the first of `counts`; then the next ones are tried for as long as each trains at
    /// least 5 % more examples a second than the one before, fits, and to try it costs below 1 % of the
    /// study, whose trials have `n_steps` left in all, and below half a second. At `noise_share` of the
    /// evaluations the gradient noise is measured too; the time of an evaluation has as much of it.
    ///
    /// Without the search for more lanes it takes about 0.3 s, or as long as one step of one lane and one of
    /// all lanes if that is more, and at the first batch size with so many lanes about 0.2 s of an evaluation
    /// (3/64 of it if that is more) and a measurement of the noise. The lanes train at the lower ends of
    /// `space`, where training hardly ever diverges; what is trained is thrown away.
    ///
    /// # Errors
    ///
    /// Where the trainer fails in one lane or in the fewest lanes.
    pub fn measure(
        &mut self,
        factory: &mut dyn TrainerFactory,
        space: &Space,
        batch_size: u64,
        counts: &LaneCounts,
        n_steps: u64,
        noise_share: f64,
    ) -> Result<MeasuredSpeed, TunerError> {
        let failure =
            |source| TunerError::Trainer { action: "measure the speed", batch_size, source };
        let mut search = Search { meter: self, factory, space, batch_size, noise_share };
        search.run(counts, n_steps).map_err(failure)
    }

    /// Of all lanes; measured where it is not known.
    fn evaluation(
        &mut self,
        trainer: &mut dyn LaneTrainer,
    ) -> Result<EvaluationSeconds, TrainerError> {
        let lanes: Vec<usize> = (0..trainer.lanes()).collect();
        if let Some(known) = self.evaluations.get(&lanes.len()) {
            return Ok(*known);
        }
        let began = (self.clock)();
        let metrics = seconds_per_evaluation(trainer, &lanes, self.clock)?;
        let gradient_noise = seconds_per_noise(trainer, &lanes, self.clock)?;
        let spent = self.seconds_since(began);
        let measured = EvaluationSeconds { metrics, gradient_noise, spent };
        self.evaluations.insert(lanes.len(), measured);
        Ok(measured)
    }

    fn seconds_since(&mut self, moment: Duration) -> f64 {
        (self.clock)().saturating_sub(moment).as_secs_f64()
    }
}

/// The search for the lanes of a study.
struct Search<'a, 'clock> {
    meter: &'a mut SpeedMeter<'clock>,
    factory: &'a mut dyn TrainerFactory,
    space: &'a Space,
    batch_size: u64,
    noise_share: f64,
}

/// A number of lanes, measured.
struct Tried {
    speed: Speed,
    /// Seconds that it took without evaluations.
    spent_on_steps: f64,
    /// Seconds that these took, now or at an earlier batch size.
    spent_on_evaluations: f64,
}

impl Search<'_, '_> {
    fn run(&mut self, counts: &LaneCounts, n_steps: u64) -> Result<MeasuredSpeed, TrainerError> {
        let alone = {
            let mut trainer = start(self.factory, self.space, self.batch_size, 1)?;
            seconds_per_step(trainer.as_mut(), self.meter.clock)?
        };
        let mut best = self.measure(alone, counts.first())?;
        let (mut most_lanes, mut reason) = (counts.first(), counts.limit());
        let study_seconds = n_steps as f64 / steps_per_second(&best.speed);
        let limit = SEARCH_LIMIT.as_secs_f64().min(SEARCH_SHARE * study_seconds);
        let search_began = (self.meter.clock)();
        if best.speed.lanes < counts.first() as u64 {
            let most_lanes = best.speed.lanes as usize;
            return Ok(MeasuredSpeed {
                speed: best.speed,
                reason: LanesReason::Memory,
                most_lanes,
            });
        }
        for &lanes in &counts.counts()[1..] {
            let on_evaluations = match self.meter.evaluations.contains_key(&lanes) {
                true => 0.0,
                false => best.spent_on_evaluations,
            };
            let spent = best.spent_on_steps + on_evaluations;
            let expected = spent * lanes as f64 / best.speed.lanes as f64;
            if self.meter.seconds_since(search_began) + expected > limit {
                reason = LanesReason::Time;
                break;
            }
            // The device knows better than any plan what fits.
            let tried = self.measure(alone, lanes).ok();
            let Some(tried) = tried.filter(|tried| tried.speed.lanes == lanes as u64) else {
                reason = LanesReason::Memory;
                break;
            };
            most_lanes = lanes;
            if steps_per_second(&tried.speed) < GROWTH * steps_per_second(&best.speed) {
                reason = LanesReason::Speed;
                break;
            }
            best = tried;
        }
        Ok(MeasuredSpeed { speed: best.speed, reason, most_lanes })
    }

    /// So many lanes, or fewer where they do not fit.
    fn measure(
        &mut self,
        seconds_per_step_alone: f64,
        lanes: usize,
    ) -> Result<Tried, TrainerError> {
        let began = (self.meter.clock)();
        let mut trainer = start(self.factory, self.space, self.batch_size, lanes)?;
        let to_start = self.meter.seconds_since(began);
        // First: in a lane that diverges in the steps there would be nothing to do.
        let evaluation = self.meter.evaluation(trainer.as_mut())?;
        let lanes = trainer.lanes() as u64;
        let began = (self.meter.clock)();
        let seconds_per_step = match lanes {
            1 => seconds_per_step_alone,
            _ => seconds_per_step(trainer.as_mut(), self.meter.clock)?,
        };
        let seconds_per_evaluation =
            evaluation.metrics + self.noise_share * evaluation.gradient_noise;
        Ok(Tried {
            speed: Speed {
                seconds_per_step_alone,
                lanes,
                seconds_per_step,
                seconds_per_evaluation,
            },
            spent_on_steps: to_start + self.meter.seconds_since(began),
            spent_on_evaluations: evaluation.spent,
        })
    }
}

/// Steps of all lanes.
fn steps_per_second(speed: &Speed) -> f64 {
    speed.lanes as f64 / speed.seconds_per_step
}

/// A trainer with a trial in every lane, which may be fewer than asked for.
fn start<'factory>(
    factory: &'factory mut dyn TrainerFactory,
    space: &Space,
    batch_size: u64,
    lanes: usize,
) -> Result<Box<dyn LaneTrainer + 'factory>, TrainerError> {
    let mut trainer = factory.build(batch_size, lanes)?;
    let parameters = space.parameters(&vec![0.0; space.n_dimensions()]);
    for lane in 0..trainer.lanes() {
        let trial =
            Trial { batch_size, trial_id: lane as u64, seed: 0, parameters: parameters.clone() };
        trainer.start(lane, &trial)?;
    }
    Ok(trainer)
}

/// Of all lanes.
fn seconds_per_step(
    trainer: &mut dyn LaneTrainer,
    clock: &mut dyn FnMut() -> Duration,
) -> Result<f64, TrainerError> {
    let n_lanes = trainer.lanes();
    seconds_per_whole(clock, &mut |n_steps| {
        trainer.advance(&vec![n_steps.into(); n_lanes])?;
        Ok(n_steps.into())
    })
}

/// Of some lanes.
fn seconds_per_evaluation(
    trainer: &mut dyn LaneTrainer,
    lanes: &[usize],
    clock: &mut dyn FnMut() -> Duration,
) -> Result<f64, TrainerError> {
    seconds_per_whole(clock, &mut |n_parts| {
        trainer.evaluate_share(lanes, f64::from(n_parts) / f64::from(MAX_AT_ONCE))
    })
}

/// Times 1, 2, 4, ... steps or parts of an evaluation, of which `run` returns how many wholes they were; the
/// last and longest is the measurement, the ones before have warmed it up. A whole that is slow by itself is
/// measured once.
fn seconds_per_whole(
    clock: &mut dyn FnMut() -> Duration,
    run: &mut dyn FnMut(u32) -> Result<f64, TrainerError>,
) -> Result<f64, TrainerError> {
    let (mut n_at_once, began) = (1, clock());
    loop {
        let before = clock();
        let n_wholes = run(n_at_once)?;
        let now = clock();
        let is_long = now.saturating_sub(began) >= TIME_LIMIT / 2;
        let is_warm = n_at_once > 1 || n_wholes >= 1.0;
        if n_at_once >= MAX_AT_ONCE || is_long && is_warm {
            return Ok(now.saturating_sub(before).as_secs_f64() / n_wholes);
        }
        n_at_once *= 2;
    }
}

/// Times a measurement of the gradient noise of some lanes; one that is quick a second time, when it is warm.
fn seconds_per_noise(
    trainer: &mut dyn LaneTrainer,
    lanes: &[usize],
    clock: &mut dyn FnMut() -> Duration,
) -> Result<f64, TrainerError> {
    let mut time = || -> Result<Duration, TrainerError> {
        let before = clock();
        trainer.gradient_noise(lanes)?;
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
    use crate::experiment::Goal;
    use crate::noisy_quadratic::NoisyQuadratic;
    use crate::space::Scale;
    use crate::trainer::{Metrics, WorkloadFacts};

    /// The noisy quadratic model on a clock of its own: a step of L lanes takes 1 + L units and one
    /// more for each lane above `n_fast`, an evaluation `evaluation_units` L, a measurement of the noise 4 L.
    /// No more than `n_fitting` lanes are made. Of an evaluation `least_share` is made at a time at least.
    #[derive(Clone)]
    struct Timed {
        inner: NoisyQuadratic,
        unit: Duration,
        n_fast: usize,
        n_fitting: usize,
        evaluation_units: usize,
        least_share: f64,
        now: Rc<Cell<Duration>>,
        n_steps: Rc<Cell<u64>>,
    }

    struct TimedTrainer<'a> {
        inner: Box<dyn LaneTrainer + 'a>,
        unit: Duration,
        n_fast: usize,
        evaluation_units: usize,
        least_share: f64,
        now: Rc<Cell<Duration>>,
        n_steps: Rc<Cell<u64>>,
    }

    impl TrainerFactory for Timed {
        fn facts(&self) -> WorkloadFacts {
            self.inner.facts()
        }

        fn lane_counts(&self, _batch_size: u64) -> Vec<usize> {
            vec![4, 8, 16, 32, 64]
        }

        fn memory_bytes(&self, _batch_size: u64, _lanes: usize) -> Option<u64> {
            None
        }

        fn snapshot_bytes(&self) -> u64 {
            self.inner.snapshot_bytes()
        }

        fn build(
            &mut self,
            batch_size: u64,
            lanes: usize,
        ) -> Result<Box<dyn LaneTrainer + '_>, TrainerError> {
            let lanes = lanes.min(self.n_fitting);
            let (now, n_steps) = (Rc::clone(&self.now), Rc::clone(&self.n_steps));
            let &mut Self { unit, n_fast, evaluation_units, least_share, .. } = self;
            let inner = self.inner.build(batch_size, lanes)?;
            Ok(Box::new(TimedTrainer {
                inner,
                unit,
                n_fast,
                evaluation_units,
                least_share,
                now,
                n_steps,
            }))
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
            let n_slow = steps.len().saturating_sub(self.n_fast);
            let n_units = u32::try_from(steps[0] * (1 + steps.len() + n_slow) as u64).unwrap();
            self.now.set(self.now.get() + self.unit * n_units);
            self.n_steps.set(self.n_steps.get() + steps[0]);
            self.inner.advance(steps)
        }

        fn evaluate(
            &mut self,
            lanes: &[usize],
            goal: Option<&Goal>,
        ) -> Result<Vec<Metrics>, TrainerError> {
            self.inner.evaluate(lanes, goal)
        }

        fn evaluate_share(&mut self, lanes: &[usize], share: f64) -> Result<f64, TrainerError> {
            let evaluated = share.max(self.least_share);
            let n_units = (self.evaluation_units * lanes.len()) as f64 * evaluated;
            self.now.set(self.now.get() + self.unit.mul_f64(n_units));
            Ok(evaluated)
        }

        fn gradient_noise(&mut self, lanes: &[usize]) -> Result<Vec<Metrics>, TrainerError> {
            let n_units = u32::try_from(4 * lanes.len()).unwrap();
            self.now.set(self.now.get() + self.unit * n_units);
            self.inner.gradient_noise(lanes)
        }

        fn snapshot(&mut self, lane: usize) -> Result<Vec<u8>, TrainerError> {
            self.inner.snapshot(lane)
        }

        fn restore(
            &mut self,
            lane: usize,
            trial: &Trial,
            snapshot: &[u8],
        ) -> Result<u64, TrainerError> {
            self.inner.restore(lane, trial, snapshot)
        }

        fn free(&mut self, lane: usize) {
            self.inner.free(lane);
        }
    }

    fn timed(unit: Duration) -> Timed {
        let inner = NoisyQuadratic::default();
        let (now, n_steps) = (Rc::default(), Rc::default());
        Timed {
            inner,
            unit,
            n_fast: 1000,
            n_fitting: 1000,
            evaluation_units: 5,
            least_share: 0.0,
            now,
            n_steps,
        }
    }

    fn space() -> Space {
        let scales = [("learning_rate".to_owned(), Scale::Log(0.01, 1.0))];
        Space { scales: scales.into() }
    }

    /// Speed, and steps and time that measuring took.
    fn measured(
        mut timed: Timed,
        asked: Option<usize>,
        n_steps: u64,
    ) -> (MeasuredSpeed, u64, Duration) {
        let counts = LaneCounts::new(asked, &timed, 8, 100);
        let now = Rc::clone(&timed.now);
        let mut clock = || now.get();
        let mut meter = SpeedMeter::new(&mut clock);
        let speed = meter.measure(&mut timed, &space(), 8, &counts, n_steps, 0.25).unwrap();
        (speed, timed.n_steps.get(), now.get())
    }

    fn in_four_lanes(unit: Duration) -> (Speed, u64, Duration) {
        let (measured, n_steps, took) = measured(timed(unit), Some(4), u64::MAX);
        assert_eq!((measured.reason, measured.most_lanes), (LanesReason::Asked, 4));
        (measured.speed, n_steps, took)
    }

    #[test]
    fn steps_and_evaluations_are_timed_alone_and_together() {
        let (speed, n_steps, _) = in_four_lanes(Duration::from_micros(1));
        assert!((speed.seconds_per_step_alone - 2e-6).abs() < 1e-12, "{speed:?}");
        assert!((speed.seconds_per_step - 5e-6).abs() < 1e-12, "{speed:?}");
        assert!((speed.seconds_per_evaluation - 24e-6).abs() < 1e-12, "{speed:?}");
        assert_eq!((speed.lanes, n_steps), (4, 2 * 127));
    }

    /// The second study is as fast, and has noise at another share of its evaluations.
    #[test]
    fn evaluations_are_timed_once_for_all_batch_sizes() {
        let mut timed = timed(Duration::from_micros(1));
        let (space, now) = (space(), Rc::clone(&timed.now));
        let counts = LaneCounts::new(Some(4), &timed, 8, 100);
        let mut clock = || now.get();
        let mut meter = SpeedMeter::new(&mut clock);
        let mut seconds = |batch_size, share| {
            let began = now.get();
            let measured =
                meter.measure(&mut timed, &space, batch_size, &counts, u64::MAX, share).unwrap();
            (measured.speed.seconds_per_evaluation, (now.get() - began).as_secs_f64())
        };
        let ((first, took), (second, took_then)) = (seconds(8, 0.25), seconds(16, 0.5));
        assert!(
            (first - 24e-6).abs() < 1e-12 && (second - 28e-6).abs() < 1e-12,
            "{first} {second}"
        );
        // Both are quick: of the evaluation 1/64, 1/32, ..., 1 was timed, the noise twice.
        let spent = (2.0 - 1.0 / 64.0) * 20e-6 + 2.0 * 16e-6;
        assert!((took - took_then - spent).abs() < 1e-9, "{took} {took_then}");
    }

    #[test]
    fn long_evaluations_are_timed_in_part() {
        let timed = Timed { evaluation_units: 2_000_000, ..timed(Duration::from_micros(1)) };
        let whole = Timed { least_share: 1.0, now: Rc::default(), ..timed.clone() };
        for (timed, limit) in [(timed, 0.5), (whole, 8.1)] {
            let (measured, _, took) = measured(timed, Some(4), u64::MAX);
            let seconds = measured.speed.seconds_per_evaluation;
            assert!((seconds - 8.0).abs() < 1e-4, "{seconds} of 8 s and a share of 16 us");
            assert!(took.as_secs_f64() < limit, "{took:?}");
        }
    }

    /// Evaluations that are long beside steps keep more lanes from being tried until they are known.
    #[test]
    fn what_an_evaluation_takes_counts_where_it_is_not_known() {
        // 1 % of half a second: 5 ms. In 8 lanes steps take 1.3 ms, evaluations, timed in parts, 4 ms in all.
        let mut timed = Timed { evaluation_units: 250, ..timed(Duration::from_micros(1)) };
        let now = Rc::clone(&timed.now);
        let counts = LaneCounts::new(None, &timed, 8, 8);
        let mut clock = || now.get();
        let mut meter = SpeedMeter::new(&mut clock);
        let mut reason = |n_steps| {
            let measured = meter.measure(&mut timed, &space(), 8, &counts, n_steps, 0.0).unwrap();
            (measured.speed.lanes, measured.reason)
        };
        assert_eq!(reason(400_000), (4, LanesReason::Time));
        assert_eq!(reason(u64::MAX), (8, LanesReason::Trials), "then it is measured");
        assert_eq!(reason(400_000), (8, LanesReason::Trials), "and known");
    }

    #[test]
    fn slow_steps_are_few_and_at_least_one() {
        let (speed, n_steps, took) = in_four_lanes(Duration::from_millis(5));
        assert!((speed.seconds_per_step - 25e-3).abs() < 1e-9, "{speed:?}");
        assert!(n_steps < 20 && took < 4 * TIME_LIMIT, "{n_steps} {took:?}");
        let (speed, n_steps, _) = in_four_lanes(Duration::from_secs(3));
        assert!((speed.seconds_per_step - 15.0).abs() < 1e-9, "{speed:?}");
        assert_eq!(n_steps, 2, "one alone, one together");
    }

    #[test]
    fn lanes_grow_as_long_as_it_pays_and_fits() {
        let unit = Duration::from_micros(1);
        let best = |timed, n_steps| {
            let (measured, _, _) = measured(timed, None, n_steps);
            (measured.speed.lanes, measured.reason, measured.most_lanes)
        };
        // 4/5, 8/9, 16/17 steps a unit: the last is worth 6 %, 32 lanes would be worth 3 %.
        assert_eq!(best(timed(unit), u64::MAX), (16, LanesReason::Speed, 32));
        // 8/(9 + 4): fewer than with 4.
        let slow = Timed { n_fast: 4, ..timed(unit) };
        assert_eq!(best(slow, u64::MAX), (4, LanesReason::Speed, 8));
        let small = Timed { n_fitting: 8, ..timed(unit) };
        assert_eq!(best(small, u64::MAX), (8, LanesReason::Memory, 8));
        let tiny = Timed { n_fitting: 3, ..timed(unit) };
        assert_eq!(best(tiny, u64::MAX), (3, LanesReason::Memory, 3));
        // 1 % of studies of 250 ms and of 1.25 ms.
        assert_eq!(best(timed(unit), 200_000), (8, LanesReason::Time, 8));
        assert_eq!(best(timed(unit), 1_000), (4, LanesReason::Time, 4));
    }

    #[test]
    fn looking_for_lanes_takes_less_than_a_second() {
        for unit in [1, 100, 1_000, 5_000, 100_000].map(Duration::from_micros) {
            let (_, _, without) = in_four_lanes(unit);
            let (_, _, took) = measured(timed(unit), None, u64::MAX);
            assert!(took - without < Duration::from_millis(700), "{took:?} {without:?}");
        }
    }
}
