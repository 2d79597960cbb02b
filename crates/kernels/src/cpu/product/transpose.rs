//! Transposes a matrix, block by block.

#[cfg(target_arch = "x86_64")]
use std::any::{Any, TypeId};

#[cfg(target_arch = "x86_64")]
use pulp::x86::V4;
use pulp::{Simd, WithSimd};

use crate::cpu::simd::dispatch;
use crate::real::Real;

/// Side of a block: one cache line of f32, and few enough lines to stay in the first-level cache.
const SIDE: usize = 16;

/// `to[c, r] = from[r, c]` with rows of `from` and of `to` that many elements apart.
pub(crate) fn transpose<T: Real>(
    from: &[T],
    size: [usize; 2],
    from_stride: usize,
    to: &mut [T],
    to_stride: usize,
) {
    dispatch(Transpose { from, size, from_stride, to, to_stride });
}

struct Transpose<'a, T> {
    from: &'a [T],
    size: [usize; 2],
    from_stride: usize,
    to: &'a mut [T],
    to_stride: usize,
}

impl<T: Real> WithSimd for Transpose<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { from, size: [n_rows, n_columns], from_stride, to, to_stride } = self;
        for first_row in (0..n_rows).step_by(SIDE) {
            for first_column in (0..n_columns).step_by(SIDE) {
                let (rows, columns) =
                    (SIDE.min(n_rows - first_row), SIDE.min(n_columns - first_column));
                let from = &from[first_row * from_stride + first_column..];
                let to = &mut to[first_column * to_stride + first_row..];
                if rows == SIDE && columns == SIDE {
                    whole_block(simd, from, from_stride, to, to_stride);
                } else {
                    for column in 0..columns {
                        for row in 0..rows {
                            to[column * to_stride + row] = from[row * from_stride + column];
                        }
                    }
                }
            }
        }
    }
}

#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "has none of its own"))]
#[inline(always)]
fn whole_block<S: Simd, T: Real>(
    simd: S,
    from: &[T],
    from_stride: usize,
    to: &mut [T],
    to_stride: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if let (Some(simd), true) =
        ((&simd as &dyn Any).downcast_ref::<V4>(), TypeId::of::<T>() == TypeId::of::<f32>())
    {
        let (from, to) = (bytemuck::cast_slice(from), bytemuck::cast_slice_mut(to));
        return avx512::whole_block(*simd, from, from_stride, to, to_stride);
    }
    let rows: [&[T; SIDE]; SIDE] =
        std::array::from_fn(|row| from[row * from_stride..].first_chunk().expect("a whole block"));
    for column in 0..SIDE {
        let to: &mut [T; SIDE] = to[column * to_stride..].first_chunk_mut().expect("a whole block");
        for (to, row) in to.iter_mut().zip(rows) {
            *to = row[column];
        }
    }
}

/// Whole blocks of f32 in sixteen registers.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use pulp::x86::V4;

    use super::SIDE;

    /// `to = from^T` of a block. Plain loops: a closure would be a function without these registers.
    #[inline(always)]
    pub(super) fn whole_block(
        simd: V4,
        from: &[f32],
        from_stride: usize,
        to: &mut [f32],
        to_stride: usize,
    ) {
        let x = simd.avx512f;
        let mut lines = [&[0.0; SIDE]; SIDE];
        for row in 0..SIDE {
            lines[row] = from[row * from_stride..].first_chunk().expect("a whole block");
        }
        let mut rows = [x._mm512_setzero_ps(); SIDE];
        for row in 0..SIDE {
            rows[row] = bytemuck::cast(*lines[row]);
        }
        // A quarter of a register gets four rows of one column ...
        let mut fours = rows;
        for first in (0..SIDE).step_by(4) {
            let [a, b] = [rows[first], rows[first + 1]];
            let [c, d] = [rows[first + 2], rows[first + 3]];
            let low_ab = x._mm512_castps_pd(x._mm512_unpacklo_ps(a, b));
            let high_ab = x._mm512_castps_pd(x._mm512_unpackhi_ps(a, b));
            let low_cd = x._mm512_castps_pd(x._mm512_unpacklo_ps(c, d));
            let high_cd = x._mm512_castps_pd(x._mm512_unpackhi_ps(c, d));
            fours[first] = x._mm512_castpd_ps(x._mm512_unpacklo_pd(low_ab, low_cd));
            fours[first + 1] = x._mm512_castpd_ps(x._mm512_unpackhi_pd(low_ab, low_cd));
            fours[first + 2] = x._mm512_castpd_ps(x._mm512_unpacklo_pd(high_ab, high_cd));
            fours[first + 3] = x._mm512_castpd_ps(x._mm512_unpackhi_pd(high_ab, high_cd));
        }
        // ... and the quarters of a column come together.
        for column in 0..4 {
            let [a, b] = [fours[column], fours[4 + column]];
            let [c, d] = [fours[8 + column], fours[12 + column]];
            let even_ab = x._mm512_shuffle_f32x4::<0x88>(a, b);
            let even_cd = x._mm512_shuffle_f32x4::<0x88>(c, d);
            let odd_ab = x._mm512_shuffle_f32x4::<0xdd>(a, b);
            let odd_cd = x._mm512_shuffle_f32x4::<0xdd>(c, d);
            rows[column] = x._mm512_shuffle_f32x4::<0x88>(even_ab, even_cd);
            rows[column + 4] = x._mm512_shuffle_f32x4::<0x88>(odd_ab, odd_cd);
            rows[column + 8] = x._mm512_shuffle_f32x4::<0xdd>(even_ab, even_cd);
            rows[column + 12] = x._mm512_shuffle_f32x4::<0xdd>(odd_ab, odd_cd);
        }
        for column in 0..SIDE {
            let to: &mut [f32; SIDE] =
                to[column * to_stride..].first_chunk_mut().expect("a whole block");
            *to = bytemuck::cast(rows[column]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole blocks and parts of them, between gaps that stay as they are.
    fn check<T: Real>([n_rows, n_columns]: [usize; 2]) {
        let (from_stride, to_stride) = (n_columns + 3, n_rows + 2);
        let from: Vec<T> = (0..n_rows * from_stride).map(|i| T::of(i as f64)).collect();
        let mut to = vec![T::of(-1.0); n_columns * to_stride];
        transpose(&from, [n_rows, n_columns], from_stride, &mut to, to_stride);
        for (column, to) in to.chunks_exact(to_stride).enumerate() {
            for (row, &to) in to.iter().enumerate() {
                let expected = match row < n_rows {
                    true => T::of((row * from_stride + column) as f64),
                    false => T::of(-1.0),
                };
                assert_eq!(to, expected, "{n_rows} x {n_columns}: {row}, {column}");
            }
        }
    }

    #[test]
    fn every_element_changes_places() {
        for size in [[16, 16], [1, 1], [16, 5], [40, 33], [3, 48], [32, 64]] {
            check::<f32>(size);
            check::<f64>(size);
        }
    }
}
