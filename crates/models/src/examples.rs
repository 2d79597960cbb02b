//! A data set as an executor holds it: what its examples are, and its splits in parts of one shape.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use critbatch_data::{
    CHANNEL_MEANS, Dataset, ImageDataset, LabelSets, Labels, PhotoDataset, Photos, Preprocessing,
    Sentences, TextDataset, View,
};
use critbatch_kernels::{ExampleStream, Images, Pixels, Split};

/// How examples lie in memory and become a network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Examples {
    /// Images `[height, width, channels]` of one byte an element, each with a class.
    Images { shape: [usize; 3], preprocessing: Preprocessing },
    /// Photographs likewise, decoded when they are needed; each with a class, or with a set of at most so
    /// many.
    Photos { shape: [usize; 3], set_length: Option<usize> },
    /// Rows of `length + 1` tokens: all but the last are the input, all but the first the labels.
    Sentences { length: usize },
}

impl Examples {
    /// Shape of one example as a network takes it.
    pub(crate) fn shape(self) -> Vec<usize> {
        match self {
            Examples::Images { shape, .. } | Examples::Photos { shape, .. } => shape.to_vec(),
            Examples::Sentences { length } => vec![length],
        }
    }
}

/// Bytes become numbers in [0, 1].
pub(crate) const UNIT_RANGE: Pixels = Pixels::resident(1.0 / 255.0, 0.0);

/// Photographs lose the mean of their channel and are divided by 58, about the standard deviation over
/// ImageNet: for a network without normalisation an input of unit size is one that it can start with.
pub(crate) const CENTRED: Pixels = {
    let scale = 1.0 / 58.0;
    let [red, green, blue] = CHANNEL_MEANS;
    Pixels { scale, shifts: [-red * scale, -green * scale, -blue * scale], is_streamed: true }
};

/// Photographs as an executor reads them.
#[derive(Debug)]
struct PhotoStream {
    photos: Photos,
    /// Whether parts at random are seen.
    is_varied: bool,
}

impl ExampleStream for PhotoStream {
    fn example_len(&self) -> usize {
        self.photos.shape().iter().product()
    }

    fn read(&self, index: usize, random: [u32; 4], bytes: &mut [u8]) {
        let view = if self.is_varied { View::Random(random) } else { View::Central };
        self.photos.read(index, view, bytes);
    }

    fn failure(&self) -> Option<String> {
        self.photos.failure().map(str::to_owned)
    }
}

/// Examples of one shape.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) examples: Examples,
    pub(crate) split: Arc<Split>,
    /// The sets of classes of the examples, if they have sets.
    pub(crate) label_sets: Option<Arc<Split>>,
    /// The same sentences, where examples are sentences.
    sentences: Option<Sentences>,
}

/// The splits of a data set.
pub(crate) struct Parts {
    pub(crate) name: &'static str,
    pub(crate) n_classes: usize,
    pub(crate) train: Part,
    pub(crate) validation: Vec<Part>,
    /// As many training examples as there are validation examples: the first ones.
    pub(crate) first_train: Vec<Part>,
    pub(crate) test: Vec<Part>,
}

impl Parts {
    pub(crate) fn of(dataset: &Dataset) -> Self {
        match dataset {
            Dataset::Images(dataset) => Self::of_images(dataset),
            Dataset::Photos(dataset) => Self::of_photos(dataset),
            Dataset::Text(dataset) => Self::of_text(dataset),
        }
    }

    fn of_images(dataset: &ImageDataset) -> Self {
        let part = |split, n| Part::of_images(split, dataset.preprocessing, n);
        let n_validation = dataset.validation.labels().len();
        Self {
            name: dataset.name,
            n_classes: dataset.n_classes,
            train: part(&dataset.train, usize::MAX),
            validation: vec![part(&dataset.validation, usize::MAX)],
            first_train: vec![part(&dataset.train, n_validation)],
            test: dataset.test.iter().map(|test| part(test, usize::MAX)).collect(),
        }
    }

    fn of_photos(dataset: &PhotoDataset) -> Self {
        let PhotoDataset { train, validation, test, .. } = dataset;
        Self {
            name: dataset.name,
            n_classes: dataset.n_classes,
            train: Part::of_photos(train, true),
            validation: vec![Part::of_photos(validation, false)],
            first_train: vec![Part::of_photos(&train.spread(validation.len()), false)],
            test: test.iter().map(|test| Part::of_photos(test, false)).collect(),
        }
    }

    fn of_text(dataset: &TextDataset) -> Self {
        let parts = |sentences: &[Sentences]| sentences.iter().map(Part::of_sentences).collect();
        let n_validation = dataset.validation.iter().map(Sentences::len).sum();
        Self {
            name: dataset.name,
            n_classes: dataset.vocabulary,
            train: Part::of_sentences(&dataset.train),
            validation: parts(&dataset.validation),
            first_train: parts(&[dataset.train.first(n_validation)]),
            test: parts(&dataset.test),
        }
    }
}

impl Part {
    /// The split, and behind it that of the sets of labels, if there is one.
    pub(crate) fn splits(&self) -> Vec<Arc<Split>> {
        iter::once(&self.split).chain(&self.label_sets).map(Arc::clone).collect()
    }

    /// Classes to be predicted of those examples of a range that there are: of images one each, of
    /// sentences their tokens.
    pub(crate) fn n_labels(&self, examples: Range<usize>) -> usize {
        let n = self.split.len();
        let examples = examples.start.min(n)..examples.end.min(n);
        match &self.sentences {
            Some(sentences) => sentences.slice(examples).n_labels(),
            None => examples.len(),
        }
    }

    /// The first `n` images at most; their pixels are shared, not copied.
    fn of_images(split: &critbatch_data::Split, preprocessing: Preprocessing, n: usize) -> Self {
        let (n_images, height, width, channels) = split.images().dim();
        let n = n.min(n_images);
        let images = split.pixels().slice(..n * height * width * channels);
        let labels = split.labels().iter().take(n).map(|&label| u32::from(label)).collect();
        Self {
            examples: Examples::Images { shape: [height, width, channels], preprocessing },
            split: Arc::new(Split::resident(images, labels)),
            label_sets: None,
            sentences: None,
        }
    }

    fn of_photos(photos: &Photos, is_varied: bool) -> Self {
        let n = photos.len();
        let (labels, sets) = match photos.labels() {
            Labels::One(labels) => (labels.iter().map(|&label| u32::from(label)).collect(), None),
            Labels::Many(sets) => (vec![0; n], Some(sets)),
        };
        let stream = PhotoStream { photos: photos.clone(), is_varied };
        let label_sets =
            sets.map(|sets| Arc::new(Split::resident(sets.rows().clone(), vec![0; n])));
        Self {
            examples: Examples::Photos {
                shape: photos.shape(),
                set_length: sets.map(LabelSets::length),
            },
            split: Arc::new(Split { images: Images::Streamed(Arc::new(stream)), labels }),
            label_sets,
            sentences: None,
        }
    }

    fn of_sentences(sentences: &Sentences) -> Self {
        // The labels of a sentence are its own tokens.
        let split = Split::resident(sentences.rows().clone(), vec![0; sentences.len()]);
        Self {
            examples: Examples::Sentences { length: sentences.length() },
            split: Arc::new(split),
            label_sets: None,
            sentences: Some(sentences.clone()),
        }
    }
}
