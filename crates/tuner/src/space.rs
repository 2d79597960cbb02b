//! The search space: which values a metaparameter may take, and how evenly along which scale.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::trainer::Parameters;

/// Integers up to here are exact in `f64`.
const LARGEST_INTEGER: i64 = 1 << 53;

/// How u in [0, 1] maps to a metaparameter's values; bounds are (lo, hi).
///
/// # Source
///
/// The scales of the `study.json` files published with Shallue et al. 2019.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// One value; takes no dimension of the search.
    Fixed(f64),
    /// x = lo + u (hi - lo).
    Linear(f64, f64),
    /// x = lo (hi / lo)^u: log x is uniform.
    Log(f64, f64),
    /// 1 - x = (1 - lo) ((1 - hi) / (1 - lo))^u: log (1 - x) is uniform, as suits a momentum.
    ReverseLog(f64, f64),
    /// lo + floor(u (hi - lo + 1)): uniform over the integers from lo to hi, both included.
    Integer(i64, i64),
    /// Uniform over points, which ascend.
    Discrete(Vec<f64>),
}

impl Scale {
    /// What a broken scale would have to fulfil; `None` for a sound one.
    #[must_use]
    pub fn broken_requirement(&self) -> Option<&'static str> {
        let (sound, requirement) = match self {
            Scale::Fixed(value) => (value.is_finite(), "a finite number"),
            Scale::Linear(lo, hi) => {
                (lo < hi && (hi - lo).is_finite(), "[lo, hi], finite, with lo < hi")
            }
            Scale::Log(lo, hi) => {
                (0.0 < *lo && lo < hi && hi.is_finite(), "[lo, hi], finite, with 0 < lo < hi")
            }
            Scale::ReverseLog(lo, hi) => {
                (0.0 <= *lo && lo < hi && *hi < 1.0, "[lo, hi] with 0 <= lo < hi < 1")
            }
            Scale::Integer(lo, hi) => (
                -LARGEST_INTEGER <= *lo && lo < hi && *hi <= LARGEST_INTEGER,
                "[lo, hi] with lo < hi, both within 2^53 of 0",
            ),
            Scale::Discrete(points) => {
                let ascends = points.windows(2).all(|pair| pair[0] < pair[1]);
                let is_finite = points.iter().all(|point| point.is_finite());
                let sound = !points.is_empty() && is_finite && ascends;
                (sound, "at least one number, all finite, none twice")
            }
        };
        (!sound).then_some(requirement)
    }

    /// The value at `u`, which is clamped to [0, 1]: ascending in u, lo at 0 and hi at 1 exactly.
    #[must_use]
    pub fn from_unit(&self, u: f64) -> f64 {
        match self {
            Scale::Fixed(value) => *value,
            Scale::Integer(lo, hi) => (lo + bin(u, (hi - lo + 1) as u64) as i64) as f64,
            Scale::Discrete(points) => {
                let index = bin(u, points.len() as u64) as usize;
                points.get(index).copied().unwrap_or(f64::NAN)
            }
            Scale::Linear(lo, hi) => between(u, *lo, *hi, |u| lo + u * (hi - lo)),
            Scale::Log(lo, hi) => between(u, *lo, *hi, |u| {
                let (log_lo, log_hi) = (lo.ln(), hi.ln());
                (log_lo + u * (log_hi - log_lo)).exp()
            }),
            Scale::ReverseLog(lo, hi) => between(u, *lo, *hi, |u| {
                let (log_lo, log_hi) = ((-lo).ln_1p(), (-hi).ln_1p());
                // 1 - exp(y), without the cancellation near x = 0.
                -(log_lo + u * (log_hi - log_lo)).exp_m1()
            }),
        }
    }

    /// The u at which a value lies, clamped to [0, 1]; for integers and points the middle of their
    /// share of [0, 1], so that `from_unit(to_unit(x))` is x on every scale (up to rounding).
    #[must_use]
    pub fn to_unit(&self, value: f64) -> f64 {
        let u = match self {
            Scale::Fixed(_) => 0.5,
            Scale::Linear(lo, hi) => (value - lo) / (hi - lo),
            Scale::Log(lo, hi) => (value.ln() - lo.ln()) / (hi.ln() - lo.ln()),
            Scale::ReverseLog(lo, hi) => {
                let log_lo = (-lo).ln_1p();
                ((-value).ln_1p() - log_lo) / ((-hi).ln_1p() - log_lo)
            }
            Scale::Integer(lo, hi) => (value - *lo as f64 + 0.5) / (hi - lo + 1) as f64,
            Scale::Discrete(points) => {
                let index = points.partition_point(|point| *point < value);
                (index as f64 + 0.5) / points.len() as f64
            }
        };
        u.clamp(0.0, 1.0)
    }

    /// Smallest and largest value.
    #[must_use]
    pub fn bounds(&self) -> (f64, f64) {
        match self {
            Scale::Fixed(value) => (*value, *value),
            Scale::Linear(lo, hi) | Scale::Log(lo, hi) | Scale::ReverseLog(lo, hi) => (*lo, *hi),
            Scale::Integer(lo, hi) => (*lo as f64, *hi as f64),
            Scale::Discrete(_) => (self.from_unit(0.0), self.from_unit(1.0)),
        }
    }

    /// Whether every value is a whole number.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        match self {
            Scale::Fixed(value) => value.fract() == 0.0,
            Scale::Integer(..) => true,
            Scale::Discrete(points) => points.iter().all(|point| point.fract() == 0.0),
            Scale::Linear(..) | Scale::Log(..) | Scale::ReverseLog(..) => false,
        }
    }
}

/// As written in an experiment file.
impl fmt::Display for Scale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scale::Fixed(value) => write!(formatter, "{value:?}"),
            Scale::Linear(lo, hi) => write!(formatter, "{{ linear = [{lo:?}, {hi:?}] }}"),
            Scale::Log(lo, hi) => write!(formatter, "{{ log = [{lo:?}, {hi:?}] }}"),
            Scale::ReverseLog(lo, hi) => write!(formatter, "{{ reverse_log = [{lo:?}, {hi:?}] }}"),
            Scale::Integer(lo, hi) => write!(formatter, "{{ integer = [{lo}, {hi}] }}"),
            Scale::Discrete(points) => write!(formatter, "{{ discrete = {points:?} }}"),
        }
    }
}

/// `formula(u)` held to [lo, hi], with the ends exact whatever the formula rounds to.
fn between(u: f64, lo: f64, hi: f64, formula: impl Fn(f64) -> f64) -> f64 {
    if u <= 0.0 {
        lo
    } else if u >= 1.0 {
        hi
    } else {
        formula(u).max(lo).min(hi)
    }
}

/// Which of `n` equal shares of [0, 1] holds u.
fn bin(u: f64, n: u64) -> u64 {
    ((u * n as f64) as u64).min(n.saturating_sub(1))
}

/// Metaparameter name to scale. Dimensions of the search are the names that are not fixed, in
/// alphabetical order, so that fixing or adding a fixed one changes no other value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Space {
    /// Scale of each metaparameter.
    pub scales: BTreeMap<String, Scale>,
}

impl Space {
    /// Number of dimensions of the search.
    #[must_use]
    pub fn n_dimensions(&self) -> usize {
        self.scales.values().filter(|scale| !matches!(scale, Scale::Fixed(_))).count()
    }

    /// The metaparameters at a point of the unit cube.
    ///
    /// # Shapes
    ///
    /// `point` has [`n_dimensions`](Space::n_dimensions) entries.
    #[must_use]
    pub fn parameters(&self, point: &[f64]) -> Parameters {
        let mut coordinates = point.iter();
        let value = |scale: &Scale| match scale {
            Scale::Fixed(value) => *value,
            searched => coordinates.next().map_or(f64::NAN, |&u| searched.from_unit(u)),
        };
        self.scales.keys().cloned().zip(self.scales.values().map(value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scales() -> Vec<Scale> {
        vec![
            Scale::Linear(-3.0, 7.5),
            Scale::Log(1e-4, 10.0),
            Scale::ReverseLog(0.9, 0.9999),
            Scale::ReverseLog(0.0, 0.999),
            Scale::Integer(-2, 9),
            Scale::Discrete(vec![0.0, 0.01, 0.1]),
        ]
    }

    #[test]
    fn ends_are_exact() {
        for scale in scales() {
            let (lo, hi) = scale.bounds();
            assert_eq!((scale.from_unit(0.0), scale.from_unit(1.0)), (lo, hi), "{scale}");
        }
    }

    #[test]
    fn halves_are_where_the_equations_say() {
        assert_eq!(Scale::Linear(-3.0, 7.0).from_unit(0.5), 2.0);
        assert!((Scale::Log(1e-4, 1.0).from_unit(0.5) - 1e-2).abs() < 1e-16);
        assert!((Scale::ReverseLog(0.9, 0.999).from_unit(0.5) - 0.99).abs() < 1e-15);
        assert_eq!(Scale::Integer(1, 4).from_unit(0.5), 3.0);
        assert_eq!(Scale::Discrete(vec![0.0, 0.5]).from_unit(0.499), 0.0);
        assert_eq!(Scale::Discrete(vec![0.0, 0.5]).from_unit(0.5), 0.5);
    }

    #[test]
    fn integers_have_equal_shares() {
        let scale = Scale::Integer(3, 7);
        let mut counts = [0; 5];
        (0..1000).for_each(|i| counts[scale.from_unit(f64::from(i) / 1000.0) as usize - 3] += 1);
        assert_eq!(counts, [200; 5]);
    }

    proptest! {
        #[test]
        fn scales_ascend_and_invert(a in 0.0..1.0_f64, b in 0.0..1.0_f64) {
            let (low, high) = (a.min(b), a.max(b));
            for scale in scales() {
                let (x, y) = (scale.from_unit(low), scale.from_unit(high));
                prop_assert!(x <= y, "{scale}: {x} at {low}, {y} at {high}");
                let back = scale.from_unit(scale.to_unit(x));
                prop_assert!((back - x).abs() <= 1e-12 * x.abs().max(1.0), "{scale}: {x} {back}");
                let (lo, hi) = scale.bounds();
                prop_assert!(lo <= x && y <= hi);
                if !matches!(scale, Scale::Integer(..) | Scale::Discrete(_)) {
                    prop_assert!((scale.to_unit(x) - low).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn broken_scales_are_named() {
        let broken = [
            Scale::Fixed(f64::NAN),
            Scale::Linear(1.0, 1.0),
            Scale::Linear(-f64::MAX, f64::MAX),
            Scale::Linear(f64::NAN, 1.0),
            Scale::Log(0.0, 1.0),
            Scale::Log(1.0, f64::INFINITY),
            Scale::ReverseLog(0.5, 1.0),
            Scale::ReverseLog(-0.1, 0.9),
            Scale::Integer(4, 4),
            Scale::Integer(0, i64::MAX),
            Scale::Discrete(vec![]),
            Scale::Discrete(vec![0.1, 0.1]),
        ];
        assert!(broken.iter().all(|scale| scale.broken_requirement().is_some()));
        assert!(scales().iter().all(|scale| scale.broken_requirement().is_none()));
    }

    #[test]
    fn fixed_values_take_no_dimension() {
        let scales = [("b", Scale::Fixed(2.0)), ("c", Scale::Linear(0.0, 1.0))]
            .map(|(name, scale)| (name.to_owned(), scale));
        let mut space = Space { scales: scales.into() };
        assert_eq!(space.n_dimensions(), 1);
        assert_eq!(space.parameters(&[0.25])["c"], 0.25);
        assert_eq!(space.parameters(&[0.25])["b"], 2.0);
        space.scales.insert("a".to_owned(), Scale::Fixed(9.0));
        assert_eq!(space.parameters(&[0.25])["c"], 0.25);
    }
}
