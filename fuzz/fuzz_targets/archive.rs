//! An archive of one study and one trial: `study.json`, `metadata.json` and `measurements.csv`, each ended
//! by a zero byte; what can be read is analysed.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::{env, fs, process};

use critbatch_tuner::archive::{read_outcomes, read_record};
use critbatch_tuner::{Analysis, AnalysisOptions, Goal, Question, Threshold};

/// The folder of this process, in memory where there is such a place.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { env::temp_dir() };
    let folder = parent.join(format!("critbatch-fuzz-archive-{}", process::id()));
    fs::create_dir_all(folder.join("64").join("0")).expect("a folder can be made");
    folder
});

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let mut parts = content.split(|&byte| byte == 0);
    let study = FOLDER.join("64");
    for path in ["study.json", "0/metadata.json", "0/measurements.csv"] {
        fs::write(study.join(path), parts.next().unwrap_or_default()).expect("a file can be written");
    }
    let metric = "val/classification_error".to_owned();
    let question = Question::of_goal(Goal { metric, threshold: Threshold::Below(0.5) });
    if let Ok(record) = read_record(&FOLDER) {
        let answers = read_outcomes(&FOLDER, &question).expect("a record could be read");
        assert_eq!(record.outcomes(&question).len(), answers.studies.len());
        let _ = Analysis::of(&record, &[question], &AnalysisOptions::default());
    }
});
