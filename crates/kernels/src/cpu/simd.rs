//! The widest vector instructions that the machine has, found at run time.
//!
//! [`vectorised`] compiles a plain loop for each instruction set; [`Vectors`] is for the loops that
//! a compiler cannot vectorise well enough, the products.

use pulp::{Arch, Simd, WithSimd};

/// Runs a kernel with the widest vectors.
#[inline(always)]
pub(crate) fn dispatch<K: WithSimd>(kernel: K) -> K::Output {
    Arch::new().dispatch(kernel)
}

/// Runs a loop compiled for the widest vectors; the same bits on every machine, since the compiler
/// may neither reorder nor fuse floating-point operations.
///
/// A macro, for what it is given must become part of the function that has these vectors, whatever its
/// length: code that is called from there has only those that every processor of the target has.
macro_rules! vectorised {
    ($work:expr) => {
        $crate::cpu::simd::dispatch($crate::cpu::simd::Loop(
            #[inline(always)]
            || $work,
        ))
    };
}
pub(crate) use vectorised;

/// The loop of a [`vectorised`]. `FnMut`, for where `FnOnce` is asked of a closure that needs less, a
/// function that is not inlined stands in between.
pub(crate) struct Loop<F>(pub(crate) F);

impl<R, F: FnMut() -> R> WithSimd for Loop<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

/// Bits of the vectors that products are computed with: 512, 256 or 128, all with fused multiply-add,
/// or 32 where the machine has none of these. Sums over a vector's elements, and whether a product
/// is rounded before it is added, depend on it, and so do a measurement's bits.
pub fn vector_bits() -> usize {
    struct Bits;
    impl WithSimd for Bits {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            8 * size_of::<S::f32s>()
        }
    }
    dispatch(Bits)
}

/// Vectors of an element type; see [`pulp::Simd`].
#[doc(hidden)]
pub trait Vectors: Copy {
    /// As many elements as an instruction takes.
    type Vector<S: Simd>: Copy + bytemuck::Pod;

    /// A number, rounded to this type.
    fn constant(value: f64) -> Self;

    /// The same number in every element.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;

    /// `a b + c`, fused where the machine can.
    fn multiply_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// `a + b`.
    fn add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// `a - b`.
    fn subtract<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// Sum of the elements, in an order that the instruction set decides.
    fn reduce_sum<S: Simd>(simd: S, vector: Self::Vector<S>) -> Self;

    /// The whole vectors at the start of a slice.
    fn vectors<S: Simd>(slice: &[Self]) -> &[Self::Vector<S>];

    /// As [`Vectors::vectors`], to be written.
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [Self::Vector<S>];
}

/// Elements of a vector.
pub(crate) const fn lanes<S: Simd, T: Vectors>() -> usize {
    size_of::<T::Vector<S>>() / size_of::<T>()
}

macro_rules! vectors {
    ($real:ty, $vector:ident, $splat:ident, $mul_add:ident, $add:ident, $subtract:ident, $reduce:ident, $as:ident, $as_mut:ident) => {
        impl Vectors for $real {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn constant(value: f64) -> Self {
                <$real as crate::real::Real>::of(value)
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S> {
                simd.$splat(value)
            }

            #[inline(always)]
            fn multiply_add<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
                c: Self::Vector<S>,
            ) -> Self::Vector<S> {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn subtract<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
            ) -> Self::Vector<S> {
                simd.$subtract(a, b)
            }

            #[inline(always)]
            fn reduce_sum<S: Simd>(simd: S, vector: Self::Vector<S>) -> Self {
                simd.$reduce(vector)
            }

            #[inline(always)]
            fn vectors<S: Simd>(slice: &[Self]) -> &[Self::Vector<S>] {
                S::$as(slice).0
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [Self::Vector<S>] {
                S::$as_mut(slice).0
            }
        }
    };
}

vectors!(
    f32,
    f32s,
    splat_f32s,
    mul_add_e_f32s,
    add_f32s,
    sub_f32s,
    reduce_sum_f32s,
    as_simd_f32s,
    as_mut_simd_f32s
);
vectors!(
    f64,
    f64s,
    splat_f64s,
    mul_add_e_f64s,
    add_f64s,
    sub_f64s,
    reduce_sum_f64s,
    as_simd_f64s,
    as_mut_simd_f64s
);

#[cfg(test)]
mod tests {
    use super::vector_bits;

    #[test]
    fn vectors_are_the_widest_of_the_machine() {
        #[cfg(target_arch = "x86_64")]
        {
            let fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let expected = match (is_x86_feature_detected!("avx512f"), fused) {
                (true, _) => 512,
                (false, true) => 256,
                (false, false) => 32,
            };
            assert_eq!(vector_bits(), expected);
        }
        #[cfg(target_arch = "aarch64")]
        assert_eq!(vector_bits(), 128);
    }
}
