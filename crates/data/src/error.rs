//! What can go wrong between a data set's name and its arrays.

use std::io;
use std::path::PathBuf;

/// An error of this crate. Every message is one line: what was found, what was expected, and
/// what to do where that is not plain.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No data set has this name.
    #[error("unknown data set '{found}'; known data sets: {known}")]
    UnknownDataset {
        /// The name asked for.
        found: String,
        /// The names there are, separated by commas.
        known: String,
    },
    /// No folder looked in holds all the files of the data set.
    #[error("data set '{name}' not found; looked in: {searched}; {how_to_get}")]
    NotFound {
        /// The data set.
        name: &'static str,
        /// Every place looked in, each with the reason it will not do.
        searched: String,
        /// How to obtain the files.
        how_to_get: String,
    },
    /// The operating system would not open or read a file.
    #[error("{path}: cannot be read: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A `.gz` file does not decompress.
    #[error("{path}: gzip data is damaged: {source}; fetch the file again", path = path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// The decompressor's error.
        source: io::Error,
    },
    /// The (decompressed) content is larger than the data set's file can be.
    #[error("{path}: holds more than the expected {limit_bytes} bytes; it is another file or has bytes added at its end", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The size of the right file's content.
        limit_bytes: usize,
    },
    /// The content ends before the header does.
    #[error("{path}: holds {found_bytes} bytes, an idx header of {n_dimensions} dimensions takes {expected_bytes}; fetch the file again", path = path.display())]
    TruncatedHeader {
        /// The file.
        path: PathBuf,
        /// Size of the content.
        found_bytes: usize,
        /// Size of the header expected.
        expected_bytes: usize,
        /// The number of dimensions expected.
        n_dimensions: usize,
    },
    /// The content does not start like an IDX file.
    #[error("{path}: starts with bytes {found:02x?}, an idx file starts with [00, 00]; it is not an idx file", path = path.display())]
    NotIdx {
        /// The file.
        path: PathBuf,
        /// Its first two bytes.
        found: [u8; 2],
    },
    /// The elements are not unsigned bytes.
    #[error("{path}: idx element type is {found:#04x}, expected 0x08 (unsigned byte)", path = path.display())]
    ElementType {
        /// The file.
        path: PathBuf,
        /// The type byte.
        found: u8,
    },
    /// The header declares another number of dimensions.
    #[error("{path}: idx header declares {found} dimensions, expected {expected}; images have 3 and labels 1, are the two files swapped?", path = path.display())]
    DimensionCount {
        /// The file.
        path: PathBuf,
        /// The declared number.
        found: u8,
        /// The number expected.
        expected: usize,
    },
    /// The content is shorter than its header declares.
    #[error("{path}: holds {found_bytes} bytes after the header, the header's dimensions {dimensions:?} declare {declared_bytes}; the file is truncated, fetch it again", path = path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The declared dimensions.
        dimensions: Vec<u32>,
        /// Bytes after the header.
        found_bytes: usize,
        /// Product of the declared dimensions.
        declared_bytes: u128,
    },
    /// The content goes on after the declared end.
    #[error("{path}: holds {found_bytes} bytes after the header, the header's dimensions {dimensions:?} declare {declared_bytes}; there are trailing bytes, fetch the file again", path = path.display())]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// The declared dimensions.
        dimensions: Vec<u32>,
        /// Bytes after the header.
        found_bytes: usize,
        /// Product of the declared dimensions.
        declared_bytes: u128,
    },
    /// A file of records is shorter than it should be.
    #[error("{path}: holds {found_bytes} bytes, {n_records} records of {record_bytes} bytes each are {expected_bytes}; the file is truncated, fetch it again", path = path.display(), expected_bytes = n_records * record_bytes)]
    TruncatedRecords {
        /// The file.
        path: PathBuf,
        /// Size of the content.
        found_bytes: usize,
        /// Records that it should have.
        n_records: usize,
        /// Size of one record.
        record_bytes: usize,
    },
    /// A well-formed image file of another number or size of images.
    #[error("{path}: has shape {found:?}, data set '{name}' needs {expected:?} (images, height, width); are the training and the test files swapped?", path = path.display())]
    ImageShape {
        /// The file.
        path: PathBuf,
        /// The data set.
        name: &'static str,
        /// Images, height, width found.
        found: [usize; 3],
        /// Images, height, width expected.
        expected: [usize; 3],
    },
    /// Images and labels differ in number.
    #[error("{path}: has {n_labels} labels for the {n_images} images of {images_path}; the two files do not belong together", path = path.display(), images_path = images_path.display())]
    LabelCount {
        /// The label file.
        path: PathBuf,
        /// The image file.
        images_path: PathBuf,
        /// Number of labels.
        n_labels: usize,
        /// Number of images.
        n_images: usize,
    },
    /// The content is not the published one.
    #[error("{path}: sha-256 of the decompressed content is {found}, data set '{name}' needs {expected}; fetch the file again", path = path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The data set.
        name: &'static str,
        /// Hexadecimal SHA-256 of the content.
        found: String,
        /// Hexadecimal SHA-256 published.
        expected: String,
    },
    /// The content is the published one of another data set with the same file names.
    #[error("{path}: is data set '{other}' (sha-256 {found}), not '{name}' (sha-256 {expected}); put '{name}' in a folder of that name under the data folder or give its own folder", path = path.display())]
    OtherDataset {
        /// The file.
        path: PathBuf,
        /// The data set asked for.
        name: &'static str,
        /// The data set the file belongs to.
        other: &'static str,
        /// Hexadecimal SHA-256 of the content.
        found: String,
        /// Hexadecimal SHA-256 published for the data set asked for.
        expected: String,
    },
    /// Images and labels of a split made by hand differ in number.
    #[error("a split of {n_images} images has {n_labels} labels; give one label for each image")]
    SplitLength {
        /// Number of images.
        n_images: usize,
        /// Number of labels.
        n_labels: usize,
    },
    /// Images were asked for.
    #[error("data set '{name}' is not one of images in memory")]
    NoImages {
        /// The data set.
        name: String,
    },
    /// Photographs lie where folders of classes should.
    #[error("{path}: has {n_photos} photographs that are in no folder of a class; put each into a folder named after its class", path = path.display())]
    LoosePhotos {
        /// The folder.
        path: PathBuf,
        /// Photographs directly in it.
        n_photos: usize,
    },
    /// A class is evaluated on that is not trained on.
    #[error("{path}: is no class of the training folder, which has {n_classes}; remove it or give it photographs to train on", path = path.display())]
    UnknownClass {
        /// The folder of the class.
        path: PathBuf,
        /// Classes of the training folder.
        n_classes: usize,
    },
    /// A class has nothing to train on.
    #[error("{path}: is a class without a photograph: of the {n_others} files and folders in it no name ends in .jpg, .jpeg or .png; put photographs of these kinds directly into it, or remove it", path = path.display())]
    EmptyClass {
        /// The folder of the class.
        path: PathBuf,
        /// Files and folders in it.
        n_others: usize,
    },
    /// The photographs are not the published ones.
    #[error("{path}: has {} classes with {} training and {} validation photographs, ImageNet (ILSVRC-2012) has {}, {} and {}; a part of it, or other photographs, are data set 'image_folder'", found[0], found[1], found[2], expected[0], expected[1], expected[2], path = path.display())]
    PhotoCount {
        /// The folder.
        path: PathBuf,
        /// Classes, training and validation photographs.
        found: [usize; 3],
        /// The same of the published data set.
        expected: [usize; 3],
    },
    /// A split of photographs is empty.
    #[error("{path}: has no {split} photographs (names that end in .jpg, .jpeg or .png)", path = path.display())]
    NoPhotos {
        /// The folder of the data set.
        path: PathBuf,
        /// The split.
        split: &'static str,
    },
    /// No class of a table of labels is frequent enough.
    #[error("{path}: no class has {min} photographs that are verified to show it; is it the published table?", path = path.display())]
    NoTrainableClass {
        /// The table.
        path: PathBuf,
        /// Photographs that a class needs.
        min: usize,
    },
    /// A table of labels is damaged.
    #[error("{path}:{line}: {problem}; fetch the file again", path = path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A corpus is too small to be cut into splits.
    #[error("{path}: data set '{name}' has too few sentences in its {n_files} files to train and to measure on; it needs two at least", path = path.display())]
    TooFewSentences {
        /// The first file.
        path: PathBuf,
        /// The data set.
        name: &'static str,
        /// Number of files.
        n_files: usize,
    },
    /// The sentences of a corpus are not the published ones.
    #[error("{path}: has {} training, {} validation and {} test sentences, data set '{name}' has {}, {} and {}; fetch it again; a part of it, in files that end in .txt, is data set 'text'", found[0], found[1], found[2], expected[0], expected[1], expected[2], path = path.display())]
    SentenceCount {
        /// The folder.
        path: PathBuf,
        /// The data set.
        name: &'static str,
        /// Training, validation and test sentences.
        found: [usize; 3],
        /// The same of the published data set.
        expected: [usize; 3],
    },
    /// The operating system would not write a file.
    #[error("{path}: cannot be written: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The library of sub-words failed.
    #[error("the vocabulary cannot be {what}: {problem}")]
    Tokenizer {
        /// What was tried.
        what: &'static str,
        /// The library's message.
        problem: String,
    },
    /// A label is not a class of the data set.
    #[error("{path}: label {found} of example {example_index} is out of range; data set '{name}' has classes 0 to {last}", path = path.display(), last = n_classes - 1)]
    LabelRange {
        /// The label file.
        path: PathBuf,
        /// The data set.
        name: &'static str,
        /// Index of the first wrong example.
        example_index: usize,
        /// Its label.
        found: u8,
        /// Number of classes (at least 1).
        n_classes: usize,
    },
}
