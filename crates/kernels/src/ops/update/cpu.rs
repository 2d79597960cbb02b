//! Native kernel of the update: one pass over parameters, velocities and gradients.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{SMALLEST_VELOCITY, Update, UpdateRule};
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
        let eta = T::of(f64::from(context.lane.scheduled_learning_rate()));
        let gamma = T::of(f64::from(context.lane.momentum));
        let fault = context.fault;
        match (self.rule, outputs) {
            (UpdateRule::Sgd, [w]) => {
                chunks::for_each(context.parallel, w, CHUNK, |chunk, w| {
                    let grads = &grads[chunk * CHUNK..];
                    note(fault, sgd(eta, w, grads));
                });
            }
            (rule, [w, v]) => {
                chunks::for_each_pair(context.parallel, w, v, CHUNK, |chunk, w, v| {
                    let grads = &grads[chunk * CHUNK..];
                    let finite = match rule {
                        UpdateRule::NesterovMomentum => {
                            momentum::<T, true>(eta, gamma, w, v, grads)
                        }
                        _ => momentum::<T, false>(eta, gamma, w, v, grads),
                    };
                    note(fault, finite);
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
    let mut finite = true;
    for (w, &g) in w.iter_mut().zip(grads) {
        *w -= eta * g;
        finite &= w.is_finite();
    }
    finite
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
}
