//! `critbatch sample`: the points of a study, without training.

use anyhow::Context;
use critbatch_models::workload_facts;
use critbatch_report::format;
use critbatch_tuner::{CheckedExperiment, Experiment, Parameters, SamplerKind, StudySampler};
use serde::Serialize;

use super::run::read_experiment;
use super::session::measured;
use crate::args::Sample;
use crate::console;
use crate::exit::{Exit, UsageError};
use crate::ruled;

/// The points of one study.
#[derive(Debug, Serialize)]
struct Points {
    batch_size: u64,
    sampler: SamplerKind,
    seed: u64,
    /// Metaparameters of the trials 0, 1, 2, ...; each has all that the workload has.
    points: Vec<Parameters>,
}

/// Prints them: the metaparameters that the first trials of a run have, bit for bit.
///
/// # Errors
///
/// Whatever is wrong with the file, or a batch size that is not the experiment's.
pub(crate) fn execute(arguments: &Sample) -> anyhow::Result<Exit> {
    let experiment = checked(arguments)?;
    let batch_size = batch_size(&arguments.batch_size, &experiment)?;
    let search = &experiment.search;
    let sampler = StudySampler::new(search, &experiment.spaces[&batch_size], batch_size);
    let n_points = arguments.n_points.unwrap_or(search.n_trials);
    let points = Points {
        batch_size,
        sampler: search.sampler,
        seed: search.seed,
        points: (0..n_points).map(|trial_id| sampler.parameters(trial_id)).collect(),
    };
    match (arguments.csv, arguments.listing.json) {
        (true, _) => console::print(&csv(&points))?,
        (_, true) => console::print_json(&points)?,
        _ => console::print(&text(&points))?,
    }
    Ok(Exit::Done)
}

fn checked(arguments: &Sample) -> anyhow::Result<CheckedExperiment> {
    let source_name = arguments.experiment.display().to_string();
    let mut experiment = Experiment::parse(&read_experiment(&arguments.experiment)?, &source_name)?;
    if let Some(seed) = arguments.seed {
        experiment.search.seed = seed;
    }
    let measured = measured(&experiment.evaluation);
    let workload = &experiment.workload;
    let names = [&workload.dataset, &workload.model, &workload.optimizer].map(String::as_str);
    let facts = workload_facts(names, measured).context(source_name)?;
    Ok(experiment.check(&facts)?)
}

/// The batch size of a word on the command line.
fn batch_size(word: &str, experiment: &CheckedExperiment) -> Result<u64, UsageError> {
    let batch_size = match word {
        "full" => Some(experiment.n_train),
        number => number.parse().ok(),
    };
    batch_size.filter(|size| experiment.spaces.contains_key(size)).ok_or_else(|| {
        let sizes: Vec<String> = experiment.spaces.keys().map(u64::to_string).collect();
        UsageError(format!(
            "batch size '{word}' is none of the experiment's; give one of {}",
            sizes.join(", ")
        ))
    })
}

/// The names, then a row a point, in the shortest digits that read back as the same number.
fn csv(points: &Points) -> String {
    let header = points
        .points
        .first()
        .into_iter()
        .map(|point| point.keys().map(String::as_str).collect::<Vec<_>>().join(","));
    let rows = points
        .points
        .iter()
        .map(|point| point.values().map(f64::to_string).collect::<Vec<_>>().join(","));
    header.chain(rows).collect::<Vec<_>>().join("\n")
}

fn text(points: &Points) -> String {
    let names = points.points.first().into_iter().flat_map(Parameters::keys);
    let header: Vec<&str> = std::iter::once("trial").chain(names.map(String::as_str)).collect();
    let mut table = ruled::table(header);
    for (trial_id, point) in points.points.iter().enumerate() {
        let values = point.values().map(|value| format::number(*value));
        table.add_row(std::iter::once(trial_id.to_string()).chain(values));
    }
    ruled::numbers(table)
}
