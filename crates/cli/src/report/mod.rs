//! The report of an experiment: one page that needs nothing but itself, and the figure's files.

mod page;

use std::path::{Path, PathBuf};

use crate::figure::{self, Figure};
use crate::files::write_atomically;
use crate::results::Results;

/// Where an output directory's report is.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("report.html")
}

/// Writes the page and the figures into the results' directory; returns their paths.
///
/// # Errors
///
/// Where a file cannot be written.
pub(crate) fn write(results: &Results) -> anyhow::Result<[PathBuf; 3]> {
    let svg = figure::svg(&Figure::of(&results.summary))?;
    let png = figure::png(&svg)?;
    let figures = results.directory.join("figures");
    let files = [
        (path(&results.directory), page::html(results, &svg).into_bytes()),
        (figures.join("steps_to_result.svg"), svg.into_bytes()),
        (figures.join("steps_to_result.png"), png),
    ];
    for (path, bytes) in &files {
        write_atomically(path, bytes)?;
    }
    Ok(files.map(|(path, _)| path))
}
