//! The gradient noise scale measured during training, against the measured critical batch size.
//!
//! # Equation
//!
//! B_simple = tr(Sigma) / |G|^2, with G the gradient and Sigma the covariance of the gradient of one
//! example. Trainers measure an unbiased estimate of each, as the metrics
//! [`GRADIENT_VARIANCE`] and [`SQUARED_GRADIENT_NORM`]; either may come out negative. Their ratio would
//! be biased, so they are averaged apart over training, then divided. Each measurement weighs as many
//! steps as it stands for (half of those to its neighbours, as in the trapezoid rule), so that the
//! average is one over training and not over the evaluation grid, which is dense at the start.
//!
//! # Source
//!
//! McCandlish et al. 2018, appendix A.

use serde::Serialize;

use super::fit::Interval;
use super::options::AnalysisOptions;
use super::percentile::percentile;
use crate::hash::{below, hash};
use crate::record::{Curve, Record, StudyOutcomes, StudyRecord, TrialOutcome};
use crate::trainer::{GRADIENT_VARIANCE, SQUARED_GRADIENT_NORM};

/// What a resample is for, in its hash.
const PURPOSE: u64 = 0x6e6f_6973;

/// Noise scales of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseScales {
    /// Each study with measurements, by ascending batch size.
    pub studies: Vec<StudyNoiseScale>,
    /// B_crit of the fit to the main goal's curve, where the data determine it.
    pub critical_batch_size: Option<f64>,
}

/// Noise scales of a study.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StudyNoiseScale {
    /// Examples per update.
    pub batch_size: u64,
    /// Of the trial that is the study's result, up to there; the interval is over its measurements.
    pub winner: Option<NoiseScale>,
    /// Of all trials that count and reached the goal, each up to there; the interval is over trials.
    pub pooled: Option<NoiseScale>,
    /// The pooled noise scale over B_crit.
    pub ratio_to_critical_batch_size: Option<f64>,
}

/// A noise scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NoiseScale {
    /// Average of tr(Sigma).
    pub gradient_variance: f64,
    /// Average of |G|^2.
    pub squared_gradient_norm: f64,
    /// Their ratio, in examples; `None` where the average of |G|^2 is not positive: not determined.
    pub noise_scale: Option<f64>,
    /// Its bootstrap interval; `None` with a single unit to resample or without a noise scale.
    pub interval: Option<Interval>,
    /// Measurements averaged.
    pub n_measurements: u64,
    /// Trials averaged.
    pub n_trials: u64,
}

/// One measurement and the steps that it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Weighted {
    n_steps: f64,
    variance: f64,
    squared_norm: f64,
}

/// Weighted sums over measurements; sums of sums are sums.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    n_steps: f64,
    variance: f64,
    squared_norm: f64,
}

impl Sums {
    fn of(measurements: &[Weighted]) -> Sums {
        measurements.iter().fold(Sums::default(), |sums, m| Sums {
            n_steps: sums.n_steps + m.n_steps,
            variance: sums.variance + m.n_steps * m.variance,
            squared_norm: sums.squared_norm + m.n_steps * m.squared_norm,
        })
    }

    fn plus(self, other: Sums) -> Sums {
        Sums {
            n_steps: self.n_steps + other.n_steps,
            variance: self.variance + other.variance,
            squared_norm: self.squared_norm + other.squared_norm,
        }
    }

    fn ratio(self) -> Option<f64> {
        (self.squared_norm > 0.0).then(|| self.variance / self.squared_norm)
    }
}

impl NoiseScales {
    /// The noise scales of a record; `outcomes` are its studies' answers to the main question.
    /// `None` where none were measured on the way to a result.
    #[must_use]
    pub fn of(
        record: &Record,
        outcomes: &[StudyOutcomes],
        critical_batch_size: Option<f64>,
        options: &AnalysisOptions,
    ) -> Option<NoiseScales> {
        let pairs = record.studies.iter().zip(outcomes);
        let studies: Vec<StudyNoiseScale> = pairs
            .filter_map(|(study, outcomes)| of_study(study, outcomes, critical_batch_size, options))
            .collect();
        (!studies.is_empty()).then_some(NoiseScales { studies, critical_batch_size })
    }
}

fn of_study(
    study: &StudyRecord,
    outcomes: &StudyOutcomes,
    critical_batch_size: Option<f64>,
    options: &AnalysisOptions,
) -> Option<StudyNoiseScale> {
    let measurements = |outcome: &TrialOutcome| {
        let last_step = outcome.reached?.step;
        let trial_id = outcome.trial.trial_id;
        let trial = study.trials.iter().find(|trial| trial.trial.trial_id == trial_id)?;
        Some(weighted(&trial.curve, last_step)).filter(|measured| !measured.is_empty())
    };
    let trials: Vec<Vec<Weighted>> = outcomes.counted().filter_map(measurements).collect();
    if trials.is_empty() {
        return None;
    }
    let key = hash(&[options.seed, PURPOSE, study.facts.batch_size]);
    let of_winner = |measured: Vec<Weighted>| {
        let units: Vec<Sums> = measured.iter().map(|m| Sums::of(std::slice::from_ref(m))).collect();
        noise_scale(&units, measured.len() as u64, 1, key, options)
    };
    let sums: Vec<Sums> = trials.iter().map(|measured| Sums::of(measured)).collect();
    let n_measurements = trials.iter().map(Vec::len).sum::<usize>() as u64;
    let pooled = noise_scale(&sums, n_measurements, trials.len() as u64, key, options);
    Some(StudyNoiseScale {
        batch_size: study.facts.batch_size,
        winner: outcomes.winner().and_then(measurements).map(of_winner),
        pooled: Some(pooled),
        ratio_to_critical_batch_size: pooled
            .noise_scale
            .zip(critical_batch_size.filter(|critical| *critical > 0.0))
            .map(|(noise_scale, critical)| noise_scale / critical),
    })
}

/// The measurements up to a step, in which both estimates are numbers, with the steps that each
/// stands for.
fn weighted(curve: &Curve, last_step: u64) -> Vec<Weighted> {
    let rows = curve.rows(GRADIENT_VARIANCE).zip(curve.rows(SQUARED_GRADIENT_NORM));
    let within = rows.take_while(|((step, _), _)| *step <= last_step);
    let measured: Vec<(f64, f64, f64)> = within
        .filter(|((_, variance), (_, norm))| variance.is_finite() && norm.is_finite())
        .map(|((step, variance), (_, norm))| (step as f64, variance, norm))
        .collect();
    let step_of = |index: usize| measured[index.min(measured.len() - 1)].0;
    let weigh = |(index, &(_, variance, squared_norm)): (usize, &(f64, f64, f64))| {
        let span = step_of(index + 1) - step_of(index.saturating_sub(1));
        // A single measurement stands for whatever there is.
        let n_steps = if measured.len() == 1 { 1.0 } else { span / 2.0 };
        Weighted { n_steps, variance, squared_norm }
    };
    measured.iter().enumerate().map(weigh).collect()
}

/// The noise scale of units (measurements or trials), with its interval over resamples of them.
fn noise_scale(
    units: &[Sums],
    n_measurements: u64,
    n_trials: u64,
    key: u64,
    options: &AnalysisOptions,
) -> NoiseScale {
    let total = units.iter().copied().fold(Sums::default(), Sums::plus);
    let interval = total.ratio().and_then(|_| interval(units, key, options));
    NoiseScale {
        gradient_variance: total.variance / total.n_steps,
        squared_gradient_norm: total.squared_norm / total.n_steps,
        noise_scale: total.ratio(),
        interval,
        n_measurements,
        n_trials,
    }
}

/// Percentiles over resampled units. A resample in which |G|^2 is not told from 0 counts as infinite.
fn interval(units: &[Sums], key: u64, options: &AnalysisOptions) -> Option<Interval> {
    let n = units.len() as u64;
    if n < 2 {
        return None;
    }
    let resample = |index: u64| {
        let draw = |k: u64| units[below(hash(&[key, index, k]), n) as usize];
        (0..n).map(draw).fold(Sums::default(), Sums::plus).ratio().unwrap_or(f64::INFINITY)
    };
    let mut ratios: Vec<f64> = (0..options.n_resamples).map(resample).collect();
    ratios.sort_by(f64::total_cmp);
    let (lower, upper) = options.percentiles();
    let low = percentile(&ratios, lower).filter(|low| low.is_finite())?;
    Some(Interval { low, high: percentile(&ratios, upper).filter(|high| high.is_finite()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{record_of, row};
    use crate::record::Question;

    /// Step, error, variance, squared norm.
    type Row = (u64, f64, f64, f64);

    fn scales(trials: &[&[Row]]) -> Option<NoiseScales> {
        let measured = |&(step, error, variance, norm): &Row| {
            let metrics = [
                ("val/error", error),
                (GRADIENT_VARIANCE, variance),
                (SQUARED_GRADIENT_NORM, norm),
            ];
            row(step, &metrics)
        };
        let trials: Vec<_> =
            trials.iter().map(|rows| rows.iter().map(measured).collect()).collect();
        let (record, goal) = record_of(32, &trials);
        let outcomes = record.outcomes(&Question::of_goal(goal));
        NoiseScales::of(&record, &outcomes, Some(2.0), &AnalysisOptions::default())
    }

    fn study(trials: &[&[Row]]) -> StudyNoiseScale {
        scales(trials).unwrap().studies[0]
    }

    #[test]
    fn averages_are_divided_once_and_weighted_by_steps() {
        // Half of the steps to both neighbours: 5, 15 and 10; 40 comes after the result.
        let rows =
            [(0, 0.9, 6.0, 1.0), (10, 0.5, 8.0, 2.0), (30, 0.05, 5.0, -0.25), (40, 0.0, 1e9, 1.0)];
        let study = study(&[&rows]);
        let (variance, norm) =
            (5.0 * 6.0 + 15.0 * 8.0 + 10.0 * 5.0, 5.0 + 15.0 * 2.0 - 10.0 * 0.25);
        let winner = study.winner.unwrap();
        assert_eq!(winner.gradient_variance, variance / 30.0);
        assert_eq!(winner.squared_gradient_norm, norm / 30.0);
        assert_eq!(winner.noise_scale, Some(variance / norm));
        assert_eq!((winner.n_measurements, winner.n_trials), (3, 1));
        let pooled = study.pooled.unwrap();
        assert_eq!((pooled.noise_scale, pooled.interval), (winner.noise_scale, None));
        assert_eq!(study.ratio_to_critical_batch_size, Some(variance / norm / 2.0));
    }

    #[test]
    fn missing_rows_are_passed_over() {
        let rows = [(0, 0.9, f64::NAN, 1.0), (10, 0.5, f64::NAN, 2.0), (30, 0.05, 6.0, 3.0)];
        assert_eq!(study(&[&rows]).winner.unwrap().noise_scale, Some(2.0));
    }

    #[test]
    fn a_negative_denominator_is_not_determined() {
        let study = study(&[&[(0, 0.9, 1.0, 1.0), (10, 0.05, 8.0, -2.0)]]);
        let pooled = study.pooled.unwrap();
        assert_eq!((pooled.noise_scale, pooled.interval), (None, None));
        assert_eq!(study.ratio_to_critical_batch_size, None);
    }

    #[test]
    fn trials_that_did_not_reach_or_measure_are_left_out() {
        let reached: [Row; 2] = [(0, 0.9, 8.0, 2.0), (10, 0.05, 8.0, 2.0)];
        let missed: [Row; 2] = [(0, 0.9, 1.0, 1.0), (10, 0.5, 1e6, 2.0)];
        let unmeasured: [Row; 2] = [(0, 0.9, f64::NAN, f64::NAN), (5, 0.0, 1.0, f64::NAN)];
        let study = study(&[&reached, &missed, &unmeasured]);
        let pooled = study.pooled.unwrap();
        assert_eq!((pooled.noise_scale, pooled.n_trials), (Some(4.0), 1));
        assert_eq!(study.winner, None, "the fastest trial measured none");
        assert!(scales(&[&missed]).is_none());
    }

    #[test]
    fn the_interval_holds_the_pooled_ratio() {
        let trials: Vec<[Row; 2]> = (0..8)
            .map(|k| [(0, 0.9, 8.0 + f64::from(k), 2.0), (10, 0.05, 8.0 + f64::from(k), 2.0)])
            .collect();
        let trials: Vec<&[Row]> = trials.iter().map(|trial| &trial[..]).collect();
        let pooled = study(&trials).pooled.unwrap();
        let Interval { low, high } = pooled.interval.unwrap();
        assert_eq!(pooled.noise_scale, Some((8.0 + 3.5) / 2.0));
        let high = high.unwrap();
        assert!(4.0 < low && low < 5.75 && 5.75 < high && high < 7.5, "{low} {high}");
    }
}
