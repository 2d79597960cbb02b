//! The element types of the native executor.

use std::fmt::{Debug, Display};

use crate::cpu::exp::{self, exp_f32};
use crate::cpu::simd::Vectors;

/// f32, which trains, or f64, which checks gradients.
pub trait Real:
    num_traits::Float
    + num_traits::NumAssign
    + bytemuck::Pod
    + Vectors
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

    /// `e^x` of a number that is at most 0, and 0 where that is nothing beside 1 (below `e^-64`).
    fn exp_of_negative(self) -> Self;
}

impl Real for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is what is asked for")]
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        exp_f32(self)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn as_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        if self < exp::LOWEST { 0.0 } else { self.exp() }
    }
}
