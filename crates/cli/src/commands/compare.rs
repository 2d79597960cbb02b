//! `critbatch compare`: several experiments on one axis.

use std::collections::BTreeSet;
use std::path::Path;

use critbatch_report::{ComparisonInput, ReportInput, format};
use critbatch_tuner::{Analysis, Comparison, GoalAnalysis};

use crate::args::Compare;
use crate::exit::{Exit, UsageError};
use crate::source::Source;
use crate::{console, summary};

/// Prints the comparison, and writes its page, figures and tables where asked to.
///
/// # Errors
///
/// Where a path holds no results, or files cannot be written.
pub(crate) fn execute(arguments: &Compare) -> anyhow::Result<Exit> {
    let sources = arguments.paths.iter().map(|path| Source::open(path, &arguments.asked));
    let sources = sources.collect::<anyhow::Result<Vec<Source>>>()?;
    let labels = labels(arguments, &sources)?;
    let options = arguments.asked.options();
    let mut analyses = Vec::new();
    for source in &sources {
        let questions = source.questions(&arguments.asked)?;
        let [_] = &questions[..] else {
            return Err(UsageError(
                "compare takes one goal; give one --below X or --above X".into(),
            )
            .into());
        };
        analyses.push(Analysis::of(&source.record, &questions, &options));
    }
    let goals = labels.iter().zip(&analyses).map(|(label, analysis)| {
        let goal = analysis.goals.first().expect("each analysis has one question");
        (label.clone(), goal.clone())
    });
    let goals: Vec<(String, GoalAnalysis)> = goals.collect();
    let comparison = Comparison::of(&goals, arguments.normalise_at);
    check_normalisation(arguments, &comparison)?;
    if arguments.listing.json {
        console::print_json(&comparison)?;
    } else {
        console::print(&summary::comparison(&comparison))?;
    }
    if let Some(out) = &arguments.out {
        write(&comparison, &sources, &analyses, out)?;
        let page = out.join(critbatch_report::COMPARISON_FILE_NAME);
        console::line(&format!("report: {}", page.display()));
    }
    let has_doubts =
        comparison.experiments.iter().any(|experiment| !experiment.doubtful.is_empty());
    Ok(Exit::of_results(arguments.strict, has_doubts))
}

/// Refuses a batch size to normalise at that no experiment has a result at.
fn check_normalisation(arguments: &Compare, comparison: &Comparison) -> Result<(), UsageError> {
    let points = comparison.experiments.iter().flat_map(|experiment| &experiment.points);
    let sizes: BTreeSet<u64> = points.map(|point| point.batch_size).collect();
    let Some(at) = arguments.normalise_at.filter(|at| !sizes.contains(at)) else { return Ok(()) };
    let found = match sizes.is_empty() {
        true => "nor at any other".to_owned(),
        false => format!("there are results at {}", format::counts(sizes)),
    };
    Err(UsageError(format!(
        "--normalise-at {at}: no experiment has a result at that batch size; {found}"
    )))
}

/// The names given, or the workloads; where two of those are the same, the paths.
fn labels(arguments: &Compare, sources: &[Source]) -> Result<Vec<String>, UsageError> {
    let (n_labels, n_paths) = (arguments.label.len(), arguments.paths.len());
    if n_labels > 0 && n_labels != n_paths {
        return Err(UsageError(format!(
            "{n_labels} labels for {n_paths} experiments; give one --label for each, or none"
        )));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = arguments.label.iter().find(|&label| !seen.insert(label)) {
        return Err(UsageError(format!(
            "--label '{twice}' is given twice; give each experiment a name of its own"
        )));
    }
    if n_labels > 0 {
        return Ok(arguments.label.clone());
    }
    let workloads: Vec<String> =
        sources.iter().map(|source| format::workload(&source.record.workload)).collect();
    let is_unique = |name: &String| workloads.iter().filter(|other| *other == name).count() == 1;
    if workloads.iter().all(is_unique) {
        return Ok(workloads);
    }
    Ok(arguments.paths.iter().map(|path| path.display().to_string()).collect())
}

fn write(
    comparison: &Comparison,
    sources: &[Source],
    analyses: &[Analysis],
    out: &Path,
) -> anyhow::Result<()> {
    let pairs = sources.iter().zip(analyses);
    let experiments: Vec<ReportInput<'_>> =
        pairs.map(|(source, analysis)| source.with_analysis(analysis)).collect();
    let input = ComparisonInput { comparison, experiments: &experiments };
    critbatch_report::write_comparison(&input, out)?;
    Ok(())
}
