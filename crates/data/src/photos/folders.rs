//! Photographs sorted into one folder a class.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use super::{Labels, PhotoFiles, Photos};
use crate::error::DataError;

/// Endings of names of image files that are decoded.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];

/// Class folders with their files, both in order of name.
pub(super) type Classes = BTreeMap<String, Vec<String>>;

/// Whether a file is a photograph by its name.
pub(super) fn is_photo(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    !name.starts_with('.') && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// All class folders below a folder. What else is there is left out, and counted.
pub(super) fn classes(folder: &Path) -> Result<Classes, DataError> {
    let unreadable = |source| DataError::Read { path: folder.to_owned(), source };
    let mut classes = Classes::new();
    let (mut n_loose, mut n_others) = (0, 0);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = utf8(entry.file_name()).map_err(unreadable)?;
        if is_photo(&name) {
            n_loose += 1;
        } else if !name.starts_with('.') && entry.path().is_dir() {
            let contents = Contents::of(&entry.path())?;
            n_others += contents.n_others;
            classes.insert(name, contents.photos);
        }
    }
    if n_loose > 0 {
        return Err(DataError::LoosePhotos { path: folder.to_owned(), n_photos: n_loose });
    }
    if n_others > 0 {
        tracing::warn!(
            "{}: {n_others} files and folders in its classes are left out: their names do not end in .jpg, .jpeg or .png",
            folder.display()
        );
    }
    Ok(classes)
}

/// Refuses class folders of which one has no photograph: a network would have a class that it never sees.
pub(super) fn check_none_is_empty(folder: &Path, classes: &Classes) -> Result<(), DataError> {
    let Some((class, _)) = classes.iter().find(|(_, photos)| photos.is_empty()) else {
        return Ok(());
    };
    let path = folder.join(class);
    let n_others = Contents::of(&path)?.n_others;
    Err(DataError::EmptyClass { path, n_others })
}

/// What a folder holds.
pub(super) struct Contents {
    /// Names of its photographs, in order.
    pub(super) photos: Vec<String>,
    /// Other files, and folders, that are not hidden.
    pub(super) n_others: usize,
}

impl Contents {
    pub(super) fn of(folder: &Path) -> Result<Self, DataError> {
        let unreadable = |source| DataError::Read { path: folder.to_owned(), source };
        let (mut photos, mut n_others) = (vec![], 0);
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let name = utf8(entry.map_err(unreadable)?.file_name()).map_err(unreadable)?;
            if is_photo(&name) {
                photos.push(name);
            } else if !name.starts_with('.') {
                n_others += 1;
            }
        }
        photos.sort_unstable();
        Ok(Self { photos, n_others })
    }
}

fn utf8(name: std::ffi::OsString) -> io::Result<String> {
    let problem = |name| io::Error::other(format!("{name:?} is no name in UTF-8; rename it"));
    name.into_string().map_err(problem)
}

/// The photographs of class folders; the class of each is the place of its folder's name in `names`.
///
/// # Errors
/// If a folder is none of these.
pub(super) fn photos(
    folder: &Path,
    classes: &Classes,
    names: &[&String],
) -> Result<Photos, DataError> {
    let (mut files, mut labels) = (vec![], vec![]);
    for (class, photos) in classes {
        let label = names.binary_search(&class).ok().and_then(|place| u16::try_from(place).ok());
        let label = label.ok_or_else(|| DataError::UnknownClass {
            path: folder.join(class),
            n_classes: names.len(),
        })?;
        files.extend(photos.iter().map(|photo| format!("{class}/{photo}")));
        labels.extend(photos.iter().map(|_| label));
    }
    let files = PhotoFiles::new(folder, files.iter().map(String::as_str));
    Ok(Photos::new(Arc::new(files), Labels::One(labels.into())))
}
