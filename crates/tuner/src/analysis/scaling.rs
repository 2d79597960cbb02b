//! The shape of steps to result against batch size: perfect scaling, diminishing returns, and
//! maximal data parallelism.

use super::nearest_point::nearest_point;

/// Two log steps this close are the same.
const ROUNDING: f64 = 1e-9;

/// What a doubling may cost where a regime is seen, as a part of the tolerance: four such doublings beyond
/// the measured ones would not pass it.
const SEEN: f64 = 0.25;

/// Steps to result at a batch size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurvePoint {
    /// Examples per update.
    pub batch_size: u64,
    /// Steps to result.
    pub steps: u64,
}

impl CurvePoint {
    pub(super) fn n_examples(self) -> f64 {
        self.batch_size as f64 * self.steps as f64
    }
}

/// Steps at each batch size if doubling it halved them: steps(B0) B0 / B.
///
/// B0 is the smallest batch size of the curve, as in the paper's figures; its noise tilts the
/// line. `curve` ascends in batch size, and the result has one number per point.
#[must_use]
pub fn perfect_scaling_line(curve: &[CurvePoint]) -> Vec<f64> {
    let n_examples = curve.first().map_or(0.0, |first| first.n_examples());
    curve.iter().map(|point| n_examples / point.batch_size as f64).collect()
}

/// The curve of the three regimes that lies nearest to a measured one.
///
/// # Equation
///
/// With x = log B and measured log steps y,
///
/// ```text
/// f = argmin sum over i of (f(x_i) - y_i)^2    over f(x) = c - sum over j of w_j min(x, x_j),
///                                              w_j >= 0, sum over j of w_j = 1
/// ```
///
/// mixtures of curves each of which scales perfectly up to one of the batch sizes and is flat from there
/// on. Between batch sizes drawn as lines, these are just the convex f with slopes from -1 (perfect
/// scaling) through diminishing returns to 0 (maximal data parallelism): a larger batch takes no more
/// steps and no fewer examples, and each doubling saves no more than the one before. All curves
/// S_min (1 + B_crit / B) are among them.
///
/// # Why not the points themselves
///
/// A regime ends where examples, or steps, leave their least by more than a tolerance. The least of many
/// noisy numbers is a lucky one, and all others would be held against it. Here points of the same
/// regime stand in for each other. A curve that has the shape is its own nearest.
///
/// # Source
///
/// Least squares under bounds of the shape: Hildreth, "Point estimates of ordinates of concave
/// functions", 1954.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalingCurve {
    batch_sizes: Vec<u64>,
    /// Does not rise, nor do examples fall: the first has the fewest examples, the last the fewest
    /// steps.
    log_steps: Vec<f64>,
}

impl ScalingCurve {
    /// The nearest to a curve that ascends in batch size. 0 steps count as 1.
    #[must_use]
    pub fn nearest(curve: &[CurvePoint]) -> ScalingCurve {
        let x: Vec<f64> = curve.iter().map(|point| log(point.batch_size)).collect();
        let y: Vec<f64> = curve.iter().map(|point| log(point.steps)).collect();
        let mean = mean(&y);
        // Of curves with the mean of the measured one, for that of the nearest is the same.
        let distance = |end: &f64| {
            let bend = centred(x.iter().map(|x| -x.min(*end)).collect());
            bend.iter().zip(&y).map(|(bend, y)| bend + mean - y).collect()
        };
        let distances: Vec<Vec<f64>> = x.iter().map(distance).collect();
        let distance = nearest_point(&distances);
        ScalingCurve {
            batch_sizes: curve.iter().map(|point| point.batch_size).collect(),
            log_steps: y.iter().zip(distance).map(|(y, distance)| y + distance).collect(),
        }
    }

    /// Steps at each batch size.
    pub fn steps(&self) -> impl Iterator<Item = f64> {
        self.log_steps.iter().map(|log_steps| log_steps.exp())
    }

    /// The largest batch size that takes at most (1 + `tolerance`) times the fewest examples.
    ///
    /// The paper reads it off by eye; the tolerance is ours (0.2 suits). `None` for an empty curve.
    #[must_use]
    pub fn end_of_perfect_scaling(&self, tolerance: f64) -> Option<u64> {
        let log_examples =
            |(batch_size, log_steps): (u64, f64)| log_steps + (batch_size as f64).ln();
        let most = log_examples(self.points().next()?) + tolerance.ln_1p() + ROUNDING;
        let frugal = self.points().filter(|point| log_examples(*point) <= most);
        frugal.map(|(batch_size, _)| batch_size).last()
    }

    /// The smallest batch size that takes at most (1 + `tolerance`) times the fewest steps.
    ///
    /// The paper reads it off by eye; the tolerance is ours (0.2 suits). `None` for an empty curve.
    #[must_use]
    pub fn maximum_useful_batch_size(&self, tolerance: f64) -> Option<u64> {
        let most = self.log_steps.last()? + tolerance.ln_1p() + ROUNDING;
        self.points().find(|(_, log_steps)| *log_steps <= most).map(|(batch_size, _)| batch_size)
    }

    /// Whether the curve begins with perfect scaling: at its smallest batch sizes, twice as far apart at
    /// least, examples grow by no more than a quarter of `tolerance` a doubling. If not, a sweep that begins
    /// earlier would find its end earlier.
    #[must_use]
    pub fn begins_with_perfect_scaling(&self, tolerance: f64) -> bool {
        let log_examples =
            |(batch_size, log_steps): (u64, f64)| log_steps + (batch_size as f64).ln();
        let Some(first) = self.points().next() else { return false };
        let doubled = self.points().find(|(batch_size, _)| batch_size / 2 >= first.0);
        doubled.is_some_and(|point| {
            let growth = log_examples(point) - log_examples(first);
            growth <= most_seen(tolerance, [first.0, point.0])
        })
    }

    /// Whether the curve ends in a plateau: at its largest batch sizes, twice as far apart at least, steps
    /// fall by no more than a quarter of `tolerance` a doubling. If not, a sweep that goes on would find its
    /// end later.
    #[must_use]
    pub fn ends_in_a_plateau(&self, tolerance: f64) -> bool {
        let Some((largest, fewest)) = self.points().last() else { return false };
        let halved = self.points().filter(|(batch_size, _)| *batch_size <= largest / 2);
        halved.last().is_some_and(|(batch_size, log_steps)| {
            log_steps - fewest <= most_seen(tolerance, [batch_size, largest])
        })
    }

    fn points(&self) -> impl Iterator<Item = (u64, f64)> {
        self.batch_sizes.iter().copied().zip(self.log_steps.iter().copied())
    }
}

/// How much log steps may fall, or log examples grow, between batch sizes where a regime is seen.
fn most_seen(tolerance: f64, [smaller, larger]: [u64; 2]) -> f64 {
    (SEEN * tolerance).ln_1p() * (larger as f64 / smaller as f64).log2() + ROUNDING
}

/// Of 0 as of 1.
pub(super) fn log(number: u64) -> f64 {
    (number.max(1) as f64).ln()
}

fn centred(values: Vec<f64>) -> Vec<f64> {
    let mean = mean(&values);
    values.into_iter().map(|value| value - mean).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use proptest::prelude::*;

    use super::*;

    fn curve(points: &[(u64, u64)]) -> Vec<CurvePoint> {
        points.iter().map(|&(batch_size, steps)| CurvePoint { batch_size, steps }).collect()
    }

    #[test]
    fn line_starts_at_the_smallest_batch_size() {
        let curve = curve(&[(2, 100), (8, 30), (32, 20)]);
        assert_eq!(perfect_scaling_line(&curve), [100.0, 25.0, 6.25]);
    }

    fn nearest(points: &[(u64, u64)]) -> ScalingCurve {
        ScalingCurve::nearest(&curve(points))
    }

    #[test]
    fn three_regimes_have_two_ends() {
        let points = [(1, 800), (2, 400), (4, 210), (8, 130), (16, 100), (32, 98)];
        // Examples: 800, 800, 840, 1040, 1600, 3136.
        let shape = nearest(&points);
        assert_eq!(shape.end_of_perfect_scaling(0.2), Some(4));
        assert_eq!(shape.end_of_perfect_scaling(0.04), Some(2));
        assert_eq!(shape.end_of_perfect_scaling(0.0), Some(2));
        assert_eq!(shape.maximum_useful_batch_size(0.1), Some(16));
        assert_eq!(shape.maximum_useful_batch_size(0.0), Some(32));
        for (found, (_, steps)) in shape.steps().zip(points) {
            assert!(
                (found / steps as f64 - 1.0).abs() < 1e-6,
                "it has the shape: {found}, {steps}"
            );
        }
    }

    #[test]
    fn a_power_law_has_no_regime_however_long_the_sweep() {
        for n in [5, 9, 13] {
            let steps = |exponent: f64| {
                let steps =
                    move |power: i32| (1e6 * 2_f64.powf(-exponent * f64::from(power))) as u64;
                let points: Vec<_> = (0..n).map(|power| (1 << power, steps(power))).collect();
                nearest(&points)
            };
            for exponent in [0.1, 0.25, 0.85] {
                let shape = steps(exponent);
                assert!(!shape.ends_in_a_plateau(0.2), "{exponent}, {n} batch sizes");
                assert!(!shape.begins_with_perfect_scaling(0.2), "{exponent}, {n} batch sizes");
            }
            assert!(steps(0.05).ends_in_a_plateau(0.2));
            assert!(steps(0.95).begins_with_perfect_scaling(0.2));
        }
        assert!(!nearest(&[]).ends_in_a_plateau(0.2));
        assert!(!nearest(&[(2, 100)]).begins_with_perfect_scaling(0.2));
    }

    /// One lucky trial at B = 8 takes 0.7 times the examples of the smaller ones; the points by
    /// themselves would have perfect scaling begin there.
    #[test]
    fn a_lucky_trial_does_not_move_the_ends() {
        let of = |at_8| nearest(&[(1, 800), (2, 400), (4, 200), (8, at_8), (16, 100), (32, 98)]);
        for shape in [of(100), of(70)] {
            assert_eq!(shape.end_of_perfect_scaling(0.2), Some(8), "{shape:?}");
            assert_eq!(shape.maximum_useful_batch_size(0.2), Some(8), "{shape:?}");
        }
    }

    #[test]
    fn a_noisy_curve_has_the_nearest_shape_of_scipy() {
        // From tests/fixtures/scaling_curve.py.
        let points = [
            (2, 38492, 42816.676330063),
            (4, 24812, 21408.338165032),
            (8, 10826, 10704.169082516),
            (16, 5207, 5352.084541258),
            (32, 2272, 2676.042270629),
            (64, 1780, 1479.109107078),
            (128, 856, 817.537067577),
            (256, 412, 451.871233612),
            (512, 323, 322.999998647),
            (1024, 241, 252.715254756),
            (3000, 265, 252.715254756),
        ];
        let shape = nearest(&points.map(|(batch_size, steps, _)| (batch_size, steps)));
        for (found, (batch_size, _, expected)) in shape.steps().zip(points) {
            assert!((found / expected - 1.0).abs() < 1e-6, "{batch_size}: {found}, not {expected}");
        }
    }

    #[test]
    fn no_results_have_no_shape() {
        assert!(perfect_scaling_line(&[]).is_empty());
        assert_eq!(nearest(&[]).end_of_perfect_scaling(0.2), None);
        assert_eq!(nearest(&[]).maximum_useful_batch_size(0.2), None);
        assert_eq!(nearest(&[(8, 0)]).end_of_perfect_scaling(0.2), Some(8));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Of any points: slopes ascend from -1 to 0, and no way within the shapes leads nearer.
        #[test]
        fn is_the_nearest_of_its_shape(
            steps in proptest::collection::vec(0..100_000_u64, 1..16),
            bend in 0..16_usize,
        ) {
            let points: Vec<CurvePoint> = (0..).zip(&steps)
                .map(|(power, steps)| CurvePoint { batch_size: 1 << power, steps: *steps })
                .collect();
            let found = ScalingCurve::nearest(&points).log_steps;
            let slopes: Vec<f64> = found.windows(2).map(|pair| (pair[1] - pair[0]) / LN_2).collect();
            prop_assert!(slopes.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9), "{slopes:?}");
            prop_assert!(slopes.iter().all(|slope| (-1.0 - 1e-9..=1e-9).contains(slope)), "{slopes:?}");
            let y = points.iter().map(|point| (point.steps.max(1) as f64).ln());
            let error: Vec<f64> = found.iter().zip(y).map(|(found, y)| found - y).collect();
            let end = LN_2 * bend as f64;
            let way = found.iter().enumerate().map(|(i, found)| -(LN_2 * i as f64).min(end) - found);
            let way = centred(way.collect());
            prop_assert!(mean(&error).abs() < 1e-9);
            let towards: f64 = error.iter().zip(&way).map(|(error, way)| error * way).sum();
            prop_assert!(towards >= -1e-9, "nearer towards {bend}: {error:?}");
        }
    }
}
