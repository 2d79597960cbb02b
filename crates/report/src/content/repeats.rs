//! Best trials run again with fresh seeds: what was luck of the choice, and what of the seed.

use critbatch_tuner::{RepeatAnalysis, RepeatedPoint, StepsQuantile, StudyAnalysis};

use super::{ReportInput, labels};
use crate::figure::{Axis, AxisScale, Color, Figure, Marker, Panel, Point, Series, Shape};
use crate::format;
use crate::page::{Listing, Plot, Section};
use crate::table::Table;

pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let goal = input.analysis.goals.first()?;
    let repeated: Vec<(&StudyAnalysis, &RepeatAnalysis)> =
        goal.studies.iter().filter_map(|study| Some((study, study.repeats.as_ref()?))).collect();
    if repeated.is_empty() {
        return None;
    }
    let caption = "A result is the fewest steps of many noisy trials, so it is lucky twice: in the \
                   choice of the trial and in its seed. A repeat trains the same point with another \
                   seed; how far the medians lie above the search's results is that luck, and the \
                   spread of the dots the seed's.";
    let figure = figure(input, &repeated);
    let blocks = vec![
        Plot::block(figure, caption),
        Listing::block(table(&repeated), "Each repeated point; medians are of the repeats alone."),
    ];
    Section::of("repeats", "Repeats with fresh seeds", blocks)
}

/// All repeated points with their batch sizes.
fn points<'a>(
    repeated: &'a [(&StudyAnalysis, &RepeatAnalysis)],
) -> impl Iterator<Item = (u64, &'a RepeatedPoint)> {
    repeated.iter().flat_map(|(study, repeats)| {
        repeats.points.iter().map(|point| (study.facts.batch_size, point))
    })
}

fn figure(input: &ReportInput<'_>, repeated: &[(&StudyAnalysis, &RepeatAnalysis)]) -> Figure {
    let tooltip = |batch_size: u64, trial_id: u64, line: String| {
        vec![format!("batch size {}, trial {trial_id}", format::count(batch_size)), line]
    };
    let repeats = points(repeated).flat_map(|(batch_size, point)| {
        point.repeat_steps.iter().flatten().map(move |steps| Point {
            x: batch_size as f64,
            y: *steps as f64,
            tooltip: tooltip(
                batch_size,
                point.trial_id,
                format!("repeat: {} steps", format::count(*steps)),
            ),
        })
    });
    let medians = points(repeated).filter_map(|(batch_size, point)| {
        let steps = point.median?.steps()?;
        let line = format!(
            "median of {} repeats: {} steps",
            point.repeat_steps.len(),
            format::count(steps)
        );
        let tooltip = tooltip(batch_size, point.trial_id, line);
        Some(Point { x: batch_size as f64, y: steps as f64, tooltip })
    });
    let results = repeated.iter().filter_map(|(study, repeats)| {
        let (steps, result) = (repeats.best_of_search?, study.result.as_ref()?);
        let line = format!("in the search: {} steps", format::count(steps));
        let tooltip = tooltip(study.facts.batch_size, result.trial_id, line);
        Some(Point { x: study.facts.batch_size as f64, y: steps as f64, tooltip })
    });
    let (repeats, medians): (Vec<Point>, Vec<Point>) = (repeats.collect(), medians.collect());
    let [line, results] =
        Series::joined("steps to result", Color::Blue, results.collect(), Marker::Triangle);
    let all = repeats.iter().chain(&medians);
    let result_heights = match &results.shape {
        Shape::Points(points, _) => points.iter().map(|point| point.y).collect::<Vec<f64>>(),
        _ => vec![],
    };
    let heights: Vec<f64> = all.map(|point| point.y).chain(result_heights).collect();
    let sizes = repeated.iter().map(|(study, _)| study.facts.batch_size as f64);
    let panel = Panel::new(
        Axis::around("batch size", AxisScale::Log2, sizes),
        Axis::around("steps to goal", AxisScale::Log2, heights),
        vec![
            line,
            Series::new("one repeat", Color::Muted, Shape::Points(repeats, Marker::Dot)),
            Series::new(
                "median of a point's repeats",
                Color::Vermilion,
                Shape::Points(medians, Marker::Diamond),
            ),
            results,
        ],
    );
    let title = "The same points with fresh seeds";
    Figure::single("repeats", title, &labels::workload(input.record), panel)
}

fn table(repeated: &[(&StudyAnalysis, &RepeatAnalysis)]) -> Table {
    let rows = || points(repeated);
    let reached = |point: &RepeatedPoint| point.repeat_steps.iter().flatten().count() as u64;
    let median = |point: &RepeatedPoint| point.median.and_then(StepsQuantile::steps);
    let ratio = |point: &RepeatedPoint| {
        let original = point.original_steps.filter(|steps| *steps > 0)?;
        Some(median(point)? as f64 / original as f64)
    };
    Table::new("repeats")
        .counts("batch_size", rows().map(|row| row.0))
        .counts("trial_id", rows().map(|row| row.1.trial_id))
        .counts("steps_in_search", rows().map(|row| row.1.original_steps))
        .counts("repeats", rows().map(|row| row.1.repeat_steps.len() as u64))
        .counts("reached", rows().map(|row| reached(row.1)))
        .counts("fewest", rows().map(|row| row.1.repeat_steps.iter().flatten().min().copied()))
        .counts("median", rows().map(|row| median(row.1)))
        .counts("most", rows().map(|row| row.1.repeat_steps.iter().flatten().max().copied()))
        .numbers("median_over_search", rows().map(|row| ratio(row.1)))
}
