//! Native kernels of the attention: products over one head of one sequence, for a block of places at
//! a time, so that their scores stay in the cache and little is computed of later places.

use std::iter;
use std::ops::Range;

use super::Attention;
use crate::cpu::exp::exp;
use crate::cpu::product::{
    Lhs, Order, Packed, Panels, Rows, Source, multiply, packed_len, transpose,
};
use crate::cpu::simd::vectorised;
use crate::cpu::vector::{dot, max, sum};
use crate::cpu::{CpuContext, ScratchLens, ScratchPool, chunks};
use crate::real::Real;

/// Places of a block: two tiles of a product.
const BLOCK_PLACES: usize = 16;

/// Thirds of the columns of `qkv`.
const QUERIES: usize = 0;
const KEYS: usize = 1;
const VALUES: usize = 2;

/// One head's columns of a sequence.
#[derive(Clone, Copy)]
struct Head<'a, T> {
    /// From its first column in the first place on.
    data: &'a [T],
    /// Elements from a place to the next.
    stride: usize,
    places: usize,
    columns: usize,
}

impl Attention {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, qkv: &[T], y: &mut [T]) {
        let len = self.places * self.columns();
        let scratch = context.scratch;
        chunks::for_each(context.parallel, y, len, |n, y| {
            let qkv = &qkv[n * 3 * len..(n + 1) * 3 * len];
            let mut scores = scratch.take(BLOCK_PLACES * self.places);
            for head in 0..self.heads {
                let [queries, keys, values] = self.parts(qkv, head);
                let (values, keys) = (values.pack(scratch), keys.pack_transposed(scratch));
                for block in self.blocks() {
                    let p = &mut scores[..block.len() * block.end];
                    self.probabilities(queries, &keys, &block, p);
                    let y = &mut y[block.start * self.columns() + head * self.head_columns..];
                    let rows = Rows { y, stride: self.columns(), n_rows: block.len() };
                    multiply(&of_places(p, &block), &values.panels(), rows, false);
                }
                keys.give(scratch);
                values.give(scratch);
            }
            scratch.give(scores);
        });
    }

    pub(crate) fn grad_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_qkv: &mut [T],
    ) {
        let &[qkv, grad_y] = inputs else { unreachable!("two inputs") };
        let len = self.places * self.columns();
        let scratch = context.scratch;
        chunks::for_each(context.parallel, grad_qkv, 3 * len, |n, grad_qkv| {
            let qkv = &qkv[n * 3 * len..(n + 1) * 3 * len];
            let grad_y = &grad_y[n * len..(n + 1) * len];
            let mut scores = scratch.take(BLOCK_PLACES * self.places);
            let mut changes = scratch.take(BLOCK_PLACES * self.places);
            for head in 0..self.heads {
                let [queries, keys, values] = self.parts(qkv, head);
                let grads = self.head(grad_y, self.columns(), head * self.head_columns);
                let plain = [queries, keys, grads].map(|head| head.pack(scratch));
                let transposed = [keys, values].map(|head| head.pack_transposed(scratch));
                let [queries_panels, keys_panels, grads_panels] =
                    plain.each_ref().map(Packed::panels);
                // The last block writes to all keys and values, those before add to theirs.
                for block in self.blocks().rev() {
                    let add = block.end < self.places;
                    let p = &mut scores[..block.len() * block.end];
                    self.probabilities(queries, &transposed[0], &block, p);
                    let ds = &mut changes[..block.len() * block.end];
                    grads.products(&transposed[1], &block, ds);
                    self.score_gradients(&block, p, ds);
                    let mut multiply_to = |[part, place]: [usize; 2], n_rows, lhs, rhs, add| {
                        let y = &mut grad_qkv[self.start(part, place, head)..];
                        multiply(&lhs, &rhs, Rows { y, stride: 3 * self.columns(), n_rows }, add);
                    };
                    let grads = grads_panels.starting_at(block.start);
                    multiply_to([VALUES, 0], block.end, to_places(p, &block), grads, add);
                    let queries = queries_panels.starting_at(block.start);
                    multiply_to([KEYS, 0], block.end, to_places(ds, &block), queries, add);
                    let (place, rows) = ([QUERIES, block.start], of_places(ds, &block));
                    multiply_to(place, block.len(), rows, keys_panels, false);
                }
                transposed.into_iter().chain(plain).for_each(|packed| packed.give(scratch));
            }
            scratch.give(changes);
            scratch.give(scores);
        });
    }

    /// What [`Attention::cpu`] takes, or [`Attention::grad_cpu`].
    pub(crate) fn scratch<T: Real>(self, is_backward: bool) -> ScratchLens {
        let [n_blocks, n_transposed, n_plain] = if is_backward { [2, 2, 3] } else { [1, 1, 1] };
        let (places, columns) = (self.places, self.head_columns);
        let lens = [
            (n_blocks, BLOCK_PLACES * places),
            (1, places * columns),
            (n_transposed, packed_len::<T>(columns, places)),
            (n_plain, packed_len::<T>(places, columns)),
        ];
        let of_piece = lens.into_iter().flat_map(|(n, len)| iter::repeat_n(len, n)).collect();
        ScratchLens { of_op: vec![], of_piece }
    }

    fn blocks(self) -> impl DoubleEndedIterator<Item = Range<usize>> {
        let starts = (0..self.places.div_ceil(BLOCK_PLACES)).map(|block| block * BLOCK_PLACES);
        starts.map(move |start| start..(start + BLOCK_PLACES).min(self.places))
    }

    /// Queries, keys and values.
    fn parts<T>(self, qkv: &[T], head: usize) -> [Head<'_, T>; 3] {
        [QUERIES, KEYS, VALUES]
            .map(|part| self.head(qkv, 3 * self.columns(), self.start(part, 0, head)))
    }

    fn head<T>(self, data: &[T], stride: usize, first: usize) -> Head<'_, T> {
        let Self { places, head_columns: columns, .. } = self;
        Head { data: &data[first..], stride, places, columns }
    }

    /// Where a head's part of a place starts in a sequence's `qkv`.
    fn start(self, part: usize, place: usize, head: usize) -> usize {
        (3 * place + part) * self.columns() + head * self.head_columns
    }

    /// `p[i, j]` for the places i of a block and all j before its end; 0 where j is later than i.
    fn probabilities<T: Real>(
        self,
        queries: Head<'_, T>,
        keys: &Packed<T>,
        block: &Range<usize>,
        p: &mut [T],
    ) {
        queries.products(keys, block, p);
        let scale = T::of(self.scale());
        for (i, row) in block.clone().zip(p.chunks_exact_mut(block.end)) {
            let (p, later) = row.split_at_mut(i + 1);
            // A NaN must show: `max` drops it, the sum does not.
            let max = max(p);
            vectorised!(p.iter_mut().for_each(|p| *p = scale * (*p - max)));
            exp(p);
            let sum = sum(p);
            vectorised!(p.iter_mut().for_each(|p| *p /= sum));
            later.fill(T::zero());
        }
    }

    /// `ds[i, j]`, with the scale, where `changes` has `dp[i, j]`.
    fn score_gradients<T: Real>(self, block: &Range<usize>, p: &[T], changes: &mut [T]) {
        let scale = T::of(self.scale());
        let rows = p.chunks_exact(block.end).zip(changes.chunks_exact_mut(block.end));
        for (i, (p, changes)) in block.clone().zip(rows) {
            let p = &p[..=i];
            let (changes, later) = changes.split_at_mut(i + 1);
            let mean = dot(p, changes);
            vectorised!({
                for (change, &p) in changes.iter_mut().zip(p) {
                    *change = scale * (p * (*change - mean));
                }
            });
            later.fill(T::zero());
        }
    }
}

impl<T: Real> Head<'_, T> {
    /// As right operand whose terms are the places.
    fn pack(self, scratch: &ScratchPool<T>) -> Packed<T> {
        let Self { data, stride, places, columns } = self;
        Source { data, stride, n_terms: places, n_columns: columns }.pack(scratch)
    }

    /// As right operand whose terms are the columns.
    fn pack_transposed(self, scratch: &ScratchPool<T>) -> Packed<T> {
        let Self { data, stride, places, columns } = self;
        let mut transposed = scratch.take(columns * places);
        transpose(data, [places, columns], stride, &mut transposed, places);
        let packed = Source::matrix(&transposed, columns, places).pack(scratch);
        scratch.give(transposed);
        packed
    }

    /// Products of each place of a block with all places before its end.
    fn products(self, others: &Packed<T>, block: &Range<usize>, products: &mut [T]) {
        let first = &self.data[block.start * self.stride..];
        let lhs = Lhs::matrix(first, Order::TermsInside, self.stride, self.columns);
        let rhs = Panels { n_columns: block.end, ..others.panels() };
        multiply(&lhs, &rhs, Rows { y: products, stride: block.end, n_rows: block.len() }, false);
    }
}

/// Numbers of pairs of places as left operand: a row a place of the block ...
fn of_places<'a, T>(pairs: &'a [T], block: &Range<usize>) -> Lhs<'a, T> {
    Lhs::matrix(pairs, Order::TermsInside, block.end, block.end)
}

/// ... or a row each place before its end.
fn to_places<'a, T>(pairs: &'a [T], block: &Range<usize>) -> Lhs<'a, T> {
    Lhs::matrix(pairs, Order::RowsInside, block.end, block.len())
}
