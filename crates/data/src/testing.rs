//! Small synthetic data sets for the unit tests: files in a temporary folder and the matching
//! catalogue entry.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::catalogue::{DataFile, Files, IdxPair, ImageInfo, Preprocessing, Storage};
use crate::locate::SearchPath;

/// Names of the four files, images before labels, training before test.
pub(crate) const FILE_NAMES: [&str; 4] =
    ["train-images", "train-labels", "test-images", "test-labels"];

pub(crate) fn idx_bytes(dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut content = vec![0, 0, 8, u8::try_from(dimensions.len()).unwrap()];
    content.extend(dimensions.iter().flat_map(|length| length.to_be_bytes()));
    content.extend(elements);
    content
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Contents of the four files of a data set named `tiny_shapes`: 12 training examples (9 train,
/// 3 validation) and 2 test examples of 2 by 3 pixels in 4 classes. Example `i` has the pixels
/// `6 i, 6 i + 1, ...` and the label `i % 4`; the test examples go on counting.
#[derive(Clone)]
pub(crate) struct Tiny {
    pub(crate) contents: [Vec<u8>; 4],
}

impl Tiny {
    pub(crate) fn new() -> Self {
        let pixels: Vec<u8> = (0..14 * 6).collect();
        let labels: Vec<u8> = (0..14).map(|index| index % 4).collect();
        Self {
            contents: [
                idx_bytes(&[12, 2, 3], &pixels[..12 * 6]),
                idx_bytes(&[12], &labels[..12]),
                idx_bytes(&[2, 2, 3], &pixels[12 * 6..]),
                idx_bytes(&[2], &labels[12..]),
            ],
        }
    }

    /// The catalogue entry whose checksums are those of the contents as they are now.
    pub(crate) fn info(&self) -> ImageInfo {
        let file = |index: usize| DataFile {
            name: FILE_NAMES[index],
            sha256: Sha256::digest(&self.contents[index]).into(),
        };
        ImageInfo {
            name: "tiny_shapes",
            description: "for tests",
            source: "own",
            how_to_get: "run the maker",
            n_classes: 4,
            example_shape: [2, 3, 1],
            n_train: 9,
            n_validation: 3,
            n_test: 2,
            preprocessing: Preprocessing::UnitRange,
            storage: Storage::Folder(Files::Idx {
                train: IdxPair { images: file(0), labels: file(1) },
                test: IdxPair { images: file(2), labels: file(3) },
            }),
        }
    }

    pub(crate) fn write_plain(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for (name, content) in FILE_NAMES.iter().zip(&self.contents) {
            fs::write(folder.join(name), content).unwrap();
        }
    }

    pub(crate) fn write_gzip(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for (name, content) in FILE_NAMES.iter().zip(&self.contents) {
            fs::write(folder.join(format!("{name}.gz")), gzip(content)).unwrap();
        }
    }
}

/// The places that data can be in, as the empty folders `data`, `variable`, `own` and `system` of one temporary folder.
pub(crate) struct Places {
    pub(crate) root: tempfile::TempDir,
}

impl Places {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for name in ["data", "variable", "own", "system"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        Self { root }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    pub(crate) fn search_path(&self) -> SearchPath {
        SearchPath {
            data_dir: Some(self.path("data")),
            variable_dir: Some(self.path("variable")),
            own_dir: Some(self.path("own")),
            system_dir: self.path("system"),
        }
    }
}
