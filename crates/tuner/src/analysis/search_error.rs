//! How far the steps of a study may lie from those of the expected best of its search.
//!
//! The least steps of n trials are lucky or unlucky by chance. A bootstrap of the minimum shows only
//! half of that: no resample holds a better trial than the sample does (see
//! [`uncertainty`](super::uncertainty)). The gaps between the best trials show all of it.
//!
//! # Equation
//!
//! Let s_1 <= s_2 <= ... be the least steps of n trials. Around an optimum at which log steps are
//! quadratic in two metaparameters, log s of random points has an exponential lower tail, and then the
//! spacings
//!
//! ```text
//! (n - i) (log s_(i+1) - log s_i),    i = 1, 2, ...
//! ```
//!
//! are independent and exponential with one mean a, while log s_1 lies by (a / n) E above the box's best,
//! with E exponential of mean 1. So a is estimated as the mean of the first five spacings. A draw takes
//! the least of a bootstrap resample, s_K, for a best trial may be luck of its seed far beyond what
//! spacings say, and moves it by what the minimum of n lies off its expectation:
//!
//! ```text
//! log s = log s_K - (a / n) / (e - 1) + (a / n) (1 - E),    P(K > k) = (1 - k / n)^n
//! ```
//!
//! (a / n) / (e - 1) is what s_K lies above s_1 in the mean where spacings are exponential. This is a
//! smoothed bootstrap: its draws are those of the log steps that the expected best of n trials takes, above
//! s_1 where the best trial was luck, below where it was not. Where fewer than six trials reached the
//! goal, the gap from the last of them to the end of the budget is counted too, without another trial at
//! its end; this makes a larger.
//!
//! # Source
//!
//! Smoothing: Efron, "Bootstrap methods: another look at the jackknife", 1979. Spacings: Rényi, "On the
//! theory of order statistics", 1953; a from the least of them: Weissman, "Estimation of parameters and
//! large quantiles based on the k largest observations", 1978.

use serde::Serialize;

use super::scaling::log;
use super::uncertainty::rank_of_minimum;
use crate::record::{Question, StudyOutcomes};

/// Spacings that are averaged: few, for the tail is exponential near the best only.
const N_SPACINGS: usize = 5;

/// Why it is not known how far off a curve may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoIntervals {
    /// Trials were stopped early, so that nobody knows what the next best would have done.
    StoppedEarly,
    /// A batch size has a single trial, or a single one that reached the goal within a budget that is
    /// not known.
    TooFewTrials,
}

/// A study's log steps with their error.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SearchError {
    /// The least steps, ascending.
    best: Vec<u64>,
    /// Steps that other trials take at least.
    rest: u64,
    n_trials: usize,
    /// a / n: the standard deviation of the log of the least steps.
    deviation: f64,
}

impl SearchError {
    /// Of the trials that count.
    ///
    /// # Errors
    ///
    /// Where trials that were stopped early might have been among the best, and where there is no gap to
    /// learn from: beside a single trial, or beside others that did not reach the goal within a budget
    /// that is not known.
    pub(super) fn of(
        outcomes: &StudyOutcomes,
        question: &Question,
    ) -> Result<SearchError, NoIntervals> {
        let arrivals = outcomes.counted().filter_map(|outcome| Some(outcome.reached?.step));
        let mut best: Vec<u64> = arrivals.collect();
        best.sort_unstable();
        best.truncate(N_SPACINGS + 1);
        let last = *best.last().ok_or(NoIntervals::TooFewTrials)?;
        let is_all = best.len() > N_SPACINGS;
        let would_matter = |stopped: u64| !is_all || stopped < last;
        if outcomes.stopped_early(question).any(would_matter) {
            return Err(NoIntervals::StoppedEarly);
        }
        let n_trials = outcomes.counted().count();
        let end = outcomes.budget_end(question).filter(|_| !is_all).unwrap_or(last);
        let rest = end.max(last);
        if n_trials < 2 || (best.len() < 2 && rest == last) {
            return Err(NoIntervals::TooFewTrials);
        }
        let spacings = best
            .windows(2)
            .enumerate()
            .map(|(index, pair)| (n_trials - index - 1) as f64 * (log(pair[1]) - log(pair[0])));
        let censored = (n_trials - best.len()) as f64 * (log(rest) - log(last));
        let mean = (spacings.sum::<f64>() + censored) / (best.len() - 1).max(1) as f64;
        Ok(SearchError { best, rest, n_trials, deviation: mean / n_trials as f64 })
    }

    /// A draw of the steps, from two numbers in [0, 1). Where the goal was met before training, that is
    /// no error of the search.
    pub(super) fn steps(&self, [of_rank, of_error]: [f64; 2]) -> u64 {
        let rank = rank_of_minimum(self.n_trials, self.n_trials, of_rank);
        let least = *self.best.get(rank - 1).unwrap_or(&self.rest);
        if least == 0 {
            return 0;
        }
        let exponential = -(-of_error).ln_1p();
        let centre = 1.0 - 1.0 / (std::f64::consts::E - 1.0);
        let log_steps = log(least) + self.deviation * (centre - exponential);
        log_steps.exp().round().max(1.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{BUDGET_STEPS, Outcome, question, study};

    fn error(outcomes: &[Outcome]) -> Result<SearchError, NoIntervals> {
        SearchError::of(&study(8, outcomes), &question())
    }

    #[test]
    fn is_the_mean_of_the_first_five_spacings() {
        let steps = [100, 110, 120, 140, 150, 200, 900];
        let mut outcomes: Vec<Outcome> = steps.map(Outcome::reached).to_vec();
        outcomes.push(Outcome::missed());
        outcomes.push(Outcome::diverged());
        let spacing = |i: usize| (8 - i) as f64 * (steps[i] as f64 / steps[i - 1] as f64).ln();
        let expected = (1..=5).map(spacing).sum::<f64>() / 5.0 / 8.0;
        let found = error(&outcomes).unwrap();
        assert!((found.deviation - expected).abs() < 1e-12, "{found:?}");
        // The first rank, for which P(K > 1) = (7 / 8)^8 = 0.34, and the second; E = 1 at 1 - 1 / e.
        let unit = 1.0 - (-1.0_f64).exp();
        let centre = -expected / (std::f64::consts::E - 1.0);
        assert_eq!(found.steps([0.6, unit]), (100.0 * centre.exp()).round() as u64);
        assert_eq!(found.steps([0.7, unit]), (110.0 * centre.exp()).round() as u64);
        assert_eq!(found.steps([0.0, 0.0]), (100.0 * (centre + expected).exp()).round() as u64);
        assert!(found.steps([0.0, 0.999]) < 90);
    }

    #[test]
    fn a_goal_met_before_training_takes_no_steps_in_any_draw() {
        let found = error(&[Outcome::reached(0), Outcome::reached(0), Outcome::missed()]).unwrap();
        assert_eq!([0.0, 0.5, 0.9].map(|unit| found.steps([0.5, unit])), [0; 3]);
    }

    #[test]
    fn few_that_reached_the_goal_make_it_large() {
        let of = |n_missed: usize, reached: &[u64]| {
            let reached = reached.iter().map(|steps| Outcome::reached(*steps));
            let missed = std::iter::repeat_n(Outcome::missed(), n_missed);
            error(&reached.chain(missed).collect::<Vec<_>>()).unwrap().deviation
        };
        let end = BUDGET_STEPS as f64;
        assert!((of(9, &[100]) - 0.9 * (end / 100.0).ln()).abs() < 1e-12);
        let two = (9.0 * (200_f64 / 100.0).ln() + 8.0 * (end / 200.0).ln()) / 10.0;
        assert!((of(8, &[100, 200]) - two).abs() < 1e-12);
        assert_eq!(error(&[Outcome::missed()]), Err(NoIntervals::TooFewTrials));
    }

    #[test]
    fn without_a_gap_nothing_is_known() {
        let too_few = Err(NoIntervals::TooFewTrials);
        assert_eq!(error(&[Outcome::reached(100)]), too_few, "a single trial");
        let mut lucky = study(8, &[Outcome::reached(100), Outcome::missed(), Outcome::missed()]);
        assert!(SearchError::of(&lucky, &question()).is_ok());
        lucky.facts.budget_steps = None;
        assert_eq!(SearchError::of(&lucky, &question()), too_few, "missed, but by how much?");
    }

    #[test]
    fn trials_stopped_before_it_is_known_whether_they_were_better_leave_it_open() {
        let mut outcomes: Vec<Outcome> = (0..6).map(|k| Outcome::reached(100 + k)).collect();
        assert!(error(&outcomes).is_ok());
        outcomes.push(Outcome::stopped(105));
        assert!(error(&outcomes).is_ok(), "it could only have come after the sixth");
        outcomes.push(Outcome::stopped(104));
        let stopped_early = Err(NoIntervals::StoppedEarly);
        assert_eq!(error(&outcomes), stopped_early);
        assert_eq!(error(&[Outcome::reached(100), Outcome::stopped(500)]), stopped_early);
    }
}
