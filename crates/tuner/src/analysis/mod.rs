//! What the measurements say: steps to result against batch size.

mod scaling;
mod steps_to_result;
mod summary;

pub use scaling::{
    CurvePoint, end_of_perfect_scaling, maximum_useful_batch_size, perfect_scaling_line,
};
pub use steps_to_result::{StudyResult, steps_to_result};
pub use summary::{ExperimentSummary, StudySummary};
