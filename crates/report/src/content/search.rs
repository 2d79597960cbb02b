//! How the estimate moves with the number of trials.

use critbatch_tuner::{GoalAnalysis, StudyAnalysis};

use super::{ReportInput, labels};
use crate::figure::{Axis, AxisScale, Color, Figure, Panel, Series, Shape, Stroke};
use crate::format;
use crate::page::{Block, Listing, Plot};
use crate::table::Table;

pub(super) fn blocks(input: &ReportInput<'_>, goal: &GoalAnalysis) -> Vec<Block> {
    let panels: Vec<Panel> = goal.studies.iter().filter_map(panel).collect();
    if panels.is_empty() {
        return vec![];
    }
    let confidence = labels::percent(input.analysis.options.confidence);
    let figure = Figure::multiples(
        "convergence",
        "Steps to result with fewer trials",
        &format::question(&goal.question),
        panels,
    );
    let caption = format!(
        "Median and {confidence} interval of the fewest steps among so many trials drawn, with \
         replacement, from those of the study, which holds no better trial than its best: from about \
         two thirds of the trials on the median is that trial, whatever the others did, and the upper \
         end says how much hangs on the few best. A band open at the top says that so few trials might \
         not reach the goal. What more trials would find is search_excess in the table of the curve."
    );
    vec![Plot::block(figure, &caption), Listing::folded(table(goal), "The same as numbers.")]
}

fn panel(study: &StudyAnalysis) -> Option<Panel> {
    study.result.as_ref()?;
    let points = study.convergence.iter();
    let band: Vec<(f64, f64, f64)> = points
        .map(|point| {
            let ends = (labels::height(point.steps.low), labels::height(point.steps.high));
            (point.n_trials as f64, ends.0, ends.1)
        })
        .collect();
    if band.len() < 2 {
        return None;
    }
    let median = study.convergence.iter();
    let median: Vec<(f64, f64)> =
        median.map(|point| (point.n_trials as f64, labels::height(point.steps.median))).collect();
    let heights = band.iter().flat_map(|bounds| [bounds.1, bounds.2]);
    let heights = heights.chain(median.iter().map(|point| point.1));
    let panel = Panel::new(
        Axis::around("trials", AxisScale::Log2, band.iter().map(|bounds| bounds.0)),
        Axis::around("steps to result", AxisScale::Log2, heights),
        vec![
            Series::new("interval", Color::Blue, Shape::Band(band.clone())),
            Series::new("median", Color::Blue, Shape::Line(median, Stroke::Solid)),
        ],
    );
    Some(panel.titled(format!("batch size {}", format::count(study.facts.batch_size))))
}

fn table(goal: &GoalAnalysis) -> Table {
    let with_result = goal.studies.iter().filter(|study| study.result.is_some());
    let rows = with_result
        .flat_map(|study| study.convergence.iter().map(|point| (study.facts.batch_size, point)));
    Table::new("convergence")
        .counts("batch_size", rows.clone().map(|row| row.0))
        .counts("trials", rows.clone().map(|row| row.1.n_trials))
        .counts("low", rows.clone().map(|row| row.1.steps.low.steps()))
        .counts("median", rows.clone().map(|row| row.1.steps.median.steps()))
        .counts("high", rows.map(|row| row.1.steps.high.steps()))
}
