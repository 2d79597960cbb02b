//! How logits of labelled and of all classes are distributed: what average precision is made from.

mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::ops::sigmoid_cross_entropy::labels;
use crate::real::Real;

/// Bins of a histogram.
pub const SCORE_BINS: usize = 1024;

/// Logits of the first and the last bin's far ends: beyond them sigmoids differ from 0 and 1 by 1e-7.
const RANGE: [f32; 2] = [-16.0, 16.0];

/// Dimensions of a histogram of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScoreHistogram {
    pub(crate) rows: usize,
    pub(crate) classes: usize,
    pub(crate) set_len: usize,
}

impl Graph {
    /// Number of logits in each of [`SCORE_BINS`] bins: first of those of labels, then of all.
    ///
    /// # Equation
    /// `bin(z) = floor(32 (z + 16))`, cut to `0..1024`; a NaN is in bin 0.
    /// `y[0, b] = #{n, j: bin(z[n, sets[n, j]]) = b}`, `y[1, b] = #{n, k: bin(z[n, k]) = b}`, of examples
    /// with at least one label.
    ///
    /// # Shapes
    /// `logits z: [N, K]`, `sets: [N, S]` as in [`Graph::sigmoid_cross_entropy`]; `y: [2, 1024]`.
    /// No derivative.
    ///
    /// # Errors
    /// If the shapes do not fit, or the logits are more than f32 can count.
    pub fn score_histogram(&mut self, logits: Node, sets: Node) -> Result<Node, Error> {
        const OP: &str = "score_histogram";
        let [rows, classes, set_len] = self.sets_of_logits(OP, logits, sets)?;
        if rows * classes > 1 << f32::MANTISSA_DIGITS {
            return Err(self.operand_error(OP, logits, "there may be 2^24 logits at most"));
        }
        let op = Op::ScoreHistogram(ScoreHistogram { rows, classes, set_len });
        Ok(self.push(op, &[logits, sets], [2, SCORE_BINS].into()))
    }
}

impl ScoreHistogram {
    pub(crate) fn cpu<T: Real>(self, logits: &[T], sets: &[T], y: &mut [T]) {
        y.fill(T::zero());
        let (of_labels, of_all) = y.split_at_mut(SCORE_BINS);
        let rows = logits.chunks_exact(self.classes).zip(sets.chunks_exact(self.set_len));
        for (logits, set) in rows {
            let set = labels(set);
            if set.is_empty() {
                continue;
            }
            let count = |bins: &mut [T], z: T| bins[bin(z)] = bins[bin(z)] + T::one();
            logits.iter().for_each(|&z| count(of_all, z));
            for label in set {
                if let Some(&z) = label.to_usize().and_then(|class| logits.get(class)) {
                    count(of_labels, z);
                }
            }
        }
    }
}

/// In f32 whatever T is: the same bins as on the device.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cut to the bins"
)]
fn bin<T: Real>(z: T) -> usize {
    let [least, most] = RANGE;
    let per_unit = SCORE_BINS as f32 / (most - least);
    let z = z.to_f32().unwrap_or(least);
    // A NaN becomes 0 in the conversion.
    ((per_unit * (z - least)) as usize).min(SCORE_BINS - 1)
}
