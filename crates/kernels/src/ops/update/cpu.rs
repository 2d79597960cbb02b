//! Native kernel of the update: one pass over parameters, velocities and gradients.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{SMALLEST_VELOCITY, Update, UpdateRule};
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
use crate::lane::LaneState;
use crate::real::Real;

/// Elements per parallel piece.
const CHUNK: usize = 1 << 15;

impl Update {
    pub(crate) fn cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        outputs: &mut [&mut [T]],
    ) {
        let grads = inputs[0];
        self.in_blocks(context, context.parallel, outputs, CHUNK, |block, update| {
            update(0, &grads[block * CHUNK..]);
        });
    }

    /// Calls `work(block, update)` for every `block_len` parameters; it calls `update(first, grads)` with
    /// gradients from the block's `first` on, of which those beyond the block are left out.
    pub(crate) fn in_blocks<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        parallel: bool,
        outputs: &mut [&mut [T]],
        block_len: usize,
        work: impl Fn(usize, &mut dyn FnMut(usize, &[T])) + Sync,
    ) {
        let eta = T::of(f64::from(context.lane.scheduled_learning_rate()));
        let gamma = T::of(f64::from(context.lane.momentum));
        let fault = context.fault;
        match (self.rule, outputs) {
            (UpdateRule::Sgd, [w]) => {
                chunks::for_each(parallel, w, block_len, |block, w| {
                    work(block, &mut |first, grads| {
                        note(fault, sgd(eta, &mut w[first..], grads));
                    });
                });
            }
            (UpdateRule::Adam, [w, v, s]) => {
                let adam = Adam::of(&context.lane);
                chunks::for_each_triple(parallel, [w, v, s], block_len, |block, [w, v, s]| {
                    work(block, &mut |first, grads| {
                        let from = [&mut w[first..], &mut v[first..], &mut s[first..]];
                        note(fault, adam.update(from, grads));
                    });
                });
            }
            (rule, [w, v]) => {
                chunks::for_each_pair(parallel, w, v, block_len, |block, w, v| {
                    work(block, &mut |first, grads| {
                        let (w, v) = (&mut w[first..], &mut v[first..]);
                        let finite = match rule {
                            UpdateRule::NesterovMomentum => {
                                momentum::<T, true>(eta, gamma, w, v, grads)
                            }
                            _ => momentum::<T, false>(eta, gamma, w, v, grads),
                        };
                        note(fault, finite);
                    });
                });
            }
            (rule, outputs) => unreachable!("{rule:?} with {} outputs", outputs.len()),
        }
    }
}

fn note(fault: &AtomicBool, finite: bool) {
    if !finite {
        fault.store(true, Ordering::Relaxed);
    }
}

/// Returns whether all new weights are finite.
fn sgd<T: Real>(eta: T, w: &mut [T], grads: &[T]) -> bool {
    vectorised!({
        let mut finite = true;
        for (w, &g) in w.iter_mut().zip(grads) {
            *w -= eta * g;
            finite &= w.is_finite();
        }
        finite
    })
}

/// Returns whether all new weights are finite.
fn momentum<T: Real, const NESTEROV: bool>(
    eta: T,
    gamma: T,
    w: &mut [T],
    v: &mut [T],
    grads: &[T],
) -> bool {
    let smallest = T::of(f64::from(SMALLEST_VELOCITY));
    vectorised!({
        let mut finite = true;
        for ((w, v), &g) in w.iter_mut().zip(v.iter_mut()).zip(grads) {
            let sum = gamma * *v + g;
            // Written so that NaN stays.
            *v = if sum.abs() < smallest { T::zero() } else { sum };
            let direction = if NESTEROV { g + gamma * *v } else { *v };
            *w -= eta * direction;
            finite &= w.is_finite();
        }
        finite
    })
}

/// What one step of Adam is for all weights of a lane.
struct Adam<T> {
    eta: T,
    beta1: T,
    beta2: T,
    epsilon: T,
    /// What weights are multiplied by.
    kept: T,
    /// `1 / (1 - beta1^t)`.
    correction1: T,
    /// `1 / (1 - beta2^t)`.
    correction2: T,
}

impl<T: Real> Adam<T> {
    fn of(lane: &LaneState) -> Self {
        let [eta, beta1, beta2, epsilon, weight_decay, power1, power2] = [
            lane.scheduled_learning_rate(),
            lane.momentum,
            lane.beta2,
            lane.epsilon,
            lane.weight_decay,
            lane.beta1_power * lane.momentum,
            lane.beta2_power * lane.beta2,
        ]
        .map(|value| T::of(f64::from(value)));
        let one = T::one();
        Self {
            eta,
            beta1,
            beta2,
            epsilon,
            kept: one - eta * weight_decay,
            correction1: one / (one - power1),
            correction2: one / (one - power2),
        }
    }

    /// Returns whether all new weights are finite.
    fn update(&self, [w, v, s]: [&mut [T]; 3], grads: &[T]) -> bool {
        let smallest = T::of(f64::from(SMALLEST_VELOCITY));
        let one = T::one();
        vectorised!({
            let mut finite = true;
            for (((w, v), s), &g) in w.iter_mut().zip(v.iter_mut()).zip(s.iter_mut()).zip(grads) {
                let mean = self.beta1 * *v + (one - self.beta1) * g;
                let square = self.beta2 * *s + (one - self.beta2) * (g * g);
                // Written so that NaN stays.
                *v = if mean.abs() < smallest { T::zero() } else { mean };
                *s = if square < smallest { T::zero() } else { square };
                let root = (*s * self.correction2).sqrt() + self.epsilon;
                *w = *w * self.kept - self.eta * (*v * self.correction1) / root;
                finite &= w.is_finite();
            }
            finite
        })
    }
}
