//! Native kernels of the attention: one sequence and head at a time, a row of scores in scratch
//! memory.

use super::Attention;
use crate::cpu::exp::exp;
use crate::cpu::vector::{add_scaled, dot, max, sum};
use crate::cpu::{CpuContext, chunks};
use crate::real::Real;

/// One head of one sequence within `[T, 3 C]`.
#[derive(Clone, Copy)]
struct Head<'a, T> {
    op: Attention,
    qkv: &'a [T],
    /// First column of the head's queries.
    first: usize,
}

impl Attention {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, qkv: &[T], y: &mut [T]) {
        let columns = self.columns();
        let len = self.places * columns;
        chunks::for_each(context.parallel, y, len, |n, y| {
            let qkv = &qkv[n * 3 * len..(n + 1) * 3 * len];
            let mut scores = context.scratch.take(self.places);
            y.fill(T::zero());
            for first in (0..columns).step_by(self.head_columns) {
                let head = Head { op: self, qkv, first };
                for i in 0..self.places {
                    head.probabilities(i, &mut scores);
                    let y = &mut y[i * columns + first..][..self.head_columns];
                    for (j, &p) in scores[..=i].iter().enumerate() {
                        add_scaled(p, head.value(j), y);
                    }
                }
            }
            context.scratch.give(scores);
        });
    }

    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_qkv: &mut [T],
    ) {
        let &[qkv, grad_y] = inputs else { unreachable!("two inputs") };
        let columns = self.columns();
        let len = self.places * columns;
        chunks::for_each(context.parallel, grad_qkv, 3 * len, |n, grad_qkv| {
            let qkv = &qkv[n * 3 * len..(n + 1) * 3 * len];
            let grad_y = &grad_y[n * len..(n + 1) * len];
            let mut probabilities = context.scratch.take(self.places);
            let mut changes = context.scratch.take(self.places);
            grad_qkv.fill(T::zero());
            for first in (0..columns).step_by(self.head_columns) {
                let head = Head { op: self, qkv, first };
                for i in 0..self.places {
                    let grad_y = &grad_y[i * columns + first..][..self.head_columns];
                    head.probabilities(i, &mut probabilities);
                    head.score_gradients(&probabilities[..=i], grad_y, &mut changes);
                    for j in 0..=i {
                        let [query, key, value] = [(0, i), (1, j), (2, j)].map(|(part, place)| {
                            let start = head.place(part, place);
                            start..start + self.head_columns
                        });
                        add_scaled(changes[j], head.key(j), &mut grad_qkv[query]);
                        add_scaled(changes[j], head.query(i), &mut grad_qkv[key]);
                        add_scaled(probabilities[j], grad_y, &mut grad_qkv[value]);
                    }
                }
            }
            context.scratch.give(changes);
            context.scratch.give(probabilities);
        });
    }
}

impl<'a, T: Real> Head<'a, T> {
    /// Start of a place's queries (part 0), keys (1) or values (2).
    fn place(self, part: usize, place: usize) -> usize {
        (3 * place + part) * self.op.columns() + self.first
    }

    fn row(self, part: usize, place: usize) -> &'a [T] {
        &self.qkv[self.place(part, place)..][..self.op.head_columns]
    }

    fn query(self, place: usize) -> &'a [T] {
        self.row(0, place)
    }

    fn key(self, place: usize) -> &'a [T] {
        self.row(1, place)
    }

    fn value(self, place: usize) -> &'a [T] {
        self.row(2, place)
    }

    /// `p[i, ..=i]`.
    fn probabilities(self, i: usize, p: &mut [T]) {
        let (scale, query) = (T::of(self.op.scale()), self.query(i));
        for (j, score) in p[..=i].iter_mut().enumerate() {
            *score = scale * dot(query, self.key(j));
        }
        let p = &mut p[..=i];
        // A NaN must show: `max` drops it, the sum does not.
        let max = max(p);
        p.iter_mut().for_each(|p| *p -= max);
        exp(p);
        let sum = sum(p);
        p.iter_mut().for_each(|p| *p /= sum);
    }

    /// `ds[i, ..=i]`, with the scale.
    fn score_gradients(self, p: &[T], grad_y: &[T], changes: &mut [T]) {
        let mut mean = T::zero();
        for (j, (change, &p)) in changes.iter_mut().zip(p).enumerate() {
            *change = dot(grad_y, self.value(j));
            mean += p * *change;
        }
        let scale = T::of(self.op.scale());
        for (change, &p) in changes.iter_mut().zip(p) {
            *change = scale * (p * (*change - mean));
        }
    }
}
