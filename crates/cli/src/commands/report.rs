//! `critbatch report`: the page, the figures and the tables again.

use std::path::Path;

use crate::args::Report;
use crate::exit::{Exit, UsageError};
use crate::source::Source;
use crate::{console, report};

/// Writes them and prints their paths.
///
/// # Errors
///
/// Where there are no results or the files cannot be written.
pub(crate) fn execute(arguments: &Report) -> anyhow::Result<Exit> {
    let source = Source::open(&arguments.path, &arguments.asked)?;
    for path in report::write(&source, &arguments.asked, directory(arguments, &source)?)? {
        console::print(&path.display().to_string())?;
    }
    Ok(Exit::Done)
}

/// A report goes beside the measurements, but never into somebody's archive or file.
fn directory<'a>(arguments: &'a Report, source: &Source) -> Result<&'a Path, UsageError> {
    match (&arguments.out, &source.provenance) {
        (Some(out), _) => Ok(out),
        (None, Some(_)) if arguments.path.is_dir() => Ok(&arguments.path),
        (None, provenance) => {
            let path = arguments.path.display();
            let what = if provenance.is_some() { "a file" } else { "an archive" };
            Err(UsageError(format!("'{path}' is {what}; give a directory by --out DIR")))
        }
    }
}
