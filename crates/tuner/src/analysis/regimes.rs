//! Where perfect scaling ends and where larger batches stop helping, with intervals.
//!
//! # Estimates
//!
//! Both are read off the nearest curve that has the shape of three regimes (see [`ScalingCurve`]), so that
//! they do not hang on the one luckiest trial.
//!
//! # Intervals
//!
//! Each of many curves draws the steps of every study from what the expected best of its search may take
//! (see [`search_error`](super::search_error)), independently. Every number is computed on each
//! drawn curve anew, and the interval holds the middle part of what comes out. In simulated searches of
//! 30 and 50 trials whose expected curve is S_min (1 + B_crit / B), with log steps that scatter by 0.04 to 0.1,
//! 95 % intervals hold the regime's end of that curve in 95 of 100 cases and more, where those of the plain
//! bootstrap of a minimum, which never falls below the best trial seen, hold it in 65 to 87. They are not
//! as narrow as they could be: what is drawn scatters about a curve that has its own luck in it. What
//! the batch sizes are, and on what a wider sweep would show, no interval says anything.
//!
//! The interval of the fit is that or, if it is wider, the one of the fit's own residuals (see
//! [`fit`](super::fit)).

use serde::Serialize;

use super::fit::{CurveFit, Determination};
use super::options::{AnalysisOptions, Tolerances};
use super::resample::{Draws, quantile};
use super::scaling::{CurvePoint, ScalingCurve};
use super::search_error::{NoIntervals, SearchError};
use crate::record::{Question, StudyOutcomes};

/// The regimes of a curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Regimes {
    /// The largest batch size that takes hardly more than the fewest examples; `None` without any
    /// result.
    pub end_of_perfect_scaling: Option<BatchSizeEstimate>,
    /// The smallest batch size that takes hardly more than the fewest steps; `None` without any
    /// result.
    pub maximum_useful_batch_size: Option<BatchSizeEstimate>,
    /// The whole curve as one formula.
    pub fit: CurveFit,
    /// Why intervals are missing; `None` where they are there.
    pub no_intervals: Option<NoIntervals>,
}

/// One of the measured batch sizes, as an estimate of where a regime ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BatchSizeEstimate {
    /// The estimate.
    pub value: u64,
    /// Its interval, if it is known.
    pub interval: Option<BatchSizeInterval>,
    /// Whether the regime's end was seen. It is only a lower bound at the largest batch size with a result, and
    /// only an upper bound at the smallest. The end of perfect scaling is also only an upper bound where
    /// the curve does not begin with it, and the maximum useful batch size only a lower one where it does
    /// not end in a plateau: in a longer sweep they would lie elsewhere.
    pub determination: Determination,
}

/// Percentiles of a batch size over drawn curves, among the measured ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BatchSizeInterval {
    /// Lower percentile.
    pub low: u64,
    /// Upper percentile.
    pub high: u64,
    /// Whether it may be less: `low` is the smallest batch size with a result, or the estimate is only
    /// an upper bound.
    pub is_open_below: bool,
    /// Whether it may be more: `high` is the largest batch size with a result, or the estimate is only
    /// a lower bound.
    pub is_open_above: bool,
}

impl Regimes {
    /// The regimes of studies that ascend in batch size.
    #[must_use]
    pub fn of(
        studies: &[StudyOutcomes],
        question: &Question,
        options: &AnalysisOptions,
    ) -> Regimes {
        let curve: Vec<CurvePoint> = studies.iter().filter_map(point).collect();
        let errors = search_errors(studies, question);
        let no_intervals = errors.as_ref().err().copied();
        let drawn = errors.map_or(vec![], |errors| drawn_curves(&errors, options));
        let shapes: Vec<_> = drawn.iter().map(|curve| ScalingCurve::nearest(curve)).collect();
        let shape = ScalingCurve::nearest(&curve);
        let (first, last) = (curve.first(), curve.last());
        let ends = (first.map(|point| point.batch_size), last.map(|point| point.batch_size));
        let estimate = |of: &dyn Fn(&ScalingCurve) -> Option<u64>,
                        [is_below, is_above]: [bool; 2]| {
            let mut values: Vec<u64> = shapes.iter().filter_map(of).collect();
            values.sort_unstable();
            let (low, high) = options.percentiles();
            let interval = quantile(&values, low).zip(quantile(&values, high));
            let interval = interval.map(|(low, high)| BatchSizeInterval {
                low,
                high,
                is_open_below: is_below || Some(low) == ends.0,
                is_open_above: is_above || Some(high) == ends.1,
            });
            let value = of(&shape)?;
            let determination = match Some(value) {
                _ if curve.len() < 2 => Determination::TooFewPoints,
                end if is_above || end == ends.1 => Determination::OnlyLowerBound,
                end if is_below || end == ends.0 => Determination::OnlyUpperBound,
                _ => Determination::Determined,
            };
            Some(BatchSizeEstimate { value, interval, determination })
        };
        let Tolerances { perfect_scaling, useful, .. } = options.tolerances;
        let is_before = !shape.begins_with_perfect_scaling(perfect_scaling);
        let is_beyond = !shape.ends_in_a_plateau(useful);
        let end = |shape: &ScalingCurve| shape.end_of_perfect_scaling(perfect_scaling);
        let most = |shape: &ScalingCurve| shape.maximum_useful_batch_size(useful);
        Regimes {
            end_of_perfect_scaling: estimate(&end, [is_before, false]),
            maximum_useful_batch_size: estimate(&most, [false, is_beyond]),
            fit: CurveFit::of(&curve, &drawn, options),
            no_intervals,
        }
    }
}

/// What a batch size says about the curve: nothing, where the goal was met before the first step.
fn point(study: &StudyOutcomes) -> Option<CurvePoint> {
    let steps = study.winner()?.reached?.step;
    (steps > 0).then_some(CurvePoint { batch_size: study.facts.batch_size, steps })
}

/// Of each batch size with a point.
///
/// # Errors
///
/// Where that of one is not known.
fn search_errors(
    studies: &[StudyOutcomes],
    question: &Question,
) -> Result<Vec<(u64, SearchError)>, NoIntervals> {
    let with_point = studies.iter().filter(|study| point(study).is_some());
    let error =
        |study: &StudyOutcomes| Ok((study.facts.batch_size, SearchError::of(study, question)?));
    with_point.map(error).collect()
}

fn drawn_curves(errors: &[(u64, SearchError)], options: &AnalysisOptions) -> Vec<Vec<CurvePoint>> {
    let draws = Draws::new(options.seed, "regimes");
    let curve = |resample: u64| {
        let point = |(batch_size, error): &(u64, SearchError)| {
            let units = [0, 1].map(|item| draws.stream(*batch_size).unit(resample, item));
            CurvePoint { batch_size: *batch_size, steps: error.steps(units) }
        };
        errors.iter().map(point).collect()
    };
    (0..options.n_resamples).map(curve).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fit::Interval;
    use crate::analysis::testing::{BUDGET_STEPS, Outcome, question, study};

    const MINIMUM: f64 = 100_000.0;
    const CRITICAL: f64 = 64.0;

    /// Studies of `n_trials` trials each, in which a trial's steps are S(B) exp(a E) with E drawn from
    /// the exponential distribution: what a search of two metaparameters finds around an optimum at
    /// which log steps are quadratic. The least of n is S(B) exp(a E / n): known, with its noise.
    fn simulated(
        seed: u64,
        n_trials: u64,
        spread: f64,
        powers: std::ops::Range<u32>,
    ) -> Vec<StudyOutcomes> {
        let draws = Draws::new(seed, "simulation");
        powers
            .map(|power| {
                let batch_size = 1_u64 << power;
                let steps = MINIMUM * (1.0 + CRITICAL / batch_size as f64);
                let outcomes: Vec<Outcome> = (0..n_trials)
                    .map(|trial_id| {
                        let exponential = -(1.0 - draws.unit(batch_size, trial_id)).ln();
                        Outcome::reached((steps * (spread * exponential).exp()).round() as u64)
                    })
                    .collect();
                study(batch_size, &outcomes)
            })
            .collect()
    }

    fn quick() -> AnalysisOptions {
        AnalysisOptions { n_resamples: 200, ..AnalysisOptions::default() }
    }

    #[test]
    fn a_goal_met_before_training_says_nothing_of_the_curve() {
        let met = |batch_size, step| {
            study(batch_size, &[Outcome::reached(step), Outcome::reached(step + 10)])
        };
        let regimes = |studies: &[StudyOutcomes]| Regimes::of(studies, &question(), &quick());
        let nothing = regimes(&[met(8, 0), met(32, 0), met(128, 0)]);
        assert_eq!(nothing.end_of_perfect_scaling, None);
        assert_eq!(nothing.maximum_useful_batch_size, None);
        let curve = [met(8, 400), met(32, 100), met(128, 80)];
        let with_one = [&[met(2, 0)], &curve[..]].concat();
        assert_eq!(regimes(&with_one), regimes(&curve));
    }

    /// In how many of 60 simulated sweeps 95 % intervals hold the truth: the numbers of the curve of
    /// expected minima.
    #[test]
    fn intervals_cover_the_truth_as_often_as_they_should() {
        let n = 60;
        for (n_trials, deviation) in [(50, 0.04), (30, 0.1)] {
            let expected: Vec<CurvePoint> = (0..13)
                .map(|power| {
                    let batch_size = 1_u64 << power;
                    let steps =
                        MINIMUM * (1.0 + CRITICAL / batch_size as f64) * f64::exp(deviation);
                    CurvePoint { batch_size, steps: steps.round() as u64 }
                })
                .collect();
            let shape = ScalingCurve::nearest(&expected);
            let end = shape.end_of_perfect_scaling(0.2).unwrap();
            let useful = shape.maximum_useful_batch_size(0.2).unwrap();
            let mut covered = [0; 4];
            for seed in 0..n {
                let spread = deviation * n_trials as f64;
                let studies = simulated(seed, n_trials, spread, 0..13);
                let regimes = Regimes::of(&studies, &question(), &quick());
                let fit = regimes.fit.parameters.unwrap();
                let contains = |interval: Option<Interval>, truth: f64| {
                    let interval = interval.unwrap();
                    usize::from(interval.low <= truth && truth <= interval.high.unwrap())
                };
                let contains_size = |estimate: Option<BatchSizeEstimate>, truth: u64| {
                    let interval = estimate.unwrap().interval.unwrap();
                    usize::from(interval.low <= truth && truth <= interval.high)
                };
                covered[0] += contains(fit.critical_batch_size.interval, CRITICAL);
                covered[1] += contains(fit.minimum_steps.interval, MINIMUM * deviation.exp());
                covered[2] += contains_size(regimes.end_of_perfect_scaling, end);
                covered[3] += contains_size(regimes.maximum_useful_batch_size, useful);
            }
            println!("deviation {deviation}: B_crit, S_min, ends covered {covered:?} times of {n}");
            assert!(covered.iter().all(|n| *n >= 54), "{covered:?} of {n}, deviation {deviation}");
        }
    }

    #[test]
    fn a_clear_curve_has_clear_regimes() {
        let regimes = Regimes::of(&simulated(0, 100, 1.0, 0..13), &question(), &quick());
        // Examples: 64 + B times S_min; within 20 % of the fewest (65) up to B = 8 (72), 16 has 80.
        let scaling = regimes.end_of_perfect_scaling.unwrap();
        assert_eq!((scaling.value, scaling.determination), (8, Determination::Determined));
        // Steps: 1 + 64 / B; within 20 % of the fewest (1.016) from B = 512 (1.125), 256 has 1.25.
        let useful = regimes.maximum_useful_batch_size.unwrap();
        assert_eq!(useful.determination, Determination::Determined);
        assert_eq!(useful.value, 512);
        for estimate in [scaling, useful] {
            let interval = estimate.interval.unwrap();
            let BatchSizeInterval { low, high, is_open_below, is_open_above } = interval;
            assert!(low <= estimate.value && estimate.value <= high, "{estimate:?}");
            assert!(high <= 4 * low && !is_open_below && !is_open_above, "{estimate:?}");
        }
        assert_eq!(regimes.fit.determination, Determination::Determined);
        let again = Regimes::of(&simulated(0, 100, 1.0, 0..13), &question(), &quick());
        assert_eq!(regimes, again, "the same seed gives the same intervals");
    }

    #[test]
    fn ends_that_were_not_seen_are_bounds() {
        let of = |powers| Regimes::of(&simulated(0, 100, 0.1, powers), &question(), &quick());
        let early = of(0..3);
        let scaling = early.end_of_perfect_scaling.unwrap();
        assert_eq!((scaling.value, scaling.determination), (4, Determination::OnlyLowerBound));
        assert!(scaling.interval.unwrap().is_open_above);
        let useful = early.maximum_useful_batch_size.unwrap();
        assert_eq!((useful.value, useful.determination), (4, Determination::OnlyLowerBound));
        let late = of(8..13);
        let scaling = late.end_of_perfect_scaling.unwrap();
        assert_eq!((scaling.value, scaling.determination), (256, Determination::OnlyUpperBound));
        assert!(scaling.interval.unwrap().is_open_below);
        let plateau = of(10..13).maximum_useful_batch_size.unwrap();
        assert_eq!((plateau.value, plateau.determination), (1024, Determination::OnlyUpperBound));
        let single = of(4..5).maximum_useful_batch_size.unwrap();
        assert_eq!(single.determination, Determination::TooFewPoints);
        assert_eq!(Regimes::of(&[], &question(), &quick()).end_of_perfect_scaling, None);
    }

    #[test]
    fn trials_stopped_early_leave_no_interval() {
        let best_only = |batch_size: u64, steps: u64| {
            let mut outcomes = vec![Outcome::stopped(steps); 19];
            outcomes.push(Outcome::reached(steps));
            study(batch_size, &outcomes)
        };
        const { assert!(400 < BUDGET_STEPS, "or nothing would be stopped early") }
        let studies = [(1, 400), (2, 200), (4, 100), (8, 90)].map(|(b, s)| best_only(b, s));
        let regimes = Regimes::of(&studies, &question(), &quick());
        assert_eq!(regimes.no_intervals, Some(NoIntervals::StoppedEarly));
        let useful = regimes.maximum_useful_batch_size.unwrap();
        assert_eq!((useful.value, useful.interval), (4, None));
        let fit = regimes.fit.parameters.unwrap().critical_batch_size;
        assert!(fit.interval.is_some(), "points off the formula tell something all the same");
    }
}
