//! Search spaces that grow: is one within another, and how much of it does it fill?

use crate::space::{Scale, Space};
use crate::trainer::Parameters;

/// A box that is filled more than this by the one before has hardly a new point.
pub(crate) const LARGEST_SHARE: f64 = 0.999;

/// The share of `inner` in `outer`, in (0, 1): its volume in the unit cube of `outer`'s scales.
///
/// # Errors
///
/// In words, where `outer` searches other metaparameters, on other scales, or does not contain
/// `inner`, or is hardly larger.
pub(crate) fn share_of(inner: &Space, outer: &Space) -> Result<f64, String> {
    let names = |space: &Space| space.scales.keys().cloned().collect::<Vec<_>>();
    if names(inner) != names(outer) {
        let (found, expected) = (names(outer).join(", "), names(inner).join(", "));
        return Err(format!("the new box has the metaparameters {found}; expected {expected}"));
    }
    let mut share = 1.0;
    for (name, scale) in &inner.scales {
        let wider = &outer.scales[name];
        share *= share_of_scale(scale, wider).ok_or_else(|| {
            format!("{wider} for {name} does not contain {scale}; give the same scale, wider")
        })?;
    }
    match share <= LARGEST_SHARE {
        true => Ok(share),
        false => {
            Err("the new box is hardly larger than the old one; give a wider scale".to_owned())
        }
    }
}

/// Whether a scale has room for new points beside another within it.
pub(crate) fn has_room(inner: &Scale, outer: &Scale) -> bool {
    share_of_scale(inner, outer).is_some_and(|share| share <= LARGEST_SHARE)
}

/// The share of a scale's values in a wider one of the same kind; `None` where it is no such.
fn share_of_scale(inner: &Scale, outer: &Scale) -> Option<f64> {
    let ((lo, hi), (wide_lo, wide_hi)) = (inner.bounds(), outer.bounds());
    if outer.broken_requirement().is_some() || wide_lo > lo || hi > wide_hi {
        return None;
    }
    match (inner, outer) {
        (Scale::Fixed(_), Scale::Fixed(_)) => Some(1.0),
        (Scale::Linear(..), Scale::Linear(..))
        | (Scale::Log(..), Scale::Log(..))
        | (Scale::ReverseLog(..), Scale::ReverseLog(..)) => {
            Some(outer.to_unit(hi) - outer.to_unit(lo))
        }
        (Scale::Integer(..), Scale::Integer(..)) => {
            Some((hi - lo + 1.0) / (wide_hi - wide_lo + 1.0))
        }
        (Scale::Discrete(few), Scale::Discrete(many)) => {
            let contains = few.iter().all(|point| many.contains(point));
            contains.then(|| few.len() as f64 / many.len() as f64)
        }
        _ => None,
    }
}

/// Whether a point of a wider space lies in this one.
pub(crate) fn contains(space: &Space, parameters: &Parameters) -> bool {
    space.scales.iter().all(|(name, scale)| {
        parameters.get(name).is_some_and(|value| match scale {
            Scale::Discrete(points) => points.contains(value),
            other => {
                let (lo, hi) = other.bounds();
                (lo..=hi).contains(value)
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(scales: &[(&str, Scale)]) -> Space {
        let scales = scales.iter().map(|(name, scale)| ((*name).to_owned(), scale.clone()));
        Space { scales: scales.collect() }
    }

    #[test]
    fn shares_are_measured_on_the_wider_scale() {
        let inner = space(&[
            ("a", Scale::Log(0.1, 1.0)),
            ("b", Scale::ReverseLog(0.9, 0.99)),
            ("c", Scale::Integer(2, 4)),
            ("d", Scale::Fixed(1.0)),
            ("e", Scale::Discrete(vec![0.0, 0.1])),
        ]);
        let outer = space(&[
            ("a", Scale::Log(0.01, 1.0)),
            ("b", Scale::ReverseLog(0.9, 0.9999)),
            ("c", Scale::Integer(0, 5)),
            ("d", Scale::Fixed(1.0)),
            ("e", Scale::Discrete(vec![0.0, 0.1, 0.2])),
        ]);
        let share = share_of(&inner, &outer).unwrap();
        assert!((share - 0.5 * (1.0 / 3.0) * 0.5 * (2.0 / 3.0)).abs() < 1e-12, "{share}");
        let within = |a: f64, c: f64, e: f64| {
            let values = [("a", a), ("b", 0.95), ("c", c), ("d", 1.0), ("e", e)];
            contains(&inner, &values.map(|(name, value)| (name.to_owned(), value)).into())
        };
        assert!(within(0.1, 2.0, 0.1) && within(1.0, 4.0, 0.0));
        assert!(!within(0.09, 2.0, 0.1) && !within(0.1, 5.0, 0.1) && !within(0.1, 2.0, 0.2));
        assert!(!contains(&inner, &Parameters::new()));
    }

    #[test]
    fn what_is_no_wider_box_is_refused_in_words() {
        let inner = space(&[("a", Scale::Log(0.1, 1.0))]);
        for (outer, words) in [
            (Scale::Log(0.2, 2.0), "{ log = [0.2, 2.0] } for a does not contain { log = [0.1"),
            (Scale::Linear(0.0, 2.0), "for a does not contain"),
            (Scale::Log(0.1, f64::INFINITY), "for a does not contain"),
            (Scale::Log(0.1, 1.0), "the new box is hardly larger than the old one"),
            (Scale::Log(0.1, 1.000_1), "the new box is hardly larger than the old one"),
        ] {
            let problem = share_of(&inner, &space(&[("a", outer)])).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
        let other = share_of(&inner, &space(&[("b", Scale::Log(0.1, 2.0))])).unwrap_err();
        assert_eq!(other, "the new box has the metaparameters b; expected a");
    }
}
