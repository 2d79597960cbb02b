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

/// A report goes beside the measurements, but never into somebody's archive.
fn directory<'a>(arguments: &'a Report, source: &Source) -> Result<&'a Path, UsageError> {
    match (&arguments.out, &source.provenance) {
        (Some(out), _) => Ok(out),
        (None, Some(_)) => Ok(&arguments.path),
        (None, None) => {
            let path = arguments.path.display();
            Err(UsageError(format!("'{path}' is an archive; give a directory by --out DIR")))
        }
    }
}
