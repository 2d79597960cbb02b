//! Which trials of a study run, which of them may stop, and why nobody's timing changes that.
//!
//! # Terms
//!
//! A trial *arrives* at the step of its first measurement beyond the goal and *diverges* at the step
//! at which it is seen to. Once it has arrived under `goal` or `incumbent` it has ended and diverges
//! no more. It is *alive* at step t unless it diverged at or before t. Let n be the number of complete
//! trials asked for and A(t) the first n ids alive at t. A(t) is judged at a *horizon* h: trial k is
//! started if and only if fewer than n of the ids below k are alive at h (and k < `max_trials`), and
//! A(h) are the trials that count.
//!
//! - `goal`, `budget`: h is the end of the budget. A divergence counts as soon as it is seen.
//! - `incumbent`: h is the first step t at which m trials of A(t) have arrived, or the end of the
//!   budget if that never happens. m is 1, or the number of best trials that are to be repeated.
//!
//! # What `incumbent` may leave out
//!
//! As t grows fewer trials are alive, so a trial once in A(t) stays: "m trials of A(t) have arrived by
//! t" is false before h and true from h on. Trial k is in A(t) if and only if at least k + 1 - n of
//! the ids below k have diverged by t; so it is in A(t) and has arrived from
//!
//! ```text
//! t_k = max(arrival of k, (k + 1 - n)-th smallest divergence among the ids below k)
//! ```
//!
//! on, and h is the m-th smallest t_k. What is not known yet can only add to the t_k or lower them,
//! so [`Tally::horizon`], computed from what is known, is never below h and is h in the end.
//!
//! 1. *A trial measured at or after the horizon so far may end, as complete.* It is alive at h,
//!    which is all that its status depends on, and if it arrives later, it arrives after h, where
//!    the m best of A(h) have already arrived. It could not even tie.
//! 2. *A trial that diverged after the horizon so far is complete*, for it was alive at h. (Run
//!    beside the winner it would have ended before.)
//! 3. *A divergence at d makes room for another trial once it is certain that h >= d*, that is once
//!    all of A(d - 1) are known up to there and fewer than m of them have arrived.
//!
//! So the trials that are started, those that count, and the m best of them by (step, id) are
//! functions of the trials alone. Lanes, order and interruptions decide only how far beyond h the
//! others are trained, by 1. Every trial has ended when nothing is running and nothing can be
//! started: were h not reached, all that ran are known up to the horizon so far, and the first
//! divergence that leaves A short is certain by 3 and makes room.
//!
//! # The same result as `budget`
//!
//! Whatever the trials that count would do after h, the first of them beyond the goal is the same
//! trial at the same step: `incumbent` gives what `budget` gives *if a trial that diverges only after
//! the result still counts*. So it gives exactly the steps to result and the trial of `budget`
//! wherever none of the trials that count would diverge after h. Where one would, `budget` puts
//! another trial in its place, which may be better or not. No rule can do more: as long as one trial
//! that has not arrived is not trained to the end of its budget, nobody knows whether it diverges,
//! and so whether another trial, which may be the best, belongs to the study.

use std::collections::BTreeMap;

use crate::store::{MetricRow, TrialRecord, TrialStatus};

/// What is known of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is in a lane; measured up to a step, it has neither arrived nor diverged.
    Running {
        /// The step of the last measurement; `None` before the first.
        until: Option<u64>,
    },
    /// It ended at the step at which it arrived, or arrived there and went on to its end.
    Arrived(u64),
    /// It ended without arriving: its budget is spent, or it could no longer be the best.
    Ended,
    /// It diverged at a step.
    Diverged(u64),
}

/// What is known of the trials of a search.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    n_trials: u64,
    max_trials: u64,
    /// m under `incumbent`: how many best trials must be known; `None` under the other rules.
    n_best: Option<u64>,
    standings: BTreeMap<u64, Standing>,
}

impl Tally {
    pub(super) fn new(n_trials: u64, max_trials: u64, n_best: Option<u64>) -> Tally {
        Tally { n_trials, max_trials, n_best, standings: BTreeMap::new() }
    }

    /// Takes in the trials of an earlier run, and where they arrived: `beyond` are measurements
    /// beyond the goal. Those that had not ended will run again.
    pub(super) fn restore(&mut self, trials: &[TrialRecord], beyond: &[MetricRow]) {
        let mut arrivals: BTreeMap<u64, u64> = BTreeMap::new();
        for row in beyond {
            let first = arrivals.entry(row.trial_id).or_insert(row.step);
            *first = row.step.min(*first);
        }
        for trial in trials {
            let arrival = arrivals.get(&trial.trial_id);
            let standing = match trial.status {
                TrialStatus::Incomplete => continue,
                TrialStatus::Infeasible => Standing::Diverged(trial.steps),
                TrialStatus::Complete => {
                    arrival.map_or(Standing::Ended, |step| Standing::Arrived(*step))
                }
            };
            self.set(trial.trial_id, standing);
        }
    }

    pub(super) fn set(&mut self, trial_id: u64, standing: Standing) {
        self.standings.insert(trial_id, standing);
    }

    /// The next trial that certainly has to run, if there is one.
    pub(super) fn next(&self) -> Option<u64> {
        let settled_step = self.settled_step();
        let mut n_alive = 0;
        for trial_id in 0..self.max_trials {
            if n_alive == self.n_trials {
                return None;
            }
            match self.standings.get(&trial_id) {
                None => return Some(trial_id),
                Some(Standing::Diverged(step)) if *step <= settled_step => (),
                Some(_) => n_alive += 1,
            }
        }
        None
    }

    /// The horizon as far as it is known; `None` for the end of the budget.
    pub(super) fn horizon(&self) -> Option<u64> {
        let nth = usize::try_from(self.n_best?.checked_sub(1)?).ok()?;
        let (mut divergences, mut arrivals) = (Vec::new(), Vec::new());
        for (trial_id, standing) in &self.standings {
            match standing {
                Standing::Diverged(step) => {
                    divergences.insert(divergences.partition_point(|d| d <= step), *step);
                }
                Standing::Arrived(step) => {
                    let n_needed = usize::try_from((trial_id + 1).saturating_sub(self.n_trials));
                    let counts_from = match n_needed.unwrap_or(usize::MAX) {
                        0 => Some(0),
                        n_needed => divergences.get(n_needed - 1).copied(),
                    };
                    arrivals.extend(counts_from.map(|from| from.max(*step)));
                }
                Standing::Running { .. } | Standing::Ended => (),
            }
        }
        arrivals.sort_unstable();
        arrivals.get(nth).copied()
    }

    /// Takes the trials that diverged after a horizon as complete; returns their ids.
    pub(super) fn forgive_divergences_after(&mut self, horizon: u64) -> Vec<u64> {
        let is_after =
            |standing: &Standing| matches!(standing, Standing::Diverged(step) if *step > horizon);
        let forgiven = self.standings.iter_mut().filter(|(_, standing)| is_after(standing));
        let end = |(trial_id, standing): (&u64, &mut Standing)| {
            *standing = Standing::Ended;
            *trial_id
        };
        forgiven.map(end).collect()
    }

    /// The last divergence that certainly came before the horizon or at it.
    fn settled_step(&self) -> u64 {
        let Some(n_best) = self.n_best else { return u64::MAX };
        let diverged_at = |standing: &Standing| match standing {
            Standing::Diverged(step) => Some(*step),
            _ => None,
        };
        let mut steps: Vec<u64> = self.standings.values().filter_map(diverged_at).collect();
        steps.sort_unstable();
        let is_settled = |step: &u64| {
            step.checked_sub(1).is_none_or(|before| {
                self.arrivals_by(before).is_some_and(|n_arrived| n_arrived < n_best)
            })
        };
        let n_settled = steps.partition_point(is_settled);
        n_settled.checked_sub(1).map_or(0, |last| steps[last])
    }

    /// How many of A(step) have arrived by a step; `None` where that is not known yet.
    fn arrivals_by(&self, step: u64) -> Option<u64> {
        let (mut n_alive, mut n_arrived) = (0, 0);
        for trial_id in 0..self.max_trials {
            if n_alive == self.n_trials {
                break;
            }
            match self.standings.get(&trial_id)? {
                Standing::Diverged(diverged) if *diverged <= step => continue,
                Standing::Running { until } if until.is_none_or(|until| until < step) => {
                    return None;
                }
                Standing::Arrived(arrived) if *arrived <= step => n_arrived += 1,
                _ => (),
            }
            n_alive += 1;
        }
        Some(n_arrived)
    }

    /// The best trials that count, as (step, id), the best first.
    pub(super) fn best(&self, n: u64) -> Vec<(u64, u64)> {
        let is_alive = |standing: &Standing| !matches!(standing, Standing::Diverged(_));
        let alive = self.standings.iter().filter(|(_, standing)| is_alive(standing));
        let counted = alive.take(usize::try_from(self.n_trials).unwrap_or(usize::MAX));
        let arrived = counted.filter_map(|(trial_id, standing)| match standing {
            Standing::Arrived(step) => Some((*step, *trial_id)),
            _ => None,
        });
        let mut arrived: Vec<(u64, u64)> = arrived.collect();
        arrived.sort_unstable();
        arrived.truncate(usize::try_from(n).unwrap_or(usize::MAX));
        arrived
    }

    pub(super) fn n_complete(&self) -> u64 {
        self.count(|standing| matches!(standing, Standing::Arrived(_) | Standing::Ended))
    }

    pub(super) fn n_infeasible(&self) -> u64 {
        self.count(|standing| matches!(standing, Standing::Diverged(_)))
    }

    pub(super) fn n_running(&self) -> u64 {
        self.count(|standing| matches!(standing, Standing::Running { .. }))
    }

    fn count(&self, is_it: impl Fn(&Standing) -> bool) -> u64 {
        self.standings.values().filter(|standing| is_it(standing)).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use Standing::{Arrived, Diverged, Ended, Running};

    use super::*;

    fn tally(n_trials: u64, n_best: Option<u64>, standings: &[Standing]) -> Tally {
        let mut tally = Tally::new(n_trials, 100, n_best);
        (0..).zip(standings).for_each(|(trial_id, standing)| tally.set(trial_id, *standing));
        tally
    }

    fn until(step: u64) -> Standing {
        Running { until: Some(step) }
    }

    #[test]
    fn every_divergence_makes_room_at_once_without_an_incumbent() {
        let standings = [Diverged(9), until(3), Ended];
        assert_eq!(tally(2, None, &standings).next(), None);
        assert_eq!(tally(3, None, &standings).next(), Some(3));
        assert_eq!(tally(3, None, &standings).horizon(), None);
    }

    #[test]
    fn a_divergence_makes_room_once_nobody_can_have_arrived_before() {
        let next = |standings: &[Standing]| tally(2, Some(1), standings).next();
        assert_eq!(next(&[Diverged(9)]), Some(1), "trial 1 runs whatever happens");
        assert_eq!(next(&[Diverged(9), until(7)]), None, "trial 1 may arrive at step 8");
        assert_eq!(next(&[Diverged(9), until(8)]), Some(2));
        assert_eq!(next(&[Diverged(9), Arrived(8)]), None, "it would have ended before");
        assert_eq!(next(&[Diverged(9), Arrived(9)]), Some(2));
        assert_eq!(next(&[Diverged(0), Running { until: None }]), Some(2));
    }

    #[test]
    fn a_replacement_counts_from_the_divergence_that_makes_its_room() {
        let horizon = |n_best, standings: &[Standing]| tally(2, Some(n_best), standings).horizon();
        assert_eq!(horizon(1, &[Diverged(9), Ended, Arrived(4)]), Some(9));
        assert_eq!(horizon(1, &[Diverged(9), Arrived(7), Arrived(4)]), Some(7));
        assert_eq!(horizon(2, &[Diverged(9), Arrived(7), Arrived(4)]), Some(9));
        assert_eq!(horizon(3, &[Diverged(9), Arrived(7), Arrived(4)]), None);
        assert_eq!(horizon(1, &[Ended, until(3), Arrived(4)]), None, "no room for trial 2");
    }

    #[test]
    fn divergences_after_the_horizon_are_forgiven() {
        let mut tally = tally(3, Some(1), &[Diverged(9), Diverged(4), Arrived(4)]);
        assert_eq!(tally.horizon(), Some(4));
        assert_eq!(tally.forgive_divergences_after(4), [0]);
        assert_eq!((tally.n_complete(), tally.n_infeasible()), (2, 1));
        assert_eq!(tally.next(), Some(3), "for trial 1, not for trial 0");
    }

    #[test]
    fn the_best_are_those_that_count_by_step_and_id() {
        let standings = [Arrived(8), Diverged(1), Arrived(5), Arrived(5), Arrived(1)];
        let tally = tally(3, None, &standings);
        assert_eq!(tally.best(2), [(5, 2), (5, 3)]);
        assert_eq!(tally.best(9), [(5, 2), (5, 3), (8, 0)]);
    }
}
