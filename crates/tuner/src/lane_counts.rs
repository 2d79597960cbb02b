//! How many lanes a study may train in, and why in so many.

use serde::Serialize;

use crate::store::Speed;
use crate::trainer::TrainerFactory;

/// Why a study trains in so many lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LanesReason {
    /// So many were asked for, or more than there are trials.
    Asked,
    /// There are no more trials.
    Trials,
    /// No more fit into the device's memory.
    Memory,
    /// More were measured, and are not worth it.
    Speed,
    /// To measure more would take too much of the study's time.
    Time,
    /// An earlier run measured it.
    Earlier,
}

/// The numbers of lanes that may be tried for a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneCounts {
    counts: Vec<usize>,
    limit: LanesReason,
}

impl LaneCounts {
    /// The number asked for, else those that suit the device; never more than the `n_trials` that
    /// could fill them.
    pub fn new(
        asked: Option<usize>,
        factory: &dyn TrainerFactory,
        batch_size: u64,
        n_trials: u64,
    ) -> LaneCounts {
        let (counts, limit) = match asked {
            Some(lanes) => (vec![lanes], LanesReason::Asked),
            None => (factory.lane_counts(batch_size), LanesReason::Memory),
        };
        let most = usize::try_from(n_trials).unwrap_or(usize::MAX).max(1);
        // What was asked for stays so: a number that nobody measured says nothing of speed.
        let is_bounded = asked.is_none() && counts.iter().any(|&count| count > most);
        let limit = if is_bounded { LanesReason::Trials } else { limit };
        let mut counts: Vec<usize> = counts.into_iter().map(|count| count.clamp(1, most)).collect();
        counts.dedup();
        if counts.is_empty() {
            counts.push(1);
        }
        LaneCounts { counts, limit }
    }

    /// The numbers, ascending.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// Why none is above the last.
    pub fn limit(&self) -> LanesReason {
        self.limit
    }

    /// The fewest.
    pub fn first(&self) -> usize {
        self.counts.first().copied().unwrap_or(1)
    }

    /// The number that an earlier run measured, if it may still be taken: it need not be one of
    /// these, since that run may have had more or fewer trials to fill its lanes with.
    pub fn kept(&self, speed: Option<&Speed>) -> Option<usize> {
        let measured = usize::try_from(speed?.lanes).ok()?;
        let last = self.counts.last().copied().unwrap_or(1);
        let lanes = if self.limit == LanesReason::Trials { measured.min(last) } else { measured };
        (self.limit != LanesReason::Asked && (self.first()..=last).contains(&lanes))
            .then_some(lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noisy_quadratic::NoisyQuadratic;
    use crate::trainer::{LaneTrainer, TrainerError, WorkloadFacts};

    struct Device(Vec<usize>);

    impl TrainerFactory for Device {
        fn facts(&self) -> WorkloadFacts {
            NoisyQuadratic::default().facts()
        }

        fn lane_counts(&self, _batch_size: u64) -> Vec<usize> {
            self.0.clone()
        }

        fn memory_bytes(&self, _batch_size: u64, _lanes: usize) -> Option<u64> {
            None
        }

        fn snapshot_bytes(&self) -> u64 {
            0
        }

        fn build(
            &mut self,
            _batch_size: u64,
            _lanes: usize,
        ) -> Result<Box<dyn LaneTrainer + '_>, TrainerError> {
            unreachable!("nothing is trained")
        }
    }

    fn counts(asked: Option<usize>, n_trials: u64) -> LaneCounts {
        LaneCounts::new(asked, &Device(vec![8, 16, 32]), 4, n_trials)
    }

    fn speed(lanes: u64) -> Speed {
        let seconds = 1.0;
        Speed {
            seconds_per_step_alone: seconds,
            lanes,
            seconds_per_step: seconds,
            seconds_per_evaluation: seconds,
        }
    }

    #[test]
    fn trials_bound_the_lanes() {
        let with = |n_trials| {
            let LaneCounts { counts, limit } = counts(None, n_trials);
            (counts, limit)
        };
        assert_eq!(with(100), (vec![8, 16, 32], LanesReason::Memory));
        assert_eq!(with(32), (vec![8, 16, 32], LanesReason::Memory));
        assert_eq!(with(20), (vec![8, 16, 20], LanesReason::Trials));
        assert_eq!(with(3), (vec![3], LanesReason::Trials));
        assert_eq!(with(0), (vec![1], LanesReason::Trials));
        assert_eq!(counts(Some(5), 20), LaneCounts { counts: vec![5], limit: LanesReason::Asked });
        assert_eq!(counts(Some(5), 2), LaneCounts { counts: vec![2], limit: LanesReason::Asked });
        assert_eq!(LaneCounts::new(None, &Device(vec![]), 4, 9).counts(), [1]);
    }

    #[test]
    fn an_earlier_measurement_is_kept_where_it_could_be_made_again() {
        let kept = |lanes, n_trials| counts(None, n_trials).kept(Some(&speed(lanes)));
        assert_eq!((kept(16, 100), kept(16, 20)), (Some(16), Some(16)));
        assert_eq!(kept(16, 5), Some(5), "fewer trials are left");
        assert_eq!(kept(20, 100), Some(20), "there were 20 trials then");
        assert_eq!(kept(64, 100), None, "it no longer fits into memory");
        assert_eq!(kept(2, 100), None, "too few trials were left then");
        assert_eq!(counts(Some(16), 100).kept(Some(&speed(16))), None, "what is asked for counts");
        assert_eq!(counts(None, 100).kept(None), None);
    }
}
