//! Results as text: the table and what it says.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use critbatch_report::format;
use critbatch_tuner::{
    ExperimentSummary, StudySummary, end_of_perfect_scaling, maximum_useful_batch_size,
};

use crate::results::{Results, is_finished, lack};

/// More examples than the fewest, by which perfect scaling is said to end.
pub(crate) const SCALING_TOLERANCE: f64 = 0.2;

/// More steps than the fewest that still count as the fewest.
pub(crate) const USEFUL_TOLERANCE: f64 = 0.1;

/// Rules above and below the header and at the end, none between rows.
pub(crate) const RULED: TableStyle =
    TableStyle::new().top_border(RULE).header_separator(RULE).bottom_border(RULE);

const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// A table of text, for the terminal and for the page.
#[derive(Debug)]
pub(crate) struct Grid {
    /// Names of the columns.
    pub(crate) header: Vec<String>,
    /// As many cells each as there are columns.
    pub(crate) rows: Vec<Vec<String>>,
}

/// One row for each batch size.
pub(crate) fn grid(results: &Results) -> Grid {
    let searched = results.searched();
    let fixed = ["batch size", "steps to result", "examples", "complete", "infeasible", "reached"];
    let columns = fixed.into_iter().chain(searched.iter().copied());
    let row = |study: &StudySummary| {
        let count = |n: Option<u64>| n.map_or("-".to_owned(), format::count);
        let complete = match study.complete < study.trials {
            true => format!("{} of {}", study.complete, study.trials),
            false => study.complete.to_string(),
        };
        let mut row = vec![
            format::count(study.batch_size),
            count(study.steps_to_result),
            count(study.examples),
            complete,
            study.infeasible.to_string(),
            study.reached.to_string(),
        ];
        row.extend(searched.iter().map(|name| parameter(study, name)));
        row
    };
    Grid {
        header: columns.map(str::to_owned).collect(),
        rows: results.summary.studies.iter().map(row).collect(),
    }
}

/// A metaparameter of the trial that got to the goal first.
pub(crate) fn parameter(study: &StudySummary, name: &str) -> String {
    let value = study.parameters.as_ref().and_then(|parameters| parameters.get(name));
    value.map_or("-".to_owned(), |value| format::number(*value))
}

/// The grid as a table for the terminal.
fn draw(grid: &Grid) -> String {
    let mut table = Table::new();
    table.load_style(RULED);
    // A name of two words takes two lines, so that many columns fit a terminal.
    table.set_header(grid.header.iter().map(|name| name.replace(' ', "\n").replace('_', "_\n")));
    table.add_rows(&grid.rows);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// What was measured, the table, and what it says.
pub(crate) fn text(results: &Results) -> String {
    let mut lines = vec![
        format!("{}, steps to {}", format::workload(&results.summary.workload), {
            format::goal(&results.summary.goal)
        }),
        draw(&grid(results)),
    ];
    lines.extend(remarks(results));
    lines.join("\n")
}

/// Batch sizes without a result or with too few trials, and where the regimes end.
pub(crate) fn remarks(results: &Results) -> Vec<String> {
    let studies = &results.summary.studies;
    let mut remarks: Vec<String> = studies.iter().filter_map(remark).collect();
    remarks.extend(ends(&results.summary));
    remarks
}

fn remark(study: &StudySummary) -> Option<String> {
    let batch_size = format::count(study.batch_size);
    if let Some(reason) = lack(study) {
        return Some(format!("no result at batch size {batch_size}: {reason}"));
    }
    let (complete, trials) = (study.complete, study.trials);
    match (is_finished(study), complete < trials) {
        (false, _) => Some(format!(
            "batch size {batch_size} is not finished: {complete} of {trials} trials complete, \
             so its steps may still fall"
        )),
        (true, true) => Some(format!(
            "batch size {batch_size} has only {complete} of {trials} trials complete: {} diverged",
            study.infeasible
        )),
        (true, false) => None,
    }
}

fn ends(summary: &ExperimentSummary) -> Vec<String> {
    let curve = summary.curve();
    if curve.len() < 2 {
        return vec![];
    }
    let end = end_of_perfect_scaling(&curve, SCALING_TOLERANCE).map(|batch_size| {
        let (batch_size, percent) = (format::count(batch_size), SCALING_TOLERANCE * 100.0);
        format!("end of perfect scaling: {batch_size} (within {percent}% of the fewest examples)")
    });
    let useful = maximum_useful_batch_size(&curve, USEFUL_TOLERANCE).map(|batch_size| {
        let (batch_size, percent) = (format::count(batch_size), USEFUL_TOLERANCE * 100.0);
        format!("maximum useful batch size: {batch_size} (within {percent}% of the fewest steps)")
    });
    end.into_iter().chain(useful).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, study};

    fn of(steps: &[(u64, Option<u64>)]) -> Results {
        results(steps.iter().map(|&(batch_size, steps)| study(batch_size, steps)).collect())
    }

    #[test]
    fn the_table_has_searched_metaparameters_and_dashes_for_no_result() {
        let results = of(&[(2, Some(1_000)), (2048, None)]);
        let grid = grid(&results);
        assert_eq!(grid.header.len(), 8);
        assert_eq!(grid.rows[0], ["2", "1,000", "2,000", "16", "3", "5", "0.01235", "0.95"]);
        assert_eq!(grid.rows[1], ["2,048", "-", "-", "16", "3", "0", "-", "-"]);
        let text = text(&results);
        assert!(text.contains("no result at batch size 2,048: none of 16"), "{text}");
    }

    #[test]
    fn studies_short_of_trials_are_pointed_out() {
        let mut short = study(8, Some(10));
        (short.complete, short.trials_exhausted, short.infeasible) = (9, true, 151);
        let remarks = remarks(&results(vec![short]));
        assert_eq!(remarks, ["batch size 8 has only 9 of 16 trials complete: 151 diverged"]);
    }
}
