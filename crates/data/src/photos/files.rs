//! The files of a split, by number: a million names in little memory.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::ImageError;

/// Files that cannot be decoded and are named; more are only counted.
const N_NAMED: usize = 20;

/// Files below one folder.
#[derive(Debug)]
pub(crate) struct PhotoFiles {
    root: PathBuf,
    /// Names below the root, one after another.
    names: String,
    /// Where each ends.
    ends: Vec<usize>,
    n_unreadable: AtomicUsize,
    /// The first file that the system did not give.
    failure: OnceLock<String>,
}

impl PhotoFiles {
    pub(crate) fn new<'a>(root: &Path, files: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut names, mut ends) = (String::new(), vec![]);
        for file in files {
            names.push_str(file);
            ends.push(names.len());
        }
        Self {
            root: root.to_owned(),
            names,
            ends,
            n_unreadable: AtomicUsize::new(0),
            failure: OnceLock::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Name below the root.
    pub(crate) fn name(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.names[start..self.ends[index]]
    }

    pub(crate) fn path(&self, index: usize) -> PathBuf {
        self.root.join(self.name(index))
    }

    pub(crate) fn select(&self, places: &[usize]) -> Self {
        Self::new(&self.root, places.iter().map(|&place| self.name(place)))
    }

    /// The first failure of the system: no word on what a file holds, so that nothing may follow from it.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Says that a file cannot be decoded: by its name, until there are many. Where the system did not give
    /// it, keeps that as a failure.
    pub(crate) fn report(&self, index: usize, error: &ImageError) {
        if let ImageError::IoError(error) = error
            && error.raw_os_error().is_some()
        {
            let path = self.path(index);
            self.failure.get_or_init(|| {
                let path = path.display();
                format!(
                    "cannot read '{path}': {error}; make it readable and run the same command again"
                )
            });
            return;
        }
        let n = self.n_unreadable.fetch_add(1, Ordering::Relaxed) + 1;
        if n <= N_NAMED {
            let path = self.path(index);
            tracing::warn!(
                "{}: cannot be decoded and is left grey: {error}; fetch it again",
                path.display()
            );
        } else if n.is_power_of_two() {
            tracing::warn!(
                "{}: files were read {n} times that cannot be decoded; `critbatch data check` names them",
                self.root.display()
            );
        }
    }
}
