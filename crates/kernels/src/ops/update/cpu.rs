//! Native kernel of the update: one pass over parameters, velocities and gradients.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{SMALLEST_VELOCITY, Update, UpdateRule};
use crate::cpu::simd::vectorised;
use crate::cpu::{CpuContext, chunks};
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
            update(&grads[block * CHUNK..]);
        });
    }

    /// Calls `work(block, update)` for every `block_len` parameters; it calls `update` with their
    /// gradients.
    pub(crate) fn in_blocks<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        parallel: bool,
        outputs: &mut [&mut [T]],
        block_len: usize,
        work: impl Fn(usize, &mut dyn FnMut(&[T])) + Sync,
    ) {
        let eta = T::of(f64::from(context.lane.scheduled_learning_rate()));
        let gamma = T::of(f64::from(context.lane.momentum));
        let fault = context.fault;
        match (self.rule, outputs) {
            (UpdateRule::Sgd, [w]) => {
                chunks::for_each(parallel, w, block_len, |block, w| {
                    work(block, &mut |grads| note(fault, sgd(eta, w, grads)));
                });
            }
            (rule, [w, v]) => {
                chunks::for_each_pair(parallel, w, v, block_len, |block, w, v| {
                    work(block, &mut |grads| match rule {
                        UpdateRule::NesterovMomentum => {
                            note(fault, momentum::<T, true>(eta, gamma, w, v, grads));
                        }
                        _ => note(fault, momentum::<T, false>(eta, gamma, w, v, grads)),
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
    vectorised(|| {
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
    vectorised(|| {
        let mut finite = true;
        for ((w, v), &g) in w.iter_mut().zip(v).zip(grads) {
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
