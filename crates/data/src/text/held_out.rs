//! Which sentences are held out: those with the smallest keys, by the rule of `split.rs`.

use std::collections::BinaryHeap;

use sha2::{Digest, Sha256};

use crate::split::RULE;

/// Sentences of the validation set at most, as many as the paper's.
const MAX_HELD_OUT: usize = 6075;

/// A set as large takes one of so many sentences.
const SHARE: usize = 50;

/// The rule by which sentences are held out, for who keeps what came of it.
pub(crate) fn rule() -> String {
    format!("{RULE}, one of {SHARE}, {MAX_HELD_OUT} at most")
}

/// Sentences that are not trained on, by their place in the corpus, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HeldOut {
    pub(crate) validation: Vec<u64>,
    pub(crate) test: Vec<u64>,
}

/// Finds the smallest keys of a stream without holding the others.
pub(crate) struct HeldOutFinder {
    seed: Sha256,
    n: u64,
    smallest: BinaryHeap<([u8; 32], u64)>,
}

impl HeldOutFinder {
    pub(crate) fn new(name: &str) -> Self {
        let seed = Sha256::new_with_prefix(format!("{RULE}: {name}"));
        Self { seed, n: 0, smallest: BinaryHeap::new() }
    }

    /// Takes note of one more sentence.
    pub(crate) fn push(&mut self) {
        let key = self.seed.clone().chain_update(self.n.to_le_bytes()).finalize();
        self.smallest.push((key.into(), self.n));
        if self.smallest.len() > 2 * MAX_HELD_OUT {
            self.smallest.pop();
        }
        self.n += 1;
    }

    /// A fiftieth of all sentences, but no more than 6,075, for validation, and as many for the
    /// test; no test without being `tested`.
    pub(crate) fn finish(self, tested: bool) -> HeldOut {
        let n = usize::try_from(self.n).unwrap_or(usize::MAX);
        let n_validation = n.div_ceil(SHARE).min(MAX_HELD_OUT).min(n / 2);
        let n_test = if tested { n_validation.min(n - n_validation) } else { 0 };
        let mut places = self.smallest.into_sorted_vec().into_iter().map(|(_, place)| place);
        let mut take = |n: usize| {
            let mut part: Vec<u64> = places.by_ref().take(n).collect();
            part.sort_unstable();
            part
        };
        HeldOut { validation: take(n_validation), test: take(n_test) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::partition;

    fn held_out(n: usize, tested: bool) -> HeldOut {
        let mut finder = HeldOutFinder::new("text");
        (0..n).for_each(|_| finder.push());
        finder.finish(tested)
    }

    #[test]
    fn the_rule_is_the_one_of_all_splits() {
        let [validation, test, _] = partition("text", [20, 20, 960]);
        let places = |part: Vec<usize>| part.into_iter().map(|i| i as u64).collect::<Vec<_>>();
        let expected = HeldOut { validation: places(validation), test: places(test) };
        assert_eq!(held_out(1000, true), expected);
        assert!(held_out(1000, false).test.is_empty());
    }

    #[test]
    fn large_corpora_hold_out_no_more_than_the_papers() {
        let large = held_out(400_000, true);
        assert_eq!((large.validation.len(), large.test.len()), (6075, 6075));
        let [validation, _] = partition("text", [6075, 400_000 - 6075]);
        assert!(large.validation.iter().zip(validation).all(|(&a, b)| a == b as u64));
    }

    #[test]
    fn tiny_ones_keep_something_to_train_on() {
        for n in 0..5 {
            let HeldOut { validation, test } = held_out(n, false);
            assert!(validation.len() + test.len() <= n / 2, "{n}");
        }
    }
}
