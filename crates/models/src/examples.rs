//! A data set as an executor holds it: what its examples are, and its splits in parts of one shape.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use critbatch_data::{
    CHANNEL_MEANS, Dataset, ImageDataset, LabelSets, Labels, PhotoDataset, Photos, Preprocessing,
    Sentences, TextDataset, View,
};
use critbatch_kernels::{ExampleStream, Images, Pixels, Split, shuffled_index};
use critbatch_tuner::EvaluationSplit;

use crate::error::ModelError;

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

    pub(crate) fn targets(self) -> Targets {
        match self {
            Examples::Images { .. } | Examples::Photos { set_length: None, .. } => Targets::Class,
            Examples::Photos { set_length: Some(_), .. } => Targets::Set,
            Examples::Sentences { .. } => Targets::Tokens,
        }
    }
}

/// What is to be predicted of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Targets {
    /// Its class.
    Class,
    /// The next token, at each of a sentence's places.
    Tokens,
    /// The set of its classes.
    Set,
}

/// Key of the order in which examples are evaluated: "eval".
const EVALUATION_KEY: [u32; 2] = [0x6576_616c, 0];

/// The order in which evaluations go through a split of `n` images: at random, and always the same one. So
/// the first ones are a sample of all, whatever order the files have.
///
/// # Panics
/// Where there are 2^32 or more.
#[must_use]
pub fn evaluation_order(n: usize) -> Vec<usize> {
    let n = u32::try_from(n).expect("a split holds fewer than 2^30 examples");
    (0..n).map(|position| shuffled_index(EVALUATION_KEY, 0, position, n) as usize).collect()
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

/// What a workload reads of a data set.
pub(crate) struct Parts {
    pub(crate) name: &'static str,
    pub(crate) n_classes: usize,
    pub(crate) train: Part,
    /// Each split to be evaluated, in parts of examples of one shape.
    pub(crate) evaluated: Vec<(EvaluationSplit, Vec<Part>)>,
}

impl Parts {
    /// The training examples and the splits to be evaluated.
    ///
    /// # Errors
    /// If the data set has no such split.
    pub(crate) fn of(dataset: &Dataset, splits: &[EvaluationSplit]) -> Result<Self, ModelError> {
        let (name, n_classes, train) = match dataset {
            Dataset::Images(dataset) => {
                let train = Part::of_images(&dataset.train, dataset.preprocessing);
                (dataset.name, dataset.n_classes, train)
            }
            Dataset::Photos(dataset) => {
                (dataset.name, dataset.n_classes, Part::of_photos(&dataset.train, true))
            }
            Dataset::Text(dataset) => {
                (dataset.name, dataset.vocabulary, Part::of_sentences(&dataset.train))
            }
        };
        let evaluated = splits.iter().map(|&split| {
            let parts = match dataset {
                Dataset::Images(dataset) => evaluated_images(dataset, split),
                Dataset::Photos(dataset) => evaluated_photos(dataset, split),
                Dataset::Text(dataset) => evaluated_sentences(dataset, split),
            };
            let missing = || ModelError::NoSplit { dataset: name.to_owned(), split: split.name() };
            if parts.is_empty() { Err(missing()) } else { Ok((split, parts)) }
        });
        Ok(Self { name, n_classes, train, evaluated: evaluated.collect::<Result<_, _>>()? })
    }
}

fn evaluated_images(dataset: &ImageDataset, split: EvaluationSplit) -> Vec<Part> {
    let ImageDataset { train, validation, test, preprocessing, .. } = dataset;
    let (images, most) = match split {
        EvaluationSplit::Val => (Some(validation), usize::MAX),
        EvaluationSplit::Train => (Some(train), validation.len()),
        EvaluationSplit::Test => (test.as_ref(), usize::MAX),
    };
    let part = |images: &critbatch_data::Split| {
        let order = evaluation_order(images.len().min(most));
        Part::of_images(&images.select(&order), *preprocessing)
    };
    images.into_iter().map(part).collect()
}

fn evaluated_photos(dataset: &PhotoDataset, split: EvaluationSplit) -> Vec<Part> {
    let PhotoDataset { train, validation, test, .. } = dataset;
    let photos = match split {
        EvaluationSplit::Val => Some(validation.clone()),
        EvaluationSplit::Train => Some(train.spread(validation.len())),
        EvaluationSplit::Test => test.clone(),
    };
    let part =
        |photos: Photos| Part::of_photos(&photos.select(&evaluation_order(photos.len())), false);
    photos.into_iter().map(part).collect()
}

fn evaluated_sentences(dataset: &TextDataset, split: EvaluationSplit) -> Vec<Part> {
    let TextDataset { train, validation, test, .. } = dataset;
    let parts = |sentences: &[Sentences]| sentences.iter().map(Part::of_sentences).collect();
    match split {
        EvaluationSplit::Val => parts(validation),
        EvaluationSplit::Train => {
            parts(&[train.first(validation.iter().map(Sentences::len).sum())])
        }
        EvaluationSplit::Test => parts(test),
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

    /// Images, whose pixels are shared, not copied.
    fn of_images(split: &critbatch_data::Split, preprocessing: Preprocessing) -> Self {
        let (_, height, width, channels) = split.images().dim();
        let labels = split.labels().iter().map(|&label| u32::from(label)).collect();
        Self {
            examples: Examples::Images { shape: [height, width, channels], preprocessing },
            split: Arc::new(Split::resident(split.pixels().clone(), labels)),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// By a Feistel network of eight rounds over Philox4x32-10, written anew in Python. Records depend on it: it
    /// may not change.
    #[test]
    fn the_order_of_evaluations_is_always_the_same() {
        let order = evaluation_order(5_000);
        assert_eq!(order[..8], [4918, 4710, 1754, 4282, 419, 3014, 2542, 4951]);
        let mut sorted = order;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..5_000));
    }
}
