//! Native kernels of the smooth activations.

use super::{Activation, Function};
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// `sqrt(2 / pi)`.
pub(super) const ROOT: f64 = 0.797_884_560_802_865_4;

/// Coefficient of the cube in GELU.
pub(super) const CUBE: f64 = 0.044_715;

impl Activation {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, x: &[T], y: &mut [T]) {
        chunks::for_each(context.parallel, y, chunks::ELEMENTWISE, |chunk, y| {
            let x = &x[chunk * chunks::ELEMENTWISE..];
            for (y, &x) in y.iter_mut().zip(x) {
                *y = self.function.value(x);
            }
        });
    }

    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        x: &[T],
        grad_y: &[T],
        grad_x: &mut [T],
    ) {
        chunks::for_each(context.parallel, grad_x, chunks::ELEMENTWISE, |chunk, grad_x| {
            let start = chunk * chunks::ELEMENTWISE;
            let operands = x[start..].iter().zip(&grad_y[start..]);
            for (grad_x, (&x, &grad_y)) in grad_x.iter_mut().zip(operands) {
                *grad_x = grad_y * self.function.derivative(x);
            }
        });
    }
}

impl Function {
    fn value<T: Real>(self, x: T) -> T {
        match self {
            Function::Gelu => x * sigmoid(gelu_argument(x)),
            Function::Tanh => x.tanh(),
            Function::Sigmoid => sigmoid(x),
        }
    }

    fn derivative<T: Real>(self, x: T) -> T {
        let one = T::one();
        match self {
            Function::Gelu => {
                let s = sigmoid(gelu_argument(x));
                let slope = T::of(2.0 * ROOT) * (one + T::of(3.0 * CUBE) * x * x);
                s + x * s * (one - s) * slope
            }
            Function::Tanh => {
                let y = x.tanh();
                one - y * y
            }
            Function::Sigmoid => {
                let y = sigmoid(x);
                y * (one - y)
            }
        }
    }
}

fn gelu_argument<T: Real>(x: T) -> T {
    T::of(2.0 * ROOT) * (x + T::of(CUBE) * x * x * x)
}

/// Without overflow: the exponential is of a number that is not positive.
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    let small = (-x.abs()).exp();
    let numerator = if x < T::zero() { small } else { T::one() };
    numerator / (T::one() + small)
}
