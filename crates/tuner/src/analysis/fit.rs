//! The curve of steps against batch size as one formula.
//!
//! # Equation
//!
//! ```text
//! S(B) = S_min (1 + B_crit / B)
//! ```
//!
//! fitted by least squares in log S. Given B_crit, the best log S_min is the mean of
//! log S - log(1 + B_crit / B), which leaves a minimisation over log B_crit alone. It is searched from
//! 2^-10 times the smallest to 2^10 times the largest batch size with a result, on a grid and then by
//! golden section; beyond, the curve is flat or perfect scaling to within rounding of the steps.
//!
//! # Intervals
//!
//! Two kinds of error move the numbers: that of each study's search, which curves drawn by it show (see
//! [`regimes`](super::regimes)), and that the points do not lie on the formula. Refitting what the fit
//! says with its residuals in random places, enlarged by (n / (n - 2))^(1/2) for the two numbers that
//! they were fitted with (Efron 1979), shows the second, and the first as far as it is alike at all batch
//! sizes. An interval is the hull of both; where nobody knows the error of the searches, the second
//! alone. Neither says what a sweep that begins or ends elsewhere would give: measured curves have not quite
//! this shape, and without its largest batch sizes a sweep has often a larger B_crit.
//!
//! # When B_crit is determined
//!
//! With at least three points, none of them off the fit by more than the tolerated factor, and the
//! whole interval of B_crit within the batch sizes that have a result: at B_crit the steps are twice the
//! fitted S_min, which lies below the fewest that were measured, so a sweep that ends before it has not
//! seen the plateau, and one that begins after it has not seen perfect scaling. If the interval
//! reaches beyond the largest batch size there is only a lower bound, the interval's lower end; if it
//! reaches below the smallest, only an upper bound; if both, nothing is determined. S_min likewise is
//! an extrapolation unless B_crit is determined or only bounded above.
//!
//! # Source
//!
//! McCandlish et al., "An empirical model of large-batch training", 2018: the steps-examples
//! trade-off (S / S_min - 1)(E / E_min - 1) = 1 with E = B S and B_crit = E_min / S_min.

use serde::Serialize;

use super::options::AnalysisOptions;
use super::resample::{Draws, quantile};
use super::scaling::CurvePoint;

/// Points that a fit of two numbers needs so that its residuals say anything.
const LEAST_POINTS: usize = 3;

/// How far beyond the measured batch sizes B_crit is searched, as a factor.
const SEARCH_FACTOR: f64 = 1024.0;

/// A number with a bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its interval; `None` where nothing tells.
    pub interval: Option<Interval>,
}

/// An interval of a real number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end; `None` where it is not bounded by the data.
    pub high: Option<f64>,
}

/// How much the measured batch sizes say about where a curve bends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Determination {
    /// The measured batch sizes lie on both sides of it.
    Determined,
    /// It lies beyond the largest batch sizes: the estimate is at best a lower bound.
    OnlyLowerBound,
    /// It lies before the smallest batch sizes: the estimate is at best an upper bound.
    OnlyUpperBound,
    /// These data do not determine it in either direction.
    NotDetermined,
    /// Some point is off the formula by more than the tolerance: the curve has another shape.
    PoorFit,
    /// Fewer points than the question needs.
    TooFewPoints,
}

/// The fit S(B) = S_min (1 + B_crit / B).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CurveFit {
    /// What the data say about B_crit. Read it before the numbers.
    pub determination: Determination,
    /// Batch sizes with a result.
    pub n_points: u64,
    /// The fitted numbers; `None` with too few points.
    pub parameters: Option<FitParameters>,
}

/// Numbers of a fit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FitParameters {
    /// S_min: steps at an infinitely large batch.
    pub minimum_steps: Estimate,
    /// B_crit: where steps are twice S_min, and examples twice their least.
    pub critical_batch_size: Estimate,
    /// Explained share of the variance of log S; `None` where all steps are the same.
    pub r_squared: Option<f64>,
    /// The largest factor, at least 1, by which a point is off the fit.
    pub largest_residual_factor: f64,
}

impl FitParameters {
    /// Steps at a batch size by the fitted formula.
    #[must_use]
    pub fn steps(&self, batch_size: f64) -> f64 {
        self.minimum_steps.value * (1.0 + self.critical_batch_size.value / batch_size)
    }
}

/// A fit without its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fitted {
    minimum_steps: f64,
    critical_batch_size: f64,
    squared_error: f64,
    largest_residual: f64,
}

impl CurveFit {
    /// Fits a curve that ascends in batch size; `drawn` are curves of the same studies by the error of
    /// their searches, none if it is not known. Points of 0 steps (the goal was met before training)
    /// have no logarithm and are left out.
    pub(super) fn of(
        curve: &[CurvePoint],
        drawn: &[Vec<CurvePoint>],
        options: &AnalysisOptions,
    ) -> CurveFit {
        let curve = positive(curve);
        let n_points = curve.len() as u64;
        let search = search_range(&curve);
        let Some(fitted) = Fitted::of(&curve, search) else {
            let determination = Determination::TooFewPoints;
            return CurveFit { determination, n_points, parameters: None };
        };
        // In one range for all, so that its ends are known.
        let refit = |curves: &[Vec<CurvePoint>]| -> Vec<Fitted> {
            curves.iter().filter_map(|curve| Fitted::of(&positive(curve), search)).collect()
        };
        let by_search = refit(drawn);
        let by_residuals = refit(&fitted.with_residuals_moved(&curve, options));
        let estimate = |of: fn(&Fitted) -> f64| {
            let interval = |fits: &[Fitted]| interval(fits.iter().map(of), options);
            let known = [interval(&by_search), interval(&by_residuals)].into_iter().flatten();
            Estimate { value: of(&fitted), interval: known.reduce(Interval::hull) }
        };
        let mut critical_batch_size = estimate(|fit| fit.critical_batch_size);
        if let Some(interval) = &mut critical_batch_size.interval {
            // At the ends of the search the number is that of the search, not of the data.
            interval.low = if interval.low <= search.0 * 1.01 { 0.0 } else { interval.low };
            interval.high = interval.high.filter(|high| *high < search.1 / 1.01);
        }
        let is_flat = curve.iter().all(|point| point.steps == curve[0].steps);
        let total = squares_about_mean(curve.iter().map(|point| (point.steps as f64).ln()));
        let parameters = FitParameters {
            minimum_steps: estimate(|fit| fit.minimum_steps),
            critical_batch_size,
            r_squared: (!is_flat).then(|| 1.0 - fitted.squared_error / total),
            largest_residual_factor: fitted.largest_residual.exp(),
        };
        let determination = determination(&parameters, &curve, options);
        CurveFit { determination, n_points, parameters: Some(parameters) }
    }
}

fn determination(
    fit: &FitParameters,
    curve: &[CurvePoint],
    options: &AnalysisOptions,
) -> Determination {
    let Estimate { value, interval } = fit.critical_batch_size;
    let low = interval.map_or(value, |interval| interval.low.min(value));
    let high = interval.map_or(Some(value), |interval| Some(interval.high?.max(value)));
    let (smallest, largest) = ends(curve);
    let is_before_plateau = high.is_none_or(|high| high > largest);
    match (low < smallest, is_before_plateau) {
        _ if fit.largest_residual_factor > options.tolerances.fit_factor => Determination::PoorFit,
        (true, true) => Determination::NotDetermined,
        (true, false) => Determination::OnlyUpperBound,
        (false, true) => Determination::OnlyLowerBound,
        (false, false) => Determination::Determined,
    }
}

impl Interval {
    fn hull(self, other: Interval) -> Interval {
        let high = self.high.zip(other.high).map(|(a, b)| a.max(b));
        Interval { low: self.low.min(other.low), high }
    }
}

impl Fitted {
    /// Curves of the fitted steps, each times the residual of a random point.
    fn with_residuals_moved(
        &self,
        curve: &[CurvePoint],
        options: &AnalysisOptions,
    ) -> Vec<Vec<CurvePoint>> {
        let draws = Draws::new(options.seed, "residuals");
        let n = curve.len() as f64;
        let enlarged = (n / (n - 2.0)).sqrt();
        let fitted = |point: &CurvePoint| {
            self.minimum_steps.ln() + log_growth(self.critical_batch_size, point)
        };
        let residuals: Vec<f64> = curve
            .iter()
            .map(|point| enlarged * ((point.steps as f64).ln() - fitted(point)))
            .collect();
        let moved = |resample: u64| {
            let drawn = draws.indices(resample, curve.len());
            let point = |(point, index): (&CurvePoint, usize)| {
                let steps = (fitted(point) + residuals[index]).exp().round().max(1.0) as u64;
                CurvePoint { steps, ..*point }
            };
            curve.iter().zip(drawn).map(point).collect()
        };
        (0..options.n_resamples).map(moved).collect()
    }

    /// The least-squares fit with B_crit in a range; `None` with too few points. All steps are
    /// positive.
    fn of(curve: &[CurvePoint], (low, high): (f64, f64)) -> Option<Fitted> {
        if curve.len() < LEAST_POINTS {
            return None;
        }
        let (low, high) = (low.ln(), high.ln());
        let n_cells = ((high - low) / 0.25).ceil() as usize;
        let width = (high - low) / n_cells as f64;
        let error = |log: f64| Fitted::at(curve, log.exp()).squared_error;
        let grid = (0..=n_cells).map(|cell| low + width * cell as f64);
        let best = grid.min_by(|a, b| error(*a).total_cmp(&error(*b)))?;
        let around = (low.max(best - width), high.min(best + width));
        Some(Fitted::at(curve, golden_section(around, error).exp()))
    }

    /// The fit with a given B_crit.
    fn at(curve: &[CurvePoint], critical_batch_size: f64) -> Fitted {
        let rest =
            |point: &CurvePoint| (point.steps as f64).ln() - log_growth(critical_batch_size, point);
        let mean = curve.iter().map(rest).sum::<f64>() / curve.len() as f64;
        let residual = |point: &CurvePoint| (rest(point) - mean).abs();
        Fitted {
            minimum_steps: mean.exp(),
            critical_batch_size,
            squared_error: curve.iter().map(|point| residual(point).powi(2)).sum(),
            largest_residual: curve.iter().map(residual).fold(0.0, f64::max),
        }
    }
}

/// log(1 + B_crit / B): how far steps at a point's batch size lie above S_min.
fn log_growth(critical_batch_size: f64, point: &CurvePoint) -> f64 {
    (critical_batch_size / point.batch_size as f64).ln_1p()
}

fn positive(curve: &[CurvePoint]) -> Vec<CurvePoint> {
    curve.iter().filter(|point| point.steps > 0 && point.batch_size > 0).copied().collect()
}

/// Smallest and largest batch size of a curve that ascends; 1 for an empty one.
fn ends(curve: &[CurvePoint]) -> (f64, f64) {
    let end = |point: Option<&CurvePoint>| point.map_or(1.0, |point| point.batch_size as f64);
    (end(curve.first()), end(curve.last()))
}

fn search_range(curve: &[CurvePoint]) -> (f64, f64) {
    let (smallest, largest) = ends(curve);
    (smallest / SEARCH_FACTOR, largest * SEARCH_FACTOR)
}

fn squares_about_mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / n;
    values.map(|value| (value - mean).powi(2)).sum()
}

/// Where a function that falls and then rises is least, to within 1e-9 of its argument.
fn golden_section((mut low, mut high): (f64, f64), f: impl Fn(f64) -> f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let inner = |low: f64, high: f64| (high - ratio * (high - low), low + ratio * (high - low));
    let (mut left, mut right) = inner(low, high);
    let (mut f_left, mut f_right) = (f(left), f(right));
    while high - low > 1e-9 {
        if f_left <= f_right {
            high = right;
            (right, f_right) = (left, f_left);
            left = inner(low, high).0;
            f_left = f(left);
        } else {
            low = left;
            (left, f_left) = (right, f_right);
            right = inner(low, high).1;
            f_right = f(right);
        }
    }
    (low + high) / 2.0
}

/// The percentile interval of resampled values; `None` where there are none, or the lower end is
/// infinite.
pub(super) fn interval(
    values: impl Iterator<Item = f64>,
    options: &AnalysisOptions,
) -> Option<Interval> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = options.percentiles();
    let high = quantile(&values, high).filter(|high| high.is_finite());
    let low = quantile(&values, low).filter(|low| low.is_finite())?;
    Some(Interval { low, high })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn curve(points: impl IntoIterator<Item = (u64, f64)>) -> Vec<CurvePoint> {
        let point = |(batch_size, steps): (u64, f64)| CurvePoint {
            batch_size,
            steps: steps.round() as u64,
        };
        points.into_iter().map(point).collect()
    }

    /// S_min (1 + B_crit / B) at powers of two.
    fn model(
        minimum: f64,
        critical: f64,
        powers: std::ops::RangeInclusive<u32>,
    ) -> Vec<CurvePoint> {
        let batch_sizes = powers.map(|power| 1_u64 << power);
        curve(batch_sizes.map(|b| (b, minimum * (1.0 + critical / b as f64))))
    }

    fn fit(curve: &[CurvePoint]) -> CurveFit {
        CurveFit::of(curve, &[], &AnalysisOptions::default())
    }

    #[test]
    fn exact_curves_give_their_own_numbers() {
        for (minimum, critical) in [(200_000.0, 64.0), (1e6, 3000.0), (50_000.0, 1.5)] {
            let fit = fit(&model(minimum, critical, 0..=12));
            let found = fit.parameters.unwrap();
            // Steps are rounded to whole ones: one part in 10^5.
            assert!((found.minimum_steps.value / minimum - 1.0).abs() < 1e-4, "{found:?}");
            assert!((found.critical_batch_size.value / critical - 1.0).abs() < 1e-4, "{found:?}");
            assert!(found.r_squared.unwrap() > 1.0 - 1e-8);
            assert!(found.largest_residual_factor < 1.0001);
            assert!((found.steps(critical) / (2.0 * minimum) - 1.0).abs() < 1e-3);
            assert_eq!(fit.determination, Determination::Determined);
        }
    }

    #[test]
    fn a_noisy_curve_has_the_numbers_of_scipy() {
        // From tests/fixtures/curve_fit.py.
        let batch_sizes = [1, 2, 8, 32, 128, 512, 2048, 55000];
        let steps = [41000.0, 19800.0, 5300.0, 1480.0, 515.0, 260.0, 231.0, 189.0];
        let found = fit(&curve(batch_sizes.into_iter().zip(steps))).parameters.unwrap();
        let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-6;
        assert!(close(found.minimum_steps.value, 194.975_873_923), "{found:?}");
        assert!(close(found.critical_batch_size.value, 207.245_192_502), "{found:?}");
        assert!(close(found.r_squared.unwrap(), 0.999_657_861_461), "{found:?}");
        assert!(close(found.largest_residual_factor, 1.075_888_563_009), "{found:?}");
    }

    /// Perfect scaling: no drawn curve bends.
    #[test]
    fn the_end_of_the_search_is_no_end_of_an_interval() {
        let whole = model(1.0, 1e9, 0..=6);
        let fit = CurveFit::of(&whole, &vec![whole.clone(); 99], &AnalysisOptions::default());
        let interval = fit.parameters.unwrap().critical_batch_size.interval.unwrap();
        assert_eq!(interval.high, None, "{interval:?}");
    }

    /// Searches without error around points off the formula: the interval is that of the residuals,
    /// here by the usual formula, with the standard error of log B_crit from the slopes
    /// B_crit / (B + B_crit).
    #[test]
    fn points_off_the_formula_widen_the_interval() {
        let mut points = model(1000.0, 64.0, 0..=11);
        for (index, point) in points.iter_mut().enumerate() {
            let factor = if index % 2 == 0 { 1.2 } else { 1.0 / 1.2 };
            point.steps = (point.steps as f64 * factor).round() as u64;
        }
        let fit = CurveFit::of(&points, &vec![points.clone(); 9], &AnalysisOptions::default());
        let Estimate { value, interval } = fit.parameters.unwrap().critical_batch_size;
        let interval = interval.unwrap();
        let slopes = points.iter().map(|point| value / (point.batch_size as f64 + value));
        let residual = Fitted::at(&points, value).squared_error / 10.0;
        let error = (residual / squares_about_mean(slopes)).sqrt();
        for (end, sign) in [(interval.low, -1.0), (interval.high.unwrap(), 1.0)] {
            let expected = value * (sign * 1.96 * error).exp();
            assert!((end / expected).ln().abs() < 0.15, "{end} and {expected}, of {value}");
        }
    }

    #[test]
    fn sweeps_that_end_too_early_or_begin_too_late_say_so() {
        let of = |powers| fit(&model(1e6, 256.0, powers)).determination;
        assert_eq!(of(0..=14), Determination::Determined);
        assert_eq!(of(0..=6), Determination::OnlyLowerBound, "B_crit is 256, the last size 64");
        assert_eq!(of(10..=16), Determination::OnlyUpperBound);
        assert_eq!(of(7..=8), Determination::TooFewPoints);
        let perfect = fit(&curve((0..8).map(|power| (1 << power, 1e6 / f64::from(1 << power)))));
        assert_eq!(perfect.determination, Determination::OnlyLowerBound);
        let flat = fit(&curve((0..8).map(|power| (1 << power, 500.0))));
        assert_eq!(flat.determination, Determination::OnlyUpperBound);
        assert_eq!(flat.parameters.unwrap().r_squared, None);
        assert!((flat.parameters.unwrap().minimum_steps.value - 500.0).abs() < 1.0);
    }

    #[test]
    fn another_shape_is_called_a_poor_fit() {
        let bump = [(1, 1000.0), (2, 500.0), (4, 2500.0), (8, 125.0), (16, 100.0), (32, 100.0)];
        let fit = fit(&curve(bump));
        assert_eq!(fit.determination, Determination::PoorFit);
        assert!(fit.parameters.unwrap().largest_residual_factor > 1.5);
    }

    #[test]
    fn points_without_steps_are_left_out() {
        let mut points = model(1e5, 16.0, 0..=8);
        points[8].steps = 0;
        assert_eq!(fit(&points).n_points, 8);
        assert_eq!(fit(&points).parameters, fit(&points[..8]).parameters);
        assert_eq!(fit(&[]).determination, Determination::TooFewPoints);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn no_other_numbers_fit_better(
            steps in proptest::collection::vec(1..100_000_u64, 3..10),
            minimum_factor in 0.5..2.0_f64,
            log_critical in -9.0..20.0_f64,
        ) {
            let points: Vec<CurvePoint> = (0..).zip(&steps)
                .map(|(power, steps)| CurvePoint { batch_size: 1 << power, steps: *steps })
                .collect();
            let best = Fitted::of(&points, search_range(&points)).unwrap();
            let other = |minimum: f64, critical: f64| points.iter().map(|point| {
                let predicted = minimum * (1.0 + critical / point.batch_size as f64);
                (point.steps as f64 / predicted).ln().powi(2)
            }).sum::<f64>();
            prop_assert!(best.squared_error <= other(minimum_factor * best.minimum_steps,
                best.critical_batch_size) + 1e-9);
            let (low, high) = search_range(&points);
            let critical = log_critical.exp2().clamp(low, high);
            let given = Fitted::at(&points, critical);
            prop_assert!(best.squared_error <= other(given.minimum_steps, critical) + 1e-9);
        }
    }
}
