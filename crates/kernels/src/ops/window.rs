//! Sliding windows: the geometry that convolution and pooling share.

use std::ops::Range;

use crate::error::Error;

/// What lies beyond the edge of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Windows lie wholly inside: `out = floor((in - size) / stride) + 1`.
    Valid,
    /// `out = ceil(in / stride)`; the padding is split evenly, the odd one at bottom and right.
    Same,
}

/// Windows over an `[H, W]` plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) in_height: usize,
    pub(crate) in_width: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) stride: usize,
    pub(crate) pad_top: usize,
    pub(crate) pad_left: usize,
    pub(crate) out_height: usize,
    pub(crate) out_width: usize,
}

impl Window {
    pub(crate) fn new(
        op: &'static str,
        [in_height, in_width]: [usize; 2],
        [height, width]: [usize; 2],
        stride: usize,
        padding: Padding,
    ) -> Result<Self, Error> {
        let attribute = |name, value: usize, needs| {
            #[expect(clippy::cast_precision_loss, reason = "for a message")]
            let value = value as f64;
            Err(Error::Attribute { op, name, value, needs })
        };
        if stride == 0 {
            return attribute("stride", stride, "it must be at least 1");
        }
        if height == 0 || width == 0 {
            return attribute("window size", height.min(width), "it must be at least 1");
        }
        let axis = |input: usize, size: usize| match padding {
            Padding::Valid => input.checked_sub(size).map(|rest| (rest / stride + 1, 0)),
            Padding::Same => {
                let out = input.div_ceil(stride);
                let padding = ((out - 1) * stride + size).saturating_sub(input);
                Some((out, padding / 2))
            }
        };
        match (axis(in_height, height), axis(in_width, width)) {
            (Some((out_height, pad_top)), Some((out_width, pad_left))) => Ok(Self {
                in_height,
                in_width,
                height,
                width,
                stride,
                pad_top,
                pad_left,
                out_height,
                out_width,
            }),
            _ => attribute(
                "window size",
                height.max(width),
                "it must not exceed the image when padding is valid",
            ),
        }
    }

    /// Input pixels of one image.
    pub(crate) fn in_len(&self) -> usize {
        self.in_height * self.in_width
    }

    /// Windows of one image.
    pub(crate) fn out_len(&self) -> usize {
        self.out_height * self.out_width
    }

    /// Pixels of one window.
    pub(crate) fn len(&self) -> usize {
        self.height * self.width
    }

    /// Rows of the window at output row `out_row` that lie inside the image, counted within the
    /// window.
    pub(crate) fn rows(&self, out_row: usize) -> Range<usize> {
        inside(out_row * self.stride, self.pad_top, self.height, self.in_height)
    }

    /// As [`Window::rows`], for columns.
    pub(crate) fn columns(&self, out_column: usize) -> Range<usize> {
        inside(out_column * self.stride, self.pad_left, self.width, self.in_width)
    }

    /// Pixels under the `output`-th window that lie inside the image, counted in row-major order.
    #[inline(always)]
    pub(crate) fn pixels(self, output: usize) -> impl Iterator<Item = usize> {
        let (i, j) = (output / self.out_width, output % self.out_width);
        self.rows(i).flat_map(move |row| {
            self.columns(j)
                .map(move |column| self.in_row(i, row) * self.in_width + self.in_column(j, column))
        })
    }

    /// Input row under row `row` of the window at `out_row`; only for rows inside.
    pub(crate) fn in_row(&self, out_row: usize, row: usize) -> usize {
        out_row * self.stride + row - self.pad_top
    }

    /// As [`Window::in_row`], for columns.
    pub(crate) fn in_column(&self, out_column: usize, column: usize) -> usize {
        out_column * self.stride + column - self.pad_left
    }
}

fn inside(start: usize, padding: usize, size: usize, input: usize) -> Range<usize> {
    let first = padding.saturating_sub(start).min(size);
    let end = (input + padding).saturating_sub(start).min(size);
    first..end.max(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(input: usize, size: usize, stride: usize, padding: Padding) -> (usize, usize) {
        let window = Window::new("test", [input; 2], [size; 2], stride, padding).unwrap();
        (window.out_height, window.pad_top)
    }

    #[test]
    fn output_sizes_follow_the_definitions() {
        assert_eq!(shape(28, 5, 1, Padding::Same), (28, 2));
        assert_eq!(shape(28, 2, 2, Padding::Valid), (14, 0));
        assert_eq!(shape(7, 3, 2, Padding::Valid), (3, 0));
        assert_eq!(shape(8, 3, 2, Padding::Same), (4, 0));
        assert_eq!(shape(224, 7, 2, Padding::Same), (112, 2));
    }

    #[test]
    fn impossible_windows_are_refused() {
        let message = |size, stride| {
            Window::new("max_pool", [4, 4], size, stride, Padding::Valid).unwrap_err().to_string()
        };
        assert_eq!(message([2, 2], 0), "max_pool: stride is 0; it must be at least 1");
        assert!(message([5, 1], 1).contains("must not exceed the image"));
        assert!(message([0, 1], 1).contains("at least 1"));
    }
}
