//! Time and money: seconds and examples to result on the measured device, and on ideal ones.

use serde::Serialize;

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
