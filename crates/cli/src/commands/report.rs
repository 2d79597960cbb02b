//! `critbatch report`: the page and the figures again.

use crate::args::Report;
use crate::exit::Exit;
use crate::results::Results;
use crate::{console, report};

/// Writes them and prints their paths.
///
/// # Errors
///
/// Where there are no results or the files cannot be written.
pub(crate) fn execute(arguments: &Report) -> anyhow::Result<Exit> {
    for path in report::write(&Results::read(&arguments.directory)?)? {
        console::print(&path.display().to_string())?;
    }
    Ok(Exit::Done)
}
