//! From a document to an [`Experiment`]: everything that can be said without the workload.

use super::document::{self, Node, Result, Section, Source, Value};
use super::{
    BatchSize, EvaluatedExamples, Evaluation, EvaluationSplit, Experiment, Goal, LARGEST_COUNT,
    Repeats, Search, SearchSpace, StopRule, Threshold, Workload, budget, space,
};
use crate::sampler::SamplerKind;
use crate::trainer::is_gradient_noise;

const LARGEST_N_TRIALS: u64 = 1_000_000;
const MAX_TRIALS_PER_TRIAL: u64 = 10;

pub(super) fn experiment(text: &str, mut source: Source) -> Result<Experiment> {
    let mut root = document::parse(text, &mut source)?;
    root.accept(&["workload", "goal", "batch_sizes", "search", "budget", "evaluation"])?;
    let mut section = |key| root.required(key, "a table").and_then(Node::section);
    let workload = workload(section("workload")?)?;
    let batch_sizes = batch_sizes(section("batch_sizes")?)?;
    let (search, space) = search(section("search")?, &batch_sizes)?;
    let mut budget = section("budget")?;
    budget.accept(&["steps", "epochs", "stop"])?;
    let stop = stop(&mut budget)?;
    let budget = budget::parse(budget, &batch_sizes)?;
    let (evaluation, until_decided) = evaluation(section("evaluation")?)?;
    let goal = goal(section("goal")?, &evaluation.splits)?;
    match (until_decided, stop, goal.threshold) {
        (Some(node), StopRule::Budget, _) => {
            return Err(node.refused("'all', because budget.stop is 'budget': whole curves"));
        }
        (Some(node), _, Threshold::Above(_)) => {
            return Err(node.refused("'all', because the goal is above a value"));
        }
        _ => (),
    }
    Ok(Experiment { workload, goal, batch_sizes, search, space, budget, stop, evaluation, source })
}

fn workload(mut section: Section) -> Result<Workload> {
    section.accept(&["dataset", "model", "optimizer"])?;
    let mut name = |key| Ok(section.required(key, "a name in quotes")?.text()?.to_owned());
    Ok(Workload { dataset: name("dataset")?, model: name("model")?, optimizer: name("optimizer")? })
}

fn goal(mut section: Section, splits: &[EvaluationSplit]) -> Result<Goal> {
    section.accept(&["metric", "below", "above"])?;
    let metric = section.required("metric", "a name such as 'val/classification_error'")?;
    if is_gradient_noise(metric.text()?) {
        return Err(metric.refused("a metric of progress; the gradient noise is only reported"));
    }
    match EvaluationSplit::of_metric(metric.text()?) {
        None => return Err(metric.refused("a name such as 'val/classification_error'")),
        Some(EvaluationSplit::Test) => {
            return Err(metric.refused("a metric on val or train; test is only reported"));
        }
        Some(split) if !splits.contains(&split) => {
            return Err(metric.refused("a metric on one of evaluation.splits"));
        }
        Some(_) => (),
    }
    let threshold = match section.exactly_one(&["below", "above"])? {
        ("below", value) => Threshold::Below(value.number()?),
        (_, value) => Threshold::Above(value.number()?),
    };
    Ok(Goal { metric: metric.text()?.to_owned(), threshold })
}

fn batch_sizes(mut section: Section) -> Result<Vec<BatchSize>> {
    section.accept(&["list", "powers_of_two"])?;
    let (key, node) = section.exactly_one(&["list", "powers_of_two"])?;
    if key == "powers_of_two" {
        return powers_of_two(&node);
    }
    let mut batch_sizes = Vec::new();
    for item in node.items()? {
        let batch_size = batch_size(item)?;
        if batch_sizes.contains(&batch_size) {
            return Err(item.refused("each batch size once"));
        }
        batch_sizes.push(batch_size);
    }
    Ok(batch_sizes)
}

pub(super) fn batch_size(node: &Node) -> Result<BatchSize> {
    match &node.value {
        Value::Text(text) if text == "full" => Ok(BatchSize::Full),
        Value::Integer(n) if (1..=LARGEST_COUNT as i64).contains(n) => {
            Ok(BatchSize::Examples(n.unsigned_abs()))
        }
        _ => Err(node.refused("a whole number from 1 to 2^40, or 'full'")),
    }
}

fn powers_of_two(node: &Node) -> Result<Vec<BatchSize>> {
    let expected = "two exponents [first, last] with 0 <= first <= last <= 40";
    let [first, last] = node.items()? else { return Err(node.refused(expected)) };
    match (first.integer()?, last.integer()?) {
        (first, last) if 0 <= first && first <= last && last <= 40 => {
            Ok((first..=last).map(|exponent| BatchSize::Examples(1 << exponent)).collect())
        }
        (first, _) if !(0..=40).contains(&first) => Err(node.items()?[0].refused(expected)),
        _ => Err(last.refused(expected)),
    }
}

fn search(mut section: Section, batch_sizes: &[BatchSize]) -> Result<(Search, SearchSpace)> {
    let keys = ["sampler", "trials", "max_trials", "seed", "repeats", "space", "space_at"];
    section.accept(&keys)?;
    let sampler = section.required("sampler", "a sampler such as 'halton'")?;
    let n_trials = section.required("trials", "complete trials per batch size, such as 100")?;
    let n_trials = n_trials.count(1, LARGEST_N_TRIALS)?;
    let max_trials = match section.optional("max_trials") {
        Some(node) => node.count(n_trials, LARGEST_N_TRIALS * MAX_TRIALS_PER_TRIAL)?,
        None => n_trials * MAX_TRIALS_PER_TRIAL,
    };
    let seed = section.required("seed", "a whole number, such as 0")?;
    let repeats = section.optional("repeats").map(|node| repeats(node, n_trials)).transpose()?;
    let space = space::parse(&mut section, batch_sizes)?;
    let search = Search {
        sampler: sampler.choice(&SamplerKind::NAMES)?,
        n_trials,
        max_trials,
        seed: seed.count(0, i64::MAX as u64)?,
        repeats,
    };
    Ok((search, space))
}

fn repeats(node: Node, n_trials: u64) -> Result<Repeats> {
    let mut section = node.section()?;
    section.accept(&["best", "seeds"])?;
    let best = section.required("best", "trials to be repeated, such as 5")?;
    let seeds = section.required("seeds", "repeats of each, such as 3")?;
    Ok(Repeats { n_best: best.count(1, n_trials)?, n_seeds: seeds.count(1, LARGEST_N_TRIALS)? })
}

fn stop(budget: &mut Section) -> Result<StopRule> {
    let choices = [
        ("goal", StopRule::Goal),
        ("budget", StopRule::Budget),
        ("incumbent", StopRule::Incumbent),
    ];
    budget.optional("stop").map_or(Ok(StopRule::Goal), |node| node.choice(&choices))
}

/// With where it says that evaluations end early, if it does: goal and budget have to allow it.
fn evaluation(mut section: Section) -> Result<(Evaluation, Option<Node>)> {
    section.accept(&["relative_spacing", "splits", "examples", "gradient_noise_scale"])?;
    let spacing = section.required("relative_spacing", "a number such as 0.05")?;
    let relative_spacing = spacing.number()?;
    // Finer than one in a million measures every step of any budget anyone can pay.
    if !(1e-6..=1.0).contains(&relative_spacing) {
        return Err(spacing.refused("a number from 1e-6 to 1, such as 0.05"));
    }
    let mut splits = vec![EvaluationSplit::Val];
    if let Some(node) = section.optional("splits") {
        splits = node
            .items()?
            .iter()
            .map(|item| item.choice(&EvaluationSplit::NAMES))
            .collect::<Result<_>>()?;
        splits.sort_unstable();
        if splits.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(node.refused("each split once"));
        }
    }
    let gradient_noise_scale =
        section.optional("gradient_noise_scale").map_or(Ok(false), |node| node.flag())?;
    let choices =
        [("all", EvaluatedExamples::All), ("until_decided", EvaluatedExamples::UntilDecided)];
    let node = section.optional("examples");
    let examples =
        node.as_ref().map_or(Ok(EvaluatedExamples::All), |node| node.choice(&choices))?;
    let until_decided = node.filter(|_| examples == EvaluatedExamples::UntilDecided);
    Ok((Evaluation { relative_spacing, splits, examples, gradient_noise_scale }, until_decided))
}
