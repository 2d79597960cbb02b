//! How it was measured, how to measure it again, and what was left out.

use critbatch_tuner::{
    CheckedExperiment, EXPERIMENT_TEXT, Provenance, RUNNING_SECONDS, Record, SamplerKind, StopRule,
    StudyRecord, TrialStatus,
};

use super::{ReportInput, labels};
use crate::format;
use crate::page::{Block, Finding, Section, Weight};

/// Omissions that the page lists; more are counted.
const N_OMISSIONS: usize = 50;

/// Workload, space, seeds, versions, device, and the experiment file.
pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let mut facts = workload(input.record);
    facts.extend(input.experiment.map(settings).unwrap_or_default());
    facts.extend(spaces(input.record));
    facts.extend(input.provenance.map(origin).unwrap_or_default());
    facts.retain(|(_, value)| !value.is_empty());
    let mut blocks = vec![Block::Facts(facts)];
    if let Some(command) = input.measure_again {
        blocks.push(Block::Text(
            "To measure it again; with the same device and version every number comes out the \
             same, whatever the number of lanes:"
                .to_owned(),
        ));
        blocks.push(Block::Code(command.to_owned()));
    }
    if let Some(text) = input.provenance.and_then(Provenance::experiment_text) {
        blocks.push(Block::Text("The experiment file:".to_owned()));
        blocks.push(Block::Code(text.to_owned()));
    }
    Section::of("how-it-was-measured", "How it was measured", blocks)
}

/// What could not be read.
pub(super) fn omissions(record: &Record) -> Option<Section> {
    let n_omissions = record.omissions.len();
    if n_omissions == 0 {
        return None;
    }
    let finding = |omission: &critbatch_tuner::Omission| Finding {
        weight: Weight::Warning,
        text: omission.to_string(),
    };
    let mut findings: Vec<Finding> =
        record.omissions.iter().take(N_OMISSIONS).map(finding).collect();
    if n_omissions > N_OMISSIONS {
        let text = format!("and {} more", format::count((n_omissions - N_OMISSIONS) as u64));
        findings.push(Finding { weight: Weight::Plain, text });
    }
    let count = match n_omissions {
        1 => "One part of the record".to_owned(),
        n => format!("{} parts of the record", format::count(n as u64)),
    };
    let intro = format!("{count} could not be read and is not in any number of this page.");
    let blocks = vec![Block::Text(intro), Block::Findings(findings)];
    Section::of("left-out", "What was left out", blocks)
}

type Facts = Vec<(String, String)>;

fn fact(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn workload(record: &Record) -> Facts {
    let count = |status: TrialStatus| {
        let trials = record.studies.iter().flat_map(|study| &study.trials);
        format::count(trials.filter(|trial| trial.trial.status == status).count() as u64)
    };
    let n_repeats: usize = record.studies.iter().map(|study| study.repeats.len()).sum();
    let repeats = match n_repeats {
        0 => String::new(),
        n => format!(", {} repeats with fresh seeds", format::count(n as u64)),
    };
    let trials = format!(
        "{} complete, {} diverged, {} incomplete{repeats}",
        count(TrialStatus::Complete),
        count(TrialStatus::Infeasible),
        count(TrialStatus::Incomplete),
    );
    vec![
        fact("data set", &record.workload.dataset),
        fact("model", &record.workload.model),
        fact("optimizer", &record.workload.optimizer),
        fact("trials", trials),
        fact("steps of a trial at most", budgets(record)),
    ]
}

/// `600 at 8192, 800 at 512`; nothing where it is not known.
fn budgets(record: &Record) -> String {
    let budget = |study: &StudyRecord| {
        let steps = format::count(study.facts.budget_steps?);
        Some(format!("{steps} at batch size {}", format::count(study.facts.batch_size)))
    };
    record.studies.iter().filter_map(budget).collect::<Vec<_>>().join("\n")
}

fn settings(experiment: &CheckedExperiment) -> Facts {
    let search = &experiment.search;
    let stop = match experiment.stop {
        StopRule::Goal => "at the goal or at the end of its budget",
        StopRule::Budget => "at the end of its budget",
        StopRule::Incumbent => "at the goal, or when it can no longer be the first there",
    };
    let names = SamplerKind::NAMES.iter();
    let sampler = names.filter(|(_, kind)| *kind == search.sampler).map(|(name, _)| *name);
    let sampler = sampler.collect::<String>();
    let repeats = search.repeats.map_or(String::new(), |repeats| {
        format!("the {} best trials with {} fresh seeds each", repeats.n_best, repeats.n_seeds)
    });
    let examples = experiment.decided_goal().map_or(String::new(), |goal| {
        let goal = format::goal(goal);
        format!("the first, until it is clear that {goal} is not reached; all, where it is")
    });
    let spacing = format::number(experiment.evaluation.relative_spacing * 100.0);
    vec![
        fact("training examples", format::count(experiment.n_train)),
        fact("complete trials per batch size", format::count(search.n_trials)),
        fact("trials started at most", format::count(search.max_trials)),
        fact("a trial ends", stop),
        fact("evaluated", format!("at steps that grow by {spacing}%, and every step before")),
        fact("examples evaluated", examples),
        fact("sampler", sampler),
        fact("repeats", repeats),
        fact("seed", search.seed.to_string()),
    ]
}

/// The scale of each metaparameter, or its scales where batch sizes differ.
fn spaces(record: &Record) -> Facts {
    let scales = |name: &str| {
        let scales = record.studies.iter().filter_map(|study| {
            Some((study.facts.batch_size, study.facts.space.scales.get(name)?.to_string()))
        });
        let scales: Vec<(u64, String)> = scales.collect();
        match &scales[..] {
            [(_, first), rest @ ..] if rest.iter().all(|(_, scale)| scale == first) => {
                first.clone()
            }
            _ => {
                let at = scales.iter().map(|(batch_size, scale)| {
                    format!("{scale} at batch size {}", format::count(*batch_size))
                });
                at.collect::<Vec<_>>().join("\n")
            }
        }
    };
    labels::metaparameters(record).into_iter().map(|name| fact(name, scales(name))).collect()
}

fn origin(provenance: &Provenance) -> Facts {
    let note = |key: &str| provenance.notes.get(key).cloned().unwrap_or_default();
    let mut facts =
        vec![fact("device", &provenance.device), fact("critbatch version", &provenance.version)];
    let known = ["commit", "started", "threads"];
    facts.extend(known.map(|key| fact(key, note(key))));
    let running = provenance.running_seconds();
    facts.extend(running.map(|seconds| fact("ran for", format::seconds(seconds))));
    // Whatever else a program noted; the experiment file has a place of its own.
    let others = provenance.notes.keys().map(String::as_str);
    let others = others
        .filter(|key| !known.contains(key) && ![EXPERIMENT_TEXT, RUNNING_SECONDS].contains(key));
    facts.extend(others.map(|key| fact(key, note(key))));
    facts
}
