//! The places of a sequence one by one, and put together again.

mod gpu;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::real::Real;

/// Dimensions of a sequence `[batch, places, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) batch: usize,
    pub(crate) places: usize,
    pub(crate) columns: usize,
}

impl Graph {
    /// One place of every sequence.
    ///
    /// # Equation
    /// `y[n, c] = x[n, t, c]`.
    ///
    /// # Shapes
    /// `x: [N, T, C]`, `y: [N, C]`. No derivative: see [`Graph::lstm`], which needs none.
    pub(crate) fn place(&mut self, x: Node, t: usize) -> Result<Node, Error> {
        let &[batch, places, columns] = &**self.shape(x) else {
            return Err(self.operand_error("place", x, "x must be [N, T, C]"));
        };
        let op = Op::Place(Places { batch, places, columns }, t);
        Ok(self.push(op, &[x], [batch, columns].into()))
    }

    /// Sequences of their places.
    ///
    /// # Equation
    /// `y[n, t, c] = x_t[n, c]`.
    ///
    /// # Shapes
    /// `x_t: [N, C]` for each place, `y: [N, T, C]`. No derivative.
    pub(crate) fn stack_places(&mut self, xs: &[Node]) -> Result<Node, Error> {
        let first = xs[0];
        let &[batch, columns] = &**self.shape(first) else {
            return Err(self.operand_error("stack_places", first, "every place must be [N, C]"));
        };
        let op = Op::StackPlaces(Places { batch, places: xs.len(), columns });
        Ok(self.push(op, xs, [batch, xs.len(), columns].into()))
    }
}

impl Places {
    pub(crate) fn place_cpu<T: Real>(self, t: usize, x: &[T], y: &mut [T]) {
        let rows = x.chunks_exact(self.places * self.columns);
        for (y, x) in y.chunks_exact_mut(self.columns).zip(rows) {
            y.copy_from_slice(&x[t * self.columns..][..self.columns]);
        }
    }

    pub(crate) fn stack_cpu<T: Real>(self, xs: &[&[T]], y: &mut [T]) {
        for (n, y) in y.chunks_exact_mut(self.places * self.columns).enumerate() {
            for (y, x) in y.chunks_exact_mut(self.columns).zip(xs) {
                y.copy_from_slice(&x[n * self.columns..][..self.columns]);
            }
        }
    }
}
