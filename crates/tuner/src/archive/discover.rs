//! Which folders hold workloads, studies and trials.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use super::{LARGEST_COUNT, METADATA_FILE_NAME, STUDY_FILE_NAME, omission, quotation};
use crate::error::TunerError;
use crate::experiment::Workload;
use crate::record::Omission;

/// The authors' groups of workloads, which stand above the data set.
pub const GROUPS: [&str; 3] = ["mnist_subsets", "imagenet_subsets", "solution_quality"];

/// How many folders deep a workload may lie: group, data set, model, optimizer, and two to spare.
/// Links that lead back up end here.
const DEEPEST: usize = 6;

/// A folder named by a whole number.
#[derive(Debug)]
pub(super) struct Numbered {
    pub(super) number: u64,
    pub(super) path: PathBuf,
}

/// The folders of all workloads in or below a folder, by name, and the folders that could not be
/// searched. No file is opened.
///
/// # Errors
///
/// Where the folder cannot be read or holds no workload.
pub fn find_workloads(path: &Path) -> Result<(Vec<PathBuf>, Vec<Omission>), TunerError> {
    let (mut workloads, mut omissions) = (vec![], vec![]);
    search(path, 0, &mut workloads, &mut omissions).map_err(|source| TunerError::File {
        action: "read the directory",
        path: path.to_owned(),
        source,
    })?;
    match workloads.is_empty() {
        true => Err(TunerError::NoWorkload { path: path.to_owned() }),
        false => Ok((workloads, omissions)),
    }
}

fn search(
    folder: &Path,
    depth: usize,
    workloads: &mut Vec<PathBuf>,
    omissions: &mut Vec<Omission>,
) -> io::Result<()> {
    let folders = folders(folder)?;
    if folders.iter().any(|path| is_study(path)) {
        workloads.push(folder.to_owned());
    } else if depth < DEEPEST {
        for path in folders {
            if let Err(error) = search(&path, depth + 1, workloads, omissions) {
                let problem = format!("{error}, expected a folder that can be read");
                omissions.push(omission(&path, None, problem));
            }
        }
    }
    Ok(())
}

/// A study whose `study.json` is missing is one too, if it has trials: it is left out aloud.
fn is_study(folder: &Path) -> bool {
    let has_trials = || {
        let trials = number_of(folder).and_then(|_| folders(folder).ok());
        let is_trial = |path: &PathBuf| path.join(METADATA_FILE_NAME).is_file();
        trials.is_some_and(|trials| trials.iter().any(is_trial))
    };
    folder.join(STUDY_FILE_NAME).is_file() || has_trials()
}

/// Whether a folder has a study in it.
pub(super) fn is_workload(folder: &Path) -> io::Result<bool> {
    Ok(folders(folder)?.iter().any(|path| is_study(path)))
}

/// The folders in a folder that are not hidden, by name; numbers ascend.
fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = vec![];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_folder(&entry) && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            folders.push(entry.path());
        }
    }
    folders.sort_by_cached_key(|path| (number_of(path), path.clone()));
    Ok(folders)
}

fn is_folder(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        Ok(kind) => kind.is_dir(),
        Err(_) => false,
    }
}

/// The whole number that a folder is named by. Leading zeros would allow two names for one number.
fn number_of(folder: &Path) -> Option<u64> {
    let name = folder.file_name()?.to_str()?;
    let number = name.parse().ok().filter(|number: &u64| *number <= LARGEST_COUNT)?;
    (number.to_string() == name).then_some(number)
}

/// The folders named by whole numbers, ascending. Others are left out; `expected` says what their
/// names should be.
pub(super) fn numbered(
    folder: &Path,
    expected: &str,
    omissions: &mut Vec<Omission>,
) -> io::Result<Vec<Numbered>> {
    let mut numbered = vec![];
    for path in folders(folder)? {
        match number_of(&path) {
            Some(number) => numbered.push(Numbered { number, path }),
            None => {
                let name = path.file_name().map_or(&[][..], OsStr::as_encoded_bytes);
                let found = format!("folder {}", quotation(name));
                omissions.push(omission(&path, None, format!("{found}, expected {expected}")));
            }
        }
    }
    Ok(numbered)
}

/// Data set, model and optimizer as the folders are named, the group included.
pub(super) fn workload_of_folders(folder: &Path) -> Workload {
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let name = |above: usize| {
        let folder = whole.ancestors().nth(above)?;
        Some(folder.file_name()?.to_string_lossy().into_owned())
    };
    let unknown = || "unknown".to_owned();
    let dataset = name(2).unwrap_or_else(unknown);
    Workload {
        dataset: match name(3) {
            Some(group) if GROUPS.contains(&group.as_str()) => format!("{group}/{dataset}"),
            _ => dataset,
        },
        model: name(1).unwrap_or_else(unknown),
        optimizer: name(0).unwrap_or_else(unknown),
    }
}

/// Whether a data set's name has one of the authors' groups in it.
pub(super) fn is_grouped(dataset: &str) -> bool {
    dataset.split_once('/').is_some_and(|(group, _)| GROUPS.contains(&group))
}
