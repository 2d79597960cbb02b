//! `critbatch report`: the page, the figures and the tables again.

use std::path::Path;

use critbatch_report::format;
use critbatch_tuner::{Question, STORE_FILE_NAME, StudyOutcomes};

use crate::args::Report;
use crate::exit::{Exit, UsageError};
use crate::source::Source;
use crate::{console, report};

/// Writes them and prints their paths.
///
/// # Errors
///
/// Where there are no results, or none at the batch size at which learning-rate rules are to be anchored,
/// or the files cannot be written.
pub(crate) fn execute(arguments: &Report) -> anyhow::Result<Exit> {
    let Report { path, asked, base_batch_size, .. } = arguments;
    let source = Source::open(path, asked)?;
    if let Some(batch_size) = *base_batch_size {
        let questions = source.questions(asked)?;
        questions.iter().try_for_each(|question| expect_base(&source, question, batch_size))?;
    }
    for path in report::write(&source, asked, &arguments.options(), directory(arguments, &source)?)?
    {
        console::print(&path.display().to_string())?;
    }
    Ok(Exit::Done)
}

/// Sees to it that learning-rate rules can be anchored at a batch size: that it has a result, and with it
/// a learning rate.
fn expect_base(source: &Source, question: &Question, batch_size: u64) -> Result<(), UsageError> {
    let studies = source.record.outcomes(question);
    let has_rate =
        |study: &&StudyOutcomes| study.result().and_then(|r| r.effective_learning_rate).is_some();
    let possible: Vec<u64> =
        studies.iter().filter(has_rate).map(|study| study.facts.batch_size).collect();
    if possible.contains(&batch_size) {
        return Ok(());
    }
    let other = match possible.is_empty() {
        true => ", and no other batch size has one with a learning rate".to_owned(),
        false => format!("; those that have one: {}", format::counts(possible)),
    };
    let (batch_size, question) = (format::count(batch_size), format::question(question));
    Err(UsageError(format!("--base-batch-size {batch_size} has no result for {question}{other}")))
}

/// A report goes beside the measurements, but never into somebody's archive or file, nor beside others.
fn directory<'a>(arguments: &'a Report, source: &Source) -> Result<&'a Path, UsageError> {
    match (&arguments.out, &source.provenance) {
        (Some(out), _) if out.join(STORE_FILE_NAME).exists() && !is_same(out, &arguments.path) => {
            let out = out.display();
            Err(UsageError(format!(
                "'{out}' holds the measurements and the report of a run; give another directory by --out DIR"
            )))
        }
        (Some(out), _) => Ok(out),
        (None, Some(_)) if arguments.path.is_dir() => Ok(&arguments.path),
        (None, provenance) => {
            let path = arguments.path.display();
            let what = if provenance.is_some() { "a file" } else { "an archive" };
            Err(UsageError(format!("'{path}' is {what}; give a directory by --out DIR")))
        }
    }
}

/// Whether two paths lead to the same place.
fn is_same(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| path.canonicalize().ok());
    one.is_some() && one == other
}
