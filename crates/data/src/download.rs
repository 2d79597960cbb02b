//! Where a data set's files can be fetched, and whether those that are there are sound.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::slice;

use flate2::read::MultiGzDecoder;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::catalogue::{DataFile, DatasetInfo, ImageInfo, Storage, TextInfo, find, images};
use crate::error::DataError;
use crate::load::hexadecimal;
use crate::locate::{SearchPath, existing_file};
use crate::photos::{Photos, load_photos};
use crate::text::{check_enough, check_sizes, count_lines};

/// How a data set comes from its publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Download {
    /// Nothing to fetch: the data are in the program.
    Nothing,
    /// Gzip-compressed files, into a folder of the given name.
    Files {
        /// Name of the folder.
        folder: &'static str,
        /// Address that the names follow.
        base: &'static str,
        /// Names of the files.
        files: Vec<RemoteFile>,
    },
    /// A gzip-compressed tar archive, which unpacks to a folder of its own.
    Archive {
        /// Address that the name follows.
        base: &'static str,
        /// Name of the archive.
        file: &'static str,
    },
    /// What a person has to do: its publisher asks for a registration, or it is too large to be taken
    /// whole.
    ByHand(&'static str),
}

/// A file as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Name, which ends in `.gz`.
    pub name: String,
    sha256: [u8; 32],
}

/// A file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What is wrong with it, if anything is.
    pub problem: Option<String>,
}

impl Download {
    /// How a data set is fetched; a part of one as the whole.
    #[must_use]
    pub fn of(info: &DatasetInfo) -> Self {
        match info {
            DatasetInfo::Images(info) => Self::of_images(info),
            DatasetInfo::Photos(info) => Self::ByHand(info.how_to_get),
            DatasetInfo::Text(info) if info.name == "lm1b" => Self::Archive {
                base: "https://www.statmt.org/lm-benchmark/",
                file: "1-billion-word-language-modeling-benchmark-r13output.tar.gz",
            },
            DatasetInfo::Text(info) => Self::ByHand(info.how_to_get),
        }
    }

    fn of_images(info: &ImageInfo) -> Self {
        let files = |base| Self::Files {
            folder: info.name,
            base,
            files: info.storage.files().into_iter().map(RemoteFile::of).collect(),
        };
        match (&info.storage, info.name) {
            (Storage::Embedded { .. }, _) => Self::Nothing,
            (Storage::PartOf(whole), _) => {
                images(whole).map_or(Self::ByHand(info.how_to_get), Self::of_images)
            }
            // The first publisher's own server refuses programs; this is the copy that PyTorch takes.
            (Storage::Folder(_), "mnist") => {
                files("https://ossci-datasets.s3.amazonaws.com/mnist/")
            }
            (Storage::Folder(_), "fashion_mnist") => files(
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ),
            (Storage::Folder(_), "cifar_10") => Self::Archive {
                base: "https://www.cs.toronto.edu/~kriz/",
                file: "cifar-10-binary.tar.gz",
            },
            (Storage::Folder(_), _) => Self::ByHand(info.how_to_get),
        }
    }
}

impl RemoteFile {
    fn of(file: &DataFile) -> Self {
        Self { name: format!("{}.gz", file.name), sha256: file.sha256 }
    }

    /// Whether a fetched file, of whatever name, has the published content.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, path: &Path) -> Result<(), String> {
        check_content(path, true, &self.sha256)
    }
}

/// Reads all files of a data set and says of each, as it comes, whether it is sound: those with a
/// published SHA-256 by that, photographs by decoding them, text by decompressing it. Of a corpus of a
/// published size the sentences are counted too. No cache is looked at. Returns the number of files.
///
/// # Errors
/// If the data set is unknown, its files are not found, or a corpus whose files are all sound has another
/// number of sentences than the published one, or too few to be cut into splits.
pub fn check(
    name: &str,
    data_dir: Option<&Path>,
    on_checked: &(dyn Fn(&CheckedFile) + Sync),
) -> Result<usize, DataError> {
    let search_path = SearchPath::from_environment(data_dir);
    match find(name)? {
        DatasetInfo::Images(info) => check_images(info, &search_path, on_checked),
        DatasetInfo::Photos(info) => {
            let dataset = load_photos(info, &search_path)?;
            let splits = [Some(&dataset.train), Some(&dataset.validation), dataset.test.as_ref()];
            Ok(splits.into_iter().flatten().map(|photos| check_photos(photos, on_checked)).sum())
        }
        DatasetInfo::Text(info) => check_text(info, &search_path, on_checked),
    }
}

fn check_text(
    info: &TextInfo,
    search_path: &SearchPath,
    on_checked: &(dyn Fn(&CheckedFile) + Sync),
) -> Result<usize, DataError> {
    let (folder, files) = search_path.find_corpus(info)?;
    let count = |path: &PathBuf| {
        let counted = count_lines(slice::from_ref(path), info);
        let problem = counted.as_ref().err().map(ToString::to_string);
        on_checked(&CheckedFile { path: path.clone(), problem });
        counted.ok()
    };
    let counts = [&files.train, &files.validation, &files.test].map(|files| {
        // All are looked at before any sum, which ends at the first that is not sound.
        let counts: Vec<Option<usize>> = files.par_iter().map(count).collect();
        counts.into_iter().sum::<Option<usize>>()
    });
    // A file that is not sound has been named.
    if let [Some(train), Some(validation), Some(test)] = counts {
        check_sizes(info, &folder, [train, validation, test])?;
        check_enough(info, &files)?;
    }
    Ok(files.all().len())
}

fn check_images(
    info: &ImageInfo,
    search_path: &SearchPath,
    on_checked: &(dyn Fn(&CheckedFile) + Sync),
) -> Result<usize, DataError> {
    match &info.storage {
        Storage::Embedded { .. } => return Ok(0),
        Storage::PartOf(whole) => return check_images(images(whole)?, search_path, on_checked),
        Storage::Folder(_) => {}
    }
    let folder = search_path.find_folder(info)?;
    let files = info.storage.files();
    files.par_iter().for_each(|file| {
        let path = existing_file(&folder, file.name).ok().flatten();
        let path = path.unwrap_or_else(|| folder.join(file.name));
        let is_gzip = path.extension().is_some_and(|ending| ending == "gz");
        let problem = check_content(&path, is_gzip, &file.sha256).err();
        on_checked(&CheckedFile { path, problem });
    });
    Ok(files.len())
}

fn check_photos(photos: &Photos, on_checked: &(dyn Fn(&CheckedFile) + Sync)) -> usize {
    (0..photos.len()).into_par_iter().for_each(|index| on_checked(&photos.check(index)));
    photos.len()
}

/// The SHA-256 of a file's (decompressed) content, which is never in memory whole.
fn check_content(path: &Path, is_gzip: bool, expected: &[u8; 32]) -> Result<(), String> {
    let found = content_sha256(path, is_gzip)
        .map_err(|error| format!("cannot be read or decompressed: {error}"))?;
    if found[..] == expected[..] {
        return Ok(());
    }
    let [found, expected] = [&found, expected].map(|sha256| hexadecimal(sha256));
    Err(format!("sha-256 of the content is {found}, expected {expected}; fetch it again"))
}

fn content_sha256(path: &Path, is_gzip: bool) -> io::Result<[u8; 32]> {
    let file = File::open(path)?;
    let mut reader: Box<dyn Read> = match is_gzip {
        true => Box::new(MultiGzDecoder::new(io::BufReader::new(file))),
        false => Box::new(file),
    };
    let mut hasher = Sha256::new();
    let mut part = vec![0; 1 << 16];
    loop {
        match reader.read(&mut part)? {
            0 => return Ok(hasher.finalize().into()),
            n => hasher.update(&part[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::catalogue::catalogue;
    use crate::testing::{Places, Tiny};

    #[test]
    fn every_data_set_says_how_it_comes() {
        for info in catalogue() {
            match Download::of(info) {
                Download::Files { base, files, .. } => {
                    assert!(base.starts_with("https://") && base.ends_with('/'), "{base}");
                    assert_eq!(files.len(), 4, "{}", info.name());
                }
                Download::Archive { base, file } => {
                    assert!(base.starts_with("https://") && base.ends_with('/'), "{base}");
                    assert!(file.ends_with(".tar.gz"), "{file}");
                }
                Download::ByHand(how) => assert!(!how.is_empty(), "{}", info.name()),
                Download::Nothing => assert_eq!(info.name(), "mnist_5k"),
            }
        }
        let of = |name| Download::of(find(name).unwrap());
        assert_eq!(of("mnist_subsets/mnist_6875"), of("mnist"));
    }

    #[test]
    fn a_text_that_cannot_be_trained_on_is_not_sound() {
        let DatasetInfo::Text(info) = find("text").unwrap() else { panic!("it has sentences") };
        let places = Places::new();
        let path = places.path("data").join("a.txt");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        for (content, is_enough) in [("", false), ("\none line\n\n", false), ("one\ntwo\n", true)] {
            std::fs::write(&path, content).unwrap();
            let checked = check_text(info, &places.search_path(), &|_| ());
            assert_eq!(checked.is_ok(), is_enough, "{content:?}: {checked:?}");
        }
    }

    #[test]
    fn a_damaged_file_is_found_among_sound_ones() {
        let places = Places::new();
        let tiny = Tiny::new();
        tiny.write_gzip(&places.path("data"));
        let checked = || {
            let checked = Mutex::new(vec![]);
            let on_checked = |file: &CheckedFile| checked.lock().unwrap().push(file.clone());
            let n = check_images(&tiny.info(), &places.search_path(), &on_checked).unwrap();
            assert_eq!(n, 4);
            let mut checked = checked.into_inner().unwrap();
            checked.sort_by(|a, b| a.path.cmp(&b.path));
            checked
        };
        assert!(checked().iter().all(|file| file.problem.is_none()));
        std::fs::write(places.path("data/test-labels"), b"no labels").unwrap();
        std::fs::write(places.path("data/train-images.gz"), b"no gzip").unwrap();
        let problems: Vec<Option<String>> =
            checked().into_iter().map(|file| file.problem).collect();
        let contains = |index: usize, part: &str| {
            let problem = problems[index].as_ref();
            assert!(problem.is_some_and(|problem| problem.contains(part)), "{problem:?}");
        };
        contains(1, "sha-256 of the content is ");
        contains(2, "cannot be read or decompressed");
        assert_eq!((&problems[0], &problems[3]), (&None, &None));
    }
}
