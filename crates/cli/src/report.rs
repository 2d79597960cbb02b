//! The report of what a path holds, analysed and drawn.

use std::path::{Path, PathBuf};

use critbatch_report::REPORT_FILE_NAME;
use critbatch_tuner::{Analysis, AnalysisOptions, Question};

use crate::args::Asked;
use crate::source::{Source, easier_goals};

/// Where a directory's report is.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join(REPORT_FILE_NAME)
}

/// Writes the page, the figures and the tables into a directory; returns their paths.
///
/// # Errors
///
/// Where no goal is known, or a file cannot be written.
pub(crate) fn write(
    source: &Source,
    asked: &Asked,
    options: &AnalysisOptions,
    directory: &Path,
) -> anyhow::Result<Vec<PathBuf>> {
    let record = &source.record;
    let mut questions = source.questions(asked)?;
    if let ([only], true) = (&questions[..], asked.names_no_goal()) {
        let easier = easier_goals(&only.goal).into_iter().filter(|goal| record.can_answer(goal));
        let easier = easier.map(|goal| Question { goal, ..only.clone() });
        // One that is met before training, as by guessing, says nothing.
        let takes_training = |question: &Question| {
            let results = record.outcomes(question);
            results.iter().all(|study| study.result().is_none_or(|result| result.steps > 0))
        };
        let easier: Vec<Question> = easier.filter(takes_training).collect();
        questions.extend(easier);
    }
    let analysis = Analysis::of(record, &questions, options);
    Ok(critbatch_report::write(&source.with_analysis(&analysis), directory)?)
}
