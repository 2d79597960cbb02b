//! An image with zeros around it, so that every window lies inside.

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
        frame.fill(T::zero());
        let [height, width] = self.size;
        let image_row_len = self.image[1] * self.channels;
        for (i, row) in image.chunks_exact(image_row_len).enumerate() {
            let Some(i) = self.place(i, self.offset[0], height) else { continue };
            let frame = &mut frame[i * width * self.channels..][..width * self.channels];
            if self.spread == 1 {
                // Where the frame ends before the image does, so does the row.
                let skipped = self.offset[1].min(0).unsigned_abs() * self.channels;
                let start = self.offset[1].max(0).unsigned_abs() * self.channels;
                let len = (row.len() - skipped).min(frame.len() - start);
                frame[start..start + len].copy_from_slice(&row[skipped..skipped + len]);
                continue;
            }
            for (j, pixel) in row.chunks_exact(self.channels).enumerate() {
                if let Some(j) = self.place(j, self.offset[1], width) {
                    frame[j * self.channels..][..self.channels].copy_from_slice(pixel);
                }
            }
        }
    }

    /// Where row or column `index` of the image is, if that is inside.
    #[expect(clippy::cast_possible_wrap, reason = "sides of images are far below 2^31")]
    fn place(&self, index: usize, offset: isize, size: usize) -> Option<usize> {
        let place = (index * self.spread) as isize + offset;
        usize::try_from(place).ok().filter(|&place| place < size)
    }
}
