//! Which points can be trusted: warnings with what to do, and where best points lie in their boxes.

use critbatch_tuner::{Determination, GoalAnalysis, NoIntervals, Verdict};

use super::{ReportInput, labels};
use crate::figure::{
    Axis, AxisScale, Color, Direction, Figure, Mark, Marker, Panel, Point, Series, Shape,
};
use crate::format;
use crate::page::{Block, Finding, Listing, Plot, Weight};
use crate::table::Table;

pub(super) fn blocks(input: &ReportInput<'_>, goal: &GoalAnalysis) -> Vec<Block> {
    let mut blocks = vec![Block::Findings(findings(goal))];
    let table = boundary_table(goal);
    if table.n_rows() > 0 {
        blocks.push(Plot::block(
            boundary_figure(input, goal),
            "Where each best value lies in its box: 0 is the low end, 1 the high end of the \
             searched scale. Beyond the dashed lines it lies near an edge.",
        ));
        blocks.push(Listing::folded(
            table,
            "interior: the box was wide enough. edge_low, edge_high: search again in a wider box \
             (critbatch widen). natural_limit: values beyond make no sense. infeasible_edge: all trials \
             further out, three at least, diverged.",
        ));
    }
    blocks
}

fn findings(goal: &GoalAnalysis) -> Vec<Finding> {
    let mut findings = vec![];
    let trusted = goal.studies.iter().filter(|study| study.warnings.is_empty());
    let trusted: Vec<u64> = trusted.map(|study| study.facts.batch_size).collect();
    if !trusted.is_empty() {
        let noun = if trusted.len() == 1 { "size" } else { "sizes" };
        let trusted = format::counts(trusted);
        let text = format!("Batch {noun} {trusted}: no check found a reason for doubt.");
        findings.push(Finding { weight: Weight::Good, text });
    }
    findings.push(fit(goal));
    if let Some(reason) = goal.regimes.no_intervals {
        let text = match reason {
            NoIntervals::StoppedEarly => {
                "Intervals of steps and of where regimes end are missing, because trials were stopped \
                 early: nobody knows what the next best would have done. The stop rules goal and budget give intervals."
            }
            NoIntervals::TooFewTrials => {
                "Intervals of where regimes end are missing, because a batch size has one trial only, or one \
                 that reached the goal and no budget that is known: nothing tells how far off it is. \
                 More trials give intervals."
            }
        };
        findings.push(Finding { weight: Weight::Plain, text: text.to_owned() });
    }
    for study in &goal.studies {
        let batch_size = format::count(study.facts.batch_size);
        findings.extend(study.warnings.iter().map(|warning| Finding {
            weight: Weight::Warning,
            text: format!("Batch size {batch_size}: {warning}"),
        }));
    }
    findings
}

/// What the fit to the whole curve says about the critical batch size.
fn fit(goal: &GoalAnalysis) -> Finding {
    let fit = &goal.regimes.fit;
    let determination = labels::determination(fit.determination);
    let quality = fit.parameters.map_or(String::new(), |parameters| {
        let share = parameters.r_squared.map_or(String::new(), |r_squared| {
            format!("; it explains {} of the variance of log steps", labels::percent(r_squared))
        });
        format!(
            " The fit S(B) = S_min (1 + B_crit / B) is off by a factor {} at most{share}.",
            format::number(parameters.largest_residual_factor)
        )
    });
    let weight = match fit.determination {
        Determination::Determined => Weight::Good,
        _ => Weight::Plain,
    };
    Finding { weight, text: format!("Critical batch size: {determination}.{quality}") }
}

/// Rows of the boundary table: batch size, metaparameter, what lies where.
fn boundaries(
    goal: &GoalAnalysis,
) -> impl Iterator<Item = (u64, &String, &critbatch_tuner::Boundary)> + Clone {
    goal.studies.iter().flat_map(|study| {
        let batch_size = study.facts.batch_size;
        study.boundaries.iter().map(move |(name, boundary)| (batch_size, name, boundary))
    })
}

fn boundary_table(goal: &GoalAnalysis) -> Table {
    let rows = boundaries(goal);
    Table::new("boundaries")
        .counts("batch_size", rows.clone().map(|row| row.0))
        .texts("metaparameter", rows.clone().map(|row| row.1.clone()))
        .texts("verdict", rows.clone().map(|row| row.2.verdict.name().to_owned()))
        .numbers("best", rows.clone().map(|row| row.2.value))
        .numbers("nearer_end", rows.clone().map(|row| row.2.bound))
        .numbers("place_in_box", rows.clone().map(|row| row.2.unit))
        .counts("trials_beyond", rows.clone().map(|row| row.2.n_beyond))
        .counts("diverged_beyond", rows.map(|row| row.2.n_diverged_beyond))
}

fn boundary_figure(input: &ReportInput<'_>, goal: &GoalAnalysis) -> Figure {
    let mut names: Vec<&String> = boundaries(goal).map(|row| row.1).collect();
    names.sort_unstable();
    names.dedup();
    let edge = input.analysis.options.tolerances.edge;
    let panels = names.into_iter().map(|name| boundary_panel(goal, name, edge)).collect();
    let title = "Best points in their boxes";
    let subtitle = format::question(&goal.question);
    Figure::multiples("boundaries", title, &subtitle, panels)
}

fn boundary_panel(goal: &GoalAnalysis, name: &str, edge: f64) -> Panel {
    const CLASSES: [(&str, Color, Marker); 3] = [
        ("interior", Color::Blue, Marker::Disc),
        ("at a limit", Color::Amber, Marker::Diamond),
        ("at an edge", Color::Vermilion, Marker::Square),
    ];
    let class = |verdict: Verdict| match verdict {
        Verdict::Interior => 0,
        Verdict::NaturalLimit | Verdict::InfeasibleEdge => 1,
        Verdict::EdgeLow | Verdict::EdgeHigh => 2,
    };
    let of_name = || boundaries(goal).filter(|row| row.1 == name);
    let series = CLASSES.iter().enumerate().map(|(index, (label, color, marker))| {
        let points = of_name().filter(|row| class(row.2.verdict) == index);
        let points = points.map(|(batch_size, _, boundary)| Point {
            x: batch_size as f64,
            y: boundary.unit,
            tooltip: vec![
                format!("batch size {}", format::count(batch_size)),
                format!("best {name}: {}", format::number(boundary.value)),
                format!("nearer end: {}", format::number(boundary.bound)),
                format!("verdict: {}", boundary.verdict.name()),
            ],
        });
        Series::new(*label, *color, Shape::Points(points.collect(), *marker))
    });
    let sizes = goal.studies.iter().map(|study| study.facts.batch_size as f64);
    let y = Axis { from: -0.05, to: 1.05, ..Axis::around("place in box", AxisScale::Linear, []) };
    let panel = Panel::new(Axis::around("batch size", AxisScale::Log2, sizes), y, series.collect());
    let mark = |at| Mark {
        direction: Direction::Horizontal,
        at,
        label: String::new(),
        color: Color::Muted,
    };
    Panel { marks: vec![mark(edge), mark(1.0 - edge)], ..panel.titled(name) }
}
