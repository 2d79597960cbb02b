//! From a folder of photographs to splits.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::folders::{self, Classes};
use super::{PhotoDataset, Photos, open_images};
use crate::catalogue::PhotoInfo;
use crate::error::DataError;
use crate::load::hexadecimal;
use crate::locate::SearchPath;
use crate::split::partition;

/// How photographs lie in a data set's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `train/CLASS` and `val/CLASS`, of any classes; perhaps `test/CLASS`.
    AnyFolders,
    /// The same of ImageNet, of which a part is used.
    ImageNet(Part),
    /// `train`, `validation` and `test`, with tables of labels.
    OpenImages,
}

/// Of which ImageNet photographs a data set consists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// Half of the training photographs.
    HalfImages,
    /// The photographs of half of the classes.
    HalfClasses,
}

/// How large a published data set is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Published {
    /// Classes, training and validation photographs.
    pub(super) sizes: [usize; 3],
    /// Training photographs that are held out for the test.
    pub(super) n_test: usize,
}

/// ImageNet (ILSVRC-2012).
const IMAGENET: Published = Published { sizes: [1000, 1_281_167, 50_000], n_test: 50_045 };

impl Layout {
    /// Folders and files that have to be there.
    pub(crate) fn needs(self) -> Vec<&'static str> {
        match self {
            Self::AnyFolders | Self::ImageNet(_) => vec!["train", "val"],
            Self::OpenImages => open_images::needs(),
        }
    }

    /// Whether the folder has them; else what it lacks.
    pub(crate) fn look(self, folder: &Path) -> Result<PathBuf, String> {
        if !folder.is_dir() {
            return Err("no such folder".to_owned());
        }
        let needs = self.needs();
        let is_there = |name: &&str| {
            [folder.join(name), folder.join(format!("{name}.gz"))].iter().any(|path| path.exists())
        };
        let missing: Vec<&str> = needs.iter().filter(|name| !is_there(name)).copied().collect();
        match missing.len() {
            0 => Ok(folder.to_owned()),
            n if n == needs.len() => Err(format!("has no '{}'", needs.join("', no '"))),
            _ => Err(format!("lacks '{}'", missing.join("', '"))),
        }
    }
}

/// Loads the names and labels of a data set of photographs.
pub(crate) fn load_photos(
    info: &PhotoInfo,
    search_path: &SearchPath,
) -> Result<PhotoDataset, DataError> {
    let folder = search_path.find_photos(info)?;
    let dataset = match info.layout {
        Layout::AnyFolders => any_folders(info.name, &folder)?,
        Layout::ImageNet(part) => imagenet(info.name, &folder, part, IMAGENET)?,
        Layout::OpenImages => open_images::load(info.name, &folder)?,
    };
    let splits = [("train", &dataset.train), ("validation", &dataset.validation)];
    let empty = splits.iter().find(|(_, photos)| photos.is_empty()).map(|&(split, _)| split);
    match empty {
        Some(split) => Err(DataError::NoPhotos { path: folder, split }),
        None => Ok(dataset),
    }
}

/// Train, validation and, where there is one, test split, and the names of the classes.
struct Splits {
    train: Classes,
    validation: Classes,
}

impl Splits {
    fn read(folder: &Path) -> Result<Self, DataError> {
        let [train, validation] = ["train", "val"].map(|name| folders::classes(&folder.join(name)));
        Ok(Self { train: train?, validation: validation? })
    }

    /// Classes, training and validation photographs.
    fn sizes(&self) -> [usize; 3] {
        let n_photos = |classes: &Classes| classes.values().map(Vec::len).sum();
        [self.train.len(), n_photos(&self.train), n_photos(&self.validation)]
    }

    fn keep_classes(&mut self, keep: &[String]) {
        for classes in [&mut self.train, &mut self.validation] {
            classes.retain(|class, _| keep.contains(class));
        }
    }

    fn photos(&self, folder: &Path) -> Result<[Photos; 2], DataError> {
        let names: Vec<&String> = self.train.keys().collect();
        let train = folders::photos(&folder.join("train"), &self.train, &names)?;
        Ok([train, folders::photos(&folder.join("val"), &self.validation, &names)?])
    }
}

fn any_folders(name: &'static str, folder: &Path) -> Result<PhotoDataset, DataError> {
    let splits = Splits::read(folder)?;
    folders::check_none_is_empty(&folder.join("train"), &splits.train)?;
    let [train, validation] = splits.photos(folder)?;
    let test_folder = folder.join("test");
    let test = match test_folder.is_dir() {
        true => {
            let names: Vec<&String> = splits.train.keys().collect();
            Some(folders::photos(&test_folder, &folders::classes(&test_folder)?, &names)?)
        }
        false => None,
    };
    let digest = digest([&train, &validation].into_iter().chain(&test))?;
    let n_classes = splits.train.len();
    Ok(PhotoDataset { name, n_classes, train, validation, test, digest: Some(digest) })
}

/// SHA-256 of the names and sizes of all photographs, split by split: their classes are part of names.
fn digest<'p>(splits: impl Iterator<Item = &'p Photos>) -> Result<String, DataError> {
    let mut digest = Sha256::new();
    for photos in splits {
        digest.update(photos.len().to_le_bytes());
        for index in 0..photos.len() {
            let path = photos.files.path(index);
            let size =
                fs::metadata(&path).map_err(|source| DataError::Read { path, source })?.len();
            digest.update(photos.files.name(index));
            digest.update([0]);
            digest.update(size.to_le_bytes());
        }
    }
    Ok(hexadecimal(&digest.finalize()))
}

pub(super) fn imagenet(
    name: &'static str,
    folder: &Path,
    part: Part,
    Published { sizes, n_test }: Published,
) -> Result<PhotoDataset, DataError> {
    let mut splits = Splits::read(folder)?;
    let found = splits.sizes();
    if found != sizes {
        return Err(DataError::PhotoCount { path: folder.to_owned(), found, expected: sizes });
    }
    let whole = splits.photos(folder)?;
    // Which photographs are held out does not depend on the part that is trained on.
    let [test, train] = partition("imagenet", [n_test, sizes[1] - n_test]);
    if part == Part::HalfClasses {
        let n = sizes[0] / 2;
        let [kept, _] = partition("imagenet_half_classes", [n, n]);
        let names: Vec<&String> = splits.train.keys().collect();
        let kept: Vec<String> = kept.into_iter().map(|class| names[class].clone()).collect();
        return half_classes(name, folder, &mut splits, &whole[0], [&train, &test], &kept);
    }
    let train = match part {
        Part::HalfImages => half(&train),
        _ => train,
    };
    let [photos, validation] = whole;
    let test = Some(photos.select(&test));
    let (n_classes, train) = (found[0], photos.select(&train));
    Ok(PhotoDataset { name, n_classes, train, validation, test, digest: None })
}

/// Half of the places, always the same ones.
fn half(places: &[usize]) -> Vec<usize> {
    let n = places.len() / 2;
    let [kept, _] = partition("imagenet_half_images", [n, places.len() - n]);
    kept.into_iter().map(|place| places[place]).collect()
}

/// The training and test photographs of some classes, which are numbered anew.
fn half_classes(
    name: &'static str,
    folder: &Path,
    splits: &mut Splits,
    whole: &Photos,
    [train, test]: [&[usize]; 2],
    kept: &[String],
) -> Result<PhotoDataset, DataError> {
    // Where each place of the whole set is in the smaller one.
    let n_of: Vec<(bool, usize)> =
        splits.train.iter().map(|(class, photos)| (kept.contains(class), photos.len())).collect();
    let mut next = 0;
    let mut place_of: Vec<Option<usize>> = Vec::with_capacity(whole.len());
    for (is_kept, n) in n_of {
        place_of.extend((next..next + n).map(|place| is_kept.then_some(place)));
        next += if is_kept { n } else { 0 };
    }
    let [train, test] = [train, test].map(|places| -> Vec<usize> {
        places.iter().filter_map(|&place| place_of[place]).collect()
    });
    splits.keep_classes(kept);
    let [photos, validation] = splits.photos(folder)?;
    Ok(PhotoDataset {
        name,
        n_classes: kept.len(),
        train: photos.select(&train),
        validation,
        test: Some(photos.select(&test)),
        digest: None,
    })
}
