//! The paper's goal of each of its workloads, for who names no goal.
//!
//! `goals.csv` has a row for each workload: metric, side and threshold of the goal, the complete
//! trials per study that the figure uses (the first ones by id), and the figure of the paper. It is
//! the goal of figure 1, of the workload's own panel otherwise; a workload drawn with several has
//! the one that its model comparison or, for the base network, its optimizer comparison uses. The
//! numbers are those of the authors' plotting notebook `reproduce_paper_plots.ipynb`. The
//! `solution_quality` workloads have no goal: they were trained to the end.

use crate::experiment::{Goal, Threshold, Workload};

const TABLE: &str = include_str!("goals.csv");

/// A row of the table.
struct Row {
    goal: Goal,
    n_trials: u64,
}

fn row(workload: &Workload) -> Option<Row> {
    let of_line = |line: &str| {
        let mut cells = line.split(',');
        let mut is_next = |name: &str| cells.next() == Some(name);
        if !(is_next(&workload.dataset) && is_next(&workload.model) && is_next(&workload.optimizer))
        {
            return None;
        }
        let (metric, side) = (cells.next()?.to_owned(), cells.next()?);
        let threshold = cells.next()?.parse().ok()?;
        let threshold = match side {
            "above" => Threshold::Above(threshold),
            _ => Threshold::Below(threshold),
        };
        Some(Row { goal: Goal { metric, threshold }, n_trials: cells.next()?.parse().ok()? })
    };
    TABLE.lines().skip(1).find_map(of_line)
}

/// The paper's goal of a workload, named as in the archive; `None` if it has none there.
#[must_use]
pub fn default_goal(workload: &Workload) -> Option<Goal> {
    row(workload).map(|row| row.goal)
}

/// How many complete trials of each study the paper's figures use, the first ones by id; `None`
/// for a workload without a goal there.
#[must_use]
pub fn default_n_trials(workload: &Workload) -> Option<u64> {
    row(workload).map(|row| row.n_trials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_workload() {
        let (mut n_above, mut n_few) = (0, 0);
        for line in TABLE.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), 8, "{line}");
            let [dataset, model, optimizer] = [0, 1, 2].map(|index| cells[index].to_owned());
            let row = row(&Workload { dataset, model, optimizer }).expect("its own row");
            assert_eq!(row.goal.metric, cells[3]);
            n_above += u32::from(matches!(row.goal.threshold, Threshold::Above(_)));
            n_few += u32::from(row.n_trials == 50);
            assert!(row.n_trials == 100 || row.n_trials == 50, "{line}");
        }
        // 35 workloads without the two of solution quality; one average precision; three of 50.
        assert_eq!((TABLE.lines().count(), n_above, n_few), (34, 1, 3));
    }

    #[test]
    fn groups_are_part_of_the_name() {
        let goal = |dataset: &str| {
            default_goal(&Workload {
                dataset: dataset.to_owned(),
                model: "simple_cnn_base".to_owned(),
                optimizer: "nesterov_momentum".to_owned(),
            })
        };
        let threshold = |dataset| goal(dataset).map(|goal| goal.threshold);
        assert_eq!(threshold("mnist"), Some(Threshold::Below(0.01)));
        assert_eq!(threshold("mnist_subsets/mnist_6875"), Some(Threshold::Below(0.02)));
        assert_eq!(threshold("mnist_6875"), None);
        assert_eq!(threshold("solution_quality/mnist"), None);
    }
}
