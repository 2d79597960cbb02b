//! Work in pieces that the shape alone decides, on one thread or on all.

use super::team::for_each_piece;

/// Elements of a piece of elementwise work: less would be done before another thread is awake.
pub(crate) const ELEMENTWISE: usize = 1 << 16;

/// Lengths of the pieces of `len` that a total is cut into: of the first, and of the last if that is
/// shorter, else 0.
pub(crate) fn lens(total: usize, len: usize) -> [usize; 2] {
    [len.min(total), if total > len { total % len } else { 0 }]
}

/// Calls `work(i, piece)` for the `i`-th piece of `len` elements; the last may be shorter.
pub(crate) fn for_each<T: Send>(
    parallel: bool,
    data: &mut [T],
    len: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    for_each_piece(parallel, data.chunks_mut(len), work);
}

/// As [`for_each`], over two slices of one length.
pub(crate) fn for_each_pair<T: Send>(
    parallel: bool,
    first: &mut [T],
    second: &mut [T],
    len: usize,
    work: impl Fn(usize, &mut [T], &mut [T]) + Sync,
) {
    let pairs = first.chunks_mut(len).zip(second.chunks_mut(len));
    for_each_piece(parallel, pairs, |index, (first, second)| work(index, first, second));
}

/// As [`for_each`], over three slices of one length.
pub(crate) fn for_each_triple<T: Send>(
    parallel: bool,
    [first, second, third]: [&mut [T]; 3],
    len: usize,
    work: impl Fn(usize, [&mut [T]; 3]) + Sync,
) {
    let pairs = first.chunks_mut(len).zip(second.chunks_mut(len));
    let triples = pairs.zip(third.chunks_mut(len));
    for_each_piece(parallel, triples, |index, ((first, second), third)| {
        work(index, [first, second, third]);
    });
}
