//! Time and money: seconds and examples to result on the measured device, and on ideal ones.

use serde::Serialize;

use super::options::AnalysisOptions;
use crate::record::StudyOutcomes;

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
    /// Time to result of studies that ascend in batch size; `None` where no study has both a result
    /// and a measured step.
    #[must_use]
    pub fn of(studies: &[StudyOutcomes], options: &AnalysisOptions) -> Option<TimeToResult> {
        let points = mark_front(studies.iter().filter_map(measured).collect());
        if points.is_empty() {
            return None;
        }
        let speeds: Vec<(u64, f64)> = studies.iter().filter_map(speed).collect();
        let asked = options.n_devices.iter().filter(|n_devices| **n_devices > 0);
        let projections = asked.map(|n_devices| project(*n_devices, studies, &speeds)).collect();
        Some(TimeToResult { points, projections })
    }
}

/// Batch size and seconds per step, where they were measured.
fn speed(study: &StudyOutcomes) -> Option<(u64, f64)> {
    let seconds = study.facts.seconds_per_step?;
    (seconds > 0.0 && seconds.is_finite()).then_some((study.facts.batch_size, seconds))
}

fn measured(study: &StudyOutcomes) -> Option<TimePoint> {
    let ((batch_size, seconds_per_step), result) = (speed(study)?, study.result()?);
    Some(TimePoint {
        batch_size,
        steps: result.steps,
        seconds_per_step,
        seconds: result.steps as f64 * seconds_per_step,
        examples: result.examples,
        is_on_pareto_front: false,
    })
}

fn mark_front(mut points: Vec<TimePoint>) -> Vec<TimePoint> {
    let all = points.clone();
    for point in &mut points {
        let is_worse = |other: &TimePoint| {
            let no_worse = other.seconds <= point.seconds && other.examples <= point.examples;
            no_worse && (other.seconds < point.seconds || other.examples < point.examples)
        };
        point.is_on_pareto_front = !all.iter().any(is_worse);
    }
    points
}

fn project(n_devices: u64, studies: &[StudyOutcomes], speeds: &[(u64, f64)]) -> IdealProjection {
    let point = |study: &StudyOutcomes| {
        let batch_size = study.facts.batch_size;
        let per_device = batch_size as f64 / n_devices as f64;
        let seconds_per_step = interpolated(speeds, per_device)?;
        let seconds = study.result()?.steps as f64 * seconds_per_step;
        Some(ProjectedPoint {
            batch_size,
            projected_seconds_per_step: seconds_per_step,
            projected_seconds: seconds,
            projected_device_seconds: n_devices as f64 * seconds,
        })
    };
    IdealProjection { n_devices, points: studies.iter().filter_map(point).collect() }
}

/// Seconds per step at a batch size, from measured ones that ascend; `None` outside of them.
fn interpolated(speeds: &[(u64, f64)], batch_size: f64) -> Option<f64> {
    let upper = speeds.partition_point(|(measured, _)| (*measured as f64) < batch_size);
    let (right, right_seconds) = *speeds.get(upper)?;
    if right as f64 == batch_size {
        return Some(right_seconds);
    }
    let (left, left_seconds) = *speeds.get(upper.checked_sub(1)?)?;
    let part = (batch_size / left as f64).ln() / (right as f64 / left as f64).ln();
    Some((left_seconds.ln() + part * (right_seconds / left_seconds).ln()).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{Outcome, study};

    /// Batch size, steps to result, seconds per step.
    fn studies(table: &[(u64, u64, Option<f64>)]) -> Vec<StudyOutcomes> {
        let of = |&(batch_size, steps, seconds): &(u64, u64, Option<f64>)| {
            let mut study = study(batch_size, &[Outcome::reached(steps)]);
            study.facts.seconds_per_step = seconds;
            study
        };
        table.iter().map(of).collect()
    }

    fn time(table: &[(u64, u64, Option<f64>)]) -> TimeToResult {
        let options = AnalysisOptions { n_devices: vec![1, 4], ..AnalysisOptions::default() };
        TimeToResult::of(&studies(table), &options).unwrap()
    }

    const TABLE: [(u64, u64, Option<f64>); 4] =
        [(4, 800, Some(0.1)), (16, 220, Some(0.2)), (64, 100, Some(0.8)), (256, 90, Some(3.2))];

    #[test]
    fn seconds_are_steps_times_seconds_per_step_and_the_front_is_not_dominated() {
        let points = time(&TABLE).points;
        let seconds: Vec<f64> = points.iter().map(|point| point.seconds).collect();
        assert_eq!(seconds, [80.0, 44.0, 80.0, 288.0]);
        // Examples: 3200, 3520, 6400, 23040. The third is as slow as the first, with more examples.
        let front: Vec<bool> = points.iter().map(|point| point.is_on_pareto_front).collect();
        assert_eq!(front, [true, true, false, false]);
    }

    #[test]
    fn projections_follow_the_measured_speeds() {
        let time = time(&TABLE);
        let [one, four] = [0, 1].map(|index: usize| &time.projections[index]);
        for (projected, measured) in one.points.iter().zip(&time.points) {
            assert_eq!(
                projected.projected_seconds, measured.seconds,
                "one device is the measured one"
            );
        }
        // Batch size 4 on 4 devices would be 1 on each, which was not measured.
        let sizes: Vec<u64> = four.points.iter().map(|point| point.batch_size).collect();
        assert_eq!(sizes, [16, 64, 256]);
        assert_eq!(four.points[0].projected_seconds, 220.0 * 0.1);
        assert_eq!(four.points[2].projected_device_seconds, 4.0 * 90.0 * 0.8);
        // Halfway between 16 and 64 in the logarithm lies 32: sqrt(0.2 * 0.8) = 0.4.
        let between = interpolated(&[(16, 0.2), (64, 0.8)], 32.0).unwrap();
        assert!((between - 0.4).abs() < 1e-12, "{between}");
    }

    #[test]
    fn without_speeds_or_results_there_is_no_time() {
        let options = AnalysisOptions::default();
        assert_eq!(TimeToResult::of(&studies(&[(4, 800, None)]), &options), None);
        let mut missed = study(4, &[Outcome::missed()]);
        missed.facts.seconds_per_step = Some(0.1);
        assert_eq!(TimeToResult::of(&[missed], &options), None);
        let some = time(&[(4, 800, Some(0.1)), (16, 220, None)]);
        assert_eq!(some.points.len(), 1);
        assert_eq!(time(&[(4, 800, Some(0.1)), (16, 220, Some(f64::NAN))]).points.len(), 1);
    }
}
