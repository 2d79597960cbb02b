//! Native kernels of the cross entropy.

use super::SoftmaxCrossEntropy;
use crate::cpu::exp::exp;
use crate::cpu::simd::vectorised;
use crate::cpu::vector::{max, sum};
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Rows of one parallel piece.
const ROWS_PER_CHUNK: usize = 128;

/// Elements whose exponentials are made at once: whole vectors of them also where rows are short, and
/// few enough to stay in a first-level cache.
const BLOCK_LEN: usize = 1 << 12;

impl SoftmaxCrossEntropy {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let (on, off) = self.targets(context);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 classes")]
        let n_classes = T::of(self.classes as f64);
        let block_rows = self.block_rows();
        chunks::for_each(context.parallel, y, ROWS_PER_CHUNK, |chunk, y| {
            let mut exponentials = context.scratch.take(block_rows * self.classes);
            let first_rows = (chunk * ROWS_PER_CHUNK..).step_by(block_rows);
            for (first_row, y) in first_rows.zip(y.chunks_mut(block_rows)) {
                let (logits, labels) = self.rows_of(inputs, first_row, y.len());
                let exponentials = &mut exponentials[..logits.len()];
                // The largest logit of a row waits in its place of `y`.
                self.exponentials(logits, exponentials, |row, max| y[row] = max);
                let rows = logits.chunks_exact(self.classes);
                let rows = rows.zip(exponentials.chunks_exact(self.classes));
                for ((y, &label), (logits, exponentials)) in y.iter_mut().zip(labels).zip(rows) {
                    *y = match self.class_of(label) {
                        Label::LeftOut => T::zero(),
                        Label::OutOfRange => T::nan(),
                        Label::Class(class) => {
                            let lse = *y + sum(exponentials).ln();
                            let total = n_classes * lse - sum(logits);
                            on * (lse - logits[class]) + off * total
                        }
                    };
                }
            }
            context.scratch.give(exponentials);
        });
    }

    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_logits: &mut [T],
    ) {
        let (on, off) = self.targets(context);
        let (len, block_rows) = (ROWS_PER_CHUNK * self.classes, self.block_rows());
        chunks::for_each(context.parallel, grad_logits, len, |chunk, grad_logits| {
            let first_rows = (chunk * ROWS_PER_CHUNK..).step_by(block_rows);
            let blocks = grad_logits.chunks_mut(block_rows * self.classes);
            for (first_row, grads) in first_rows.zip(blocks) {
                let n_rows = grads.len() / self.classes;
                let (logits, labels) = self.rows_of(inputs, first_row, n_rows);
                self.exponentials(logits, grads, |_, _| {});
                let upstream = &inputs[2][first_row..][..n_rows];
                let rows = grads.chunks_exact_mut(self.classes);
                for ((grad, &label), &upstream) in rows.zip(labels).zip(upstream) {
                    match self.class_of(label) {
                        Label::LeftOut => grad.fill(T::zero()),
                        Label::OutOfRange => grad.fill(T::nan()),
                        Label::Class(class) => {
                            let sum = sum(grad);
                            let of_label = upstream * (grad[class] / sum - (on + off));
                            vectorised!({
                                for grad in &mut *grad {
                                    *grad = upstream * (*grad / sum - off);
                                }
                            });
                            grad[class] = of_label;
                        }
                    }
                }
            }
        });
    }

    /// Rows of a block.
    fn block_rows(self) -> usize {
        (BLOCK_LEN / self.classes).clamp(1, ROWS_PER_CHUNK)
    }

    /// Logits and labels of some rows.
    fn rows_of<'a, T>(
        self,
        inputs: &[&'a [T]],
        first_row: usize,
        n_rows: usize,
    ) -> (&'a [T], &'a [T]) {
        let logits = &inputs[0][first_row * self.classes..][..n_rows * self.classes];
        (logits, &inputs[1][first_row..][..n_rows])
    }

    /// `exp(z - max z)` of each row, whose number and maximum `note` is told. A NaN logit shows in
    /// them, and an infinite one: `max z` is that.
    fn exponentials<T: Real>(
        self,
        logits: &[T],
        exponentials: &mut [T],
        mut note: impl FnMut(usize, T),
    ) {
        let rows = logits.chunks_exact(self.classes);
        let rows = rows.zip(exponentials.chunks_exact_mut(self.classes)).enumerate();
        for (row, (logits, shifted)) in rows {
            let max = max(logits);
            note(row, max);
            vectorised!({
                for (shifted, &z) in shifted.iter_mut().zip(logits) {
                    *shifted = z - max;
                }
            });
        }
        exp(exponentials);
    }

    /// Weight of the label beyond the even share, and the even share `s / K` of every class.
    fn targets<T: Real>(self, context: &CpuContext<'_, T>) -> (T, T) {
        let smoothing = if self.smoothed { context.lane.label_smoothing } else { 0.0 };
        let smoothing = T::of(f64::from(smoothing));
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 classes")]
        let classes = T::of(self.classes as f64);
        (T::one() - smoothing, smoothing / classes)
    }

    fn class_of<T: Real>(self, label: T) -> Label {
        if label < T::zero() {
            return Label::LeftOut;
        }
        match label.to_usize() {
            Some(class) if class < self.classes => Label::Class(class),
            _ => Label::OutOfRange,
        }
    }
}

enum Label {
    LeftOut,
    OutOfRange,
    Class(usize),
}
