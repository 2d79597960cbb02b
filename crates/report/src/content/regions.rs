//! Good regions: where in (learning rate, 1 - momentum) trials reach the goal under a budget.

use critbatch_tuner::{BudgetRegions, Question, Region, RegionClass, RegionPoint};

use super::ReportInput;
use crate::figure::{Axis, AxisScale, Color, Figure, Marker, Panel, Point, Series, Shape, Stroke};
use crate::format;
use crate::page::{Block, Listing, Plot, Section};
use crate::table::Table;

/// More points than these have no tooltips, so that the page stays small.
const MOST_TOOLTIPS: usize = 1_500;

const CLASSES: [(RegionClass, &str, Color, Marker); 4] = [
    (RegionClass::Infeasible, "diverged", Color::Vermilion, Marker::Cross),
    (RegionClass::NotReached, "not reached", Color::Muted, Marker::Triangle),
    (RegionClass::Reached, "reached", Color::Blue, Marker::Disc),
    (RegionClass::Best, "best", Color::Amber, Marker::Star),
];

pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let regions = &input.analysis.regions;
    let has_points =
        |regions: &&BudgetRegions| regions.studies.iter().any(|r| !r.points.is_empty());
    let caption = "Every trial that ended, and the share of them that reached the goal. Lines of \
                   constant effective learning rate are a decade apart.";
    let shown = regions.iter().filter(has_points);
    let mut blocks: Vec<Block> =
        shown.map(|regions| Plot::block(figure(regions), caption)).collect();
    if !blocks.is_empty() {
        blocks.push(Listing::folded(
            shares(regions),
            "Share of the trials that reached the goal. Under a budget of steps the good region \
             grows with the batch size; under one of examples it shrinks.",
        ));
    }
    Section::of("good-regions", "Good regions", blocks)
}

fn name(question: &Question) -> &'static str {
    match (question.max_steps, question.max_examples) {
        (Some(_), None) => "good_regions_step_budget",
        (None, Some(_)) => "good_regions_epoch_budget",
        (Some(_), Some(_)) => "good_regions_both_budgets",
        (None, None) => "good_regions",
    }
}

fn figure(BudgetRegions { question, studies }: &BudgetRegions) -> Figure {
    let points = || studies.iter().flat_map(|region| &region.points);
    let x = Axis::around("learning rate", AxisScale::Log10, points().map(|p| p.learning_rate));
    let y = Axis::around("1 - momentum", AxisScale::Log10, points().map(|p| p.one_minus_momentum));
    let has_tooltips = points().count() <= MOST_TOOLTIPS;
    let panels = studies.iter().map(|region| panel(region, &x, &y, has_tooltips));
    let (title, subtitle) = ("Trials that reach the goal", format::question(question));
    Figure::multiples(name(question), title, &subtitle, panels.collect())
}

fn panel(region: &Region, x: &Axis, y: &Axis, has_tooltips: bool) -> Panel {
    let mut series = contours(x, y);
    for (class, label, color, marker) in CLASSES {
        let points = region.points.iter().filter(|point| point.class == class).map(|point| Point {
            x: point.learning_rate,
            y: point.one_minus_momentum,
            tooltip: if has_tooltips { tooltip(region, point, label) } else { vec![] },
        });
        series.push(Series::new(label, color, Shape::Points(points.collect(), marker)));
    }
    let share = region
        .share_reached
        .map_or(String::new(), |share| format!(": {}%", format::rounded(100.0 * share)));
    let title = format!("batch size {}{share}", format::count(region.batch_size));
    Panel::new(x.clone(), y.clone(), series).titled(title)
}

fn tooltip(region: &Region, point: &RegionPoint, label: &str) -> Vec<String> {
    let mut lines = vec![
        format!("trial {}, batch size {}", point.trial_id, format::count(region.batch_size)),
        format!("learning_rate: {}", format::number(point.learning_rate)),
        format!("momentum: {}", format::number(1.0 - point.one_minus_momentum)),
        format!("effective learning rate: {}", {
            format::number(point.learning_rate / point.one_minus_momentum)
        }),
        label.to_owned(),
    ];
    lines.extend(point.steps.map(|steps| format!("steps: {}", format::count(steps))));
    lines
}

/// Lines of constant effective learning rate e: 1 - momentum = learning rate / e, at powers of ten.
fn contours(x: &Axis, y: &Axis) -> Vec<Series> {
    #[expect(clippy::cast_possible_truncation, reason = "logarithms of an f64 are small")]
    let exponents = {
        let (least, most) = (x.from / y.to, x.to / y.from);
        least.log10().floor() as i32..=most.log10().ceil() as i32
    };
    let lines = exponents.map(|exponent| {
        let rate = 10.0_f64.powi(exponent);
        Shape::Line(vec![(x.from, x.from / rate), (x.to, x.to / rate)], Stroke::Thin)
    });
    lines.map(|line| Series::unnamed(Color::Grid, line)).collect()
}

fn shares(regions: &[BudgetRegions]) -> Table {
    let rows = || {
        regions.iter().flat_map(|regions| regions.studies.iter().map(|r| (&regions.question, r)))
    };
    Table::new("good_regions")
        .counts("batch_size", rows().map(|(_, region)| region.batch_size))
        .counts("step_budget", rows().map(|(question, _)| question.max_steps))
        .counts("example_budget", rows().map(|(question, _)| question.max_examples))
        .counts("trials", rows().map(|(_, region)| region.points.len() as u64))
        .numbers("share_reached", rows().map(|(_, region)| region.share_reached))
        .numbers("share_diverged", rows().map(|(_, region)| region.share_infeasible))
        .without_empty_columns()
}
