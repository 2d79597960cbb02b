//! `critbatch table`: the results so far.

use crate::args::Table;
use crate::exit::Exit;
use crate::results::Results;
use crate::{console, report, summary};

/// Prints them as a table or as the JSON of `ExperimentSummary`.
///
/// # Errors
///
/// Where there are no results.
pub(crate) fn execute(arguments: &Table) -> anyhow::Result<Exit> {
    let results = Results::read(&arguments.directory)?;
    if arguments.listing.json {
        console::print_json(&results.summary)?;
        return Ok(Exit::Done);
    }
    console::print(&summary::text(&results))?;
    let path = report::path(&arguments.directory);
    if path.is_file() {
        console::print(&format!("report: {}", path.display()))?;
    }
    Ok(Exit::Done)
}
