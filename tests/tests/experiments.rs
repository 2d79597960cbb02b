//! No number of a published experiment is typed by hand: its commands give every file again.

use std::fs;
use std::path::{Path, PathBuf};

use critbatch_tests::critbatch;
use critbatch_tests::experiments::{published, rebuild};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

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
    // Side by side, for one may compare its records with another's.
    let copies = tempfile::tempdir().unwrap();
    let copy_of = |folder: &Path| copies.path().join(folder.file_name().unwrap());
    for folder in &all {
        // Only what goes into the commands: whatever else is there afterwards, they made.
        let goes_in = |file: &PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name == "README.md" || name.ends_with(".sqlite.gz")
        };
        for file in files(folder).into_iter().filter(goes_in) {
            let copy = copy_of(folder).join(&file);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(folder.join(file), copy).unwrap();
        }
    }
    all.par_iter().for_each(|folder| {
        rebuild(&copy_of(folder)).unwrap();
        // An experiment file is what was asked; its text is in the record and so in the report.
        let is_made = |file: &PathBuf| file.extension().is_none_or(|kind| kind != "toml");
        for file in files(folder).into_iter().filter(is_made) {
            let again = fs::read(copy_of(folder).join(&file)).unwrap_or_default();
            let is_same = again == fs::read(folder.join(&file)).unwrap();
            let (folder, file) = (folder.display(), file.display());
            assert!(is_same, "{folder}: {file} differs; run the example rebuild_experiments");
        }
    });
}

/// The best of the first 30 trials lay on edges of the box, which was widened for it, down to a momentum of
/// 0. Of all trials it is another one.
#[test]
fn best_points_are_judged_in_the_box_of_the_trials_that_count() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let record = root.join("experiments/optimizers_mnist/nesterov_momentum.sqlite.gz");
    let verdicts = |more: &[&str]| {
        let mut command = critbatch();
        let output = command.arg("table").arg(&record).arg("--json").args(more).output().unwrap();
        let table: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let study = table["studies"].as_array().unwrap().iter().find(|s| s["batch_size"] == 32);
        let boundaries = &study.unwrap()["boundaries"];
        ["learning_rate", "momentum"].map(|name| boundaries[name]["verdict"].clone())
    };
    assert_eq!(verdicts(&[]), ["interior", "natural_limit"]);
    assert_eq!(verdicts(&["--trials", "30"]), ["edge_high", "edge_low"]);
}
