//! How far lanes train before the next stop: never for long, and, where they wait for each other, so that
//! they wait little.
//!
//! Lanes in different phases are at different distances from their next measurement. Up to the
//! farthest, lanes that arrived idle; up to the nearest, all lanes idle while one is measured. The
//! rule changes when lanes are measured, never what is measured.

use std::time::Duration;

/// A round that takes less may be longer.
const SHORT_ROUND: Duration = Duration::from_secs(1);

/// A round that takes more has to be shorter.
const LONG_ROUND: Duration = Duration::from_secs(3);

/// The most steps of a round, which nothing but time depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoundLength {
    most_steps: u64,
    is_fixed: bool,
}

impl RoundLength {
    /// The length asked for, or one that adapts.
    pub(super) fn new(asked: Option<u64>) -> RoundLength {
        RoundLength { most_steps: asked.unwrap_or(4).max(1), is_fixed: asked.is_some() }
    }

    pub(super) fn most_steps(self) -> u64 {
        self.most_steps
    }

    /// Takes in the time that a round of so many steps took.
    pub(super) fn took(&mut self, steps: u64, time: Duration) {
        if self.is_fixed {
            return;
        }
        if time > LONG_ROUND {
            self.most_steps = (self.most_steps / 2).max(1);
        } else if time < SHORT_ROUND && steps == self.most_steps {
            self.most_steps = self.most_steps.saturating_mul(2);
        }
    }
}

/// Steps until the next stop: lanes with fewer left wait, those with more go on afterwards.
///
/// `left` has the steps of each lane to its next measurement, 0 for a free lane, and `stop_cost` is
/// what a stop takes in steps. Of the stops at which some lane arrives, the one with the most
/// training per time, `sum_i min(left_i, r) / (r + stop_cost)`; between two of them that ratio is
/// monotone, so no other stop is better. Then lanes a little behind are waited for while their
/// arrival costs less idling than a stop of their own would: lanes that measure together stay
/// together.
pub(super) fn steps_to_stop(left: &[u64], stop_cost: f64) -> u64 {
    let mut arrivals: Vec<u64> = left.iter().copied().filter(|left| *left > 0).collect();
    arrivals.sort_unstable();
    let n_lanes = arrivals.len() as f64;
    let (mut best, mut best_rate, mut n_arrived, mut steps_arrived) = (0, 0.0, 0, 0.0);
    for (index, &stop) in arrivals.iter().enumerate() {
        let n_behind = (arrivals.len() - index) as f64;
        let rate = (steps_arrived + n_behind * stop as f64) / (stop as f64 + stop_cost);
        if rate >= best_rate {
            (best, best_rate, n_arrived) = (stop, rate, index + 1);
        }
        steps_arrived += stop as f64;
    }
    for &stop in &arrivals[n_arrived..] {
        if n_arrived as f64 * (stop - best) as f64 > stop_cost * n_lanes {
            break;
        }
        best = stop;
        n_arrived += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_come_to_take_a_second_or_two() {
        let mut length = RoundLength::new(None);
        let mut rounds = |n_rounds, milliseconds_per_step| {
            for _ in 0..n_rounds {
                let steps = length.most_steps();
                length.took(steps, Duration::from_millis(steps * milliseconds_per_step));
            }
            length.most_steps()
        };
        assert_eq!(rounds(20, 5), 256);
        assert_eq!(rounds(20, 2000), 1);
        length.took(0, Duration::from_millis(1));
        assert_eq!(length.most_steps(), 1, "a round that something else ended says nothing");
        let mut fixed = RoundLength::new(Some(7));
        fixed.took(7, Duration::from_secs(100));
        assert_eq!(fixed.most_steps(), 7);
    }

    #[test]
    fn lanes_in_step_are_measured_together() {
        assert_eq!(steps_to_stop(&[], 10.0), 0);
        assert_eq!(steps_to_stop(&[0, 0], 10.0), 0);
        assert_eq!(steps_to_stop(&[0, 7, 0], 10.0), 7);
        assert_eq!(steps_to_stop(&[40; 8], 10.0), 40);
        assert_eq!(steps_to_stop(&[40; 8], 0.0), 40);
    }

    #[test]
    fn lanes_a_little_behind_are_waited_for() {
        assert_eq!(steps_to_stop(&[101, 100], 10.0), 101);
        assert_eq!(steps_to_stop(&[100, 104, 109, 300, 300, 300], 10.0), 109);
        assert_eq!(steps_to_stop(&[100, 100, 100, 109, 5000], 2.0), 100);
    }

    #[test]
    fn a_stop_that_costs_nothing_is_made_for_every_lane() {
        assert_eq!(steps_to_stop(&[3, 5, 900], 0.0), 3);
        assert_eq!(steps_to_stop(&[1, 500, 500, 500], 0.0), 1);
    }

    /// A trial that has just begun is measured every step; the others do not stop for it each time.
    #[test]
    fn a_dear_stop_is_not_made_for_one_lane_of_many() {
        let mut left = [500; 8];
        left[3] = 1;
        assert_eq!(steps_to_stop(&left, 10.0), 500);
        left[3] = 50;
        assert_eq!(steps_to_stop(&left, 10.0), 500);
        assert_eq!(steps_to_stop(&left, 1.0), 50);
    }

    /// Share of lane-steps that train when every stop is `next`'s, with a grid of 5 % and trials
    /// that end and begin anew at different steps.
    fn share_of_training(stop_cost: f64, next: impl Fn(&[u64]) -> u64) -> f64 {
        const LANES: usize = 8;
        let budget = |trial: usize| 400 + (trial * 7919 % 1600) as u64;
        let mut n_trials = LANES;
        let mut step = [0_u64; LANES];
        let mut ends: Vec<u64> = (0..LANES).map(budget).collect();
        let point = |step: u64| (step + 1).max(step + step / 20);
        let mut next_point = [1; LANES];
        let (mut time, mut trained) = (0.0, 0);
        while n_trials < 60 {
            let left: Vec<u64> = (0..LANES).map(|lane| next_point[lane] - step[lane]).collect();
            let stop = next(&left);
            time += stop as f64 + stop_cost;
            for lane in 0..LANES {
                let n_steps = left[lane].min(stop);
                trained += n_steps;
                step[lane] += n_steps;
                if step[lane] >= ends[lane] {
                    (step[lane], ends[lane]) = (0, budget(n_trials));
                    n_trials += 1;
                    next_point[lane] = 1;
                } else if step[lane] == next_point[lane] {
                    next_point[lane] = point(step[lane]);
                }
            }
        }
        trained as f64 / (time * LANES as f64)
    }

    #[test]
    fn no_worse_than_either_extreme_over_a_whole_study() {
        for stop_cost in [0.0, 0.5, 2.0, 10.0, 50.0] {
            let adapted = share_of_training(stop_cost, |left| steps_to_stop(left, stop_cost));
            let farthest = share_of_training(stop_cost, |left| *left.iter().max().unwrap());
            let nearest = share_of_training(stop_cost, |left| *left.iter().min().unwrap());
            let best = f64::max(farthest, nearest);
            assert!(
                adapted > 0.97 * best,
                "stop cost {stop_cost}: {adapted:.3}, farthest {farthest:.3}, nearest {nearest:.3}"
            );
        }
    }
}
