//! An experiment against its workload: names, batch sizes, metrics and metaparameters.

use std::collections::BTreeMap;

use super::document::{Located, Result, unknown_key};
use super::{CheckedExperiment, Experiment, Problem, Split, budget};
use crate::space::{Scale, Space};
use crate::trainer::{Metaparameter, WorkloadFacts};

pub(super) fn experiment(
    experiment: &Experiment,
    facts: &WorkloadFacts,
) -> Result<CheckedExperiment> {
    workload(experiment, facts)?;
    metrics(experiment, facts)?;
    let space = space(experiment, &facts.metaparameters)?;
    let budget_steps = budget_steps(experiment, facts.n_train)?;
    Ok(CheckedExperiment {
        workload: experiment.workload.clone(),
        n_train: facts.n_train,
        goal: experiment.goal.clone(),
        search: experiment.search.clone(),
        spaces: budget_steps.keys().map(|batch_size| (*batch_size, space.clone())).collect(),
        budget_steps,
        stop: experiment.stop,
        evaluation: experiment.evaluation.clone(),
    })
}

fn refused(
    experiment: &Experiment,
    key: &str,
    found: impl ToString,
    expected: impl ToString,
) -> Located {
    let (found, expected) = (found.to_string(), expected.to_string());
    let problem = Problem::Value { key: key.to_owned(), found, expected };
    Located::new(experiment.source.line(key), problem)
}

fn workload(experiment: &Experiment, facts: &WorkloadFacts) -> Result<()> {
    let workload = &experiment.workload;
    let names = [
        ("workload.dataset", &workload.dataset, &facts.dataset),
        ("workload.model", &workload.model, &facts.model),
        ("workload.optimizer", &workload.optimizer, &facts.optimizer),
    ];
    match names.into_iter().find(|(_, found, expected)| found != expected) {
        None => Ok(()),
        Some((key, found, expected)) => {
            Err(refused(experiment, key, format!("'{found}'"), format!("'{expected}'")))
        }
    }
}

fn metrics(experiment: &Experiment, facts: &WorkloadFacts) -> Result<()> {
    let splits = &experiment.evaluation.splits;
    for (name, split) in Split::NAMES.iter().filter(|(_, split)| splits.contains(split)) {
        if !facts.metrics.iter().any(|metric| Split::of_metric(metric) == Some(*split)) {
            let expected = "splits on which the workload has metrics";
            return Err(refused(experiment, "evaluation.splits", format!("'{name}'"), expected));
        }
    }
    let metric = &experiment.goal.metric;
    if facts.metrics.contains(metric) {
        return Ok(());
    }
    let is_goal = |metric: &&String| Split::of_metric(metric) != Some(Split::Test);
    let accepted: Vec<&str> = facts.metrics.iter().filter(is_goal).map(String::as_str).collect();
    let expected = format!("one of {}", accepted.join(", "));
    Err(refused(experiment, "goal.metric", format!("'{metric}'"), expected))
}

fn budget_steps(experiment: &Experiment, n_train: u64) -> Result<BTreeMap<u64, u64>> {
    let mut budget_steps = BTreeMap::new();
    for (index, batch_size) in experiment.batch_sizes.iter().enumerate() {
        let listed = format!("batch_sizes.list[{index}]");
        let n_examples = batch_size.resolve(n_train);
        if n_examples > n_train {
            let expected = format!("at most {n_train}, the examples of the training set");
            return Err(refused(experiment, &listed, n_examples, expected));
        }
        let steps = budget::resolve(&experiment.budget, *batch_size, n_train)
            .map_err(|problem| Located::new(experiment.source.line("budget"), problem))?;
        if budget_steps.insert(n_examples, steps).is_some() {
            let expected = format!("each batch size once; 'full' is {n_train}");
            return Err(refused(experiment, &listed, batch_size, expected));
        }
    }
    Ok(budget_steps)
}

/// The search space with every metaparameter of the workload in it.
fn space(experiment: &Experiment, metaparameters: &[Metaparameter]) -> Result<Space> {
    let given = &experiment.space.scales;
    let names: Vec<&str> = metaparameters.iter().map(|known| known.name).collect();
    let line = |name: &str| experiment.source.line(&format!("search.space.{name}"));
    let unknown = given.keys().filter(|name| !names.contains(&name.as_str()));
    if let Some(name) = unknown.min_by_key(|name| line(name)) {
        return Err(unknown_key(name, "[search.space]", &names, line(name)));
    }
    let mut scales = BTreeMap::new();
    for known in metaparameters {
        let scale = match (given.get(known.name), known.default) {
            (Some(scale), _) => {
                in_range(experiment, known, scale)?;
                scale.clone()
            }
            (None, Some(default)) => Scale::Fixed(default),
            (None, None) => return Err(missing(experiment, known)),
        };
        scales.insert(known.name.to_owned(), scale);
    }
    Ok(Space { scales })
}

fn missing(experiment: &Experiment, metaparameter: &Metaparameter) -> Located {
    let problem = Problem::MissingKey {
        key: metaparameter.name.to_owned(),
        section: "[search.space]".to_owned(),
        expected: format!(
            "a scale such as {{ log = [1e-4, 1.0] }} or a number for the {}",
            metaparameter.description
        ),
    };
    Located::new(experiment.source.line("search.space"), problem)
}

fn in_range(experiment: &Experiment, known: &Metaparameter, scale: &Scale) -> Result<()> {
    let key = format!("search.space.{}", known.name);
    let (lo, hi) = scale.bounds();
    if !(known.range.contains(lo) && known.range.contains(hi)) {
        let expected = format!("values {} for the {}", known.range, known.description);
        return Err(refused(experiment, &key, scale, expected));
    }
    if known.is_integer && !scale.is_integer() {
        let expected = format!("whole numbers for the {}", known.description);
        return Err(refused(experiment, &key, scale, expected));
    }
    Ok(())
}
