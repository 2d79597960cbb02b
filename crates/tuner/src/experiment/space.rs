//! What is searched: `[search.space]`, how it moves with the batch size, and `[search.space_at]`.

use std::collections::BTreeMap;

use super::check::refused;
use super::document::{Located, Node, Result, Section, Value, unknown_key};
use super::{BatchSize, Experiment, Problem};
use crate::space::{Scale, Space};
use crate::trainer::{Metaparameter, WorkloadFacts};

const KINDS: [&str; 5] = ["linear", "log", "reverse_log", "integer", "discrete"];

/// The kinds, and what else the table of a scale in `[search.space]` may have.
const RELATIVE: [&str; 6] = ["linear", "log", "reverse_log", "integer", "discrete", BATCH_EXPONENT];

const BATCH_EXPONENT: &str = "batch_exponent";

/// The search space as written; the workload's defaults are not in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchSpace {
    /// `[search.space]`: metaparameter to scale at every batch size.
    pub everywhere: BTreeMap<String, RelativeScale>,
    /// `[search.space_at.B]`: scales that replace those at one batch size.
    pub at: BTreeMap<BatchSize, BTreeMap<String, Scale>>,
}

/// A scale at the smallest batch size, and how it moves with the batch size.
#[derive(Debug, Clone, PartialEq)]
pub struct RelativeScale {
    /// The scale at the smallest batch size.
    pub scale: Scale,
    /// Exponent of the batch size: 1 for linear scaling, 0.5 for square root scaling, 0 for none.
    pub batch_exponent: f64,
}

impl RelativeScale {
    /// The scale at `batch_ratio` = B / (smallest B): bounds of a linear and of a log scale are
    /// multiplied by `batch_ratio`^`batch_exponent`; other scales stay as they are. The result may
    /// be [broken](Scale::broken_requirement) where numbers overflow.
    #[must_use]
    pub fn at(&self, batch_ratio: f64) -> Scale {
        let factor = batch_ratio.powf(self.batch_exponent);
        match self.scale {
            Scale::Linear(lo, hi) => Scale::Linear(lo * factor, hi * factor),
            Scale::Log(lo, hi) => Scale::Log(lo * factor, hi * factor),
            ref other => other.clone(),
        }
    }
}

/// Reads `space` and `space_at` of `[search]`.
pub(super) fn parse(search: &mut Section, batch_sizes: &[BatchSize]) -> Result<SearchSpace> {
    let space = search.required("space", "a table of metaparameters")?.section()?;
    let relative = |(name, node)| Ok((name, relative_scale(node)?));
    let everywhere = space.entries.into_iter().map(relative).collect::<Result<_>>()?;
    let mut at = BTreeMap::new();
    if let Some(node) = search.optional("space_at") {
        let mut section = node.section()?;
        let names: Vec<String> = batch_sizes.iter().map(ToString::to_string).collect();
        section.accept(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
        for (batch_size, name) in batch_sizes.iter().zip(&names) {
            let Some(node) = section.optional(name) else { continue };
            let scales = node.section()?.entries.into_iter();
            let scales = scales.map(|(name, node)| Ok((name, scale(node, &KINDS)?)));
            at.insert(*batch_size, scales.collect::<Result<_>>()?);
        }
    }
    Ok(SearchSpace { everywhere, at })
}

fn relative_scale(mut node: Node) -> Result<RelativeScale> {
    let exponent = match &mut node.value {
        Value::Table(entries) => entries.remove(BATCH_EXPONENT),
        _ => None,
    };
    let Some(exponent) = exponent else {
        return Ok(RelativeScale { scale: scale(node, &RELATIVE)?, batch_exponent: 0.0 });
    };
    let scale = scale(node, &RELATIVE)?;
    if !matches!(scale, Scale::Linear(..) | Scale::Log(..)) {
        return Err(
            exponent.refused("none here: it multiplies the bounds of a linear or log scale")
        );
    }
    Ok(RelativeScale { scale, batch_exponent: exponent.number()? })
}

fn scale(node: Node, accepted: &[&str]) -> Result<Scale> {
    let (scale, node) = match node.value {
        Value::Table(_) => {
            let mut section = node.section()?;
            section.accept(accepted)?;
            let (kind, node) = section.exactly_one(&KINDS)?;
            (scale_of_kind(kind, &node)?, node)
        }
        Value::Float(_) | Value::Integer(_) => (Scale::Fixed(node.number()?), node),
        _ => return Err(node.refused("a number, or a scale such as { log = [1e-4, 1.0] }")),
    };
    match scale.broken_requirement() {
        None => Ok(scale),
        Some(requirement) => Err(with_values(&node, &scale, requirement)),
    }
}

/// A broken scale's error shows its values, which say more than "a list of 2 values".
fn with_values(node: &Node, scale: &Scale, requirement: &str) -> Located {
    let (key, found) = (node.key.clone(), scale.to_string());
    node.problem(Problem::Value { key, found, expected: requirement.to_owned() })
}

fn scale_of_kind(kind: &str, node: &Node) -> Result<Scale> {
    let items = node.items()?;
    if kind == "discrete" {
        let mut points = items.iter().map(Node::number).collect::<Result<Vec<f64>>>()?;
        points.sort_by(f64::total_cmp);
        return Ok(Scale::Discrete(points));
    }
    let [lo, hi] = items else { return Err(node.refused("two values, [lo, hi]")) };
    if kind == "integer" {
        return Ok(Scale::Integer(lo.integer()?, hi.integer()?));
    }
    let (lo, hi) = (lo.number()?, hi.number()?);
    Ok(match kind {
        "linear" => Scale::Linear(lo, hi),
        "log" => Scale::Log(lo, hi),
        _ => Scale::ReverseLog(lo, hi),
    })
}

/// The search space of each batch size, with every metaparameter of the workload in it.
pub(super) fn check(
    experiment: &Experiment,
    facts: &WorkloadFacts,
) -> Result<BTreeMap<u64, Space>> {
    known_names(experiment, &facts.metaparameters)?;
    nothing_lacks(experiment, &facts.metaparameters)?;
    let n_examples = |batch_size: &BatchSize| batch_size.resolve(facts.n_train);
    let smallest = experiment.batch_sizes.iter().map(n_examples).min().unwrap_or(1);
    let space = |batch_size: &BatchSize| {
        let batch_ratio = n_examples(batch_size) as f64 / smallest as f64;
        let entry = |known: &Metaparameter| {
            let scale = resolve(experiment, known, *batch_size, batch_ratio)?;
            Ok((known.name.to_owned(), scale))
        };
        let scales = facts.metaparameters.iter().map(entry).collect::<Result<_>>()?;
        let space = Space { scales };
        few_enough_dimensions(experiment, &space)?;
        Ok((n_examples(batch_size), space))
    };
    experiment.batch_sizes.iter().map(space).collect()
}

fn known_names(experiment: &Experiment, metaparameters: &[Metaparameter]) -> Result<()> {
    let names: Vec<&str> = metaparameters.iter().map(|known| known.name).collect();
    let SearchSpace { everywhere, at } = &experiment.space;
    let everywhere = everywhere.keys().map(|name| ("search.space".to_owned(), name));
    let at = at.iter().flat_map(|(batch_size, scales)| {
        scales.keys().map(move |name| (format!("search.space_at.{batch_size}"), name))
    });
    let line = |(section, name): &(String, &String)| {
        experiment.source.line(&format!("{section}.{}", name.escape_debug()))
    };
    let unknown = everywhere.chain(at).filter(|(_, name)| !names.contains(&name.as_str()));
    match unknown.min_by_key(line) {
        None => Ok(()),
        Some(first) => Err(unknown_key(first.1, &format!("[{}]", first.0), &names, line(&first))),
    }
}

/// That what is given can do what its name says: half of a schedule would be another schedule, or none.
fn nothing_lacks(experiment: &Experiment, metaparameters: &[Metaparameter]) -> Result<()> {
    let SearchSpace { everywhere, at } = &experiment.space;
    let is_given = |name: &str| {
        everywhere.contains_key(name) || at.values().any(|scales| scales.contains_key(name))
    };
    let matters = |known: &&Metaparameter| {
        let is_default = |scale: &Scale| Some(scale) == known.default.map(Scale::Fixed).as_ref();
        let relative = everywhere.get(known.name).map(|relative| &relative.scale);
        let mut scales =
            relative.into_iter().chain(at.values().filter_map(|at| at.get(known.name)));
        scales.any(|scale| !is_default(scale))
    };
    for known in metaparameters.iter().filter(matters) {
        let Some(lacking) = known.needs.filter(|name| !is_given(name)) else { continue };
        let problem = Problem::MissingKey {
            key: lacking.to_owned(),
            section: "[search.space]".to_owned(),
            expected: format!("it beside '{}', which does nothing by itself", known.name),
        };
        return Err(Located::new(experiment.source.line("search.space"), problem));
    }
    Ok(())
}

/// The scale of a metaparameter at a batch size.
fn resolve(
    experiment: &Experiment,
    known: &Metaparameter,
    batch_size: BatchSize,
    batch_ratio: f64,
) -> Result<Scale> {
    let SearchSpace { everywhere, at } = &experiment.space;
    if let Some(scale) = at.get(&batch_size).and_then(|scales| scales.get(known.name)) {
        let key = format!("search.space_at.{batch_size}.{}", known.name);
        return match broken_rule(known, scale) {
            None => Ok(scale.clone()),
            Some(rule) => Err(refused(experiment, &key, scale, rule)),
        };
    }
    let relative = match (everywhere.get(known.name), known.default) {
        (Some(relative), _) => relative,
        (None, Some(default)) => return Ok(Scale::Fixed(default)),
        (None, None) => return Err(missing(experiment, known)),
    };
    let scale = relative.at(batch_ratio);
    let Some(rule) = broken_rule(known, &scale) else { return Ok(scale) };
    let found = match relative.batch_exponent == 0.0 {
        true => scale.to_string(),
        false => format!("{scale} at batch size {batch_size}"),
    };
    Err(refused(experiment, &format!("search.space.{}", known.name), found, rule))
}

/// What a scale of a metaparameter would have to fulfil; `None` where it does.
fn broken_rule(known: &Metaparameter, scale: &Scale) -> Option<String> {
    if let Some(requirement) = scale.broken_requirement() {
        return Some(requirement.to_owned());
    }
    let (lo, hi) = scale.bounds();
    if !(known.range.contains(lo) && known.range.contains(hi)) {
        return Some(format!("values {} for the {}", known.range, known.description));
    }
    let is_right_kind = scale.is_integer() || !known.is_integer;
    (!is_right_kind).then(|| format!("whole numbers for the {}", known.description))
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

fn few_enough_dimensions(experiment: &Experiment, space: &Space) -> Result<()> {
    match experiment.search.sampler.max_dimensions() {
        Some(max) if space.n_dimensions() > max => {
            let found = format!("a sampler for {} metaparameters", space.n_dimensions());
            let expected = format!("at most {max} that are searched, or the sampler 'halton'");
            Err(refused(experiment, "search.sampler", found, expected))
        }
        _ => Ok(()),
    }
}
