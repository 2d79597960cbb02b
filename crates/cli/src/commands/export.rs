//! `critbatch export`: an experiment directory as one file, or as a workload of a published archive.

use std::path::Path;

use critbatch_report::format;
use critbatch_tuner::archive::write_archive;
use critbatch_tuner::{COMPRESSED_STORE_SUFFIX, Record};

use crate::args::Export;
use crate::exit::{Exit, UsageError};
use crate::{console, source};

/// What only files are called.
const FILE_EXTENSIONS: [&str; 6] = ["sqlite", "gz", "db", "zip", "tar", "csv"];

/// Writes the measurements and prints where they are and how many.
///
/// # Errors
///
/// Where there are no results, or the archive cannot be written or already has the workload.
pub(crate) fn execute(arguments: &Export) -> anyhow::Result<Exit> {
    check_target(&arguments.to)?;
    let store = source::open_store(&arguments.directory)?;
    if is_compressed_store(&arguments.to) {
        store.write_compressed(&arguments.to)?;
        console::print(&format!("exported to '{}'", arguments.to.display()))?;
        return Ok(Exit::Done);
    }
    let record = Record::of_store(&store)?;
    let written = write_archive(&record, &arguments.to)?;
    if written.n_repeats_left_out > 0 {
        let n_repeats = format::count(written.n_repeats_left_out);
        console::line(&format!("left out: {n_repeats} repeats, which an archive has no place for"));
    }
    console::print(&format!(
        "exported to '{}': {} studies, {} trials, {} rows",
        written.directory.display(),
        format::count(written.n_studies),
        format::count(written.n_trials),
        format::count(written.n_rows),
    ))?;
    Ok(Exit::Done)
}

/// Refuses what looks like a file but is not named as one, and a file in a folder that is not there.
fn check_target(to: &Path) -> Result<(), UsageError> {
    let shown = to.display();
    let refused = |why: String| Err(UsageError(format!("cannot export to '{shown}': {why}")));
    if is_compressed_store(to) {
        // A bare name has the empty path as its parent: the working directory.
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        return match parent {
            Some(parent) if !parent.is_dir() => {
                refused(format!("there is no folder '{}'", parent.display()))
            }
            _ => Ok(()),
        };
    }
    let extension = to.extension().unwrap_or_default().to_string_lossy();
    if FILE_EXTENSIONS.contains(&extension.as_ref()) && !to.is_dir() {
        return refused(format!(
            "the name of one file has to end in '{COMPRESSED_STORE_SUFFIX}'; an archive is a folder"
        ));
    }
    Ok(())
}

fn is_compressed_store(to: &Path) -> bool {
    to.to_string_lossy().ends_with(COMPRESSED_STORE_SUFFIX)
}
