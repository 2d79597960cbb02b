//! A data set as an executor holds it: what its examples are, and its splits in parts of one shape.

use std::sync::Arc;

use critbatch_data::{Dataset, ImageDataset, Preprocessing, Sentences, TextDataset};
use critbatch_kernels::Split;

/// How examples lie in memory and become a network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Examples {
    /// Images `[height, width, channels]` of one byte an element, each with a class.
    Images { shape: [usize; 3], preprocessing: Preprocessing },
    /// Rows of `length + 1` tokens: all but the last are the input, all but the first the labels.
    Sentences { length: usize },
}

impl Examples {
    /// Shape of one example as a network takes it.
    pub(crate) fn shape(self) -> Vec<usize> {
        match self {
            Examples::Images { shape, .. } => shape.to_vec(),
            Examples::Sentences { length } => vec![length],
        }
    }
}

/// Examples of one shape.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) examples: Examples,
    pub(crate) split: Arc<Split>,
    /// Classes to be predicted: of images one each, of sentences their tokens.
    pub(crate) n_labels: usize,
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
    /// The first `n` images at most; their pixels are shared, not copied.
    fn of_images(split: &critbatch_data::Split, preprocessing: Preprocessing, n: usize) -> Self {
        let (n_images, height, width, channels) = split.images().dim();
        let n = n.min(n_images);
        let images = split.pixels().slice(..n * height * width * channels);
        let labels = split.labels().iter().take(n).map(|&label| u32::from(label)).collect();
        Self {
            examples: Examples::Images { shape: [height, width, channels], preprocessing },
            split: Arc::new(Split { images, labels }),
            n_labels: n,
        }
    }

    fn of_sentences(sentences: &Sentences) -> Self {
        // The labels of a sentence are its own tokens.
        let split = Split { images: sentences.rows().clone(), labels: vec![0; sentences.len()] };
        Self {
            examples: Examples::Sentences { length: sentences.length() },
            split: Arc::new(split),
            n_labels: sentences.n_labels(),
        }
    }
}
