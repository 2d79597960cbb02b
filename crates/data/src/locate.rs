//! Where a data set's files are.

use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

use etcetera::BaseStrategy;

use crate::catalogue::{DatasetInfo, Files, ImageInfo, PhotoInfo, Storage, TextInfo, images};
use crate::error::DataError;
use crate::text::CorpusFiles;

/// The environment variable that names the data folder when none is given.
pub const DATA_DIR_VARIABLE: &str = "CRITBATCH_DATA";

/// The folder that data sets are fetched into, unless another is named: `critbatch` in the folder that the
/// platform has for a program's data (on Linux `$XDG_DATA_HOME` or `~/.local/share`).
#[must_use]
pub fn own_data_dir() -> Option<PathBuf> {
    let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(strategy.data_dir().join("critbatch"))
}

/// Debian's data set packages install here, each in a folder of its own.
const SYSTEM_DIR: &str = "/usr/share/datasets";

/// Where a data set's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Inside the program.
    Embedded,
    /// In this folder, which has all the files, plain or `.gz`.
    Folder(PathBuf),
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => formatter.write_str("embedded in the program"),
            Self::Folder(folder) => folder.display().fmt(formatter),
        }
    }
}

/// Finds a data set's files without reading them.
///
/// Looks in `data_dir`, then in the folder that the environment variable
/// [`DATA_DIR_VARIABLE`] names, then in [`own_data_dir`], then in `/usr/share/datasets`. In each of the
/// first two it tries
/// the sub-folder of the data set's name, that name written with hyphens, that of the publisher's
/// archive if there is one (`cifar-10-batches-bin`), then the folder itself; in the third one only what
/// `critbatch data fetch` makes, the sub-folder of the data set's name or the archive's;
/// in the last one only the name with hyphens. The sub-folders come first because MNIST and
/// Fashion-MNIST share their file names: files of the one lying in the data folder itself must
/// not hide the other in its own sub-folder. The first folder with all the files is taken.
///
/// # Errors
/// [`DataError::NotFound`], which lists every folder looked in and what it lacks.
pub fn locate(info: &DatasetInfo, data_dir: Option<&Path>) -> Result<Location, DataError> {
    let search_path = SearchPath::from_environment(data_dir);
    match info {
        DatasetInfo::Images(ImageInfo { storage: Storage::Embedded { .. }, .. }) => {
            Ok(Location::Embedded)
        }
        DatasetInfo::Images(ImageInfo { storage: Storage::PartOf(whole), .. }) => {
            search_path.find_folder(images(whole)?).map(Location::Folder)
        }
        DatasetInfo::Images(info) => search_path.find_folder(info).map(Location::Folder),
        DatasetInfo::Photos(info) => search_path.find_photos(info).map(Location::Folder),
        DatasetInfo::Text(info) => {
            search_path.find_corpus(info).map(|(folder, _)| Location::Folder(folder))
        }
    }
}

/// The folders to look in, as data, so that tests need neither environment nor installed package.
#[derive(Debug)]
pub(crate) struct SearchPath {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) variable_dir: Option<PathBuf>,
    pub(crate) own_dir: Option<PathBuf>,
    pub(crate) system_dir: PathBuf,
}

impl SearchPath {
    pub(crate) fn from_environment(data_dir: Option<&Path>) -> Self {
        Self {
            data_dir: data_dir.map(Path::to_owned),
            // A variable set to nothing is how a shell script unsets it for one command.
            variable_dir: env::var_os(DATA_DIR_VARIABLE)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
            own_dir: own_data_dir(),
            system_dir: PathBuf::from(SYSTEM_DIR),
        }
    }

    /// The first folder that has all the files of `info`.
    pub(crate) fn find_folder(&self, info: &ImageInfo) -> Result<PathBuf, DataError> {
        let files: Vec<&str> = info.storage.files().iter().map(|file| file.name).collect();
        let unpacked = match info.storage {
            Storage::Folder(Files::Records { folder, .. }) => Some(folder),
            _ => None,
        };
        let found = self.first_folder(info.name, unpacked, |folder| {
            lack(folder, &files).map_or(Ok(folder.to_owned()), Err)
        });
        found.map_err(|searched| DataError::NotFound {
            name: info.name,
            searched,
            how_to_get: format!(
                "{}, or put {} (each plain or .gz) in one folder and name it by --data-dir or {DATA_DIR_VARIABLE}",
                info.how_to_get,
                files.join(", ")
            ),
        })
    }

    /// The first folder that has the folders and tables of a data set of photographs.
    pub(crate) fn find_photos(&self, info: &PhotoInfo) -> Result<PathBuf, DataError> {
        let found = self.first_folder(info.folder, None, |folder| info.layout.look(folder));
        found.map_err(|searched| DataError::NotFound {
            name: info.name,
            searched,
            how_to_get: format!(
                "{}; critbatch needs '{}' in a folder that --data-dir or {DATA_DIR_VARIABLE} names",
                info.how_to_get,
                info.layout.needs().join("', '")
            ),
        })
    }

    /// The first folder that has the files of a corpus, and these.
    pub(crate) fn find_corpus(&self, info: &TextInfo) -> Result<(PathBuf, CorpusFiles), DataError> {
        let layout = info.corpus.layout;
        let found =
            self.first_folder(info.name, layout.folder(), |folder| match layout.files(folder) {
                Ok(files) => files.map(|files| (folder.to_owned(), files)),
                Err(error) => Err(format!("cannot be read: {error}")),
            });
        found.map_err(|searched| DataError::NotFound {
            name: info.name,
            searched,
            how_to_get: format!(
                "{}; critbatch needs {}, in a folder that --data-dir or {DATA_DIR_VARIABLE} names",
                info.how_to_get,
                layout.needs()
            ),
        })
    }

    /// What `look` finds in the first folder that has it, or a list of all folders with what each
    /// lacks.
    fn first_folder<T>(
        &self,
        name: &str,
        unpacked: Option<&str>,
        look: impl Fn(&Path) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut searched = Vec::new();
        for folder in self.folders(name, unpacked) {
            match look(&folder) {
                Ok(found) => return Ok(found),
                Err(reason) => searched.push(format!("{} ({reason})", folder.display())),
            }
        }
        if self.variable_dir.is_none() {
            searched.push(format!("${DATA_DIR_VARIABLE} (not set)"));
        }
        Err(searched.join(", "))
    }

    fn folders(&self, name: &str, unpacked: Option<&str>) -> Vec<PathBuf> {
        let with_hyphens = name.replace('_', "-");
        let names = [name, &with_hyphens].into_iter().chain(unpacked);
        let mut folders = Vec::new();
        for folder in [&self.data_dir, &self.variable_dir].into_iter().flatten() {
            folders.extend(names.clone().map(|name| folder.join(name)));
            folders.push(folder.clone());
        }
        let fetched = unpacked.unwrap_or(name);
        folders.extend(self.own_dir.iter().map(|folder| folder.join(fetched)));
        folders.push(self.system_dir.join(&with_hyphens));
        let mut distinct: Vec<PathBuf> = Vec::with_capacity(folders.len());
        for folder in folders {
            if !distinct.contains(&folder) {
                distinct.push(folder);
            }
        }
        distinct
    }
}

/// The file to read: the plain one, else the `.gz`, if there is either.
pub(crate) fn existing_file(folder: &Path, file_name: &str) -> io::Result<Option<PathBuf>> {
    // The plain one loads faster.
    for path in [folder.join(file_name), folder.join(format!("{file_name}.gz"))] {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => return Ok(Some(path)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Why the folder will not do; `None` if it has all the files.
fn lack(folder: &Path, files: &[&str]) -> Option<String> {
    match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Some("no such folder".to_owned());
        }
        Err(error) => return Some(format!("cannot be read: {error}")),
        Ok(metadata) if !metadata.is_dir() => return Some("not a folder".to_owned()),
        Ok(_) => {}
    }
    let mut missing = Vec::new();
    for file in files {
        match existing_file(folder, file) {
            Ok(Some(_)) => {}
            Ok(None) => missing.push(*file),
            Err(error) => return Some(format!("cannot be read: {error}")),
        }
    }
    match missing.len() {
        0 => None,
        n_missing if n_missing == files.len() => Some("none of the files".to_owned()),
        _ => Some(format!("lacks {}", missing.join(", "))),
    }
}

#[cfg(test)]
#[path = "locate_tests.rs"]
mod tests;
