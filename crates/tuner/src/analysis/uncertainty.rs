//! Steps to result with fewer trials: the bootstrap of a minimum, exactly.
//!
//! # Equation
//!
//! A bootstrap resample draws m of the n trials that count, with replacement, and takes the minimum
//! of their steps to the goal, where a trial that did not reach it is plus infinity. With F(s) the
//! share of trials that reached the goal by step s,
//!
//! ```text
//! P(minimum > s) = (1 - F(s))^m
//! ```
//!
//! so every percentile is known without drawing: the p-quantile is the k-th smallest of the n steps,
//! with k the least whole number for which k / n >= 1 - (1 - p)^(1 / m).
//!
//! # What it says
//!
//! What a search of m trials would have found, had its points been among those of this one. No resample
//! holds a better trial than the sample does: from about m = 0.7 n on the median is the best trial
//! itself, whatever the trials are, and only the upper end says how much hangs on the few best. How far
//! the result itself may be off is another question, of [`search_error`](super::search_error). Neither
//! says anything on a point that the box left out (see [`boundary`](super::boundary)). A trial has its
//! seed with its point, so luck of the seed is a part of what is resampled; that of the best trial
//! alone is seen in [`repeats`](super::repeats).
//!
//! # Trials that were stopped early
//!
//! Of a trial stopped at step c before it reached the goal it is known only that it would not have
//! by step c. A percentile is given where it is the same whatever such trials would have done, and
//! is [`StepsQuantile::After`] a step where it is not.

use serde::Serialize;

use super::options::AnalysisOptions;
use super::resample::least_rank;
use crate::record::{Question, StudyOutcomes};

/// A percentile of steps to result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepsQuantile {
    /// So many steps.
    Steps(u64),
    /// Not reached within the budget.
    NotReached,
    /// More than so many steps, or not reached: trials that might tell were stopped early.
    After(u64),
}

/// Percentiles of steps to result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StepsInterval {
    /// Lower end.
    pub low: StepsQuantile,
    /// Median; of two middle values the lower one.
    pub median: StepsQuantile,
    /// Upper end.
    pub high: StepsQuantile,
}

/// What the estimate would be with fewer trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConvergencePoint {
    /// Trials drawn.
    pub n_trials: u64,
    /// Percentiles of the least steps among them.
    pub steps: StepsInterval,
}

impl StepsQuantile {
    /// The steps, where they are known.
    #[must_use]
    pub fn steps(self) -> Option<u64> {
        match self {
            StepsQuantile::Steps(steps) => Some(steps),
            StepsQuantile::NotReached | StepsQuantile::After(_) => None,
        }
    }

    /// The p-quantile of single runs, where `None` is a run that did not reach the goal, of which some
    /// were `stopped` at a step before the end; `None` for no runs.
    pub(super) fn of_runs(
        runs: &[Option<u64>],
        stopped: impl Iterator<Item = u64>,
        probability: f64,
    ) -> Option<StepsQuantile> {
        let reached = || runs.iter().copied().flatten();
        let would_be = stopped.map(|step| step.saturating_add(1));
        let minimum = MinimumOfDraws {
            n_trials: runs.len(),
            latest: sorted(reached()),
            earliest: sorted(reached().chain(would_be)),
        };
        (!runs.is_empty()).then(|| minimum.quantile(1, probability))
    }
}

/// The distribution of the least steps over trials drawn with replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MinimumOfDraws {
    n_trials: usize,
    /// Steps to the goal of the trials that reached it, ascending.
    latest: Vec<u64>,
    /// The same, had every trial that was stopped early reached the goal a step later.
    earliest: Vec<u64>,
}

impl MinimumOfDraws {
    /// The distribution over the trials that count; `None` where there are none.
    pub(super) fn of(outcomes: &StudyOutcomes, question: &Question) -> Option<MinimumOfDraws> {
        let arrivals = outcomes.counted().filter_map(|outcome| Some(outcome.reached?.step));
        let latest = sorted(arrivals);
        let would_be = outcomes.stopped_early(question).map(|step| step.saturating_add(1));
        let minimum = MinimumOfDraws {
            n_trials: outcomes.counted().count(),
            earliest: sorted(latest.iter().copied().chain(would_be)),
            latest,
        };
        (minimum.n_trials > 0).then_some(minimum)
    }

    /// The p-quantile of the least steps over `n_draws` draws.
    pub(super) fn quantile(&self, n_draws: usize, probability: f64) -> StepsQuantile {
        let rank = rank_of_minimum(self.n_trials, n_draws, probability);
        // Whatever the trials stopped early would have done, the rank-th smallest lies between
        // these: none of them reaches the goal, or all do at once.
        match (self.latest.get(rank - 1), self.earliest.get(rank - 1)) {
            (Some(latest), Some(earliest)) if latest == earliest => StepsQuantile::Steps(*latest),
            (_, Some(earliest)) => StepsQuantile::After(earliest.saturating_sub(1)),
            (_, None) => StepsQuantile::NotReached,
        }
    }

    /// Percentiles of the least steps over `n_draws` draws.
    fn interval(&self, n_draws: usize, options: &AnalysisOptions) -> StepsInterval {
        let (low, high) = options.percentiles();
        let [low, median, high] = [low, 0.5, high].map(|p| self.quantile(n_draws, p));
        StepsInterval { low, median, high }
    }

    /// The estimate with fewer trials: 1, 2, 3, then about 1.3 times more each, up to all of them.
    pub(super) fn convergence(&self, options: &AnalysisOptions) -> Vec<ConvergencePoint> {
        let next = |n_trials: &usize| {
            let next = (n_trials + 1).max(*n_trials * 13 / 10);
            (*n_trials < self.n_trials).then(|| next.min(self.n_trials))
        };
        let sizes = std::iter::successors(Some(1), next);
        sizes
            .map(|n_draws| ConvergencePoint {
                n_trials: n_draws as u64,
                steps: self.interval(n_draws, options),
            })
            .collect()
    }
}

/// The rank, from 1, of the p-quantile of the least of `n_draws` draws from `n_trials` trials.
pub(super) fn rank_of_minimum(n_trials: usize, n_draws: usize, probability: f64) -> usize {
    // 1 - (1 - p)^(1 / m), without the cancellation for large m.
    let share = -((-probability).ln_1p() / n_draws.max(1) as f64).exp_m1();
    least_rank(n_trials, share).min(n_trials)
}

fn sorted(steps: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut steps: Vec<u64> = steps.collect();
    steps.sort_unstable();
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::resample::{Draws, quantile};
    use crate::analysis::testing::{Outcome, question, study};

    fn minimum(outcomes: &[Outcome]) -> MinimumOfDraws {
        MinimumOfDraws::of(&study(8, outcomes), &question()).unwrap()
    }

    fn interval(outcomes: &[Outcome]) -> StepsInterval {
        let minimum = minimum(outcomes);
        minimum.interval(minimum.n_trials, &AnalysisOptions::default())
    }

    #[test]
    fn one_trial_of_four_that_reached_the_goal() {
        // P(no draw of 4 is that trial) = (3 / 4)^4 = 0.316: between the median and the upper end.
        let found = interval(&[
            Outcome::missed(),
            Outcome::reached(70),
            Outcome::missed(),
            Outcome::diverged(),
            Outcome::missed(),
        ]);
        let steps = StepsQuantile::Steps(70);
        assert_eq!(
            found,
            StepsInterval { low: steps, median: steps, high: StepsQuantile::NotReached }
        );
    }

    #[test]
    fn percentiles_are_those_of_the_closed_form() {
        // Steps 1 to 100: P(minimum > s) = (1 - s / 100)^100, so the 2.5 % point is
        // 100 (1 - 0.975^0.01) = 0.03 -> 1, the median 0.69 -> 1, the 97.5 % point 3.62 -> 4.
        let outcomes: Vec<Outcome> = (1..=100).map(Outcome::reached).collect();
        let found = interval(&outcomes);
        let [one, four] = [1, 4].map(StepsQuantile::Steps);
        assert_eq!(found, StepsInterval { low: one, median: one, high: four });
        // One draw: the quantiles of the sample itself; 10 draws: 100 (1 - 0.5^0.1) = 6.7.
        let minimum = minimum(&outcomes);
        assert_eq!(minimum.quantile(1, 0.975), StepsQuantile::Steps(98));
        assert_eq!(minimum.quantile(10, 0.5), StepsQuantile::Steps(7));
    }

    #[test]
    fn trials_stopped_early_leave_the_upper_end_open() {
        // What the rule `incumbent` leaves: one result, all others stopped there.
        let mut outcomes = vec![Outcome::stopped(40); 49];
        outcomes.push(Outcome::reached(40));
        let found = interval(&outcomes);
        assert_eq!(found.low, StepsQuantile::Steps(40));
        assert_eq!(found.high, StepsQuantile::After(40));
        // One that was stopped before the result may have been faster: nothing is certain.
        outcomes.push(Outcome::stopped(30));
        assert_eq!(interval(&outcomes).low, StepsQuantile::After(30));
        // One stopped after it changes nothing below.
        let late = [Outcome::reached(10), Outcome::reached(11), Outcome::stopped(500)];
        assert_eq!(minimum(&late).quantile(1, 0.5), StepsQuantile::Steps(11));
        assert_eq!(minimum(&late).quantile(1, 0.9), StepsQuantile::After(500));
    }

    #[test]
    fn convergence_ends_with_all_trials_and_falls() {
        let outcomes: Vec<Outcome> = (1..=100).map(Outcome::reached).collect();
        let points = minimum(&outcomes).convergence(&AnalysisOptions::default());
        assert_eq!(points[0].n_trials, 1);
        assert_eq!(points.last().map(|point| point.n_trials), Some(100));
        assert!(points.len() < 25, "{}", points.len());
        for pair in points.windows(2) {
            assert!(pair[0].n_trials < pair[1].n_trials);
            assert!(pair[0].steps.high.steps() >= pair[1].steps.high.steps());
        }
        assert_eq!(minimum(&[Outcome::missed()]).convergence(&AnalysisOptions::default()).len(), 1);
    }

    /// The bootstrap as everybody writes it: draw, take the minimum, sort.
    fn monte_carlo(steps: &[Option<u64>], n_draws: usize, n_resamples: u64) -> Vec<u64> {
        let draws = Draws::new(5, "test");
        let mut minima: Vec<u64> = (0..n_resamples)
            .map(|resample| {
                let drawn = (0..n_draws as u64)
                    .map(|item| steps[(draws.unit(resample, item) * steps.len() as f64) as usize]);
                drawn.map(|steps| steps.unwrap_or(u64::MAX)).min().unwrap()
            })
            .collect();
        minima.sort_unstable();
        minima
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn a_monte_carlo_bootstrap_agrees(
            steps in proptest::collection::vec(proptest::option::weighted(0.7, 1..60_u64), 1..30),
            fewer in 0..30_usize,
            probability in 0.02..0.98_f64,
        ) {
            let outcomes: Vec<Outcome> = steps
                .iter()
                .map(|steps| steps.map_or(Outcome::missed(), Outcome::reached))
                .collect();
            let n_draws = steps.len().saturating_sub(fewer).max(1);
            let exact = minimum(&outcomes).quantile(n_draws, probability);
            let minima = monte_carlo(&steps, n_draws, 4000);
            // Standard deviation of the empirical distribution function: at most 0.008; four of them.
            let around = [probability - 0.032, probability + 0.032].map(|p| {
                match quantile(&minima, p.clamp(0.0, 1.0)).unwrap() {
                    u64::MAX => StepsQuantile::NotReached,
                    steps => StepsQuantile::Steps(steps),
                }
            });
            let order = |quantile: StepsQuantile| quantile.steps().unwrap_or(u64::MAX);
            prop_assert!(order(around[0]) <= order(exact) && order(exact) <= order(around[1]),
                "{exact:?} not within {around:?}");
        }

        #[test]
        fn what_is_said_holds_whatever_the_stopped_trials_would_have_done(
            reached in proptest::collection::vec(1..60_u64, 0..8),
            stopped in proptest::collection::vec((1..60_u64, proptest::option::of(1..60_u64)), 0..8),
            probability in 0.02..0.98_f64,
        ) {
            prop_assume!(reached.len() + stopped.len() > 0);
            let known = reached.iter().map(|steps| Outcome::reached(*steps));
            let cut = stopped.iter().map(|(stop, _)| Outcome::stopped(*stop));
            let would = stopped.iter().map(|(stop, more)| {
                more.map_or(Outcome::missed(), |more| Outcome::reached(stop + more))
            });
            let n = reached.len() + stopped.len();
            let said = minimum(&known.clone().chain(cut).collect::<Vec<_>>()).quantile(n, probability);
            let truth = minimum(&known.chain(would).collect::<Vec<_>>()).quantile(n, probability);
            match said {
                StepsQuantile::After(step) => {
                    prop_assert!(truth.steps().is_none_or(|steps| steps > step));
                }
                known => prop_assert_eq!(known, truth),
            }
        }
    }
}
