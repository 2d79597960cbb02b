//! Scaled sum of all elements, and the broadcast that is its transpose.

mod gpu;
#[cfg(test)]
mod tests;

use crate::cpu::simd::vectorised;
use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::real::Real;

/// Scaled sum of `len` elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sum {
    pub(crate) len: usize,
    pub(crate) scale: f64,
}

/// `y[i] = scale x[i mod n_in]` for `i < n_out`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Broadcast {
    pub(crate) n_in: usize,
    pub(crate) n_out: usize,
    pub(crate) scale: f64,
}

/// Threads of the WGSL kernel, and partial sums of the native one: both add in this order.
pub(crate) const N_PARTIAL_SUMS: usize = 256;

impl Graph {
    /// Scaled sum of all elements; with `scale = 1 / len` the mean.
    ///
    /// # Equation
    /// `y = scale sum_i x_i`. Backward: `grad_x[i] = scale grad_y`.
    ///
    /// # Shapes
    /// `x`: any, `y: [1]`.
    ///
    /// # Numerics
    /// 256 partial sums (element `i` goes to partial `i mod 256`), then a binary tree: the same
    /// order on both executors.
    ///
    /// # Errors
    /// If `scale` is not finite.
    pub fn sum(&mut self, x: Node, scale: f64) -> Result<Node, Error> {
        if !scale.is_finite() {
            let needs = "it must be finite";
            return Err(Error::Attribute { op: "sum", name: "scale", value: scale, needs });
        }
        let len = self.shape(x).len();
        Ok(self.push(Op::Sum(Sum { len, scale }), &[x], [1].into()))
    }
}

impl Sum {
    pub(crate) fn backward(
        self,
        graph: &mut Graph,
        x: Node,
        grad: Node,
    ) -> Result<Vec<Option<Node>>, Error> {
        let broadcast = Broadcast { n_in: 1, n_out: self.len, scale: self.scale };
        let shape = graph.shape(x).clone();
        Ok(vec![Some(graph.push(Op::Broadcast(broadcast), &[grad], shape))])
    }

    pub(crate) fn cpu<T: Real>(self, x: &[T], y: &mut [T]) {
        y[0] = sum_of(x, |x| x) * T::of(self.scale);
    }
}

/// Sum of a function of the elements, in the order of the WGSL kernels: partial sums, then a tree.
pub(crate) fn sum_of<T: Real>(x: &[T], term: impl Fn(T) -> T) -> T {
    let mut partial = [T::zero(); N_PARTIAL_SUMS];
    vectorised!({
        for row in x.chunks(N_PARTIAL_SUMS) {
            for (partial, &x) in partial.iter_mut().zip(row) {
                *partial += term(x);
            }
        }
    });
    let mut half = N_PARTIAL_SUMS / 2;
    while half > 0 {
        for i in 0..half {
            let upper = partial[i + half];
            partial[i] += upper;
        }
        half /= 2;
    }
    partial[0]
}

impl Broadcast {
    pub(crate) fn cpu<T: Real>(self, x: &[T], y: &mut [T]) {
        let scale = T::of(self.scale);
        if let [x] = x {
            return y.fill(scale * *x);
        }
        vectorised!({
            for row in y.chunks_mut(self.n_in) {
                for (y, &x) in row.iter_mut().zip(x) {
                    *y = scale * x;
                }
            }
        });
    }
}
