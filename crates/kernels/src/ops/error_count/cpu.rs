//! Native kernel of the error count.

use super::ErrorCount;
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Rows of one parallel piece.
const ROWS_PER_CHUNK: usize = 128;

impl ErrorCount {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let &[logits, labels] = inputs else { unreachable!("two inputs") };
        chunks::for_each(context.parallel, y, ROWS_PER_CHUNK, |chunk, y| {
            let first = chunk * ROWS_PER_CHUNK;
            vectorised!({
                let rows = logits[first * self.classes..].chunks_exact(self.classes);
                for ((y, &label), row) in y.iter_mut().zip(&labels[first..]).zip(rows) {
                    let is_wrong = label >= T::zero() && is_error(row, label);
                    *y = if is_wrong { T::one() } else { T::zero() };
                }
            });
        });
    }
}

/// Whether a logit before the label's is no less, or one behind it is greater, or any is no number.
#[inline(always)]
fn is_error<T: Real>(logits: &[T], label: T) -> bool {
    let label = label.to_usize().unwrap_or(usize::MAX);
    let Some(&of_label) = logits.get(label) else { return true };
    let (before, from) = logits.split_at(label);
    // Comparisons with a NaN are false, so they ask for what makes the label right. All of a row is
    // compared: a loop that may end early is not vectorised.
    let is_less = before.iter().fold(true, |all, &logit| all & (logit < of_label));
    let is_right = from.iter().fold(is_less, |all, &logit| all & (logit <= of_label));
    !is_right
}
