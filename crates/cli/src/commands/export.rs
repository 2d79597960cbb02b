//! `critbatch export`: an experiment directory as one file, or as a workload of a published archive.

use critbatch_report::format;
use critbatch_tuner::archive::write_archive;
use critbatch_tuner::{COMPRESSED_STORE_SUFFIX, Record};

use crate::args::Export;
use crate::exit::Exit;
use crate::{console, source};

/// Writes the measurements and prints where they are and how many.
///
/// # Errors
///
/// Where there are no results, or the archive cannot be written or already has the workload.
pub(crate) fn execute(arguments: &Export) -> anyhow::Result<Exit> {
    let store = source::open_store(&arguments.directory)?;
    if arguments.to.to_string_lossy().ends_with(COMPRESSED_STORE_SUFFIX) {
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
