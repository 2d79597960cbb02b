//! The paper's workloads: what each takes, and an experiment file for it.

use std::path::Path;

use critbatch_data::{find, locate};
use critbatch_models::{Cost, Model};
use critbatch_report::format;
use critbatch_tuner::archive::{PaperWorkload, default_goal, default_n_trials, paper_workloads};
use critbatch_tuner::{Goal, Threshold, Workload};
use serde::Serialize;

use crate::exit::UsageError;

/// A workload of the paper as it is listed.
#[derive(Debug, Serialize)]
pub(super) struct Offer {
    pub(super) name: String,
    /// `null` where the paper has none: trials were run to their end.
    pub(super) goal: Option<String>,
    pub(super) batch_sizes: Vec<u64>,
    /// Lines of an experiment's `[search.space]` to start from.
    pub(super) space: Vec<String>,
    /// `null` where critbatch does not read the data set.
    pub(super) n_parameters: Option<usize>,
    pub(super) flops_per_example: Option<u64>,
    /// Of one lane, at the smallest and at the largest batch size; `null` where 32 bits do not reach.
    pub(super) lane_bytes: [Option<u64>; 2],
    pub(super) data_is_present: bool,
}

/// All of them.
pub(super) fn offers(data_dir: Option<&Path>) -> Vec<Offer> {
    paper_workloads().iter().map(|workload| offer(workload, data_dir)).collect()
}

fn offer(paper: &PaperWorkload, data_dir: Option<&Path>) -> Offer {
    let PaperWorkload { workload, batch_sizes } = paper;
    let info = find(&workload.dataset).ok();
    let cost = |batch_size: &u64| -> Option<Cost> {
        let (info, batch_size) = (info?, usize::try_from(*batch_size).ok()?);
        let model = Model::find(&workload.model).ok()?;
        model.cost(&info.example_shape(), info.n_classes(), batch_size).ok()
    };
    let [smallest, largest] = [batch_sizes.first(), batch_sizes.last()].map(|size| cost(size?));
    Offer {
        name: name_of(workload),
        goal: default_goal(workload).as_ref().map(format::goal),
        batch_sizes: batch_sizes.clone(),
        space: space(workload),
        n_parameters: smallest.map(|cost| cost.n_parameters),
        flops_per_example: smallest.map(|cost| cost.flops_per_example),
        lane_bytes: [smallest, largest].map(|cost| Some(cost?.lane_bytes)),
        data_is_present: info.is_some_and(|info| locate(info, data_dir).is_ok()),
    }
}

fn name_of(Workload { dataset, model, optimizer }: &Workload) -> String {
    format!("{dataset}/{model}/{optimizer}")
}

/// A box to start from. That of ResNet-50 is the one that the archive's README shows; the others are
/// wide guesses around what such networks take.
fn space(workload: &Workload) -> Vec<String> {
    let model = workload.model.as_str();
    let is_deep = matches!(model, "resnet_50" | "vgg_11");
    let (learning_rate, momentum) = match model {
        "resnet_50" | "vgg_11" => ("[1e-4, 10.0]", "[0.9, 0.9999]"),
        "resnet_8" => ("[1e-4, 10.0]", "[0.0, 0.999]"),
        _ if workload.optimizer == "sgd" => ("[1e-3, 10.0]", ""),
        _ if model.starts_with("simple_cnn") => ("[1e-4, 1.0]", "[0.0, 0.999]"),
        _ => ("[1e-4, 1.0]", "[0.0, 0.9999]"),
    };
    let mut lines = vec![format!("learning_rate = {{ log = {learning_rate} }}")];
    if workload.optimizer != "sgd" {
        lines.push(format!("momentum = {{ reverse_log = {momentum} }}"));
    }
    if decays(workload) {
        let factor = if is_deep { "[1e-4, 0.1]" } else { "[1e-3, 1.0]" };
        lines.push(format!("end_learning_rate_factor = {{ log = {factor} }}"));
    }
    if model == "resnet_50" {
        lines.push("label_smoothing = { discrete = [0.0, 0.01, 0.1] }".to_owned());
    }
    lines
}

/// Whether the paper lets the learning rate decay.
fn decays(workload: &Workload) -> bool {
    matches!(workload.model.as_str(), "resnet_8" | "resnet_50" | "vgg_11")
}

/// Examples of a trial, and its fewest steps: enough for the paper's goals as far as the axes of its
/// figures tell; its budgets are not published, but for ResNet-50.
fn budget(workload: &Workload) -> (u64, u64) {
    match workload.model.as_str() {
        "resnet_50" | "vgg_11" => (600_000 * 256, 8_000),
        "resnet_8" => (3_000_000, 2_000),
        model if model.starts_with("transformer") || model == "lstm" => (30_000_000, 30_000),
        _ => (1_000_000, 1_000),
    }
}

/// The experiment file of a workload of the paper, or the names there are.
///
/// # Errors
///
/// Where no workload has this name.
pub(super) fn experiment(name: &str) -> Result<String, UsageError> {
    let all = paper_workloads();
    let names = || -> Vec<String> { all.iter().map(|paper| name_of(&paper.workload)).collect() };
    let Some(paper) = all.iter().find(|paper| name_of(&paper.workload) == name) else {
        let names = names().join(", ");
        return Err(UsageError(format!("'{name}' is no workload of the paper; those are {names}")));
    };
    let PaperWorkload { workload, batch_sizes } = paper;
    let smallest = batch_sizes.first().copied().unwrap_or(1);
    let (n_examples, at_least) = budget(workload);
    let n_steps = n_examples / smallest;
    let goal = default_goal(workload).unwrap_or(Goal {
        metric: "val/classification_error".to_owned(),
        threshold: Threshold::Below(0.005),
    });
    let (side, threshold) = match goal.threshold {
        Threshold::Below(threshold) => ("below", threshold),
        Threshold::Above(threshold) => ("above", threshold),
    };
    let decay_steps = |batch_size: &u64| {
        let steps = (n_examples / batch_size).max(at_least);
        format!(
            "[search.space_at.{batch_size}]\nlearning_rate_decay_steps = {{ integer = [{}, {steps}] }}\n",
            steps / 2
        )
    };
    let of_batch_sizes: String = match decays(workload) {
        true => batch_sizes.iter().map(decay_steps).collect(),
        false => String::new(),
    };
    let space = match decays(workload) {
        // Named at every batch size below.
        true => [space(workload), vec!["learning_rate_decay_steps = 1".to_owned()]].concat(),
        false => space(workload),
    };
    let (stop, of_paper, others) = match default_goal(workload) {
        Some(_) => ("goal", "Goal, batch sizes and number of trials are", ""),
        None => ("budget", "Batch sizes and number of trials are", "it has no goal; "),
    };
    Ok(format!(
        "# {name} of Shallue et al. 2019. {of_paper} the paper's; {others}box and\n\
         # budget are to start from: a run says where the best point lies on an edge (`critbatch widen`).\n\
         [workload]\ndataset = \"{}\"\nmodel = \"{}\"\noptimizer = \"{}\"\n\n\
         [goal]\nmetric = \"{}\"\n{side} = {threshold:?}\n\n\
         [batch_sizes]\nlist = {batch_sizes:?}\n\n\
         [budget]\nsteps = {{ at_batch_size = {smallest}, steps = {n_steps}, at_least = {at_least} }}\n\
         stop = \"{stop}\"\n\n\
         [evaluation]\nrelative_spacing = 0.05\n\n\
         [search]\nsampler = \"halton\"\ntrials = {}\nseed = 0\n\n\
         [search.space]\n{}\n{}{of_batch_sizes}",
        workload.dataset,
        workload.model,
        workload.optimizer,
        goal.metric,
        default_n_trials(workload).unwrap_or(100),
        space.join("\n"),
        if of_batch_sizes.is_empty() { "" } else { "\n" },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_an_experiment_that_parses() {
        for paper in paper_workloads() {
            let name = name_of(&paper.workload);
            let text = experiment(&name).unwrap();
            let parsed = critbatch_tuner::Experiment::parse(&text, &name).unwrap_or_else(|error| {
                panic!("{name}: {error}\n{text}");
            });
            assert_eq!(parsed.workload, paper.workload);
        }
        let message = experiment("mnist/fc_7/sgd").unwrap_err().to_string();
        assert!(message.contains("lm1b/transformer_base/nesterov_momentum"), "{message}");
    }

    #[test]
    fn what_a_workload_takes_is_listed_where_its_data_is_known() {
        let offers = offers(None);
        assert_eq!(offers.len(), 35);
        let find = |name: &str| offers.iter().find(|offer| offer.name == name).unwrap();
        let cnn = find("mnist/simple_cnn_base/nesterov_momentum");
        assert_eq!((cnn.n_parameters, cnn.batch_sizes.len()), (Some(3_274_634), 10));
        assert!(cnn.lane_bytes[1] > cnn.lane_bytes[0]);
        assert_eq!(cnn.space.len(), 2);
        let wide = find("lm1b/transformer_wide/nesterov_momentum");
        assert_eq!(wide.n_parameters, Some(108_322_816));
        let resnet = find("cifar_10/resnet_8/sgd");
        assert!(resnet.goal.as_ref().unwrap().contains("0.3"));
        assert!(find("solution_quality/mnist/simple_cnn_base/nesterov_momentum").goal.is_none());
    }
}
