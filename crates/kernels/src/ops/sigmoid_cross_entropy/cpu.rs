//! Native kernels of the cross entropy over label sets.

use super::SigmoidCrossEntropy;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Rows of one parallel piece.
const ROWS_PER_CHUNK: usize = 8;

impl SigmoidCrossEntropy {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let (on, off) = self.targets(context);
        chunks::for_each(context.parallel, y, ROWS_PER_CHUNK, |chunk, y| {
            for (n, y) in (chunk * ROWS_PER_CHUNK..).zip(y) {
                let logits = &inputs[0][n * self.classes..][..self.classes];
                let set = labels(&inputs[1][n * self.set_len..][..self.set_len]);
                *y = match set {
                    [] => T::zero(),
                    set => {
                        let of_classes: T = logits.iter().map(|&z| softplus(z) - off * z).sum();
                        let of_set: T = set.iter().map(|&label| self.logit(logits, label)).sum();
                        of_classes - on * of_set
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
                let set = labels(&inputs[1][n * self.set_len..][..self.set_len]);
                let upstream = inputs[2][n];
                if set.is_empty() {
                    grad.fill(T::zero());
                    continue;
                }
                for (grad, &z) in grad.iter_mut().zip(logits) {
                    *grad = sigmoid(z) - off;
                }
                for label in set {
                    match label.to_usize().and_then(|class| grad.get_mut(class)) {
                        Some(grad) => *grad -= on,
                        None => grad.fill(T::nan()),
                    }
                }
                grad.iter_mut().for_each(|grad| *grad = upstream * *grad);
            }
        });
    }

    /// Target of a label beyond that of every class, and that: `1 - s` and `s / 2`.
    fn targets<T: Real>(self, context: &CpuContext<'_, T>) -> (T, T) {
        let smoothing = if self.smoothed { context.lane.label_smoothing } else { 0.0 };
        let smoothing = f64::from(smoothing);
        (T::of(1.0 - smoothing), T::of(smoothing / 2.0))
    }

    fn logit<T: Real>(self, logits: &[T], label: T) -> T {
        label.to_usize().and_then(|class| logits.get(class).copied()).unwrap_or(T::nan())
    }
}

/// The labels of a set, without what fills it up.
pub(in crate::ops) fn labels<T: Real>(set: &[T]) -> &[T] {
    let n = set.iter().position(|&label| label < T::zero()).unwrap_or(set.len());
    &set[..n]
}

/// `log(1 + exp z)`.
fn softplus<T: Real>(z: T) -> T {
    // `max` would drop a NaN, which the other term keeps.
    z.max(T::zero()) + (-z.abs()).exp().ln_1p()
}

/// `1 / (1 + exp(-z))`.
fn sigmoid<T: Real>(z: T) -> T {
    let small = (-z.abs()).exp();
    let above = if z < T::zero() { small } else { T::one() };
    above / (T::one() + small)
}
