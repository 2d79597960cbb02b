//! The one door between the tuner and whatever trains: trials run in the lanes of a trainer.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::experiment::Goal;

/// What a trainer may fail with; the tuner passes it on and never looks inside.
pub type TrainerError = Box<dyn std::error::Error + Send + Sync>;

/// Metaparameter name to value, for example `"learning_rate"` to `0.1`.
pub type Parameters = BTreeMap<String, f64>;

/// Metric name to value, for example `"val/classification_error"` to `0.031`.
pub type Metrics = BTreeMap<String, f64>;

/// Metric of trainers that measure the gradient noise: an unbiased estimate of `|G|^2`, the squared
/// Euclidean norm of the gradient of the training loss over the whole training set.
///
/// It may be negative where noise dominates. The noise scale is the ratio of the mean of
/// [`GRADIENT_VARIANCE`] and the mean of this: the ratio of two estimates is biased, so numerator
/// and denominator are averaged apart.
///
/// # Source
///
/// McCandlish et al. 2018, "An Empirical Model of Large-Batch Training", appendix A.1.
pub const SQUARED_GRADIENT_NORM: &str = "train/squared_gradient_norm";

/// Metric of trainers that measure the gradient noise: an unbiased estimate of `tr Sigma`, the trace
/// of the covariance of the gradients of single training examples. See [`SQUARED_GRADIENT_NORM`].
pub const GRADIENT_VARIANCE: &str = "train/gradient_variance";

/// The metrics of the gradient noise: about training, not its progress, so no goal.
pub const GRADIENT_NOISE_METRICS: [&str; 2] = [SQUARED_GRADIENT_NORM, GRADIENT_VARIANCE];

pub(crate) fn is_gradient_noise(metric: &str) -> bool {
    GRADIENT_NOISE_METRICS.contains(&metric)
}

/// A trial is a function of its name: everything its bits depend on beside the workload.
///
/// Lane, neighbours, pauses and threads are not in it, and must not change any measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Examples per update.
    pub batch_size: u64,
    /// Number of the trial within its study, from 0.
    pub trial_id: u64,
    /// Seed of the experiment; mix it with `trial_id` (and the purpose) for random numbers.
    pub seed: u64,
    /// Every metaparameter of the workload, defaults filled in.
    pub parameters: Parameters,
}

/// Trains up to [`lanes`](LaneTrainer::lanes) trials of one batch size side by side.
///
/// # Contract
///
/// What is measured on a trial depends on its [`Trial`] alone: not on its lane, on the other
/// lanes, on how its steps are split over calls, or on what ran before in the lane. The runner
/// relies on it (it goes on with half-finished trials, or runs them again) and reports a breach as an
/// error.
pub trait LaneTrainer {
    /// Number of lanes, numbered from 0.
    fn lanes(&self) -> usize;

    /// What a stop to measure some lanes costs, in steps, where the lanes of a call of
    /// [`advance`](LaneTrainer::advance) wait for the one with the most steps; then the runner
    /// chooses how far they go. `None` where no lane waits for another.
    fn lockstep_stop_cost(&self) -> Option<f64> {
        None
    }

    /// Puts a trial at step 0 into a lane, whatever was there before.
    ///
    /// # Errors
    ///
    /// Where the trial cannot be set up, for example for want of memory.
    fn start(&mut self, lane: usize, trial: &Trial) -> Result<(), TrainerError>;

    /// Advances lane `i` by `steps[i]` updates (0 leaves it alone); returns for each lane the step
    /// at which its trial diverged, counted from the trial's start, if it has.
    ///
    /// # Shapes
    ///
    /// `steps` and the result have one entry per lane.
    ///
    /// # Errors
    ///
    /// Where training itself fails. A diverged trial is a result, not an error.
    fn advance(&mut self, steps: &[u64]) -> Result<Vec<Option<u64>>, TrainerError>;

    /// Metrics of the given lanes on the evaluated splits, in that order. Pure: it does not change training.
    ///
    /// With a goal, a lane's evaluation of the goal's split may end once it is clear that the goal is not
    /// reached; the metrics of that split are then those of the examples up to there, by which the goal is
    /// not reached either. Where the goal is reached, they are those of the whole split, bit for bit as
    /// without a goal; such an evaluation ends early with a chance of at most 1e-9.
    ///
    /// # Errors
    ///
    /// Where the evaluation itself fails. Non-finite metrics are results.
    fn evaluate(
        &mut self,
        lanes: &[usize],
        goal: Option<&Goal>,
    ) -> Result<Vec<Metrics>, TrainerError>;

    /// Evaluates the given lanes on a part of the examples, so that it can be timed: about a `share` of all
    /// in (0, 1], at least as many as are evaluated at a time. Returns the share that it was. Pure, as
    /// [`evaluate`](LaneTrainer::evaluate), which the default calls.
    ///
    /// # Errors
    ///
    /// Where the evaluation itself fails.
    fn evaluate_share(&mut self, lanes: &[usize], _share: f64) -> Result<f64, TrainerError> {
        self.evaluate(lanes, None).map(|_| 1.0)
    }

    /// The [metrics of the gradient noise](GRADIENT_NOISE_METRICS) of the given lanes, in that order, of
    /// trainers whose [facts](WorkloadFacts::metrics) name them; of others none. Pure: it does not change
    /// training.
    ///
    /// # Errors
    ///
    /// Where measuring itself fails. Non-finite metrics are results.
    fn gradient_noise(&mut self, lanes: &[usize]) -> Result<Vec<Metrics>, TrainerError> {
        Ok(vec![Metrics::new(); lanes.len()])
    }

    /// The complete training state of a lane, as the bytes of a safetensors file.
    ///
    /// # Errors
    ///
    /// Where the lane holds no trial or its state cannot be read.
    fn snapshot(&mut self, lane: usize) -> Result<Vec<u8>, TrainerError>;

    /// Puts a trial into a lane at the state of an earlier [`snapshot`](LaneTrainer::snapshot), and returns
    /// the step at which it stands. From there on it is measured as if it had never been interrupted.
    ///
    /// # Errors
    ///
    /// Where the snapshot is not one of this trial on such a trainer, whatever it is instead; then the
    /// lane is free.
    fn restore(&mut self, lane: usize, trial: &Trial, snapshot: &[u8])
    -> Result<u64, TrainerError>;

    /// Ends the trial in a lane; the lane stays free until the next start or restore.
    fn free(&mut self, lane: usize);
}

/// Makes trainers for one workload on one device.
pub trait TrainerFactory {
    /// What the workload is and accepts; experiments are checked against it.
    fn facts(&self) -> WorkloadFacts;

    /// The numbers of lanes that are worth trying at this batch size, ascending, at least one: the
    /// first keeps the device busy even where more are no faster, the last is the most that fits.
    fn lane_counts(&self, batch_size: u64) -> Vec<usize>;

    /// Bytes of memory that training in so many lanes is planned to take; `None` where it takes none
    /// to speak of.
    fn memory_bytes(&self, batch_size: u64, lanes: usize) -> Option<u64>;

    /// About the bytes of a [`snapshot`](LaneTrainer::snapshot).
    fn snapshot_bytes(&self) -> u64;

    /// Builds a trainer with `lanes` lanes, or with fewer where the device has no memory for so many.
    ///
    /// # Errors
    ///
    /// Where the device cannot hold a single lane.
    fn build(
        &mut self,
        batch_size: u64,
        lanes: usize,
    ) -> Result<Box<dyn LaneTrainer + '_>, TrainerError>;
}

/// What an experiment file is checked against.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadFacts {
    /// Name of the data set, for example `mnist`.
    pub dataset: String,
    /// Name of the model, for example `fc_256_256_256`.
    pub model: String,
    /// Name of the optimizer, for example `nesterov_momentum`.
    pub optimizer: String,
    /// Examples in the training set: the largest batch size, `"full"`.
    pub n_train: u64,
    /// What tells the data from other data of that name; `None` where the name says it all.
    pub data_digest: Option<String>,
    /// Names of the metrics that can be measured, as `split/name`; those of the gradient noise among them
    /// where it can be.
    pub metrics: Vec<String>,
    /// The metaparameters of the workload, and what they may be.
    pub metaparameters: Vec<Metaparameter>,
    /// Where it trains; measurements of different devices may differ in their bits.
    pub device: String,
}

/// One metaparameter of a workload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metaparameter {
    /// Name, as in an experiment's `[search.space]`.
    pub name: &'static str,
    /// What it is, in a few words without a full stop.
    pub description: &'static str,
    /// Value where the experiment does not name it; `None` makes it required.
    pub default: Option<f64>,
    /// Values that make sense.
    pub range: Range,
    /// Whether only whole numbers make sense.
    pub is_integer: bool,
    /// Another one without which this one does nothing, or something else than its name says.
    pub needs: Option<&'static str>,
}

/// An interval whose ends are included, excluded or absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Lower end.
    pub lower: Bound<f64>,
    /// Upper end.
    pub upper: Bound<f64>,
}

impl Range {
    /// Values above 0.
    pub const POSITIVE: Range = Range { lower: Bound::Excluded(0.0), upper: Bound::Unbounded };
    /// 0 and values above.
    pub const NOT_NEGATIVE: Range = Range { lower: Bound::Included(0.0), upper: Bound::Unbounded };
    /// From 0 up to, but not including, 1.
    pub const BELOW_ONE: Range = Range { lower: Bound::Included(0.0), upper: Bound::Excluded(1.0) };
    /// From 0 to 1, both included.
    pub const UNIT: Range = Range { lower: Bound::Included(0.0), upper: Bound::Included(1.0) };

    /// Whether `value` lies in the interval; NaN never does.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        let above = match self.lower {
            Bound::Included(lower) => value >= lower,
            Bound::Excluded(lower) => value > lower,
            Bound::Unbounded => !value.is_nan(),
        };
        let below = match self.upper {
            Bound::Included(upper) => value <= upper,
            Bound::Excluded(upper) => value < upper,
            Bound::Unbounded => !value.is_nan(),
        };
        above && below
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.lower {
            Bound::Included(lower) => write!(formatter, "at least {}", readable(lower))?,
            Bound::Excluded(lower) => write!(formatter, "above {}", readable(lower))?,
            Bound::Unbounded => write!(formatter, "any number")?,
        }
        match self.upper {
            Bound::Included(upper) => write!(formatter, " and at most {}", readable(upper)),
            Bound::Excluded(upper) => write!(formatter, " and below {}", readable(upper)),
            Bound::Unbounded => Ok(()),
        }
    }
}

/// A number without dozens of zeros.
fn readable(value: f64) -> String {
    let is_short = value == 0.0 || (1e-4..1e9).contains(&value.abs());
    if is_short { value.to_string() } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_ends_are_included_or_not() {
        assert!(!Range::POSITIVE.contains(0.0));
        assert!(Range::NOT_NEGATIVE.contains(0.0));
        assert!(!Range::BELOW_ONE.contains(1.0));
        assert!(Range::UNIT.contains(1.0));
        assert!(!Range::UNIT.contains(f64::NAN));
        assert!(!Range::POSITIVE.contains(f64::NAN));
        assert_eq!(Range::BELOW_ONE.to_string(), "at least 0 and below 1");
        let wide = Range { lower: Bound::Included(1e-37), upper: Bound::Included(1e38) };
        assert_eq!(wide.to_string(), "at least 1e-37 and at most 1e38");
    }
}
