//! Did the search end inside its box, or where a better point may lie beyond?
//!
//! # Rule
//!
//! The best point's coordinate u on the metaparameter's own scale is near an edge if u is at most
//! the tolerance (0.1 suits) or at least 1 minus the tolerance, or if the value is the scale's end
//! itself (integers and points: their u is the middle of their share of \[0, 1\]). Near an edge,
//!
//! 1. `natural_limit` if the box ends there because values stop making sense beyond;
//! 2. else `infeasible_edge` if at least three trials lie beyond the best point in this dimension, and
//!    every such trial diverged: the search has seen what comes next (one or two might have diverged for
//!    another metaparameter's sake);
//! 3. else `edge_low` or `edge_high`: search again in a wider box.
//!
//! Where several trials needed the same number of steps, the verdict is that of the result's, the first by
//! id. The others often lie along a ridge, as of equal learning rate over one minus momentum, whose ends
//! are edges in one metaparameter and no reason to search beyond.
//!
//! Fixed metaparameters were not searched and have no verdict, nor have names without a scale (as in
//! some archives), nor studies without a result. A discrete scale of one or two points is
//! interior: it is a choice, and every point of it an end.
//!
//! # Source
//!
//! The paper searched again wherever the best point lay near an edge of the box, and gives no
//! number; the exceptions are those of the Deep Learning Tuning Playbook (Godbole et al. 2023).

use std::collections::BTreeMap;

use serde::Serialize;

use super::natural_limits::{limit, natural_limits};
use crate::record::StudyOutcomes;
use crate::space::Scale;
use crate::store::TrialStatus;

/// Trials beyond the best point that show, all diverged, that nothing better lies there.
const LEAST_BEYOND: usize = 3;

/// What a metaparameter's best value says about its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Away from both ends: the box was wide enough.
    Interior,
    /// At the lower end: lower values may be better.
    EdgeLow,
    /// At the upper end: higher values may be better.
    EdgeHigh,
    /// At an end beyond which values make no sense.
    NaturalLimit,
    /// At an end, but every trial further out diverged.
    InfeasibleEdge,
}

impl Verdict {
    /// Whether a better point may lie beyond the box.
    #[must_use]
    pub fn is_edge(self) -> bool {
        matches!(self, Verdict::EdgeLow | Verdict::EdgeHigh)
    }

    /// Name, as in reports: `edge_low`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Interior => "interior",
            Verdict::EdgeLow => "edge_low",
            Verdict::EdgeHigh => "edge_high",
            Verdict::NaturalLimit => "natural_limit",
            Verdict::InfeasibleEdge => "infeasible_edge",
        }
    }
}

/// Where the best value of one metaparameter lies in its box.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Boundary {
    /// What that says.
    pub verdict: Verdict,
    /// The best value.
    pub value: f64,
    /// Its coordinate on the scale, in [0, 1].
    pub unit: f64,
    /// The scale's end nearer to it.
    pub bound: f64,
    /// Trials beyond the best value, on the side of the nearer end.
    pub n_beyond: u64,
    /// Those of them that diverged.
    pub n_diverged_beyond: u64,
}

impl StudyOutcomes {
    /// The verdict on each searched metaparameter of the best trial; none without a result.
    ///
    /// `tolerance` is the outer part of a scale that counts as its edge, in unit coordinates.
    #[must_use]
    pub fn boundaries(&self, tolerance: f64) -> BTreeMap<String, Boundary> {
        let Some(best) = self.winner() else { return BTreeMap::new() };
        let boundary = |(name, scale): (&String, &Scale)| {
            let is_searched = !matches!(scale, Scale::Fixed(_));
            let value = best.trial.parameters.get(name).filter(|_| is_searched)?;
            Some((name.clone(), self.boundary(name, scale, *value, tolerance)))
        };
        self.facts.space.scales.iter().filter_map(boundary).collect()
    }

    fn boundary(&self, name: &str, scale: &Scale, value: f64, tolerance: f64) -> Boundary {
        let unit = scale.to_unit(value);
        let (lower, upper) = scale.bounds();
        let is_low = unit < 0.5;
        let is_beyond = |other: f64| if is_low { other < value } else { other > value };
        let beyond: Vec<TrialStatus> = self
            .trials
            .iter()
            .filter(|outcome| outcome.trial.parameters.get(name).is_some_and(|v| is_beyond(*v)))
            .map(|outcome| outcome.trial.status)
            .collect();
        let n_diverged = beyond.iter().filter(|s| **s == TrialStatus::Infeasible).count();
        let limits = natural_limits(name);
        let (is_near, is_limit, bound) = match is_low {
            true => {
                let is_limit = limit(limits.lower).is_some_and(|limit| lower <= limit);
                (unit <= tolerance || value <= lower, is_limit, lower)
            }
            false => {
                let is_limit = limit(limits.upper).is_some_and(|limit| upper >= limit);
                (unit >= 1.0 - tolerance || value >= upper, is_limit, upper)
            }
        };
        let verdict = match () {
            () if !is_near || is_choice(scale) => Verdict::Interior,
            () if is_limit => Verdict::NaturalLimit,
            () if beyond.len() >= LEAST_BEYOND && n_diverged == beyond.len() => {
                Verdict::InfeasibleEdge
            }
            () if is_low => Verdict::EdgeLow,
            () => Verdict::EdgeHigh,
        };
        let (n_beyond, n_diverged_beyond) = (beyond.len() as u64, n_diverged as u64);
        Boundary { verdict, value, unit, bound, n_beyond, n_diverged_beyond }
    }
}

/// Whether all points of a scale are its ends, so that being near one says nothing.
fn is_choice(scale: &Scale) -> bool {
    let (lower, upper) = scale.bounds();
    lower >= upper || matches!(scale, Scale::Discrete(points) if points.len() < 3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::testing::{Outcome, study_in};
    use crate::space::Space;

    fn space(name: &str, scale: Scale) -> Space {
        Space { scales: [(name.to_owned(), scale)].into() }
    }

    /// The verdict on a best value, with other trials at (value, diverged).
    fn verdict(name: &str, scale: Scale, best: f64, others: &[(f64, bool)]) -> Verdict {
        let mut outcomes = vec![Outcome::reached(10).at(name, best)];
        outcomes.extend(others.iter().map(|(value, diverged)| {
            let outcome = if *diverged { Outcome::diverged() } else { Outcome::reached(20) };
            outcome.at(name, *value)
        }));
        study_in(8, space(name, scale), &outcomes).boundaries(0.1)[name].verdict
    }

    #[test]
    fn outer_tenths_of_the_scale_are_edges() {
        let log = || Scale::Log(1e-4, 1.0);
        assert_eq!(verdict("learning_rate", log(), 1e-2, &[]), Verdict::Interior);
        // u = 0.1 is 10^-3.6.
        assert_eq!(verdict("learning_rate", log(), 10_f64.powf(-3.61), &[]), Verdict::EdgeLow);
        assert_eq!(verdict("learning_rate", log(), 10_f64.powf(-3.59), &[]), Verdict::Interior);
        assert_eq!(verdict("learning_rate", log(), 10_f64.powf(-0.39), &[]), Verdict::EdgeHigh);
        assert_eq!(verdict("learning_rate", log(), 10_f64.powf(-0.41), &[]), Verdict::Interior);
    }

    #[test]
    fn momentum_zero_is_a_limit_and_other_momenta_are_not() {
        let momentum = |lo, hi, best| verdict("momentum", Scale::ReverseLog(lo, hi), best, &[]);
        assert_eq!(momentum(0.0, 0.99, 0.1), Verdict::NaturalLimit);
        assert_eq!(momentum(0.5, 0.99, 0.51), Verdict::EdgeLow);
        assert_eq!(momentum(0.0, 0.99, 0.989), Verdict::EdgeHigh);
        assert_eq!(momentum(0.0, 0.99, 0.9), Verdict::Interior);
    }

    #[test]
    fn an_edge_beyond_which_all_diverges_is_no_reason_to_widen() {
        let at = |others: &[(f64, bool)]| {
            verdict("learning_rate", Scale::Linear(0.0, 1.0), 0.95, others)
        };
        let diverged = [(0.96, true), (0.97, true), (0.99, true)];
        assert_eq!(at(&[&diverged[..], &[(0.2, false)]].concat()), Verdict::InfeasibleEdge);
        assert_eq!(at(&diverged[1..]), Verdict::EdgeHigh, "two may be chance");
        assert_eq!(at(&[&diverged[..], &[(0.98, false)]].concat()), Verdict::EdgeHigh);
        assert_eq!(at(&[(0.2, true)]), Verdict::EdgeHigh, "none lies beyond");
    }

    #[test]
    fn points_and_integers_have_ends() {
        let smoothing =
            |best| verdict("label_smoothing", Scale::Discrete(vec![0.0, 0.01, 0.1]), best, &[]);
        assert_eq!([0.0, 0.01, 0.1].map(smoothing), {
            [Verdict::NaturalLimit, Verdict::Interior, Verdict::EdgeHigh]
        });
        let layers = |best| verdict("layers", Scale::Integer(2, 4), best, &[]);
        let expected = [Verdict::EdgeLow, Verdict::Interior, Verdict::EdgeHigh];
        assert_eq!([2.0, 3.0, 4.0].map(layers), expected);
        assert_eq!(verdict("x", Scale::Discrete(vec![3.0]), 3.0, &[]), Verdict::Interior);
        let choice = || Scale::Discrete(vec![0.0, 3.0]);
        assert_eq!(verdict("x", choice(), 0.0, &[]), Verdict::Interior, "every point is an end");
        assert_eq!(verdict("x", choice(), 3.0, &[]), Verdict::Interior);
    }

    #[test]
    fn what_was_not_searched_has_no_verdict() {
        let best = Outcome::reached(10).at("learning_rate", 0.1).at("other", 2.0);
        let fixed =
            study_in(8, space("learning_rate", Scale::Fixed(0.1)), std::slice::from_ref(&best));
        assert!(fixed.boundaries(0.1).is_empty());
        let unknown = study_in(8, Space::default(), &[best]);
        assert!(unknown.boundaries(0.1).is_empty());
        let nothing = study_in(8, space("a", Scale::Linear(0.0, 1.0)), &[Outcome::missed()]);
        assert!(nothing.boundaries(0.1).is_empty());
    }

    proptest! {
        #[test]
        fn a_mirrored_search_has_the_mirrored_verdict(
            best in 0.0..1.0_f64,
            others in proptest::collection::vec((0.0..1.0_f64, any::<bool>()), 0..60),
        ) {
            let scale = || Scale::Linear(0.0, 1.0);
            let mirrored: Vec<_> = others.iter().map(|(x, diverged)| (1.0 - x, *diverged)).collect();
            let here = verdict("x", scale(), best, &others);
            let there = verdict("x", scale(), 1.0 - best, &mirrored);
            let expected = match here {
                Verdict::EdgeLow => Verdict::EdgeHigh,
                Verdict::EdgeHigh => Verdict::EdgeLow,
                same => same,
            };
            // Rounding of 1 - x may move a point over the tolerance itself.
            let distance = (best.min(1.0 - best) - 0.1).abs();
            prop_assume!(distance > 1e-12 && (best - 0.5).abs() > 1e-12);
            prop_assert_eq!(there, expected);
        }
    }
}
