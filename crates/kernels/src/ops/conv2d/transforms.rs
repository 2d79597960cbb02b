//! The small matrices of Winograd's algorithm, as functions on vectors of channels.
//!
//! With tiles of 6 and the points 0, 1, -1, 2, -2 and infinity, a tile makes `m = 7 - r` outputs of
//! a filter of `r` taps: `y = A^T ((G g) * (B^T d))`.
//!
//! # Source
//! Lavin and Gray 2016, F(4, 3); the same points give F(2, 5).

use pulp::Simd;

use crate::cpu::simd::Vectors;

/// Side of a tile.
pub(super) const TILE: usize = 6;

/// Filter sizes for which there are transforms.
pub(super) const FILTER_SIZES: [usize; 2] = [3, 5];

/// Points but infinity, and the factors of their rows of `G`.
const POINTS: [(f64, f64); TILE - 1] = [
    (0.0, 1.0 / 4.0),
    (1.0, -1.0 / 6.0),
    (-1.0, -1.0 / 6.0),
    (2.0, 1.0 / 24.0),
    (-2.0, 1.0 / 24.0),
];

/// Row `i` of `G`, for filters of `r` taps.
pub(super) fn filter_row(i: usize, r: usize) -> Vec<f64> {
    match POINTS.get(i) {
        Some(&(point, factor)) => (0..r).map(|tap| factor * num_traits::pow(point, tap)).collect(),
        None => (0..r).map(|tap| if tap + 1 == r { 1.0 } else { 0.0 }).collect(),
    }
}

/// `factor x + y`.
#[inline(always)]
fn scaled<S: Simd, T: Vectors>(
    simd: S,
    factor: i8,
    x: T::Vector<S>,
    y: T::Vector<S>,
) -> T::Vector<S> {
    T::multiply_add(simd, T::splat(simd, T::whole(factor)), x, y)
}

// No closures below: they would not be inlined, and so not be compiled for the vectors at hand.

/// `B^T d`.
#[inline(always)]
pub(super) fn input<S: Simd, T: Vectors>(simd: S, d: [T::Vector<S>; TILE]) -> [T::Vector<S>; TILE] {
    let even = scaled::<S, T>(simd, -4, d[2], d[4]);
    let odd = scaled::<S, T>(simd, -4, d[1], d[3]);
    let outer = T::subtract(simd, d[4], d[2]);
    let inner = T::subtract(simd, d[3], d[1]);
    [
        scaled::<S, T>(simd, 4, d[0], scaled::<S, T>(simd, -5, d[2], d[4])),
        T::add(simd, even, odd),
        T::subtract(simd, even, odd),
        scaled::<S, T>(simd, 2, inner, outer),
        scaled::<S, T>(simd, -2, inner, outer),
        scaled::<S, T>(simd, 4, d[1], scaled::<S, T>(simd, -5, d[3], d[5])),
    ]
}

/// `A^T t`, the first `M` of whose rows exist.
#[inline(always)]
pub(super) fn output<S: Simd, T: Vectors, const M: usize>(
    simd: S,
    t: [T::Vector<S>; TILE],
) -> [T::Vector<S>; M] {
    let (sum_1, difference_1) = (T::add(simd, t[1], t[2]), T::subtract(simd, t[1], t[2]));
    let (sum_2, difference_2) = (T::add(simd, t[3], t[4]), T::subtract(simd, t[3], t[4]));
    let rows = [
        T::add(simd, t[0], T::add(simd, sum_1, sum_2)),
        scaled::<S, T>(simd, 2, difference_2, difference_1),
        scaled::<S, T>(simd, 4, sum_2, sum_1),
        scaled::<S, T>(simd, 8, difference_2, difference_1),
    ];
    let mut y = *rows.first_chunk().expect("at most four outputs");
    let last: &mut T::Vector<S> = &mut y[M - 1];
    *last = T::add(simd, *last, t[5]);
    y
}

/// `A y`, the transpose of [`output`].
#[inline(always)]
pub(super) fn output_transposed<S: Simd, T: Vectors, const M: usize>(
    simd: S,
    y: [T::Vector<S>; M],
) -> [T::Vector<S>; TILE] {
    let mut rows = [T::splat(simd, T::whole(0)); 4];
    rows[..M].copy_from_slice(&y);
    let (even_1, odd_1) = (T::add(simd, rows[0], rows[2]), T::add(simd, rows[1], rows[3]));
    let even_2 = scaled::<S, T>(simd, 4, rows[2], rows[0]);
    let odd_2 = scaled::<S, T>(simd, 4, rows[3], rows[1]);
    [
        rows[0],
        T::add(simd, even_1, odd_1),
        T::subtract(simd, even_1, odd_1),
        scaled::<S, T>(simd, 2, odd_2, even_2),
        scaled::<S, T>(simd, -2, odd_2, even_2),
        y[M - 1],
    ]
}
