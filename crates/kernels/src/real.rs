//! The element types of the native executor.

use faer::{Accum, MatMut, MatRef, Par};

use std::fmt::{Debug, Display};

/// f32, which trains, or f64, which checks gradients.
pub trait Real:
    num_traits::Float
    + num_traits::NumAssign
    + bytemuck::Pod
    + faer::traits::ComplexField
    + Debug
    + Display
    + Default
    + Send
    + Sync
    + std::iter::Sum
    + 'static
{
    /// Nearest value of this type.
    fn of(value: f64) -> Self;

    /// This value as f64, exactly.
    fn as_f64(self) -> f64;

    /// `y = lhs rhs` or `y += lhs rhs`, on this thread.
    ///
    /// A method of the type, not a generic function: so faer's kernels are compiled once, in this
    /// crate, and not again (minutes each) in every crate that names an executor.
    #[doc(hidden)]
    fn product(lhs: MatRef<'_, Self>, rhs: MatRef<'_, Self>, y: &mut [Self], accum: Accum);
}

impl Real for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is what is asked for")]
    fn of(value: f64) -> Self {
        value as f32
    }

    fn as_f64(self) -> f64 {
        f64::from(self)
    }

    fn product(lhs: MatRef<'_, Self>, rhs: MatRef<'_, Self>, y: &mut [Self], accum: Accum) {
        let y = MatMut::from_row_major_slice_mut(y, lhs.nrows(), rhs.ncols());
        faer::linalg::matmul::matmul(y, accum, lhs, rhs, 1.0, Par::Seq);
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn as_f64(self) -> f64 {
        self
    }

    fn product(lhs: MatRef<'_, Self>, rhs: MatRef<'_, Self>, y: &mut [Self], accum: Accum) {
        let y = MatMut::from_row_major_slice_mut(y, lhs.nrows(), rhs.ncols());
        faer::linalg::matmul::matmul(y, accum, lhs, rhs, 1.0, Par::Seq);
    }
}
