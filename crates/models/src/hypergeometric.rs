//! How many marked examples the first ones of a random order hold.
//!
//! # Equation
//! Of `n` examples `m` are marked; the first `k` of an order of all of them hold `X` of those:
//! `P(X = x) = C(m, x) C(n - m, k - x) / C(n, k)`, the hypergeometric distribution.

/// The distribution, for any number of marked and of drawn examples.
#[derive(Debug, Clone)]
pub(crate) struct Hypergeometric {
    n: usize,
    /// `ln i!` for `i` up to `n`.
    ln_factorials: Vec<f64>,
}

impl Hypergeometric {
    /// Of `n` examples.
    pub(crate) fn new(n: usize) -> Self {
        let mut sum = 0.0;
        let logarithms = (1..=n).map(|i| {
            sum += as_f64(i).ln();
            sum
        });
        let ln_factorials = std::iter::once(0.0).chain(logarithms).collect();
        Self { n, ln_factorials }
    }

    /// `P(X >= x)` for the first `k` examples with `n_marked` marked ones in all, where `x` is above the
    /// mean `k m / n`; 1, which bounds it, elsewhere.
    pub(crate) fn chance_of_as_many(&self, n_marked: usize, k: usize, x: usize) -> f64 {
        let n = self.n;
        if as_f64(x) * as_f64(n) <= as_f64(k) * as_f64(n_marked) {
            return 1.0;
        }
        if x > k.min(n_marked) {
            return 0.0;
        }
        let n_others = n - n_marked;
        let mut term = (self.ln_choose(n_marked, x) + self.ln_choose(n_others, k - x)
            - self.ln_choose(n, k))
        .exp();
        let mut sum = 0.0;
        // Terms fall from the mean on.
        for x in x..=k.min(n_marked) {
            sum += term;
            if term <= f64::EPSILON * sum {
                break;
            }
            let more = as_f64(n_marked - x) * as_f64(k - x);
            term *= more / (as_f64(x + 1) * as_f64(n_others + x + 1 - k));
        }
        sum
    }

    fn ln_choose(&self, n: usize, k: usize) -> f64 {
        self.ln_factorials[n] - self.ln_factorials[k] - self.ln_factorials[n - k]
    }
}

/// A count in sums.
#[expect(clippy::cast_precision_loss, reason = "splits stay below 2^52 labels")]
pub(crate) fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of all sets of `k` of `n` examples, the share that holds at least `x` of the first `m`.
    fn counted([n, m, k, x]: [usize; 4]) -> f64 {
        let sets = (0_u32..1 << n).filter(|set| set.count_ones() as usize == k);
        let (mut n_sets, mut n_found) = (0, 0);
        for set in sets {
            n_sets += 1;
            n_found += u32::from((set & ((1 << m) - 1)).count_ones() as usize >= x);
        }
        f64::from(n_found) / f64::from(n_sets)
    }

    #[test]
    fn chances_are_those_of_counting_all_sets() {
        let n = 12;
        let distribution = Hypergeometric::new(n);
        for m in 0..=n {
            for (k, x) in (1..=n).flat_map(|k| (0..=k + 1).map(move |x| (k, x))) {
                let (found, expected) =
                    (distribution.chance_of_as_many(m, k, x), counted([n, m, k, x]));
                if x * n <= k * m {
                    assert!(found == 1.0 && expected <= 1.0, "{m} {k} {x}");
                } else {
                    assert!((found - expected).abs() <= 1e-12 * expected, "{m} {k} {x}: {found}");
                }
            }
        }
    }

    /// In exact arithmetic, by Python:
    ///
    /// ```python
    /// from fractions import Fraction; from math import comb
    /// ways = sum(comb(m, i) * comb(n - m, k - i) for i in range(x, min(m, k) + 1))
    /// float(Fraction(ways, comb(n, k)))
    /// ```
    #[test]
    fn far_tails_are_exact() {
        let golden = [
            ([5_000, 749, 125, 20], 0.411_497_256_625_011_1),
            ([5_000, 749, 125, 60], 7.613_221_194_527_856e-19),
            ([5_000, 749, 1_500, 300], 1.192_064_267_248_303_6e-10),
            ([5_000, 99, 1_250, 50], 3.108_545_402_452_115_6e-8),
            ([5_000, 99, 4_000, 99], 1.990_617_263_073_959_6e-10),
            ([50_000, 12_499, 2_000, 600], 1.305_417_120_509_765_5e-7),
            ([500, 14, 125, 9], 0.001_855_699_509_301_528),
        ];
        for ([n, m, k, x], expected) in golden {
            let found = Hypergeometric::new(n).chance_of_as_many(m, k, x);
            assert!((found / expected - 1.0).abs() < 1e-8, "{found}, exactly {expected}");
        }
    }
}
