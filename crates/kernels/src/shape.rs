//! Per-lane shapes.

use std::fmt;
use std::ops::Deref;

/// Shape of one lane's tensor, outermost axis first. The lane axis is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// Number of elements per lane: the product of the axes (1 for a scalar).
    pub fn len(&self) -> usize {
        self.0.iter().product()
    }

    /// Number of axes.
    pub fn n_axes(&self) -> usize {
        self.0.len()
    }

    /// Whether the shape holds no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Splits into (rows, columns) where columns are the last axis.
    pub(crate) fn rows_and_columns(&self) -> (usize, usize) {
        match self.0.split_last() {
            Some((&columns, leading)) => (leading.iter().product(), columns),
            None => (1, 1),
        }
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl From<&[usize]> for Shape {
    fn from(axes: &[usize]) -> Self {
        Self(axes.to_vec())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(axes: [usize; N]) -> Self {
        Self(axes.to_vec())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(formatter, "[{}]", axes.join(", "))
    }
}
