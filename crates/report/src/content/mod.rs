//! What the report says: one file a section, each from numbers of the analysis to text, figures and
//! tables. Sections without data are absent.

mod answer;
mod comparison;
mod curve;
mod labels;
mod measured;
mod metaparameters;
mod noise_scale;
mod quality;
mod regions;
mod repeats;
mod search;
mod smoothing;
mod time;
mod trials;
mod trust;

use critbatch_tuner::{Analysis, CheckedExperiment, GoalAnalysis, Provenance, Question, Record};

pub use comparison::ComparisonInput;
pub(crate) use comparison::page as comparison_page;

use crate::format;
use crate::page::{Block, Page, Section};

/// What a report is about.
#[derive(Debug, Clone, Copy)]
pub struct ReportInput<'a> {
    /// All measurements.
    pub record: &'a Record,
    /// What they say.
    pub analysis: &'a Analysis,
    /// What was asked for; `None` for an imported record.
    pub experiment: Option<&'a CheckedExperiment>,
    /// What measured it; `None` for an archive or an import of one, which do not know.
    pub provenance: Option<&'a Provenance>,
    /// The command that measures it again; `None` where nobody knows.
    pub measure_again: Option<&'a str>,
}

/// The report: the answer, the curve, whether to trust it, everything else, how it was measured.
pub(crate) fn page(input: &ReportInput<'_>) -> Page {
    let ReportInput { record, analysis, .. } = *input;
    let questions: Vec<Question> =
        analysis.goals.iter().map(|goal| goal.question.clone()).collect();
    let names = analysis.goals.iter().map(|goal| format::question(&goal.question));
    let sections = [
        per_goal(input, "curve", "Steps against batch size", curve::blocks),
        per_goal(input, "trust", "What can be trusted", trust::blocks),
        per_goal(input, "search", "Was the search long enough?", search::blocks),
        repeats::section(input),
        per_goal(input, "metaparameters", "Best metaparameters", metaparameters::blocks),
        regions::section(input),
        quality::section(input),
        smoothing::section(input),
        noise_scale::section(input),
        time::section(input),
        trials::section(record, &questions),
        measured::section(input),
        measured::omissions(record),
    ];
    Page {
        title: labels::workload(record),
        subtitle: "How far does data parallelism speed up training?".to_owned(),
        goals: names.collect(),
        lead: vec![Block::PerGoal(variants(input, answer::blocks))],
        sections: sections.into_iter().flatten().collect(),
    }
}

/// What a section says for one goal.
type ForGoal = fn(&ReportInput<'_>, &GoalAnalysis) -> Vec<Block>;

fn variants(input: &ReportInput<'_>, blocks: ForGoal) -> Vec<Vec<Block>> {
    input.analysis.goals.iter().map(|goal| blocks(input, goal)).collect()
}

fn per_goal(
    input: &ReportInput<'_>,
    id: &'static str,
    title: &'static str,
    blocks: ForGoal,
) -> Option<Section> {
    Section::of(id, title, vec![Block::PerGoal(variants(input, blocks))])
}

#[cfg(test)]
mod tests;
