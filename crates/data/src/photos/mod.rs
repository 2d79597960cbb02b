//! Photographs: image files of any size, decoded when a batch needs them.
//!
//! `load.rs` makes the splits of a data set, out of one folder a class (`folders.rs`) or of tables of
//! labels (`open_images.rs`); `decode.rs` makes of a file what a network sees. Nothing but names and
//! labels is in memory, so that the files may be larger than it.

pub(crate) mod decode;
mod files;
mod folders;
mod load;
mod open_images;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

pub(crate) use files::PhotoFiles;
pub(crate) use load::{Layout, Part, load_photos};

use crate::download::CheckedFile;
use crate::text::PADDING;

/// Pixels of each side of what a network sees.
pub(crate) const SIDE: usize = 224;

/// Mean of each channel, red first, over ImageNet's training photographs.
pub const CHANNEL_MEANS: [f32; 3] = [123.68, 116.779, 103.939];

/// A data set of photographs.
#[derive(Debug, Clone)]
pub struct PhotoDataset {
    /// The name it was loaded by.
    pub name: &'static str,
    /// Number of classes; labels are `0..n_classes`.
    pub n_classes: usize,
    /// What is trained on.
    pub train: Photos,
    /// What goals are measured on.
    pub validation: Photos,
    /// What is only reported.
    pub test: Option<Photos>,
    /// SHA-256 of the names and sizes of all files, in hexadecimal; none for published photographs, whose
    /// numbers are checked.
    pub digest: Option<String>,
}

/// Photographs in files, and what is on them.
#[derive(Debug, Clone)]
pub struct Photos {
    files: Arc<PhotoFiles>,
    labels: Labels,
}

/// What is on each photograph.
#[derive(Debug, Clone)]
pub enum Labels {
    /// One class.
    One(Arc<[u16]>),
    /// Any number of classes.
    Many(LabelSets),
}

/// For each photograph its classes: rows of one length, of 16 bits a class, little-endian, filled up
/// with [`PADDING`].
#[derive(Debug, Clone)]
pub struct LabelSets {
    rows: Bytes,
    length: usize,
}

/// How a photograph is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Its middle, at one size.
    Central,
    /// A part at random, at a random size, turned over or not, as these numbers say.
    Random([u32; 4]),
}

impl Photos {
    pub(crate) fn new(files: Arc<PhotoFiles>, labels: Labels) -> Self {
        Self { files, labels }
    }

    /// Number of photographs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Height, width and channels of what a network sees.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        [SIDE, SIDE, 3]
    }

    /// What is on each.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Decodes one and writes what a network sees of it, [`shape`](Self::shape) bytes.
    ///
    /// Bilinear, with the support that the reduction asks for. [`View::Random`]: the shorter side
    /// becomes one of 256 to 512 pixels, of which any part is seen, or its mirror image.
    /// [`View::Central`]: it becomes 256 pixels.
    ///
    /// A file that cannot be decoded is seen as the mean colour, which is nothing to a network; it is
    /// logged by its name and counted. So is one that the system does not give, and
    /// [`failure`](Self::failure) tells of it.
    ///
    /// # Source
    /// Simonyan and Zisserman 2014, "Very deep convolutional networks for large-scale image
    /// recognition", section 3.1; 256 pixels for evaluation is a choice of ours.
    pub fn read(&self, index: usize, view: View, bytes: &mut [u8]) {
        let path = self.files.path(index);
        if let Err(error) = decode::read(&path, view, bytes) {
            self.files.report(index, &error);
            let [red, green, blue] = [124, 117, 104];
            bytes.as_chunks_mut().0.fill([red, green, blue]);
        }
    }

    /// The first file that the system did not give, and why: what was read since then means nothing.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.files.failure()
    }

    /// Decodes one and keeps nothing: whether it can be, to its end.
    pub(crate) fn check(&self, index: usize) -> CheckedFile {
        let path = self.files.path(index);
        let problem = decode::check(&path).err();
        CheckedFile { path, problem: problem.map(|error| format!("cannot be decoded: {error}")) }
    }

    /// `n` at most, spread evenly: photographs lie class by class.
    #[must_use]
    pub fn spread(&self, n: usize) -> Self {
        let n = n.min(self.len());
        let places: Vec<usize> = (0..n).map(|index| index * self.len() / n).collect();
        self.select(&places)
    }

    /// The photographs at these places, in that order.
    ///
    /// # Panics
    /// Where there is no such place.
    #[must_use]
    pub fn select(&self, places: &[usize]) -> Self {
        let labels = match &self.labels {
            Labels::One(labels) => Labels::One(places.iter().map(|&place| labels[place]).collect()),
            Labels::Many(sets) => Labels::Many(sets.select(places)),
        };
        Self { files: Arc::new(self.files.select(places)), labels }
    }
}

impl LabelSets {
    /// Rows as long as the largest set.
    pub(crate) fn new(sets: &[Vec<u16>]) -> Self {
        let length = sets.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let padded = |set: &Vec<u16>| {
            let padding = std::iter::repeat_n(PADDING, length - set.len());
            set.iter().copied().chain(padding).flat_map(u16::to_le_bytes).collect::<Vec<u8>>()
        };
        let rows: Vec<u8> = sets.iter().flat_map(padded).collect();
        Self { rows: rows.into(), length }
    }

    /// Bytes of all rows.
    #[must_use]
    pub fn rows(&self) -> &Bytes {
        &self.rows
    }

    /// Classes of a photograph at most.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    fn select(&self, places: &[usize]) -> Self {
        let row_bytes = self.length * size_of::<u16>();
        let row = |&place: &usize| &self.rows[place * row_bytes..][..row_bytes];
        let rows: Vec<u8> = places.iter().flat_map(row).copied().collect();
        Self { rows: rows.into(), length: self.length }
    }
}
