//! Archives shaped like the one published with the paper: its workloads, batch sizes, trials per
//! status and metrics, at any scale, with made-up measurements.
//!
//! `workloads.csv` has the trials per study and status of the authors' README. At scale 1 that is
//! 454 studies in 35 workloads and 194,399 trials of 368 measurements on average: the 71.6 million of
//! the paper's abstract. Files look as the authors' do (Python's JSON, `_internal_*` keys,
//! evaluations at uneven steps) and are written here and not by critbatch, so that reading them
//! tests the reader alone.

mod trial;

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use rayon::prelude::*;

use trial::Random;

/// Trials of each study by status: data set, model, optimizer, batch size, complete, incomplete,
/// infeasible.
const WORKLOADS: &str = include_str!("workloads.csv");

/// What was generated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generated {
    /// Studies.
    pub n_studies: u64,
    /// Trials.
    pub n_trials: u64,
    /// Rows of measurements.
    pub n_rows: u64,
}

/// One study of the archive.
struct Study {
    dataset: &'static str,
    model: &'static str,
    optimizer: &'static str,
    batch_size: u64,
    /// Complete, incomplete, infeasible.
    n_trials: [u64; 3],
}

/// Writes an archive below `directory`, with `scale` times as many trials as the authors'. All
/// workloads and studies are there at any scale; the same seed gives the same bytes.
///
/// # Errors
///
/// Where the directory cannot be written.
pub fn generate(directory: &Path, scale: f64, seed: u64) -> io::Result<Generated> {
    let studies = studies(scale);
    let results = studies.par_iter().enumerate().map(|(index, study)| {
        let n_rows = write_study(directory, study, &mut Random::new(seed, index as u64))?;
        let n_trials = study.n_trials.iter().sum();
        Ok(Generated { n_studies: 1, n_trials, n_rows })
    });
    results.try_reduce(Generated::default, |a, b| {
        Ok(Generated {
            n_studies: a.n_studies + b.n_studies,
            n_trials: a.n_trials + b.n_trials,
            n_rows: a.n_rows + b.n_rows,
        })
    })
}

fn studies(scale: f64) -> Vec<Study> {
    let mut n_before = [0_u64; 3];
    let study = |line: &'static str| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |column: usize| -> u64 { cells[column].parse().expect("a number") };
        // Rounding what was before rounds the total, not each study.
        let scaled = |status: usize| {
            let scaled = |n: u64| (n as f64 * scale) as u64;
            scaled(n_before[status] + number(4 + status)) - scaled(n_before[status])
        };
        let n_trials = [0, 1, 2].map(scaled);
        (0..3).for_each(|status| n_before[status] += number(4 + status));
        let [dataset, model, optimizer] = [cells[0], cells[1], cells[2]];
        Study { dataset, model, optimizer, batch_size: number(3), n_trials }
    };
    WORKLOADS.lines().skip(1).map(study).collect()
}

fn write_study(directory: &Path, study: &Study, random: &mut Random) -> io::Result<u64> {
    let Study { dataset, model, optimizer, batch_size, .. } = study;
    let folder = directory.join(dataset).join(model).join(optimizer).join(batch_size.to_string());
    fs::create_dir_all(&folder)?;
    let train_steps = (1 << 22) / batch_size.next_power_of_two().min(1 << 12);
    fs::write(folder.join("study.json"), study_json(study, train_steps))?;
    let mut left = study.n_trials;
    let (mut n_rows, n_trials) = (0, left.iter().sum::<u64>());
    for trial_id in 0..n_trials {
        let mut ticket = random.below(n_trials - trial_id);
        let status = (0..3).find(|status| {
            let is_here = ticket < left[*status];
            ticket = ticket.wrapping_sub(left[*status]);
            is_here
        });
        let status = status.expect("as many tickets as trials are left");
        left[status] -= 1;
        let folder = folder.join(trial_id.to_string());
        fs::create_dir(&folder)?;
        let shape = trial::Shape::of(dataset, model);
        let (measurements, n_trial_rows, steps) =
            trial::measurements(&shape, train_steps, status == 2, random);
        let metadata = metadata_json(study, trial_id, status, steps, train_steps, random);
        fs::write(folder.join("metadata.json"), metadata)?;
        fs::write(folder.join("measurements.csv"), measurements)?;
        n_rows += n_trial_rows;
    }
    Ok(n_rows)
}

/// Metaparameter, type, scale, bounds of a study, in the file's order.
fn searched(study: &Study, train_steps: u64) -> Vec<(&'static str, &'static str, f64, f64)> {
    let mut searched = vec![
        ("end_learning_rate_factor", "LOG_SCALE", 0.0001, 0.1),
        ("learning_rate", "LOG_SCALE", 0.0001, 10.0),
        ("learning_rate_decay_steps", "", (train_steps / 2) as f64, train_steps as f64),
    ];
    if study.optimizer.contains("momentum") {
        searched.push(("momentum", "REVERSE_LOG_SCALE", 0.9, 0.9999));
    }
    searched
}

/// As Python 2 wrote it: with spaces at the ends of lines.
fn study_json(study: &Study, train_steps: u64) -> String {
    let mut configs = vec![];
    for (name, scale, lo, hi) in searched(study, train_steps) {
        let kind = if scale.is_empty() { "INTEGER" } else { "DOUBLE" };
        configs.push(format!(
            "    \"{name}\": {{\n      \"max_value\": {hi}, \n      \"min_value\": {lo}, \n      \
             \"scale\": \"{scale}\", \n      \"type\": \"{kind}\"\n    }}"
        ));
    }
    if study.model == "resnet_50" {
        configs.push(
            "    \"label_smoothing\": {\n      \"feasible_points\": [\n        0.0, \n        \
             0.01, \n        0.1\n      ], \n      \"type\": \"DISCRETE\"\n    }"
                .to_owned(),
        );
    }
    let dataset = study.dataset.rsplit('/').next().unwrap_or_default();
    let Study { batch_size, model, optimizer, .. } = study;
    format!(
        "{{\n  \"batch_size\": {batch_size}, \n  \"dataset\": \"{dataset}\", \n  \
         \"early_stopping\": false, \n  \"model\": \"{model}\", \n  \
         \"optimizer\": \"{optimizer}\", \n  \"parameter_configs\": {{\n{}\n  }}, \n  \
         \"train_steps\": {train_steps}\n}}",
        configs.join(", \n")
    )
}

fn metadata_json(
    study: &Study,
    trial_id: u64,
    status: usize,
    steps: u64,
    train_steps: u64,
    random: &mut Random,
) -> String {
    let mut parameters = String::new();
    for (name, scale, lo, hi) in searched(study, train_steps) {
        let u = random.unit();
        let value = match scale {
            "LOG_SCALE" => lo * (hi / lo).powf(u),
            "REVERSE_LOG_SCALE" => 1.0 - (1.0 - lo) * ((1.0 - hi) / (1.0 - lo)).powf(u),
            _ => (lo + u * (hi - lo)).floor(),
        };
        writeln!(parameters, "    \"{name}\": {value}, ").expect("text takes any text");
    }
    if study.model == "resnet_50" {
        let value = ["0.0", "0.01", "0.1"][random.below(3) as usize];
        writeln!(parameters, "    \"label_smoothing\": {value}, ").expect("text takes any text");
    }
    let status = ["COMPLETE", "INCOMPLETE", "INFEASIBLE"][status];
    format!(
        "{{\n  \"_internal_study_name\": \"made-up\", \n  \"_internal_trial_id\": {trial_id}, \n  \
         \"parameters\": {{\n{}\n  }}, \n  \"status\": \"{status}\", \n  \"steps\": {steps}, \n  \
         \"trial_id\": {trial_id}\n}}",
        parameters.trim_end_matches(", \n")
    )
}
