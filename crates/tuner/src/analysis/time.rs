//! Time and money: seconds and examples to result on the measured device, and on ideal ones.

use serde::Serialize;

use super::options::AnalysisOptions;
use super::scaling::CurvePoint;
use crate::record::StudyFacts;

/// Time to result, where the duration of a step was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimeToResult {
    /// Batch sizes with a result and a measured step, ascending.
    pub points: Vec<TimePoint>,
    /// Projections, one for each number of devices asked for.
    pub projections: Vec<IdealProjection>,
}

/// Time to result at one batch size, as measured on one device.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TimePoint {
    /// Examples per update.
    pub batch_size: u64,
    /// Steps to result.
    pub steps: u64,
    /// Measured duration of one step.
    pub seconds_per_step: f64,
    /// Time to result: steps times seconds per step. Evaluation is not in it.
    pub seconds: f64,
    /// Examples to result.
    pub examples: u64,
    /// Whether no other batch size needs both less time and fewer examples, or less of one and the
    /// same of the other.
    pub is_on_pareto_front: bool,
}

/// A projection, not a measurement: time to result on N ideal data-parallel devices.
///
/// # Equation
///
/// A step at batch size B on N devices takes as long as one at B / N on one device. That duration is
/// interpolated linearly in log time against log batch size between the measured batch sizes; where
/// B / N lies outside of them nothing is projected. Communication is free, and every device is as fast
/// as the measured one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IdealProjection {
    /// N.
    pub n_devices: u64,
    /// Batch sizes for which there is a projection, ascending.
    pub points: Vec<ProjectedPoint>,
}

/// A projected time to result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ProjectedPoint {
    /// Examples per update, over all devices.
    pub batch_size: u64,
    /// Projected duration of one step.
    pub projected_seconds_per_step: f64,
    /// Projected time to result.
    pub projected_seconds: f64,
    /// Projected price: devices times time to result.
    pub projected_device_seconds: f64,
}

impl TimeToResult {
    /// From a curve and what is known of the studies; batch sizes without a measured step are left
    /// out. `None` if that leaves none.
    #[must_use]
    pub fn of(
        curve: &[CurvePoint],
        studies: &[StudyFacts],
        options: &AnalysisOptions,
    ) -> Option<TimeToResult> {
        let measured = studies.iter().filter_map(|facts| {
            let seconds = facts.seconds_per_step?;
            (seconds.is_finite() && seconds > 0.0).then_some((facts.batch_size, seconds))
        });
        let mut speeds: Vec<(u64, f64)> = measured.collect();
        speeds.sort_by_key(|(batch_size, _)| *batch_size);
        let timed = curve.iter().filter_map(|point| {
            let index = speeds.binary_search_by_key(&point.batch_size, |(size, _)| *size).ok()?;
            Some(time_point(*point, speeds[index].1))
        });
        let points = with_front(timed.collect());
        let project = |n: &u64| IdealProjection::of(curve, &speeds, *n);
        let projections = options.n_devices.iter().map(project).collect();
        (!points.is_empty()).then_some(TimeToResult { points, projections })
    }
}

fn time_point(point: CurvePoint, seconds_per_step: f64) -> TimePoint {
    TimePoint {
        batch_size: point.batch_size,
        steps: point.steps,
        seconds_per_step,
        seconds: point.steps as f64 * seconds_per_step,
        examples: point.steps.saturating_mul(point.batch_size),
        is_on_pareto_front: false,
    }
}

fn with_front(points: Vec<TimePoint>) -> Vec<TimePoint> {
    let is_better = |a: &TimePoint, b: &TimePoint| {
        a.seconds <= b.seconds
            && a.examples <= b.examples
            && (a.seconds < b.seconds || a.examples < b.examples)
    };
    let on_front = |point: &TimePoint| TimePoint {
        is_on_pareto_front: !points.iter().any(|other| is_better(other, point)),
        ..*point
    };
    points.iter().map(on_front).collect()
}

impl IdealProjection {
    fn of(curve: &[CurvePoint], speeds: &[(u64, f64)], n_devices: u64) -> IdealProjection {
        let project = |point: &CurvePoint| {
            let share = point.batch_size as f64 / n_devices.max(1) as f64;
            let seconds_per_step = interpolated(speeds, share)?;
            let seconds = point.steps as f64 * seconds_per_step;
            Some(ProjectedPoint {
                batch_size: point.batch_size,
                projected_seconds_per_step: seconds_per_step,
                projected_seconds: seconds,
                projected_device_seconds: seconds * n_devices as f64,
            })
        };
        IdealProjection { n_devices, points: curve.iter().filter_map(project).collect() }
    }
}

/// Seconds per step at a batch size between measured ones, on a line in log against log.
fn interpolated(speeds: &[(u64, f64)], batch_size: f64) -> Option<f64> {
    let above = speeds.partition_point(|(size, _)| (*size as f64) < batch_size);
    let &(high, at_high) = speeds.get(above)?;
    if high as f64 == batch_size {
        return Some(at_high);
    }
    let (low, at_low) = speeds[above.checked_sub(1)?];
    let part = (batch_size / low as f64).ln() / (high as f64 / low as f64).ln();
    Some((at_low.ln() + part * (at_high / at_low).ln()).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::study;

    fn times(n_devices: &[u64]) -> TimeToResult {
        let curve = [(1, 1000), (4, 300), (16, 200), (64, 200)];
        let curve = curve.map(|(batch_size, steps)| CurvePoint { batch_size, steps });
        // Linear from 4 on; a step of 1 costs as much as one of 4.
        let speeds = [(64, 1.6), (1, 0.1), (4, 0.1), (16, 0.4), (256, 6.4)];
        let facts = speeds.map(|(batch_size, seconds)| StudyFacts {
            seconds_per_step: Some(seconds),
            ..study(batch_size, &[]).facts
        });
        let options = AnalysisOptions { n_devices: n_devices.to_vec(), ..Default::default() };
        TimeToResult::of(&curve, &facts, &options).unwrap()
    }

    #[test]
    fn time_and_examples_have_a_front() {
        let points = times(&[]).points;
        let seen: Vec<(f64, u64, bool)> =
            points.iter().map(|p| (p.seconds, p.examples, p.is_on_pareto_front)).collect();
        // 4 is fastest, 1 takes the fewest examples, the others take more of both.
        let expected =
            [(100.0, 1000, true), (30.0, 1200, true), (80.0, 3200, false), (320.0, 12_800, false)];
        for (seen, expected) in seen.iter().zip(expected) {
            assert!((seen.0 - expected.0).abs() < 1e-9, "{seen:?}");
            assert_eq!((seen.1, seen.2), (expected.1, expected.2));
        }
    }

    #[test]
    fn devices_share_the_batch() {
        let projections = times(&[1, 4, 1000]).projections;
        let seconds = |index: usize| -> Vec<(u64, f64)> {
            let points = &projections[index].points;
            points.iter().map(|point| (point.batch_size, point.projected_seconds)).collect()
        };
        let measured = times(&[]).points;
        for (projected, measured) in seconds(0).iter().zip(&measured) {
            assert!(
                (projected.1 - measured.seconds).abs() < 1e-9,
                "one device is the measured one"
            );
        }
        // A quarter of 1 was not measured; nothing is projected there.
        let expected = [(4, 300.0 * 0.1), (16, 200.0 * 0.1), (64, 200.0 * 0.4)];
        assert_eq!(seconds(1).len(), expected.len());
        for (found, expected) in seconds(1).iter().zip(expected) {
            assert!(found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-9, "{found:?}");
        }
        let price = projections[1].points[0].projected_device_seconds;
        assert!((price - 4.0 * 30.0).abs() < 1e-9, "{price}");
        assert!(projections[2].points.is_empty());
    }

    #[test]
    fn speeds_between_measurements_lie_on_a_power_law() {
        let speeds = [(2, 1.0), (8, 16.0)];
        assert!((interpolated(&speeds, 4.0).unwrap() - 4.0).abs() < 1e-12);
        assert_eq!(interpolated(&speeds, 8.0), Some(16.0));
        assert_eq!((interpolated(&speeds, 1.0), interpolated(&speeds, 9.0)), (None, None));
    }

    #[test]
    fn without_a_measured_speed_there_is_no_time() {
        let curve = [CurvePoint { batch_size: 1, steps: 2 }];
        let facts = [study(1, &[]).facts];
        assert_eq!(TimeToResult::of(&curve, &facts, &AnalysisOptions::default()), None);
    }
}
