//! The small matrices of Winograd's algorithm, as functions on vectors of channels.
//!
//! A tile of `n` pixels makes `m = n + 1 - r` outputs of a filter of `r` taps:
//! `y = A^T ((G g) * (B^T d))`. Tiles of 6 have the points 0, 1, -1, 2, -2 and infinity, those of 8 have
//! 1/2 and -1/2 as well.
//!
//! # Source
//! Lavin and Gray 2016, F(4, 3) and F(6, 3); the same points give F(2, 5) and F(4, 5).

use pulp::Simd;

use crate::cpu::simd::Vectors;

/// Outputs of a tile along each axis at most.
const MAX_OUTPUTS: usize = 4;

/// Points of a tile of 6 but infinity, and the factors of their rows of `G`.
const POINTS_OF_6: [(f64, f64); 5] = [
    (0.0, 1.0 / 4.0),
    (1.0, -1.0 / 6.0),
    (-1.0, -1.0 / 6.0),
    (2.0, 1.0 / 24.0),
    (-2.0, 1.0 / 24.0),
];

/// The same of a tile of 8.
const POINTS_OF_8: [(f64, f64); 7] = [
    (0.0, 1.0),
    (1.0, -2.0 / 9.0),
    (-1.0, -2.0 / 9.0),
    (2.0, 1.0 / 90.0),
    (-2.0, 1.0 / 90.0),
    (0.5, 32.0 / 45.0),
    (-0.5, 32.0 / 45.0),
];

/// Row `i` of `G` for tiles of `n` and filters of `r` taps.
pub(super) fn filter_row(i: usize, n: usize, r: usize) -> Vec<f64> {
    let points: &[_] = if n == 6 { &POINTS_OF_6 } else { &POINTS_OF_8 };
    match points.get(i) {
        Some(&(point, factor)) => (0..r).map(|tap| factor * num_traits::pow(point, tap)).collect(),
        None => (0..r).map(|tap| if tap + 1 == r { 1.0 } else { 0.0 }).collect(),
    }
}

// No closures below: they would not be inlined, and so not be compiled for the vectors at hand.

/// `factor x + y`.
#[inline(always)]
fn scaled<S: Simd, T: Vectors>(
    simd: S,
    factor: f64,
    x: T::Vector<S>,
    y: T::Vector<S>,
) -> T::Vector<S> {
    T::multiply_add(simd, T::splat(simd, T::constant(factor)), x, y)
}

/// `factor x`.
#[inline(always)]
fn times<S: Simd, T: Vectors>(simd: S, factor: f64, x: T::Vector<S>) -> T::Vector<S> {
    scaled::<S, T>(simd, factor, x, T::splat(simd, T::constant(0.0)))
}

/// `B^T d` of a tile of `N`.
#[inline(always)]
pub(super) fn input<S: Simd, T: Vectors, const N: usize>(
    simd: S,
    d: [T::Vector<S>; N],
) -> [T::Vector<S>; N] {
    if N == 6 {
        resized(input_of_6::<S, T>(simd, resized(d)))
    } else {
        resized(input_of_8::<S, T>(simd, resized(d)))
    }
}

#[inline(always)]
fn input_of_6<S: Simd, T: Vectors>(simd: S, d: [T::Vector<S>; 6]) -> [T::Vector<S>; 6] {
    let even = scaled::<S, T>(simd, -4.0, d[2], d[4]);
    let odd = scaled::<S, T>(simd, -4.0, d[1], d[3]);
    let outer = T::subtract(simd, d[4], d[2]);
    let inner = T::subtract(simd, d[3], d[1]);
    [
        scaled::<S, T>(simd, 4.0, d[0], scaled::<S, T>(simd, -5.0, d[2], d[4])),
        T::add(simd, even, odd),
        T::subtract(simd, even, odd),
        scaled::<S, T>(simd, 2.0, inner, outer),
        scaled::<S, T>(simd, -2.0, inner, outer),
        scaled::<S, T>(simd, 4.0, d[1], scaled::<S, T>(simd, -5.0, d[3], d[5])),
    ]
}

#[inline(always)]
fn input_of_8<S: Simd, T: Vectors>(simd: S, d: [T::Vector<S>; 8]) -> [T::Vector<S>; 8] {
    let even_1 = scaled::<S, T>(simd, -4.25, d[4], T::add(simd, d[2], d[6]));
    let odd_1 = scaled::<S, T>(simd, -4.25, d[3], T::add(simd, d[1], d[5]));
    let even_2 = scaled::<S, T>(simd, 0.25, d[2], scaled::<S, T>(simd, -1.25, d[4], d[6]));
    let odd_2 = scaled::<S, T>(simd, -2.5, d[3], times::<S, T>(simd, 2.0, d[5]));
    let odd_2 = scaled::<S, T>(simd, 0.5, d[1], odd_2);
    let even_half = scaled::<S, T>(simd, 4.0, d[2], scaled::<S, T>(simd, -5.0, d[4], d[6]));
    let odd_half = scaled::<S, T>(simd, -2.5, d[3], times::<S, T>(simd, 2.0, d[1]));
    let odd_half = scaled::<S, T>(simd, 0.5, d[5], odd_half);
    let ends = [T::subtract(simd, d[0], d[6]), T::subtract(simd, d[7], d[1])];
    let inner = [T::subtract(simd, d[4], d[2]), T::subtract(simd, d[3], d[5])];
    [
        scaled::<S, T>(simd, 5.25, inner[0], ends[0]),
        T::add(simd, even_1, odd_1),
        T::subtract(simd, even_1, odd_1),
        T::add(simd, even_2, odd_2),
        T::subtract(simd, even_2, odd_2),
        T::add(simd, even_half, odd_half),
        T::subtract(simd, even_half, odd_half),
        scaled::<S, T>(simd, 5.25, inner[1], ends[1]),
    ]
}

/// `A^T t` of a tile of `N` with `M` outputs.
#[inline(always)]
pub(super) fn output<S: Simd, T: Vectors, const N: usize, const M: usize>(
    simd: S,
    t: [T::Vector<S>; N],
) -> [T::Vector<S>; M] {
    let (sum_1, difference_1) = (T::add(simd, t[1], t[2]), T::subtract(simd, t[1], t[2]));
    let (sum_2, difference_2) = (T::add(simd, t[3], t[4]), T::subtract(simd, t[3], t[4]));
    let mut rows: [T::Vector<S>; MAX_OUTPUTS] = [
        T::add(simd, t[0], T::add(simd, sum_1, sum_2)),
        scaled::<S, T>(simd, 2.0, difference_2, difference_1),
        scaled::<S, T>(simd, 4.0, sum_2, sum_1),
        scaled::<S, T>(simd, 8.0, difference_2, difference_1),
    ];
    if N == 8 {
        let (sum, difference) = (T::add(simd, t[5], t[6]), T::subtract(simd, t[5], t[6]));
        rows = [
            T::add(simd, sum, rows[0]),
            scaled::<S, T>(simd, 0.5, difference, rows[1]),
            scaled::<S, T>(simd, 0.25, sum, rows[2]),
            scaled::<S, T>(simd, 0.125, difference, rows[3]),
        ];
    }
    rows[M - 1] = T::add(simd, rows[M - 1], t[N - 1]);
    *rows.first_chunk().expect("at most four outputs")
}

/// `A y` of a tile of `N` with `M` outputs, the transpose of [`output`].
#[inline(always)]
pub(super) fn output_transposed<S: Simd, T: Vectors, const N: usize, const M: usize>(
    simd: S,
    y: [T::Vector<S>; M],
) -> [T::Vector<S>; N] {
    let mut rows = [T::splat(simd, T::constant(0.0)); MAX_OUTPUTS];
    rows[..M].copy_from_slice(&y);
    let mut t = [rows[0]; N];
    let (even, odd) = (T::add(simd, rows[0], rows[2]), T::add(simd, rows[1], rows[3]));
    (t[1], t[2]) = (T::add(simd, even, odd), T::subtract(simd, even, odd));
    let even = scaled::<S, T>(simd, 4.0, rows[2], rows[0]);
    let odd = scaled::<S, T>(simd, 4.0, rows[3], rows[1]);
    t[3] = scaled::<S, T>(simd, 2.0, odd, even);
    t[4] = scaled::<S, T>(simd, -2.0, odd, even);
    if N == 8 {
        let even = scaled::<S, T>(simd, 0.25, rows[2], rows[0]);
        let odd = scaled::<S, T>(simd, 0.25, rows[3], rows[1]);
        t[5] = scaled::<S, T>(simd, 0.5, odd, even);
        t[6] = scaled::<S, T>(simd, -0.5, odd, even);
    }
    t[N - 1] = y[M - 1];
    t
}

/// The same array: `N` and `M` are equal where this is called.
#[inline(always)]
fn resized<V: Copy, const N: usize, const M: usize>(values: [V; N]) -> [V; M] {
    *values.first_chunk().expect("a tile's side")
}
