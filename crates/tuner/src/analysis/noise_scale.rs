//! The gradient noise scale measured during training, against the measured critical batch size.
//!
//! # Equation
//!
//! B_simple = tr(Sigma) / |G|^2, with G the gradient and Sigma the covariance of the gradient of one
//! example. Trainers measure an unbiased estimate of each, as the metrics
//! [`GRADIENT_VARIANCE`] and [`SQUARED_GRADIENT_NORM`]; either may come out negative. Their ratio would
//! be biased, so in each tenth of the way to the goal they are averaged apart, over measurements and
//! trials, to v and g. B_simple grows on that way, often tenfold, and what the critical batch size
//! averages are steps without noise: of a step of batch size B, 1 / (1 + B_simple / B) = g / (g + v / B)
//! is progress. So steps are S_min (1 + B_noise / B) with
//!
//! ```text
//! B_noise = sum of v / (g + v / B)  over  sum of g / (g + v / B),
//! ```
//!
//! sums over the tenths, each weighed by its steps: tr(Sigma) and |G|^2 relative to the squared norm of a
//! batch's gradient. Averaged as they are instead, they would tell of the start alone, where gradients
//! are large. Each measurement weighs as many steps as it stands for (half of those to its neighbours, as in
//! the trapezoid rule; the first one all from the start, the last one all to the goal), so that the average
//! is one over training and not over the evaluation grid, which is dense at the start and, at small batch
//! sizes, [measured in part](crate::EvaluationGrid::is_noise_point).
//!
//! # Source
//!
//! McCandlish et al. 2018, equation 2.7 for the progress of a step and appendix A for the estimates.

use serde::Serialize;

use super::fit::{Determination, Interval, interval};
use super::goal::{GoalAnalysis, StudyAnalysis};
use super::options::AnalysisOptions;
use super::resample::Draws;
use crate::record::{Curve, Record, StudyRecord, TrialCurve};
use crate::trainer::{GRADIENT_VARIANCE, SQUARED_GRADIENT_NORM};

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
    /// B_noise, in examples; `None` where |G|^2 cannot be told from 0: not determined.
    pub noise_scale: Option<f64>,
    /// Its bootstrap interval; `None` with a single unit to resample or without a noise scale.
    pub interval: Option<Interval>,
    /// Measurements averaged.
    pub n_measurements: u64,
    /// Trials averaged.
    pub n_trials: u64,
}

/// A weighted sum of tr(Sigma) and |G|^2: what can be added up and resampled.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    weight: f64,
    variance: f64,
    squared_norm: f64,
}

/// Sums over each tenth of the way to the goal.
type Way = [Sums; N_PARTS];

/// Parts of the way to the goal: within one the noise scale hardly changes, and the trials of a study have
/// measurements enough.
const N_PARTS: usize = 10;

impl Sums {
    fn total(parts: impl Iterator<Item = Sums>) -> Sums {
        parts.fold(Sums::default(), |a, b| Sums {
            weight: a.weight + b.weight,
            variance: a.variance + b.variance,
            squared_norm: a.squared_norm + b.squared_norm,
        })
    }

    fn times(self, factor: f64) -> Sums {
        Sums {
            weight: factor * self.weight,
            variance: factor * self.variance,
            squared_norm: factor * self.squared_norm,
        }
    }
}

/// The sum of ways; tenth by tenth.
fn total_way<'a>(ways: impl Iterator<Item = &'a Way> + Clone) -> Way {
    std::array::from_fn(|part| Sums::total(ways.clone().map(|way| way[part])))
}

/// B_noise; `None` where |G|^2, or the norm of a batch's gradient, cannot be told from 0.
fn noise_scale_of(way: &Way, batch_size: u64) -> Option<f64> {
    let measured = way.iter().filter(|sums| sums.weight > 0.0);
    let relative = measured.map(|sums| {
        let batch_norm = sums.squared_norm + sums.variance / batch_size as f64;
        (batch_norm > 0.0).then(|| sums.times(sums.weight / batch_norm))
    });
    let relative: Option<Vec<Sums>> = relative.collect();
    let Sums { variance, squared_norm, .. } = Sums::total(relative?.into_iter());
    (squared_norm > 0.0).then(|| variance / squared_norm)
}

impl NoiseScales {
    /// The noise scales of a record, over the trials and up to the steps of an analysis of it; `None`
    /// where no study has both metrics.
    #[must_use]
    pub fn of(
        record: &Record,
        analysis: &GoalAnalysis,
        options: &AnalysisOptions,
    ) -> Option<NoiseScales> {
        let fit = &analysis.regimes.fit;
        let is_determined = fit.determination == Determination::Determined;
        let critical_batch_size = fit
            .parameters
            .filter(|_| is_determined)
            .map(|parameters| parameters.critical_batch_size.value);
        let studies: Vec<StudyNoiseScale> = record
            .studies
            .iter()
            .zip(&analysis.studies)
            .filter_map(|(study, found)| of_study(study, found, analysis, options))
            .map(|study| StudyNoiseScale {
                ratio_to_critical_batch_size: study
                    .pooled
                    .and_then(|pooled| Some(pooled.noise_scale? / critical_batch_size?)),
                ..study
            })
            .collect();
        (!studies.is_empty()).then_some(NoiseScales { studies, critical_batch_size })
    }
}

/// The noise scales of a study, not yet held against B_crit; `None` without measurements.
fn of_study(
    study: &StudyRecord,
    found: &StudyAnalysis,
    analysis: &GoalAnalysis,
    options: &AnalysisOptions,
) -> Option<StudyNoiseScale> {
    let batch_size = study.facts.batch_size;
    let (question, winner_id) = (&analysis.question, found.result.as_ref()?.trial_id);
    let draws = Draws::new(options.seed, "noise scale").stream(batch_size);
    let until_goal = |trial: &TrialCurve| {
        let rows = trial.curve.rows(&question.goal.metric);
        let reached = question.first_reached(batch_size, rows)?;
        let measured = measurements(&trial.curve, reached.step);
        (!measured.is_empty()).then_some((trial.trial.trial_id, measured))
    };
    let trials: Vec<(u64, Vec<Way>)> = study.counted().filter_map(until_goal).collect();
    let winner = trials.iter().find(|(trial_id, _)| *trial_id == winner_id);
    // A trial weighs 1, however long it took.
    let pooled: Vec<Way> = trials
        .iter()
        .map(|(_, measured)| {
            let way = total_way(measured.iter());
            let weight = Sums::total(way.iter().copied()).weight;
            way.map(|sums| sums.times(1.0 / weight))
        })
        .collect();
    let n_measurements = trials.iter().map(|(_, measured)| measured.len() as u64).sum();
    let n_pooled = pooled.len() as u64;
    let of = |parts: &[Way], counts, stream| {
        noise_scale(parts, counts, batch_size, draws.stream(stream), options)
    };
    let winner = winner.and_then(|(_, measured)| of(measured, (measured.len() as u64, 1), 0));
    let pooled = of(&pooled, (n_measurements, n_pooled), 1);
    (winner.is_some() || pooled.is_some()).then_some(StudyNoiseScale {
        batch_size,
        winner,
        pooled,
        ratio_to_critical_batch_size: None,
    })
}

/// The measurements of both metrics up to a step, each in its tenth of the way there and weighted by the
/// steps it stands for: from halfway to the one before, or from the start, to halfway to the next one, or to
/// that step. Rows in which either is not a number are left out, and their steps go to their
/// neighbours.
fn measurements(curve: &Curve, last_step: u64) -> Vec<Way> {
    let norms = curve.rows(SQUARED_GRADIENT_NORM);
    let variances = curve.rows(GRADIENT_VARIANCE).map(|(_, variance)| variance);
    let rows: Vec<(u64, f64, f64)> = norms
        .zip(variances)
        .map(|((step, norm), variance)| (step, norm, variance))
        .filter(|(step, norm, variance)| *step <= last_step && !norm.is_nan() && !variance.is_nan())
        .collect();
    let halfway = |a: u64, b: u64| (a as f64 + b as f64) / 2.0;
    let way = |index: usize| {
        let (at, norm, variance) = rows[index];
        let before = index.checked_sub(1).map_or(0.0, |before| halfway(rows[before].0, at));
        let after = rows.get(index + 1).map_or(last_step as f64, |after| halfway(at, after.0));
        // Of a trial that reaches the goal at once there are no steps.
        let weight = if last_step == 0 { 1.0 } else { after - before };
        let part = (N_PARTS as u64 * at / last_step.max(1)).min(N_PARTS as u64 - 1);
        let mut way = Way::default();
        way[part as usize] =
            Sums { weight, variance: weight * variance, squared_norm: weight * norm };
        way
    };
    (0..rows.len()).map(way).collect()
}

/// The noise scale of parts that are resampled whole; `None` for none.
fn noise_scale(
    parts: &[Way],
    (n_measurements, n_trials): (u64, u64),
    batch_size: u64,
    draws: Draws,
    options: &AnalysisOptions,
) -> Option<NoiseScale> {
    let way = total_way(parts.iter());
    let sums = Sums::total(way.iter().copied());
    if sums.weight <= 0.0 {
        return None;
    }
    let noise_scale = noise_scale_of(&way, batch_size);
    let resampled = |resample: u64| {
        let drawn: Vec<&Way> = draws.indices(resample, parts.len()).map(|i| &parts[i]).collect();
        // As small a gradient as cannot be told from 0: a noise scale without bound.
        noise_scale_of(&total_way(drawn.iter().copied()), batch_size).unwrap_or(f64::INFINITY)
    };
    let has_interval = noise_scale.is_some() && parts.len() > 1;
    let resamples = (0..options.n_resamples).map(resampled);
    Some(NoiseScale {
        gradient_variance: sums.variance / sums.weight,
        squared_gradient_norm: sums.squared_norm / sums.weight,
        noise_scale,
        interval: has_interval.then(|| interval(resamples, options)).flatten(),
        n_measurements,
        n_trials,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{question, record};
    use crate::record::Question;
    use crate::store::TrialStatus;

    /// A trial with rows (step, |G|^2, tr Sigma) that reaches the goal at the last one.
    fn trial(trial_id: u64, rows: &[(u64, f64, f64)]) -> TrialCurve {
        let mut trial = crate::analysis::testing::trial_curve(trial_id, &[]);
        let last = rows.len() - 1;
        for (index, (step, norm, variance)) in rows.iter().enumerate() {
            let error = if index == last { 0.0 } else { 1.0 };
            let metrics = [
                (question().goal.metric, error),
                (SQUARED_GRADIENT_NORM.to_owned(), *norm),
                (GRADIENT_VARIANCE.to_owned(), *variance),
            ];
            trial.curve.push(*step, metrics);
        }
        trial.trial.steps = rows[last].0;
        trial
    }

    fn scales(record: &Record, question: &Question) -> Option<NoiseScales> {
        let options = AnalysisOptions::default();
        let analysis = GoalAnalysis::of(&record.outcomes(question), question, &options);
        NoiseScales::of(record, &analysis, &options)
    }

    #[test]
    fn both_are_taken_relative_to_the_norm_of_a_batch_gradient() {
        // Weights 5, 10 and 5 (steps 0, 10, 20, each in a tenth of its own); |G|^2 + tr Sigma / 4 is
        // 9, 3.75 and 1.5. Averages: |G|^2 = (5 * 8 + 10 * 2) / 20 = 3, tr Sigma = 6.
        let fast = trial(0, &[(0, 8.0, 4.0), (10, 2.0, 7.0), (20, 0.0, 6.0)]);
        let slow = trial(1, &[(0, 1.0, 6.0), (500, 1.0, 6.0)]);
        let found = scales(&record(&[(4, &[fast, slow])]), &question()).unwrap().studies[0];
        let winner = found.winner.unwrap();
        assert_eq!((winner.squared_gradient_norm, winner.gradient_variance), (3.0, 6.0));
        let variance = 5.0 * 4.0 / 9.0 + 10.0 * 7.0 / 3.75 + 5.0 * 6.0 / 1.5;
        let norm = 5.0 * 8.0 / 9.0 + 10.0 * 2.0 / 3.75;
        assert!((winner.noise_scale.unwrap() / (variance / norm) - 1.0).abs() < 1e-12);
        assert_eq!(winner.n_measurements, 3);
        // Each trial weighs the same: a quarter and a half of the first in steps 0 and 20 beside a
        // half of the second.
        let pooled = found.pooled.unwrap();
        let of_part = |weight: f64, norm: f64, variance: f64| {
            let batch_norm = norm + variance / 4.0;
            [weight * variance / batch_norm, weight * norm / batch_norm]
        };
        let first = of_part(0.75, (0.25 * 8.0 + 0.5) / 0.75, (0.25 * 4.0 + 3.0) / 0.75);
        let last = of_part(0.75, 0.5 / 0.75, (0.25 * 6.0 + 3.0) / 0.75);
        let middle = of_part(0.5, 2.0, 7.0);
        let sum = |k: usize| first[k] + middle[k] + last[k];
        assert!((pooled.noise_scale.unwrap() / (sum(0) / sum(1)) - 1.0).abs() < 1e-12);
        assert_eq!((pooled.n_trials, pooled.n_measurements), (2, 5));
        let Interval { low, high } = pooled.interval.unwrap();
        // The least is that of both, the largest that of the second twice.
        assert!((low - pooled.noise_scale.unwrap()).abs() < 1e-12, "{low}");
        assert!((high.unwrap() - 6.0).abs() < 1e-12, "{high:?}");
    }

    /// Steps of noise scales that grow tenfold: S = S_min (1 + B_noise / B) holds exactly, with the mean
    /// over steps without noise.
    #[test]
    fn is_the_critical_batch_size_of_training_whose_noise_grows() {
        let (n_noise_free, batch_size) = (10_000_u32, 16_u64);
        let local = |progress: f64| 50.0 * 10.0_f64.powf(progress);
        // The step at which so many noise-free steps are made, at the given batch size.
        let mut rows = vec![];
        let (mut steps, mut mean) = (0.0, 0.0);
        for step in 0..n_noise_free {
            let noise_scale = local(f64::from(step) / f64::from(n_noise_free));
            // Gradients that shrink a hundredfold do not matter.
            let norm = 0.01_f64.powf(f64::from(step) / f64::from(n_noise_free));
            rows.push((steps as u64, norm, norm * noise_scale));
            mean += noise_scale / f64::from(n_noise_free);
            steps += 1.0 + noise_scale / batch_size as f64;
        }
        let thinned: Vec<_> = rows.into_iter().step_by(50).collect();
        let record = record(&[(batch_size, &[trial(0, &thinned)])]);
        let found = scales(&record, &question()).unwrap().studies[0].winner.unwrap();
        let noise_scale = found.noise_scale.unwrap();
        assert!((noise_scale / mean - 1.0).abs() < 0.02, "{noise_scale} and {mean}");
        // As they are: far less, for the start counts most.
        let plain = found.gradient_variance / found.squared_gradient_norm;
        assert!(plain < 0.7 * mean, "{plain} and {mean}");
    }

    #[test]
    fn constant_measurements_have_no_width() {
        let rows: Vec<(u64, f64, f64)> = (0..20).map(|step| (step * step, 0.5, 32.0)).collect();
        let found = scales(&record(&[(4, &[trial(0, &rows)])]), &question()).unwrap().studies[0];
        let winner = found.winner.unwrap();
        assert!((winner.noise_scale.unwrap() - 64.0).abs() < 1e-9);
        let interval = winner.interval.unwrap();
        assert!((interval.low - 64.0).abs() < 1e-9 && (interval.high.unwrap() - 64.0).abs() < 1e-9);
        assert_eq!(found.pooled.unwrap().interval, None, "a single trial says nothing on others");
    }

    #[test]
    fn what_was_not_measured_is_skipped_and_what_is_not_determined_is_said() {
        let nan = f64::NAN;
        let rows = [(0, nan, 1.0), (10, 1.0, 3.0), (20, 1.0, nan), (30, 3.0, 9.0), (40, nan, nan)];
        let winner = |rows: &[(u64, f64, f64)]| {
            scales(&record(&[(4, &[trial(0, rows)])]), &question()).unwrap().studies[0].winner
        };
        let found = winner(&rows).unwrap();
        assert_eq!(found.n_measurements, 2);
        assert!((found.noise_scale.unwrap() - 3.0).abs() < 1e-12);
        // The last measurement stands for all steps from halfway to the goal: 5 and 35 of 40.
        let seldom =
            winner(&[(0, 1.0, 2.0), (10, 1.0, 6.0), (20, nan, nan), (40, nan, nan)]).unwrap();
        assert_eq!(seldom.gradient_variance, (5.0 * 2.0 + 35.0 * 6.0) / 40.0);
        let negative = winner(&[(0, 1.0, 5.0), (10, -1.5, 5.0)]).unwrap();
        assert_eq!((negative.noise_scale, negative.interval), (None, None));
        // Sometimes not positive: bounded from below only.
        let faint = winner(&[(0, 3.0, 5.0), (10, -0.2, 5.0)]).unwrap();
        assert!(faint.noise_scale.is_some() && faint.interval.unwrap().high.is_none());
        let mut unreached = trial(0, &rows);
        unreached.trial.status = TrialStatus::Infeasible;
        assert_eq!(scales(&record(&[(4, &[unreached])]), &question()), None);
        let without = record(&[(4, &[crate::analysis::testing::trial_curve(0, &[(0, 0.0)])])]);
        assert_eq!(scales(&without, &question()), None);
    }

    #[test]
    fn only_training_up_to_the_goal_counts() {
        let mut early = trial(0, &[(0, 1.0, 2.0), (10, 1.0, 2.0)]);
        let later = [
            (question().goal.metric, 0.0),
            (SQUARED_GRADIENT_NORM.to_owned(), 1.0),
            (GRADIENT_VARIANCE.to_owned(), 900.0),
        ];
        early.curve.push(20, later);
        let found = scales(&record(&[(4, &[early])]), &question()).unwrap().studies[0];
        assert_eq!(found.winner.unwrap().noise_scale, Some(2.0));
    }
}
