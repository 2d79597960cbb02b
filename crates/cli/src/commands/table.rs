//! `critbatch table`: the results so far.

use critbatch_tuner::GoalAnalysis;

use crate::args::Table;
use crate::exit::Exit;
use crate::source::Answers;
use crate::{console, report, summary};

/// Prints them as a table, or one line of JSON for each workload and goal.
///
/// # Errors
///
/// Where there are no results.
pub(crate) fn execute(arguments: &Table) -> anyhow::Result<Exit> {
    let all = Answers::read(&arguments.path, &arguments.asked)?;
    let mut has_doubts = false;
    for (index, answers) in all.iter().enumerate() {
        let options = arguments.asked.options();
        let analysis = GoalAnalysis::of(&answers.studies, &answers.question, &options);
        has_doubts |= analysis.warnings().next().is_some();
        if arguments.listing.json {
            console::print_json(&summary::Json::of(answers, &analysis, &options))?;
            continue;
        }
        let separator = if index > 0 { "\n" } else { "" };
        console::print(&format!("{separator}{}", summary::text(answers, &analysis, &options)))?;
    }
    let path = report::path(&arguments.path);
    if path.is_file() && !arguments.listing.json {
        console::print(&format!("report: {}", path.display()))?;
    }
    Ok(Exit::of_results(arguments.strict, has_doubts))
}
