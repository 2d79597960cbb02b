//! Native kernels of the embedding.

use super::Embedding;
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// Elements per parallel piece of the table's gradient, about.
const CHUNK_LEN: usize = 1 << 18;

impl Embedding {
    pub(crate) fn cpu<T: Real>(self, inputs: &[&[T]], y: &mut [T]) {
        let &[table, tokens] = inputs else { unreachable!("two inputs") };
        let scale = T::of(f64::from(self.scale));
        for (y, &token) in y.chunks_exact_mut(self.columns).zip(tokens) {
            match token.to_usize().filter(|&token| token < self.vocabulary) {
                Some(token) => {
                    let row = &table[token * self.columns..][..self.columns];
                    for (y, &table) in y.iter_mut().zip(row) {
                        *y = scale * table;
                    }
                }
                None if token < T::zero() => y.fill(T::zero()),
                None => y.fill(T::nan()),
            }
        }
    }

    /// Each piece of the table goes through all tokens: the order of a row's sum is theirs, however
    /// many threads there are.
    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_table: &mut [T],
    ) {
        let &[tokens, grad_y] = inputs else { unreachable!("two inputs") };
        let scale = T::of(f64::from(self.scale));
        let chunk_rows = (CHUNK_LEN / self.columns).max(1);
        chunks::for_each(
            context.parallel,
            grad_table,
            chunk_rows * self.columns,
            |chunk, grad_table| {
                grad_table.fill(T::zero());
                let first = chunk * chunk_rows;
                for (&token, grad_y) in tokens.iter().zip(grad_y.chunks_exact(self.columns)) {
                    let row = token.to_usize().and_then(|token| token.checked_sub(first));
                    let place = row.map(|row| row * self.columns);
                    let Some(place) = place.filter(|&place| place < grad_table.len()) else {
                        continue;
                    };
                    let row = &mut grad_table[place..][..self.columns];
                    for (sum, &grad_y) in row.iter_mut().zip(grad_y) {
                        *sum += scale * grad_y;
                    }
                }
            },
        );
    }
}
