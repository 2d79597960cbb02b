//! Native kernels of the cell.

use super::{FORGET_BIAS, GATES, LstmCell, STATE_PARTS, Step};
use crate::cpu::{CpuContext, chunks};
use crate::ops::activation::sigmoid;
use crate::real::Real;

/// Examples of a parallel piece.
const CHUNK_EXAMPLES: usize = 4;

impl LstmCell {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let columns = y.len() / self.batch;
        chunks::for_each(context.parallel, y, CHUNK_EXAMPLES * columns, |chunk, y| {
            let examples = (chunk * CHUNK_EXAMPLES..).zip(y.chunks_exact_mut(columns));
            for (n, y) in examples {
                self.example(n, inputs, y);
            }
        });
    }

    fn example<T: Real>(self, n: usize, inputs: &[&[T]], y: &mut [T]) {
        let units = self.units;
        let of =
            |input: usize, n_parts: usize| &inputs[input][n * n_parts * units..][..n_parts * units];
        match self.step {
            Step::State => {
                let row = n * self.places + self.place;
                let gates = &inputs[0][row * GATES * units..][..GATES * units];
                let before = (inputs.len() > 1)
                    .then(|| (of(1, GATES), &of(2, STATE_PARTS)[GATES * units..]));
                state(units, gates, before, y);
            }
            Step::Hidden => {
                let [_, _, _, o, c] = parts(of(0, STATE_PARTS), units);
                for ((y, &o), &c) in y.iter_mut().zip(o).zip(c) {
                    *y = o * c.tanh();
                }
            }
            Step::CellGrad => {
                let [_, _, _, o, c] = parts(of(0, STATE_PARTS), units);
                let grad_h = of(1, 1);
                for u in 0..units {
                    let tanh = c[u].tanh();
                    y[u] = grad_h[u] * o[u] * (T::one() - tanh * tanh);
                }
                if inputs.len() > 2 {
                    let [_, f, ..] = parts(of(2, STATE_PARTS), units);
                    for ((y, &f), &grad_c) in y.iter_mut().zip(f).zip(of(3, 1)) {
                        *y += grad_c * f;
                    }
                }
            }
            Step::GatesGrad => {
                let [i, f, g, o, c] = parts(of(0, STATE_PARTS), units);
                let (grad_h, grad_c) = (of(1, 1), of(2, 1));
                let before = (inputs.len() > 3).then(|| &of(3, STATE_PARTS)[GATES * units..]);
                let one = T::one();
                for u in 0..units {
                    let c_before = before.map_or(T::zero(), |before| before[u]);
                    y[u] = grad_c[u] * g[u] * i[u] * (one - i[u]);
                    y[units + u] = grad_c[u] * c_before * f[u] * (one - f[u]);
                    y[2 * units + u] = grad_c[u] * i[u] * (one - g[u] * g[u]);
                    y[3 * units + u] = grad_h[u] * c[u].tanh() * o[u] * (one - o[u]);
                }
            }
        }
    }
}

/// The state of one example; `before` is the product of the outputs before, and the cells before.
fn state<T: Real>(units: usize, gates: &[T], before: Option<(&[T], &[T])>, y: &mut [T]) {
    let forget_bias = T::of(FORGET_BIAS);
    for u in 0..units {
        let z = |gate: usize| {
            let place = gate * units + u;
            gates[place] + before.map_or(T::zero(), |(product, _)| product[place])
        };
        let (i, f) = (sigmoid(z(0)), sigmoid(z(1) + forget_bias));
        let (g, o) = (z(2).tanh(), sigmoid(z(3)));
        let c_before = before.map_or(T::zero(), |(_, cells)| cells[u]);
        let values = [i, f, g, o, f * c_before + i * g];
        for (part, value) in values.into_iter().enumerate() {
            y[part * units + u] = value;
        }
    }
}

fn parts<T>(state: &[T], units: usize) -> [&[T]; STATE_PARTS] {
    std::array::from_fn(|part| &state[part * units..][..units])
}
