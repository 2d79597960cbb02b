//! Where values of a metaparameter stop making sense, by name: no wider box could go there.

use std::ops::Bound;

use crate::trainer::Range;

/// Whole numbers from 1, also where they are not counted one by one.
const FROM_ONE: Range = Range { lower: Bound::Included(1.0), upper: Bound::Unbounded };

/// The names of the paper's archive first, then those that other optimizers are likely to bring.
const TABLE: &[(&str, Range)] = &[
    ("learning_rate", Range::POSITIVE),
    ("momentum", Range::BELOW_ONE),
    ("label_smoothing", Range::UNIT),
    // A factor of 1 keeps the rate constant; a rate that grows is another schedule.
    ("end_learning_rate_factor", Range::UNIT),
    ("learning_rate_decay_steps", FROM_ONE),
    ("cosine_decay", Range::UNIT),
    ("weight_decay", Range::NOT_NEGATIVE),
    ("l2", Range::NOT_NEGATIVE),
    ("dropout", Range::BELOW_ONE),
    ("beta1", Range::BELOW_ONE),
    ("beta2", Range::BELOW_ONE),
    ("epsilon", Range::NOT_NEGATIVE),
    ("warmup_steps", Range::NOT_NEGATIVE),
];

/// The sensible values of a metaparameter; all, if its name is not known.
pub(super) fn natural_limits(name: &str) -> Range {
    let unlimited = Range { lower: Bound::Unbounded, upper: Bound::Unbounded };
    TABLE.iter().find(|(known, _)| *known == name).map_or(unlimited, |(_, limits)| *limits)
}

/// The number of a bound, whether it is included or not.
pub(super) fn limit(bound: Bound<f64>) -> Option<f64> {
    match bound {
        Bound::Included(limit) | Bound::Excluded(limit) => Some(limit),
        Bound::Unbounded => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_ascend_and_names_come_once() {
        for (index, (name, limits)) in TABLE.iter().enumerate() {
            let ends = limit(limits.lower).zip(limit(limits.upper));
            assert!(ends.is_none_or(|(lower, upper)| lower < upper), "{name}");
            assert!(TABLE[index + 1..].iter().all(|(other, _)| other != name), "{name}");
        }
        assert_eq!(natural_limits("momentum"), Range::BELOW_ONE);
        assert_eq!(limit(natural_limits("colour").lower), None);
    }
}
