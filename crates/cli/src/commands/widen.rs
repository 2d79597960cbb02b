//! `critbatch widen`: search on where the best point lies on an edge of the search space.

use std::collections::BTreeMap;

use critbatch_report::format;
use critbatch_tuner::{
    Boundary, CheckedExperiment, Question, Record, Space, Store, Tolerances, TrainerFactory,
    has_ended, not_widened, widened_space,
};

use crate::args::Widen;
use crate::commands::session::{self, Session, load_workload};
use crate::console;
use crate::exit::Exit;

/// A study that ended on an edge.
struct Edge {
    batch_size: u64,
    old: Space,
    /// `None` where only points that its author adds could go on.
    wider: Option<Space>,
    boundaries: BTreeMap<String, Boundary>,
}

/// Widens the boxes of studies that ended on an edge, and runs what is then left of the experiment.
/// Where none did, it says so and does nothing. Where something is left to run before, as after a
/// widening that was interrupted, it widens nothing and goes on with that.
///
/// # Errors
///
/// Where the directory holds no experiment that is run there, and as `critbatch run`.
pub(crate) fn execute(arguments: &Widen, verbose: bool) -> anyhow::Result<Exit> {
    let out = arguments.directory.as_path();
    let store = Store::open_read_only(out)?;
    let (experiment, mut provenance) = (store.experiment()?.clone(), store.provenance().clone());
    let mut wider = BTreeMap::new();
    if !is_left_to_run(&store, &experiment)? {
        wider = wider_spaces(&store, &experiment, arguments.factor)?;
        if wider.is_empty() {
            console::print("no study ended on an edge that could be moved; nothing was changed")?;
            return Ok(Exit::Done);
        }
    }
    drop(store);
    let (evaluation, training) = (&experiment.evaluation, arguments.training);
    let (data_dir, device) = (arguments.data.data_dir.as_deref(), training.place.device);
    let workload = load_workload(&experiment.workload, evaluation, data_dir, device)?;
    let batch_sizes = experiment.budget_steps.keys().copied();
    let workload = session::self_tested(workload, batch_sizes, device)?;
    // Another device or another version gives other bits: the store refuses them.
    provenance.device = workload.facts().device;
    env!("CARGO_PKG_VERSION").clone_into(&mut provenance.version);
    let mut store = Store::open_or_create(out, &experiment, &provenance)?;
    store.widen(&wider)?;
    session::run(Session { workload, experiment, store, out, training, verbose })
}

/// Whether something is left to run, and says so: a search that has not ended does not tell where its box
/// is to be widened.
fn is_left_to_run(store: &Store, experiment: &CheckedExperiment) -> anyhow::Result<bool> {
    let mut unended = vec![];
    for batch_size in experiment.budget_steps.keys().copied() {
        if !has_ended(store, batch_size)? {
            unended.push(batch_size);
        }
    }
    if !unended.is_empty() {
        console::line(&format!(
            "trials are left to run (batch sizes {}): going on with them, and nothing is widened; widen \
             when they have ended",
            format::counts(unended.iter().copied())
        ));
    }
    Ok(!unended.is_empty())
}

/// The wider spaces of studies that ended on an edge, by batch size; says what becomes of each.
fn wider_spaces(
    store: &Store,
    experiment: &CheckedExperiment,
    factor: f64,
) -> anyhow::Result<BTreeMap<u64, Space>> {
    let edges = edges(store, experiment, factor)?;
    edges.iter().for_each(|edge| describe(edge).iter().for_each(|line| console::line(line)));
    Ok(edges.into_iter().filter_map(|edge| Some((edge.batch_size, edge.wider?))).collect())
}

fn edges(store: &Store, experiment: &CheckedExperiment, factor: f64) -> anyhow::Result<Vec<Edge>> {
    let question = Question::of_goal(experiment.goal.clone());
    let outcomes = Record::of_store(store)?.outcomes(&question);
    for study in outcomes.iter().filter(|study| study.winner().is_none()) {
        let batch_size = format::count(study.facts.batch_size);
        console::line(&format!(
            "batch size {batch_size}: no trial reached the goal, so nothing says where the best \
             point lies; start an experiment with another space or a larger budget"
        ));
    }
    let edge = |study: critbatch_tuner::StudyOutcomes| {
        let boundaries = study.boundaries(Tolerances::default().edge);
        let has_edge = boundaries.values().any(|boundary| boundary.verdict.is_edge());
        let (batch_size, old) = (study.facts.batch_size, study.facts.space);
        let wider = widened_space(&old, &boundaries, factor);
        has_edge.then_some(Edge { batch_size, old, wider, boundaries })
    };
    Ok(outcomes.into_iter().filter_map(edge).collect())
}

/// Says for each metaparameter on an edge what becomes of its scale.
fn describe(edge: &Edge) -> Vec<String> {
    let stuck = not_widened(&edge.old, &edge.boundaries);
    let batch_size = format::count(edge.batch_size);
    let on_edge = edge.boundaries.iter().filter(|(_, boundary)| boundary.verdict.is_edge());
    let line = |(name, boundary): (&String, &Boundary)| {
        let (best, old) = (format::number(boundary.value), edge.old.scales.get(name)?);
        let what = match edge.wider.as_ref().and_then(|wider| wider.scales.get(name)) {
            Some(wider) if !stuck.contains(name) => format!("widened to {wider}"),
            _ => "cannot be widened; start an experiment with more points".to_owned(),
        };
        Some(format!("batch size {batch_size}: best {name} {best} is on an edge of {old}, {what}"))
    };
    on_edge.filter_map(line).collect()
}
