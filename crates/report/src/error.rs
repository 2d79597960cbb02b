//! Everything that can go wrong while a report is written, each in one line.

use std::path::PathBuf;

/// An error of the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file or folder that the operating system refuses.
    #[error("cannot write '{}'; see to its disk and permissions, or choose another directory", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A figure that could not become an SVG drawing or a PNG picture.
    #[error("cannot draw the figure '{figure}': {problem}")]
    Figure {
        /// Its name.
        figure: String,
        /// What was found.
        problem: String,
    },
    /// A table that could not become a file.
    #[error("cannot write the table '{table}' as {format}: {problem}")]
    Table {
        /// Its name.
        table: String,
        /// `CSV` or `Parquet`.
        format: &'static str,
        /// What was found.
        problem: String,
    },
}
