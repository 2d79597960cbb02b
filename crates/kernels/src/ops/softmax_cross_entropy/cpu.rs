//! Native kernels of the cross entropy.

use super::SoftmaxCrossEntropy;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Rows of one parallel piece.
const ROWS_PER_CHUNK: usize = 128;

impl SoftmaxCrossEntropy {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let (on, off) = self.targets(context);
        chunks::for_each(context.parallel, y, ROWS_PER_CHUNK, |chunk, y| {
            let start = chunk * ROWS_PER_CHUNK;
            let rows = inputs[0][start * self.classes..].chunks_exact(self.classes);
            for ((y, &label), logits) in y.iter_mut().zip(&inputs[1][start..]).zip(rows) {
                *y = match self.class_of(label) {
                    Label::LeftOut => T::zero(),
                    Label::OutOfRange => T::nan(),
                    Label::Class(class) => {
                        let lse = log_sum_exp(logits);
                        let total: T = logits.iter().map(|&z| lse - z).sum();
                        on * (lse - logits[class]) + off * total
                    }
                };
            }
        });
    }

    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_logits: &mut [T],
    ) {
        let (on, off) = self.targets(context);
        let len = ROWS_PER_CHUNK * self.classes;
        chunks::for_each(context.parallel, grad_logits, len, |chunk, grad_logits| {
            let grads = grad_logits.chunks_exact_mut(self.classes);
            for (n, grad) in (chunk * ROWS_PER_CHUNK..).zip(grads) {
                let logits = &inputs[0][n * self.classes..][..self.classes];
                match self.class_of(inputs[1][n]) {
                    Label::LeftOut => grad.fill(T::zero()),
                    Label::OutOfRange => grad.fill(T::nan()),
                    Label::Class(class) => {
                        let lse = log_sum_exp(logits);
                        for (k, (grad, &z)) in grad.iter_mut().zip(logits).enumerate() {
                            let target = if k == class { on + off } else { off };
                            *grad = inputs[2][n] * (exp(z - lse) - target);
                        }
                    }
                }
            }
        });
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

fn log_sum_exp<T: Real>(logits: &[T]) -> T {
    // A NaN logit must show in the result: `max` would drop it, the sum does not.
    let max = logits.iter().copied().fold(T::neg_infinity(), T::max);
    let sum: T = logits.iter().map(|&z| exp(z - max)).sum();
    max + sum.ln()
}

/// `exp(x)`, and 0 where that would be subnormal: such numbers are slow and no sum feels them.
fn exp<T: Real>(x: T) -> T {
    if x < T::min_positive_value().ln() { T::zero() } else { x.exp() }
}
