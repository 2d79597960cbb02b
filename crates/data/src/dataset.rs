//! A data set in host memory: what a load gives.

use std::fmt;

use bytes::Bytes;
use ndarray::{Array1, Array4, ArrayView1, ArrayView4};

use crate::catalogue::Preprocessing;
use crate::error::DataError;
use crate::photos::PhotoDataset;
use crate::text::TextDataset;

/// A data set in host memory.
#[derive(Debug, Clone)]
pub enum Dataset {
    /// Labelled images.
    Images(ImageDataset),
    /// Labelled photographs in files.
    Photos(PhotoDataset),
    /// Sentences.
    Text(TextDataset),
}

impl Dataset {
    /// What tells the examples from others of the same name, in hexadecimal; none where the name says which
    /// they are, for what it names was published and is checked.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::Images(_) => None,
            Self::Photos(dataset) => dataset.digest.as_deref(),
            Self::Text(dataset) => Some(&dataset.digest),
        }
    }
}

/// Images in host memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDataset {
    /// The name it was loaded by.
    pub name: &'static str,
    /// Number of classes; labels are `0..n_classes`.
    pub n_classes: usize,
    /// How pixels become a network's input.
    pub preprocessing: Preprocessing,
    /// What is trained on.
    pub train: Split,
    /// What goals are measured on. Cut from the published training set.
    pub validation: Split,
    /// What is only reported.
    pub test: Option<Split>,
}

/// Images and their labels: those of a data set in the order of its files.
///
/// Clones share the pixels, which may lie in a memory-mapped file.
#[derive(Clone, PartialEq, Eq)]
pub struct Split {
    pixels: Bytes,
    shape: [usize; 4],
    labels: Array1<u16>,
}

impl Split {
    /// A split of arrays, `[N, H, W, C]` and `[N]`.
    ///
    /// # Errors
    /// [`DataError::SplitLength`] if there is not one label for each image.
    pub fn new(images: Array4<u8>, labels: Array1<u16>) -> Result<Self, DataError> {
        let (n_images, height, width, channels) = images.dim();
        let n_labels = labels.len();
        if n_labels != n_images {
            return Err(DataError::SplitLength { n_images, n_labels });
        }
        let pixels: Vec<u8> = images.iter().copied().collect();
        Ok(Self::of_pixels(pixels.into(), [height, width, channels], labels))
    }

    /// A split of row-major pixels, `shape` for each label.
    pub(crate) fn of_pixels(
        pixels: Bytes,
        [height, width, channels]: [usize; 3],
        labels: Array1<u16>,
    ) -> Self {
        let shape = [labels.len(), height, width, channels];
        assert_eq!(pixels.len(), shape.iter().product::<usize>(), "one image for each label");
        Self { pixels, shape, labels }
    }

    /// Number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The examples at these places, in that order: a copy, but where they are all as they stand.
    ///
    /// # Panics
    /// Where there is no such place.
    #[must_use]
    pub fn select(&self, places: &[usize]) -> Self {
        if places.iter().copied().eq(0..self.len()) {
            return self.clone();
        }
        let [_, height, width, channels] = self.shape;
        let n_pixels = height * width * channels;
        let pixels = pixels_at(&self.pixels, n_pixels, places);
        let labels = places.iter().map(|&place| self.labels[place]).collect();
        Self::of_pixels(pixels.into(), [height, width, channels], labels)
    }

    /// `[N, H, W, C]`, pixels 0 to 255, row-major and contiguous.
    #[must_use]
    pub fn images(&self) -> ArrayView4<'_, u8> {
        ArrayView4::from_shape(self.shape, &self.pixels).expect("the length was checked when made")
    }

    /// The bytes of [`images`](Self::images), to be shared without a copy.
    #[must_use]
    pub fn pixels(&self) -> &Bytes {
        &self.pixels
    }

    /// `[N]`, each below the data set's number of classes.
    #[must_use]
    pub fn labels(&self) -> ArrayView1<'_, u16> {
        self.labels.view()
    }
}

/// The `n_pixels` pixels of each image at these places.
pub(crate) fn pixels_at(pixels: &[u8], n_pixels: usize, places: &[usize]) -> Vec<u8> {
    let mut found = Vec::with_capacity(places.len() * n_pixels);
    for &place in places {
        found.extend_from_slice(&pixels[place * n_pixels..][..n_pixels]);
    }
    found
}

impl fmt::Debug for Split {
    /// The shape: nobody reads a million pixels in a panic message.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Split {{ images: {:?} }}", self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_any_layout_are_kept_row_major() {
        let images = Array4::from_shape_fn((2, 1, 3, 1), |(n, _, x, _)| (3 * n + x) as u8);
        let reversed = images.clone().reversed_axes();
        let labels = Array1::from_vec(vec![1, 0]);
        let split = Split::new(images.clone(), labels).unwrap();
        assert_eq!((split.images(), &split.pixels()[..]), (images.view(), &[0, 1, 2, 3, 4, 5][..]));
        assert!(split.images().is_standard_layout());
        assert_eq!(split.labels().to_vec(), [1, 0]);
        let split = Split::new(reversed.clone(), Array1::from_vec(vec![0])).unwrap();
        assert_eq!(
            (split.images(), &split.pixels()[..]),
            (reversed.view(), &[0, 3, 1, 4, 2, 5][..])
        );
    }

    #[test]
    fn a_label_too_few_is_named() {
        let error = Split::new(Array4::zeros((2, 1, 1, 1)), Array1::zeros(1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a split of 2 images has 1 labels; give one label for each image"
        );
    }
}
