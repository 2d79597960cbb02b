//! From a name to checked arrays, cut into splits.

use std::path::{Path, PathBuf};
use std::{io, slice};

use sha2::{Digest, Sha256};

use crate::cache::Cache;
use crate::catalogue::{
    DataFile, DatasetInfo, Files, IdxPair, ImageInfo, Storage, find, images, owner_of,
};
use crate::dataset::{Dataset, ImageDataset, Split, pixels_at};
use crate::error::DataError;
use crate::idx;
use crate::locate::{SearchPath, existing_file};
use crate::photos::{PhotoDataset, load_photos};
use crate::read::{Content, read_file, read_gzip};
use crate::records;
use crate::split::partition;
use crate::text::{TextDataset, load_text};

/// Loads a data set: finds its files (see [`locate`](crate::locate)), decompresses them, compares
/// their SHA-256 with the published ones and cuts out the validation split, the same one on every
/// machine and in every version.
///
/// MNIST and Fashion-MNIST: 55,000 / 5,000 of the published training set and the published test
/// set of 10,000. CIFAR-10: 45,000 / 5,000 / 10,000 likewise. `mnist_5k`: 4,000 / 500 / 500.
///
/// A corpus becomes rows of sub-words, whose vocabulary is learnt from its training sentences: see
/// [`TextDataset`]. LM1B has its own held-out text; of other corpora a fiftieth of all lines, but no
/// more than 6,075, is held out for validation and, but for `common_crawl`, as many for the test.
///
/// Photographs stay in their files, and are decoded when a batch needs them: see
/// [`Photos::read`](crate::Photos::read). ImageNet: 1,231,122 of the published training photographs,
/// the published validation set of 50,000, and the other 50,045 of the training set for the test.
/// Open Images: the published splits, of classes that at least 100 training photographs are verified
/// to show, and of photographs with at least one of these.
///
/// # Cache
/// The splits of data that was read from files and verified are kept, decoded, in a file in the
/// folder that the environment variable [`CACHE_VARIABLE`](crate::CACHE_VARIABLE) or the platform
/// names, and mapped into memory at the next load: 55 MB for MNIST. Then the source files are not
/// read again as long as path, size and time of change of each are the same; the cache file's own
/// SHA-256 is checked every time. What is missing, damaged, of another version or of other files is
/// read from the source and kept anew; a folder that cannot be written costs time, and is no error.
///
/// # Errors
/// Any [`DataError`]. A file that is not the published one, byte for byte, is never loaded, nor is LM1B,
/// whose files have no published SHA-256, without all its files and its published number of sentences.
///
/// # Source
/// MNIST and Fashion-MNIST: 55,000 is the largest batch size in the data published with Shallue et
/// al. 2018; which 5,000 examples they held out is unknown, so the cut is our own. `mnist_5k`: own.
pub fn load(name: &str, data_dir: Option<&Path>) -> Result<Dataset, DataError> {
    let search_path = SearchPath::from_environment(data_dir);
    let cache = Cache::from_environment();
    Ok(match find(name)? {
        DatasetInfo::Images(info) => Dataset::Images(load_from(info, &search_path, &cache)?),
        DatasetInfo::Photos(info) => Dataset::Photos(load_photos(info, &search_path)?),
        DatasetInfo::Text(info) => Dataset::Text(load_text(info, &search_path, &cache)?),
    })
}

/// As [`load`], of a data set of images.
///
/// # Errors
/// As [`load`], or if it has no images in memory.
pub fn load_images(name: &str, data_dir: Option<&Path>) -> Result<ImageDataset, DataError> {
    match load(name, data_dir)? {
        Dataset::Images(dataset) => Ok(dataset),
        Dataset::Photos(PhotoDataset { name, .. }) | Dataset::Text(TextDataset { name, .. }) => {
            Err(DataError::NoImages { name: name.to_owned() })
        }
    }
}

pub(crate) fn load_from(
    info: &ImageInfo,
    search_path: &SearchPath,
    cache: &Cache,
) -> Result<ImageDataset, DataError> {
    match &info.storage {
        Storage::Folder(files) => {
            let folder = search_path.find_folder(info)?;
            let names = info.storage.files();
            let sources = names.iter().map(|file| source(&folder, file.name));
            let sources = sources.collect::<Result<Vec<_>, _>>()?;
            load_cached(info, &sources, cache, || decode_folder(info, &folder, files))
        }
        Storage::PartOf(whole) => {
            let whole = load_from(images(whole)?, search_path, cache)?;
            let train = whole.train.select(&smallest_part(info.n_train, whole.train.len()));
            Ok(ImageDataset { name: info.name, train, ..whole })
        }
        Storage::Embedded { examples, images_gz, labels_gz } => {
            decode_embedded(info, examples, images_gz, labels_gz)
        }
    }
}

/// The places of `n` out of `n_whole` training examples: the first ones of the permutation that
/// `split.rs` defines, whatever the data set, so that each part lies within the larger ones.
fn smallest_part(n: usize, n_whole: usize) -> Vec<usize> {
    let [part, _] = partition("mnist_subsets", [n, n_whole - n]);
    part
}

/// From the cache, else by `decode`, whose result is kept.
fn load_cached(
    info: &ImageInfo,
    sources: &[PathBuf],
    cache: &Cache,
    decode: impl FnOnce() -> Result<ImageDataset, DataError>,
) -> Result<ImageDataset, DataError> {
    let Some(entry) = cache.entry(info, sources) else { return decode() };
    let path = entry.path().display();
    match entry.open() {
        Ok(dataset) => {
            tracing::debug!("{} mapped from {path}", info.name);
            return Ok(dataset);
        }
        Err(miss) => tracing::debug!("{} decoded anew, not from {path}: {miss}", info.name),
    }
    let dataset = decode()?;
    match entry.write(&dataset) {
        Ok(()) => tracing::debug!("{} kept in {path}", info.name),
        Err(error) => tracing::info!(
            "{} not kept, so the next start takes as long; {path} cannot be written: {error}",
            info.name
        ),
    }
    Ok(dataset)
}

fn decode_folder(
    info: &ImageInfo,
    folder: &Path,
    files: &Files,
) -> Result<ImageDataset, DataError> {
    let read = |file: &DataFile, limit| read_file(&source(folder, file.name)?, limit);
    let n_pool = info.n_train + info.n_validation;
    let [pool, test] = match files {
        Files::Idx { train, test } => [
            read_examples(info, train, n_pool, read)?,
            read_examples(info, test, info.n_test, read)?,
        ],
        Files::Records { train, test, .. } => [
            read_records(info, train, n_pool, read)?,
            read_records(info, slice::from_ref(test), info.n_test, read)?,
        ],
    };
    let [validation, train] = partition(info.name, [info.n_validation, info.n_train]);
    Ok(dataset(info, pool.select(&train), pool.select(&validation), test.select_all()))
}

fn decode_embedded(
    info: &ImageInfo,
    examples: &IdxPair,
    images_gz: &[u8],
    labels_gz: &[u8],
) -> Result<ImageDataset, DataError> {
    let read = |file: &DataFile, limit| {
        let is_images = file.name == examples.images.name;
        let compressed = if is_images { images_gz } else { labels_gz };
        read_gzip(&Path::new("embedded").join(file.name), compressed, limit)
    };
    let n_examples = info.n_train + info.n_validation + info.n_test;
    let pool = read_examples(info, examples, n_examples, read)?;
    let [validation, test, train] =
        partition(info.name, [info.n_validation, info.n_test, info.n_train]);
    Ok(dataset(info, pool.select(&train), pool.select(&validation), pool.select(&test)))
}

fn dataset(info: &ImageInfo, train: Split, validation: Split, test: Split) -> ImageDataset {
    let ImageInfo { name, n_classes, preprocessing, .. } = *info;
    ImageDataset { name, n_classes, preprocessing, train, validation, test: Some(test) }
}

/// The file to read, which the search has just seen.
fn source(folder: &Path, file_name: &str) -> Result<PathBuf, DataError> {
    let unreadable = |source| DataError::Read { path: folder.join(file_name), source };
    existing_file(folder, file_name)
        .map_err(unreadable)?
        .ok_or_else(|| unreadable(io::ErrorKind::NotFound.into()))
}

/// Examples as the files have them.
struct Examples {
    /// Row-major `[N, H, W, C]`.
    pixels: Vec<u8>,
    labels: Vec<u8>,
    example_shape: [usize; 3],
}

impl Examples {
    fn select(&self, indices: &[usize]) -> Split {
        let n_pixels = self.example_shape.iter().product::<usize>();
        let pixels = pixels_at(&self.pixels, n_pixels, indices);
        let labels = indices.iter().map(|&index| u16::from(self.labels[index])).collect();
        Split::of_pixels(pixels.into(), self.example_shape, labels)
    }

    fn select_all(&self) -> Split {
        self.select(&(0..self.labels.len()).collect::<Vec<_>>())
    }
}

/// Reads, parses and checks a pair of files. `read` gets a file and the size of its content.
fn read_examples(
    info: &ImageInfo,
    pair: &IdxPair,
    n_examples: usize,
    read: impl Fn(&DataFile, usize) -> Result<Content, DataError>,
) -> Result<Examples, DataError> {
    let [height, width, channels] = info.example_shape;
    let n_bytes = n_examples * height * width * channels;
    let images = read(&pair.images, idx::header_len(3) + n_bytes)?;
    let labels = read(&pair.labels, idx::header_len(1) + n_examples)?;

    // What can be said more clearly than "wrong checksum" is said first.
    let found = idx::parse::<3>(&images.path, &images.bytes)?;
    let [n_labels] = idx::parse::<1>(&labels.path, &labels.bytes)?;
    let expected = [n_examples, height, width];
    if found != expected {
        let path = images.path;
        return Err(DataError::ImageShape { path, name: info.name, found, expected });
    }
    if n_labels != n_examples {
        return Err(DataError::LabelCount {
            path: labels.path,
            images_path: images.path,
            n_labels,
            n_images: n_examples,
        });
    }
    check_sha256(info, &pair.images, &images)?;
    check_sha256(info, &pair.labels, &labels)?;
    let label_bytes = without_header(labels.bytes, 1);
    check_label_range(info, &labels.path, &label_bytes)?;
    Ok(Examples {
        pixels: without_header(images.bytes, 3),
        labels: label_bytes,
        example_shape: info.example_shape,
    })
}

/// Reads, checks and joins files of records. `read` gets a file and the size of its content.
fn read_records(
    info: &ImageInfo,
    files: &[DataFile],
    n_examples: usize,
    read: impl Fn(&DataFile, usize) -> Result<Content, DataError>,
) -> Result<Examples, DataError> {
    let n_per_file = n_examples / files.len();
    let mut examples =
        Examples { pixels: Vec::new(), labels: Vec::new(), example_shape: info.example_shape };
    for file in files {
        let content = read(file, n_per_file * records::record_len(info.example_shape))?;
        records::check_len(&content, n_per_file, info.example_shape)?;
        check_sha256(info, file, &content)?;
        let labels = records::labels(&content.bytes, info.example_shape);
        check_label_range(info, &content.path, &labels)?;
        examples.labels.extend(labels);
        records::append_pixels(&content.bytes, info.example_shape, &mut examples.pixels);
    }
    Ok(examples)
}

fn without_header(mut content: Vec<u8>, n_dimensions: usize) -> Vec<u8> {
    content.drain(..idx::header_len(n_dimensions));
    content
}

fn check_sha256(info: &ImageInfo, file: &DataFile, content: &Content) -> Result<(), DataError> {
    let sha256: [u8; 32] = Sha256::digest(&content.bytes).into();
    if sha256 == file.sha256 {
        return Ok(());
    }
    let (path, name) = (content.path.clone(), info.name);
    let (found, expected) = (hexadecimal(&sha256), hexadecimal(&file.sha256));
    Err(match owner_of(&sha256) {
        Some(other) if other.name != name => {
            DataError::OtherDataset { path, name, other: other.name, found, expected }
        }
        _ => DataError::Checksum { path, name, found, expected },
    })
}

fn check_label_range(info: &ImageInfo, path: &Path, labels: &[u8]) -> Result<(), DataError> {
    match labels.iter().position(|&label| usize::from(label) >= info.n_classes) {
        None => Ok(()),
        Some(example_index) => Err(DataError::LabelRange {
            path: path.to_owned(),
            name: info.name,
            example_index,
            found: labels[example_index],
            n_classes: info.n_classes,
        }),
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
