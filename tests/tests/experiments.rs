//! No number of a published experiment is typed by hand: its commands give every file again.

use std::fs;
use std::path::{Path, PathBuf};

use critbatch_tests::experiments::{published, rebuild};

/// All files below a folder, relative to it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(folder).expect("it is below").to_owned()),
            }
        }
    }
    found
}

#[test]
fn every_published_file_comes_out_of_its_record_again() {
    let all = published().unwrap();
    assert!(!all.is_empty(), "there are experiments");
    for folder in all {
        let copy = tempfile::tempdir().unwrap();
        let files = files(&folder);
        // Only what goes into the commands: whatever else is there afterwards, they made.
        let goes_in = |file: &&PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name == "README.md" || name.ends_with(".sqlite.gz")
        };
        for file in files.iter().filter(goes_in) {
            fs::create_dir_all(copy.path().join(file).parent().unwrap()).unwrap();
            fs::copy(folder.join(file), copy.path().join(file)).unwrap();
        }
        rebuild(copy.path()).unwrap();
        // An experiment file is what was asked; its text is in the record and so in the report.
        for file in files.iter().filter(|file| file.extension().is_none_or(|kind| kind != "toml")) {
            let again = fs::read(copy.path().join(file)).unwrap_or_default();
            let is_same = again == fs::read(folder.join(file)).unwrap();
            let (folder, file) = (folder.display(), file.display());
            assert!(is_same, "{folder}: {file} differs; run the example rebuild_experiments");
        }
    }
}
