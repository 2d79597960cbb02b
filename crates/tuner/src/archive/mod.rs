//! The format in which the measurements of Shallue et al. 2019 were published, both ways.
//!
//! # Layout
//!
//! ```text
//! [GROUP/]DATASET/MODEL/OPTIMIZER/       a workload
//!     BATCH_SIZE/study.json              what was searched
//!     BATCH_SIZE/TRIAL_ID/metadata.json  metaparameters, status, steps
//!     BATCH_SIZE/TRIAL_ID/measurements.csv
//! ```
//!
//! Folders of studies and trials are named by whole numbers. The authors put some workloads into
//! groups ([`GROUPS`]): a subset of MNIST is another data set than MNIST. So a group is part of the
//! data set's name, as in `mnist_subsets/mnist_6875`, whatever its `study.json` says. All other
//! names are those of `study.json`, so that a workload's folder may be copied and renamed.
//!
//! `measurements.csv` has a column `step` and one for each metric; an empty cell and NaN mean that
//! nothing was measured. A `DISCRETE` metaparameter with one feasible point, and any whose bounds
//! are equal, is [`Fixed`](crate::Scale::Fixed). `train_steps` is 0 where the budget was a time.
//!
//! # What is left out
//!
//! Whatever cannot be read becomes an [`Omission`], and the rest is kept: a bad
//! row leaves out that row, a bad header or `metadata.json` that trial, a bad `study.json` that
//! study. Only a folder without any workload is an error.
//!
//! # Source
//!
//! `batch_science/README.md` and `data_loader.py` of the authors, in google-research.

mod discover;
mod goals;
mod json;
mod measurements;
mod read;
mod workloads;
mod write;

pub use discover::{GROUPS, find_workloads};
pub use goals::{default_goal, default_n_trials};
pub use read::{ArchiveOutcomes, read_outcomes, read_record, read_workload};
pub use workloads::{PaperWorkload, paper_workloads};
pub use write::{Written, workload_folder, write_archive};

use std::path::Path;

use crate::record::Omission;

/// Name of the file that describes a study.
const STUDY_FILE_NAME: &str = "study.json";
/// Name of the file that describes a trial.
const METADATA_FILE_NAME: &str = "metadata.json";
/// Name of the file with a trial's measurements.
const MEASUREMENTS_FILE_NAME: &str = "measurements.csv";

/// Whole numbers up to here are exact in `f64`, in which other programs may have written them.
const LARGEST_COUNT: u64 = 1 << 53;

/// Longest quotation from a file in a message, in characters.
const LONGEST_QUOTATION: usize = 60;

fn omission(path: &Path, line: Option<u64>, problem: impl Into<String>) -> Omission {
    Omission { path: path.to_owned(), line, problem: problem.into() }
}

/// Text of a file as a message may show it: in one line, not endless.
fn quotation(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut quotation: String = text.chars().take(LONGEST_QUOTATION).collect();
    if quotation.len() < text.len() {
        quotation.push_str("...");
    }
    format!("'{}'", quotation.escape_debug())
}
