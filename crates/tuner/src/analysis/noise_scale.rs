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
    /// Their ratio, in examples; `None` where the average of |G|^2 is not positive: not determined.
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

impl Sums {
    fn total(parts: impl Iterator<Item = Sums>) -> Sums {
        parts.fold(Sums::default(), |a, b| Sums {
            weight: a.weight + b.weight,
            variance: a.variance + b.variance,
            squared_norm: a.squared_norm + b.squared_norm,
        })
    }

    /// The same averages with a weight of 1; `None` without weight.
    fn mean(self) -> Option<Sums> {
        (self.weight > 0.0).then(|| Sums {
            weight: 1.0,
            variance: self.variance / self.weight,
            squared_norm: self.squared_norm / self.weight,
        })
    }

    /// The noise scale; `None` where |G|^2 is not positive.
    fn noise_scale(self) -> Option<f64> {
        (self.squared_norm > 0.0).then(|| self.variance / self.squared_norm)
    }
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
        Some((trial.trial.trial_id, measurements(&trial.curve, reached.step)))
    };
    let trials: Vec<(u64, Vec<Sums>)> = study.counted().filter_map(until_goal).collect();
    let winner = trials.iter().find(|(trial_id, _)| *trial_id == winner_id);
    // A trial's average weighs 1, however long it took.
    let pooled: Vec<Sums> = trials
        .iter()
        .filter_map(|(_, measured)| Sums::total(measured.iter().copied()).mean())
        .collect();
    let n_measurements = trials.iter().map(|(_, measured)| measured.len() as u64).sum();
    let n_pooled = pooled.len() as u64;
    let winner = winner.and_then(|(_, measured)| {
        noise_scale(measured, (measured.len() as u64, 1), draws.stream(0), options)
    });
    let pooled = noise_scale(&pooled, (n_measurements, n_pooled), draws.stream(1), options);
    (winner.is_some() || pooled.is_some()).then_some(StudyNoiseScale {
        batch_size,
        winner,
        pooled,
        ratio_to_critical_batch_size: None,
    })
}

/// The measurements of both metrics up to a step, each weighted by the steps it stands for. Rows in
/// which either is not a number are left out, and their steps go to their neighbours.
fn measurements(curve: &Curve, last_step: u64) -> Vec<Sums> {
    let norms = curve.rows(SQUARED_GRADIENT_NORM);
    let variances = curve.rows(GRADIENT_VARIANCE).map(|(_, variance)| variance);
    let rows: Vec<(u64, f64, f64)> = norms
        .zip(variances)
        .map(|((step, norm), variance)| (step, norm, variance))
        .filter(|(step, norm, variance)| *step <= last_step && !norm.is_nan() && !variance.is_nan())
        .collect();
    let step = |index: usize| rows[index.min(rows.len() - 1)].0;
    let sums = |index: usize| {
        let (_, norm, variance) = rows[index];
        let span = step(index + 1) - step(index.saturating_sub(1));
        let weight = if rows.len() == 1 { 1.0 } else { span as f64 / 2.0 };
        Sums { weight, variance: weight * variance, squared_norm: weight * norm }
    };
    (0..rows.len()).map(sums).collect()
}

/// The noise scale of parts that are resampled whole; `None` for none.
fn noise_scale(
    parts: &[Sums],
    (n_measurements, n_trials): (u64, u64),
    draws: Draws,
    options: &AnalysisOptions,
) -> Option<NoiseScale> {
    let mean = Sums::total(parts.iter().copied()).mean()?;
    let noise_scale = mean.noise_scale();
    let resampled = |resample: u64| {
        let drawn = draws.indices(resample, parts.len()).map(|index| parts[index]);
        // As small a gradient as cannot be told from 0: a noise scale without bound.
        Sums::total(drawn).noise_scale().unwrap_or(f64::INFINITY)
    };
    let has_interval = noise_scale.is_some() && parts.len() > 1;
    let n_resamples = usize::try_from(options.n_resamples).unwrap_or(usize::MAX);
    let resamples = (0..options.n_resamples).map(resampled);
    Some(NoiseScale {
        gradient_variance: mean.variance,
        squared_gradient_norm: mean.squared_norm,
        noise_scale,
        interval: has_interval.then(|| interval(resamples, n_resamples, options)).flatten(),
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
    fn numerator_and_denominator_are_averaged_over_steps_then_divided() {
        // Weights 5, 10 and 5 (steps 0, 10, 20): |G|^2 = (5 * 8 + 10 * 2 + 5 * 0) / 20 = 3 and
        // tr Sigma = (5 * 4 + 10 * 7 + 5 * 6) / 20 = 6, so 2; the mean of ratios would be another.
        let fast = trial(0, &[(0, 8.0, 4.0), (10, 2.0, 7.0), (20, 0.0, 6.0)]);
        let slow = trial(1, &[(0, 1.0, 6.0), (500, 1.0, 6.0)]);
        let found = scales(&record(&[(4, &[fast, slow])]), &question()).unwrap().studies[0];
        let winner = found.winner.unwrap();
        assert_eq!((winner.squared_gradient_norm, winner.gradient_variance), (3.0, 6.0));
        assert_eq!((winner.noise_scale, winner.n_measurements), (Some(2.0), 3));
        // Each trial weighs the same: (3 + 1) / 2 = 2 and (6 + 6) / 2 = 6.
        let pooled = found.pooled.unwrap();
        assert_eq!((pooled.noise_scale, pooled.n_trials, pooled.n_measurements), (Some(3.0), 2, 5));
        let Interval { low, high } = pooled.interval.unwrap();
        assert_eq!((low, high), (2.0, Some(6.0)), "both trials the first, and both the second");
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
        assert_eq!((found.n_measurements, found.noise_scale), (2, Some(3.0)));
        let negative = winner(&[(0, 1.0, 5.0), (10, -1.5, 5.0)]).unwrap();
        assert_eq!((negative.noise_scale, negative.interval), (None, None));
        // Sometimes not positive: bounded from below only.
        let faint = winner(&[(0, 3.0, 5.0), (10, -1.0, 5.0)]).unwrap();
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
