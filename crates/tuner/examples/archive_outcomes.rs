//! Steps to result of every workload of an archive, as JSON; how long it took, on stderr.
//!
//! ```sh
//! cargo run --release -p critbatch-tuner --example archive_outcomes -- ARCHIVE [--all-trials]
//! ```
//!
//! The goals and the number of trials that count are the paper's, or with `--all-trials` all
//! complete ones. `scripts/archive_pandas.py` prints the same.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use critbatch_tuner::archive::{
    default_goal, default_n_trials, find_workloads, read_outcomes, read_workload,
};
use critbatch_tuner::{Question, StudyOutcomes, TrialStatus, TunerError};

/// Batch size to the result's step and trial id.
type Results = BTreeMap<u64, Option<(u64, u64)>>;

/// What a workload's folder gave: results, trials, omissions.
type Workload = (Results, usize, usize);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let archive = PathBuf::from(arguments.next().ok_or("usage: archive_outcomes ARCHIVE")?);
    let takes_all = arguments.next().as_deref() == Some("--all-trials");
    let start = Instant::now();
    let (mut results, mut n_trials, mut n_omissions) = (BTreeMap::new(), 0, 0);
    for folder in find_workloads(&archive)?.0 {
        let name = folder.strip_prefix(&archive)?.display().to_string();
        if let Some((of_studies, n_read, n_left_out)) = outcomes(&folder, takes_all)? {
            results.insert(name, of_studies);
            n_trials += n_read;
            n_omissions += n_left_out;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{n_trials} trials in {seconds:.3} s, {n_omissions} omissions")?;
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&results)?)?)
}

fn outcomes(folder: &Path, takes_all: bool) -> Result<Option<Workload>, TunerError> {
    let workload = read_workload(folder)?;
    let Some(goal) = default_goal(&workload) else { return Ok(None) };
    let n_counted = default_n_trials(&workload).filter(|_| !takes_all).unwrap_or(u64::MAX);
    let outcomes = read_outcomes(folder, &Question::of_goal(goal))?;
    let result = |study: &StudyOutcomes| (study.facts.batch_size, result(study, n_counted));
    let results = outcomes.studies.iter().map(result).collect();
    let n_trials = outcomes.studies.iter().map(|study| study.trials.len()).sum();
    Ok(Some((results, n_trials, outcomes.omissions.len())))
}

/// The fewest steps of the first `n_counted` complete trials, and the lowest trial id there.
fn result(study: &StudyOutcomes, n_counted: u64) -> Option<(u64, u64)> {
    let complete = study.trials.iter().filter(|t| t.trial.status == TrialStatus::Complete);
    let counted = complete.take(usize::try_from(n_counted).unwrap_or(usize::MAX));
    counted.filter_map(|trial| Some((trial.reached?.step, trial.trial.trial_id))).min()
}
