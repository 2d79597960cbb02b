//! What critbatch measured, drawn: figures, tables and the page.
//!
//! Numbers come from the tuner's analysis; nothing is computed here but where things are drawn.
//!
//! 1. `content` makes a page of text, [`figure`]s and [`Table`]s of a [`ReportInput`], a file a
//!    section;
//! 2. `figure::draw` makes an SVG drawing of each figure, and `figure::raster` its pixels;
//! 3. `page` writes it all: `report.html`, which needs nothing but itself, `figures/` and `tables/`.

mod content;
mod error;
pub mod figure;
mod files;
pub mod format;
mod page;
mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;

use std::path::{Path, PathBuf};

pub use content::{ComparisonInput, ReportInput};
pub use error::ReportError;
pub use files::write_atomically;
pub use table::{Cells, Column, Table};

/// Name of the report's page, in an experiment's directory.
pub const REPORT_FILE_NAME: &str = "report.html";

/// Name of a comparison's page, in its directory.
pub const COMPARISON_FILE_NAME: &str = "comparison.html";

/// Writes the report of an experiment into a directory: the page, and every figure and table of it.
/// Returns the paths, the page first. What an earlier report left there under other names stays, but for
/// the same figures and tables of further goals, which are removed.
///
/// # Errors
///
/// Where a file cannot be written.
pub fn write(input: &ReportInput<'_>, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    page::write(content::page(input), REPORT_FILE_NAME, directory)
}

/// Writes a comparison of experiments into a directory, as [`write`](fn@write) does a report.
///
/// # Errors
///
/// Where a file cannot be written.
pub fn write_comparison(
    input: &ComparisonInput<'_>,
    directory: &Path,
) -> Result<Vec<PathBuf>, ReportError> {
    page::write(content::comparison_page(input), COMPARISON_FILE_NAME, directory)
}
