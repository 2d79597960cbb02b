//! The report of an output directory: what is measured there, analysed and drawn.

use std::path::{Path, PathBuf};

use critbatch_report::{REPORT_FILE_NAME, ReportInput};
use critbatch_tuner::{Analysis, AnalysisOptions, Question, Record, Store};

/// Where an output directory's report is.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join(REPORT_FILE_NAME)
}

/// Writes the page, the figures and the tables into the directory; returns their paths.
///
/// # Errors
///
/// Where the store cannot be read or a file not be written.
pub(crate) fn write(store: &Store, directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (record, experiment) = (Record::of_store(store)?, store.experiment()?);
    let question = Question::of_goal(experiment.goal.clone());
    let analysis = Analysis::of(&record, &[question], &AnalysisOptions::default());
    let seed = experiment.search.seed;
    let command = format!("critbatch run experiment.toml --seed {seed} --out DIRECTORY");
    let input = ReportInput {
        record: &record,
        analysis: &analysis,
        experiment: Some(experiment),
        provenance: Some(store.provenance()),
        measure_again: Some(&command),
    };
    Ok(critbatch_report::write(&input, directory)?)
}
