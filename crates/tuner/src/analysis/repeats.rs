//! What is luck: best trials run again with fresh seeds.
//!
//! The result of a study is a minimum over noisy trials, so it is lucky twice: the best point is
//! chosen (selection bias), and chosen for a run with a lucky seed (seed noise). A repeat trains the
//! same point with another seed; it is in no minimum, so the median of a point's repeats is a fair
//! estimate of what the point gives. The original run is not among them: it was chosen for its luck.
//! Of a repeat that was stopped at another goal it is known only that it would have taken longer.

use serde::Serialize;

use super::uncertainty::StepsQuantile;
use crate::record::{Question, StudyOutcomes, TrialOutcome};
use crate::store::TrialStatus;

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

impl StudyOutcomes {
    /// What the repeats say; `None` where nothing was repeated.
    #[must_use]
    pub fn repeat_analysis(&self, question: &Question) -> Option<RepeatAnalysis> {
        let same_trial = |a: &TrialOutcome, b: &TrialOutcome| a.trial.trial_id == b.trial.trial_id;
        let end = self.budget_end(question).unwrap_or(0);
        let point = |repeats: &[TrialOutcome]| self.repeated_point(repeats, end);
        let points: Vec<RepeatedPoint> = self.repeats.chunk_by(same_trial).map(point).collect();
        if points.is_empty() {
            return None;
        }
        let winner = self.winner();
        let of_winner = winner.and_then(|winner| {
            points.iter().find(|point| point.trial_id == winner.trial.trial_id)?.median
        });
        let medians = points.iter().filter_map(|point| {
            Some(BestMedian { trial_id: point.trial_id, steps: point.median?.steps()? })
        });
        Some(RepeatAnalysis {
            best_of_search: winner.and_then(steps),
            best_of_search_repeated: of_winner,
            best_median: medians.min_by_key(|median| (median.steps, median.trial_id)),
            points,
        })
    }

    /// One trial and its repeats, of which there is one at least; trials may train up to `end`.
    fn repeated_point(&self, repeats: &[TrialOutcome], end: u64) -> RepeatedPoint {
        let trial_id = repeats[0].trial.trial_id;
        let original = self.trials.iter().find(|outcome| outcome.trial.trial_id == trial_id);
        let ended = || repeats.iter().filter(|o| o.trial.status != TrialStatus::Incomplete);
        let is_complete = |outcome: &TrialOutcome| outcome.trial.status == TrialStatus::Complete;
        let repeat_steps: Vec<Option<u64>> =
            ended().map(|outcome| steps(outcome).filter(|_| is_complete(outcome))).collect();
        let stopped = ended().filter_map(|outcome| outcome.stopped_before(end));
        RepeatedPoint {
            trial_id,
            original_steps: original.and_then(steps),
            median: StepsQuantile::of_runs(&repeat_steps, stopped, 0.5),
            repeat_steps,
        }
    }
}

fn steps(outcome: &TrialOutcome) -> Option<u64> {
    outcome.reached.map(|reached| reached.step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{Outcome, question, study};

    #[test]
    fn the_lucky_best_gives_way_to_the_best_median() {
        let mut study =
            study(8, &[Outcome::reached(50), Outcome::reached(40), Outcome::reached(60)]);
        let repeats = [
            (0, 1, Outcome::reached(51)),
            (0, 2, Outcome::reached(49)),
            (0, 3, Outcome::running()),
            (1, 1, Outcome::reached(70)),
            (1, 2, Outcome::diverged()),
            (1, 3, Outcome::reached(55)),
        ];
        study.repeats =
            repeats.iter().map(|(id, repeat, outcome)| outcome.trial(8, *id, *repeat)).collect();
        let found = study.repeat_analysis(&question()).unwrap();
        assert_eq!(found.best_of_search, Some(40));
        assert_eq!(found.best_of_search_repeated, Some(StepsQuantile::Steps(70)));
        assert_eq!(found.best_median, Some(BestMedian { trial_id: 0, steps: 49 }));
        let expected = RepeatedPoint {
            trial_id: 1,
            original_steps: Some(40),
            repeat_steps: vec![Some(70), None, Some(55)],
            median: Some(StepsQuantile::Steps(70)),
        };
        assert_eq!(found.points[1], expected);
        assert_eq!(found.points[0].repeat_steps, [Some(51), Some(49)]);
    }

    #[test]
    fn repeats_that_fail_have_no_median_steps() {
        let mut study = study(8, &[Outcome::reached(50)]);
        assert_eq!(study.repeat_analysis(&question()), None);
        study.repeats = vec![Outcome::missed().trial(8, 0, 1), Outcome::diverged().trial(8, 0, 2)];
        let found = study.repeat_analysis(&question()).unwrap();
        assert_eq!(found.points[0].median, Some(StepsQuantile::NotReached));
        assert_eq!(found.best_median, None);
        study.repeats = vec![Outcome::running().trial(8, 0, 1)];
        assert_eq!(study.repeat_analysis(&question()).unwrap().points[0].median, None);
    }
}
