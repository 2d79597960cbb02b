//! What is luck: best trials run again with fresh seeds.
//!
//! The result of a study is a minimum over noisy trials, so it is lucky twice: the best point is
//! chosen (selection bias), and chosen for a run with a lucky seed (seed noise). A repeat trains the
//! same point with another seed; it is in no minimum, so the median of a point's repeats is a fair
//! estimate of what the point gives. The original run is not among them: it was chosen for its luck.

use serde::Serialize;

use super::uncertainty::StepsQuantile;

/// Repeated trials of a study.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RepeatAnalysis {
    /// Each trial that was repeated, by ascending id.
    pub points: Vec<RepeatedPoint>,
    /// The study's result: the best run of the search.
    pub best_of_search: Option<u64>,
    /// The median of the repeats of that same point; `None` where it was not repeated.
    pub best_of_search_repeated: Option<StepsQuantile>,
    /// The point whose repeats have the least median, with that median.
    pub best_median: Option<BestMedian>,
}

/// The point with the least median of repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BestMedian {
    /// Of several with the same median, the lowest id.
    pub trial_id: u64,
    /// The median of its repeats.
    pub steps: u64,
}

/// A trial and its repeats.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RepeatedPoint {
    /// The trial of the search.
    pub trial_id: u64,
    /// Its steps to the goal in the search.
    pub original_steps: Option<u64>,
    /// Steps to the goal of each repeat that ended, by ascending repeat; `None` where it diverged or
    /// did not reach the goal.
    pub repeat_steps: Vec<Option<u64>>,
    /// Their median, where not reached is more than any steps; of two middle values the lower one.
    /// `None` where no repeat has ended.
    pub median: Option<StepsQuantile>,
}
