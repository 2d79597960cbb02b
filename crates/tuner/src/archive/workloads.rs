//! The workloads of the paper, by the names and batch sizes of its archive.
//!
//! `workloads.csv` has a row for each: the folders of the archive, as its README lists them.

use crate::experiment::Workload;

const TABLE: &str = include_str!("workloads.csv");

/// A workload of the paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperWorkload {
    /// Its names; those of the groups are part of the data set's.
    pub workload: Workload,
    /// The batch sizes of its studies, ascending.
    pub batch_sizes: Vec<u64>,
}

/// All workloads of the paper, in the order of their names.
#[must_use]
pub fn paper_workloads() -> Vec<PaperWorkload> {
    TABLE.lines().skip(1).filter_map(parse).collect()
}

fn parse(line: &str) -> Option<PaperWorkload> {
    let mut cells = line.split(',').map(str::to_owned);
    let (dataset, model, optimizer) = (cells.next()?, cells.next()?, cells.next()?);
    let sizes = cells.next()?;
    let batch_sizes = sizes.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(PaperWorkload { workload: Workload { dataset, model, optimizer }, batch_sizes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::default_goal;

    #[test]
    fn every_row_is_a_workload_with_ascending_batch_sizes() {
        let all = paper_workloads();
        assert_eq!((all.len(), TABLE.lines().count()), (35, 36));
        for PaperWorkload { workload, batch_sizes } in &all {
            assert!(batch_sizes.len() >= 5, "{workload:?}");
            assert!(batch_sizes.is_sorted_by(|a, b| a < b), "{workload:?}");
            let is_quality = workload.dataset.starts_with("solution_quality/");
            assert_eq!(default_goal(workload).is_none(), is_quality, "{workload:?}");
        }
        let n_studies: usize = all.iter().map(|workload| workload.batch_sizes.len()).sum();
        assert_eq!(n_studies, 454, "rows of the archive's table");
    }
}
