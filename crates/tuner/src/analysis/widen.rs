//! A wider box for a search that ended on an edge.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::boundary::{Boundary, Verdict};
use super::natural_limits::natural_limits;
use crate::search_box::has_room;
use crate::space::{Scale, Space};
use crate::trainer::Range;

/// The part of a scale's length by which an edge moves out, as a rule.
pub const WIDENING_FACTOR: f64 = 0.5;

/// Largest momentum a box is widened to: 1 - 2^-20. Beyond it steps average over a million others.
const LARGEST_BELOW_ONE: f64 = 1.0 - 1.0 / (1_u64 << 20) as f64;

/// What is left at least of the distance to a limit that is itself not allowed.
const NEAREST_TO_LIMIT: f64 = 0.1;

/// The space with each scale that ended on an edge extended there, by `factor` of its length in the
/// scale's own coordinates; `None` if no scale could be extended.
///
/// # Equation
///
/// Linear and integer: hi + f (hi - lo). Log: hi (hi / lo)^f. Reverse log: 1 - hi becomes
/// (1 - hi) ((1 - hi) / (1 - lo))^f. The lower ends alike. No end moves beyond the natural limit of
/// its metaparameter; a log scale stays above 0 and a reverse log scale below 1. A scale with hardly any
/// room to its limit cannot be extended, nor a discrete one, since nobody but its author knows what
/// the next point would be: [`not_widened`] names those.
#[must_use]
pub fn widened_space(
    space: &Space,
    boundaries: &BTreeMap<String, Boundary>,
    factor: f64,
) -> Option<Space> {
    let mut wider = space.clone();
    for (name, boundary) in boundaries {
        if let Some(scale) = wider.scales.get_mut(name)
            && let Some(widened) = widened(scale, boundary.verdict, natural_limits(name), factor)
        {
            *scale = widened;
        }
    }
    (wider != *space).then_some(wider)
}

/// The metaparameters that ended on an edge and that [`widened_space`] cannot extend: points to be
/// added by hand.
#[must_use]
pub fn not_widened(space: &Space, boundaries: &BTreeMap<String, Boundary>) -> Vec<String> {
    let stays = |(name, boundary): (&String, &Boundary)| {
        let scale = space.scales.get(name).filter(|_| boundary.verdict.is_edge())?;
        let widened = widened(scale, boundary.verdict, natural_limits(name), WIDENING_FACTOR);
        widened.is_none().then(|| name.clone())
    };
    boundaries.iter().filter_map(stays).collect()
}

/// The scale extended on the side of the verdict; `None` if it stays as it is.
fn widened(scale: &Scale, verdict: Verdict, limits: Range, factor: f64) -> Option<Scale> {
    let is_low = match verdict {
        Verdict::EdgeLow => true,
        Verdict::EdgeHigh => false,
        Verdict::Interior | Verdict::NaturalLimit | Verdict::InfeasibleEdge => return None,
    };
    // The end that moves, in the scale's coordinates, beyond [0, 1].
    let out = if is_low { -factor } else { 1.0 + factor };
    let ends = |lo: f64, hi: f64, end: f64| match is_low {
        true if limits.contains(end) => (end, hi),
        true => (lowest(limits.lower, lo), hi),
        false if limits.contains(end) => (lo, end),
        false => (lo, highest(limits.upper, hi)),
    };
    let widened = match scale {
        Scale::Fixed(_) | Scale::Discrete(_) => return None,
        Scale::Linear(lo, hi) => {
            let (lo, hi) = ends(*lo, *hi, lo + out * (hi - lo));
            Scale::Linear(lo, hi)
        }
        Scale::Log(lo, hi) => {
            let (lo, hi) = ends(*lo, *hi, (lo.ln() + out * (hi / lo).ln()).exp());
            Scale::Log(lo, hi)
        }
        Scale::ReverseLog(lo, hi) => {
            let (log_lo, log_hi) = ((-lo).ln_1p(), (-hi).ln_1p());
            let end = -(log_lo + out * (log_hi - log_lo)).exp_m1();
            match is_low {
                true => Scale::ReverseLog(end.max(0.0), *hi),
                false => Scale::ReverseLog(*lo, end.min(LARGEST_BELOW_ONE.max(*hi))),
            }
        }
        Scale::Integer(lo, hi) => {
            // At least one value more, as far as the limits allow.
            let more = (factor * (hi - lo + 1) as f64).ceil();
            let end = if is_low { *lo as f64 - more } else { *hi as f64 + more };
            let (lo, hi) = ends(*lo as f64, *hi as f64, end);
            Scale::Integer(lo.ceil() as i64, hi.floor() as i64)
        }
    };
    has_room(scale, &widened).then_some(widened)
}

/// How far down a lower end moves that would move beyond its limit: to it, or, if the limit itself
/// is not allowed, up to a tenth of the distance.
fn lowest(limit: Bound<f64>, lo: f64) -> f64 {
    match limit {
        Bound::Included(limit) => limit.min(lo),
        Bound::Excluded(limit) => limit + (lo - limit) * NEAREST_TO_LIMIT,
        Bound::Unbounded => f64::NEG_INFINITY,
    }
}

/// How far up an upper end moves, likewise.
fn highest(limit: Bound<f64>, hi: f64) -> f64 {
    -lowest(mirrored(limit), -hi)
}

fn mirrored(limit: Bound<f64>) -> Bound<f64> {
    match limit {
        Bound::Included(limit) => Bound::Included(-limit),
        Bound::Excluded(limit) => Bound::Excluded(-limit),
        Bound::Unbounded => Bound::Unbounded,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::natural_limits::limit;
    use crate::search_box::LARGEST_SHARE;

    fn boundary(verdict: Verdict) -> Boundary {
        let (value, unit, bound) = (0.0, 0.0, 0.0);
        Boundary { verdict, value, unit, bound, n_beyond: 0, n_diverged_beyond: 0 }
    }

    fn widen(name: &str, scale: Scale, verdict: Verdict) -> Option<Scale> {
        let space = Space { scales: [(name.to_owned(), scale)].into() };
        let boundaries = [(name.to_owned(), boundary(verdict))].into();
        widened_space(&space, &boundaries, 0.5).map(|space| space.scales[name].clone())
    }

    fn assert_close(found: Option<Scale>, expected: &Scale) {
        let found = found.unwrap();
        let ((a, b), (c, d)) = (found.bounds(), expected.bounds());
        assert!((a - c).abs() < 1e-9 * c.abs() && (b - d).abs() < 1e-9 * d.abs(), "{found}");
        assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(expected));
    }

    /// What is left to the limit is less than a widened box has to have in new points.
    #[test]
    fn a_scale_with_hardly_any_room_stays() {
        let stays = |name, scale, verdict| assert_eq!(widen(name, scale, verdict), None, "{name}");
        stays("warmup_steps", Scale::Integer(1, 1_000), Verdict::EdgeLow);
        stays("learning_rate", Scale::Linear(1e-4, 0.1), Verdict::EdgeLow);
        stays("momentum", Scale::ReverseLog(0.001, 0.999), Verdict::EdgeLow);
        let wider = widen("warmup_steps", Scale::Integer(1, 900), Verdict::EdgeLow);
        assert_eq!(wider, Some(Scale::Integer(0, 900)));
    }

    #[test]
    fn each_scale_grows_by_half_of_its_own_length() {
        let (low, high) = (Verdict::EdgeLow, Verdict::EdgeHigh);
        let log = || Scale::Log(0.01, 1.0);
        assert_close(widen("learning_rate", log(), high), &Scale::Log(0.01, 10.0));
        assert_close(widen("learning_rate", log(), low), &Scale::Log(0.001, 1.0));
        assert_close(widen("x", Scale::Linear(1.0, 3.0), high), &Scale::Linear(1.0, 4.0));
        assert_close(widen("x", Scale::Integer(4, 7), high), &Scale::Integer(4, 9));
        assert_close(widen("x", Scale::Integer(4, 7), low), &Scale::Integer(2, 7));
        // 1 - m from 0.1 down to 0.001 goes on to 0.0001.
        let momentum = || Scale::ReverseLog(0.9, 0.999);
        assert_close(widen("momentum", momentum(), high), &Scale::ReverseLog(0.9, 0.9999));
        // And up to 0.1 * 10 = 1: no momentum.
        assert!(
            matches!(widen("momentum", momentum(), low), Some(Scale::ReverseLog(lo, 0.999)) if lo < 1e-12)
        );
    }

    #[test]
    fn limits_hold() {
        let low = Verdict::EdgeLow;
        assert_eq!(
            widen("momentum", Scale::ReverseLog(0.5, 0.9999), low),
            Some(Scale::ReverseLog(0.0, 0.9999))
        );
        assert_eq!(
            widen("label_smoothing", Scale::Linear(0.1, 0.5), low),
            Some(Scale::Linear(0.0, 0.5))
        );
        assert_eq!(
            widen("learning_rate_decay_steps", Scale::Integer(2, 900), low),
            Some(Scale::Integer(1, 900))
        );
        let high = Verdict::EdgeHigh;
        assert_eq!(widen("momentum", Scale::ReverseLog(0.0, 1.0 - 1e-15), high), None);
        // 0 and 1 themselves are not allowed, so boxes come nearer only.
        assert_close(
            widen("learning_rate", Scale::Linear(0.1, 1.0), low),
            &Scale::Linear(0.01, 1.0),
        );
        assert_close(widen("momentum", Scale::Linear(0.1, 0.9), high), &Scale::Linear(0.1, 0.99));
    }

    #[test]
    fn what_has_no_edge_or_no_order_stays() {
        let scale = Scale::Discrete(vec![0.0, 0.1]);
        assert_eq!(widen("x", scale.clone(), Verdict::EdgeHigh), None);
        let space = Space { scales: [("x".to_owned(), scale)].into() };
        let on_edge = [("x".to_owned(), boundary(Verdict::EdgeHigh))].into();
        assert_eq!(not_widened(&space, &on_edge), ["x"]);
        let inside = [("x".to_owned(), boundary(Verdict::Interior))].into();
        assert!(not_widened(&space, &inside).is_empty());
        for verdict in [Verdict::Interior, Verdict::NaturalLimit, Verdict::InfeasibleEdge] {
            assert_eq!(widen("x", Scale::Linear(0.0, 1.0), verdict), None);
        }
    }

    proptest! {
        #[test]
        fn a_wider_scale_is_sound_and_holds_the_old_one(
            lo in 1e-6..0.5_f64,
            length in 1e-3..0.4_f64,
            factor in 0.01..5.0_f64,
            is_low in any::<bool>(),
        ) {
            let hi = lo + length;
            let verdict = if is_low { Verdict::EdgeLow } else { Verdict::EdgeHigh };
            for name in ["momentum", "learning_rate", "label_smoothing", "anything"] {
                for scale in [Scale::Linear(lo, hi), Scale::Log(lo, hi), Scale::ReverseLog(lo, hi)] {
                    let limits = natural_limits(name);
                    let Some(wider) = widened(&scale, verdict, limits, factor) else {
                        // The limit, in any case 0 on a reverse-log scale, is so near that there is
                        // hardly any room.
                        let end = limit(if is_low { limits.lower } else { limits.upper });
                        let end = end.unwrap_or(0.0);
                        let to_end = if is_low { lo - end } else { end - hi };
                        prop_assert!(to_end / length <= 1.01 * (1.0 - LARGEST_SHARE), "{end}");
                        continue;
                    };
                    prop_assert_eq!(wider.broken_requirement(), None);
                    let (a, b) = wider.bounds();
                    prop_assert!(a <= lo && b >= hi && (a < lo) == is_low && (b > hi) != is_low);
                }
            }
        }
    }
}
