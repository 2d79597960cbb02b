//! An experiment against its workload: names, batch sizes, metrics and metaparameters.

use std::collections::BTreeMap;

use super::document::{Located, Result};
use super::{
    CheckedExperiment, EvaluationSplit, Experiment, Goal, Problem, Threshold, budget, space,
};
use crate::trainer::{GRADIENT_NOISE_METRICS, WorkloadFacts, is_gradient_noise};

pub(super) fn experiment(
    experiment: &Experiment,
    facts: &WorkloadFacts,
) -> Result<CheckedExperiment> {
    workload(experiment, facts)?;
    metrics(experiment, facts)?;
    goal(experiment)?;
    let budget_steps = budget_steps(experiment, facts.n_train)?;
    Ok(CheckedExperiment {
        workload: experiment.workload.clone(),
        n_train: facts.n_train,
        data_digest: facts.data_digest.clone(),
        goal: experiment.goal.clone(),
        search: experiment.search.clone(),
        spaces: space::check(experiment, facts)?,
        budget_steps,
        stop: experiment.stop,
        evaluation: experiment.evaluation.clone(),
    })
}

pub(super) fn refused(
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
    // Measured on training batches, whatever the splits are.
    let n_noise = facts.metrics.iter().filter(|metric| is_gradient_noise(metric)).count();
    if experiment.evaluation.gradient_noise_scale && n_noise < GRADIENT_NOISE_METRICS.len() {
        let expected = "false; this workload does not measure its gradient noise";
        return Err(refused(experiment, "evaluation.gradient_noise_scale", true, expected));
    }
    let splits = &experiment.evaluation.splits;
    let on_splits: Vec<&String> = facts.metrics.iter().filter(|m| !is_gradient_noise(m)).collect();
    for (name, split) in EvaluationSplit::NAMES.iter().filter(|(_, split)| splits.contains(split)) {
        if !on_splits.iter().any(|metric| EvaluationSplit::of_metric(metric) == Some(*split)) {
            let expected = "splits on which the workload has metrics";
            return Err(refused(experiment, "evaluation.splits", format!("'{name}'"), expected));
        }
    }
    let metric = &experiment.goal.metric;
    if on_splits.contains(&metric) {
        return Ok(());
    }
    let is_goal =
        |metric: &&String| EvaluationSplit::of_metric(metric) != Some(EvaluationSplit::Test);
    let accepted = on_splits.into_iter().filter(is_goal);
    let accepted: Vec<&str> = accepted.map(String::as_str).collect();
    let expected = format!("one of {}", accepted.join(", "));
    Err(refused(experiment, "goal.metric", format!("'{metric}'"), expected))
}

/// That the goal is one for its metric: errors are to fall below something, average precisions to rise above
/// something, and both kinds of rates lie between 0 and 1. A goal of 0, which nothing meets, is for those
/// who want whole curves.
fn goal(experiment: &Experiment) -> Result<()> {
    let Goal { metric, threshold } = &experiment.goal;
    let (key, value) = match threshold {
        Threshold::Below(value) => ("goal.below", *value),
        Threshold::Above(value) => ("goal.above", *value),
    };
    let is_below = matches!(threshold, Threshold::Below(_));
    let name = metric.rsplit('/').next().unwrap_or(metric);
    let (is_sound, expected) = match name {
        "classification_error" => (
            is_below && (0.0..=1.0).contains(&value),
            "'below' with a number from 0 to 1: a share of the examples",
        ),
        "average_precision" => {
            (!is_below && (0.0..=1.0).contains(&value), "'above' with a number from 0 to 1")
        }
        name if name.ends_with("_error") => {
            (is_below && value >= 0.0, "'below' with a number of at least 0: less is better")
        }
        _ => return Ok(()),
    };
    if is_sound { Ok(()) } else { Err(refused(experiment, key, value, expected)) }
}

fn budget_steps(experiment: &Experiment, n_train: u64) -> Result<BTreeMap<u64, u64>> {
    let mut budget_steps = BTreeMap::new();
    for (index, batch_size) in experiment.batch_sizes.iter().enumerate() {
        let listed = match experiment.source.has("batch_sizes.powers_of_two") {
            true => "batch_sizes.powers_of_two".to_owned(),
            false => format!("batch_sizes.list[{index}]"),
        };
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
