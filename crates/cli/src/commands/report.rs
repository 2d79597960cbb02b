//! `critbatch report`: the page and the figures again.

use critbatch_tuner::Store;

use crate::args::Report;
use crate::exit::Exit;
use crate::{console, report};

/// Writes them and prints their paths.
///
/// # Errors
///
/// Where there are no results or the files cannot be written.
pub(crate) fn execute(arguments: &Report) -> anyhow::Result<Exit> {
    let directory = &arguments.directory;
    for path in report::write(&Store::open_read_only(directory)?, directory)? {
        console::print(&path.display().to_string())?;
    }
    Ok(Exit::Done)
}
