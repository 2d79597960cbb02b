//! An image with zeros around it, so that every window lies inside.

use std::ops::Range;

use crate::real::Real;

/// Where an image stands in its frame, and how far apart its pixels are: 1, or the stride where
/// gradients are spread out.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Height and width, with the zeros.
    pub(super) size: [usize; 2],
    /// Height and width of the image.
    pub(super) image: [usize; 2],
    pub(super) channels: usize,
    /// Row and column of the image's first pixel.
    pub(super) offset: [isize; 2],
    pub(super) spread: usize,
}

impl Frame {
    pub(super) fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.channels
    }

    /// Copies an image to its place, with zeros wherever it is not.
    pub(super) fn fill<T: Real>(&self, image: &[T], frame: &mut [T]) {
        let [height, width] = self.size;
        let image_row_len = self.image[1] * self.channels;
        if self.spread == 1 {
            return self.fill_rows(image, image_row_len, frame);
        }
        frame.fill(T::zero());
        for (i, row) in image.chunks_exact(image_row_len).enumerate() {
            let Some(i) = self.place(i, self.offset[0], height) else { continue };
            let frame = &mut frame[i * width * self.channels..][..width * self.channels];
            for (j, pixel) in row.chunks_exact(self.channels).enumerate() {
                if let Some(j) = self.place(j, self.offset[1], width) {
                    frame[j * self.channels..][..self.channels].copy_from_slice(pixel);
                }
            }
        }
    }

    /// As [`Frame::fill`] of pixels that stay neighbours: whole rows, and zeros around them.
    fn fill_rows<T: Real>(&self, image: &[T], image_row_len: usize, frame: &mut [T]) {
        // Where the frame ends before the image does, so does the row.
        let skipped = self.offset[1].min(0).unsigned_abs() * self.channels;
        let start = self.offset[1].max(0).unsigned_abs() * self.channels;
        let frame_row_len = self.size[1] * self.channels;
        let len = (image_row_len - skipped).min(frame_row_len - start);
        for (i, frame) in (0..).zip(frame.chunks_exact_mut(frame_row_len)) {
            let row = usize::try_from(i - self.offset[0]).ok().filter(|row| *row < self.image[0]);
            let Some(row) = row else {
                frame.fill(T::zero());
                continue;
            };
            frame[..start].fill(T::zero());
            let row = &image[row * image_row_len + skipped..][..len];
            frame[start..start + len].copy_from_slice(row);
            frame[start + len..].fill(T::zero());
        }
    }

    /// Rows (`axis` 0) or columns (1) of the image under `count` of the frame from `first` on, where pixels
    /// stay neighbours.
    #[expect(clippy::cast_possible_wrap, reason = "sides of images are far below 2^31")]
    pub(super) fn covered(&self, axis: usize, first: usize, count: usize) -> Range<usize> {
        let inside = |place: usize| {
            let index = (place as isize - self.offset[axis]).max(0).unsigned_abs();
            index.min(self.image[axis])
        };
        inside(first)..inside(first + count)
    }

    /// Where row or column `index` of the image is, if that is inside.
    #[expect(clippy::cast_possible_wrap, reason = "sides of images are far below 2^31")]
    fn place(&self, index: usize, offset: isize, size: usize) -> Option<usize> {
        let place = (index * self.spread) as isize + offset;
        usize::try_from(place).ok().filter(|&place| place < size)
    }
}
