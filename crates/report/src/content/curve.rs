//! Steps to result against batch size: measured points, intervals, regimes, the fitted curve.

use critbatch_tuner::{
    BatchSizeEstimate, BatchSizeInterval, Determination, GoalAnalysis, StudyAnalysis,
};

use super::{ReportInput, labels};
use crate::figure::{
    Axis, AxisScale, Color, Direction, Figure, Mark, Marker, Panel, Point, Series, Shape, Stroke,
};
use crate::format;
use crate::page::{Block, Listing, Plot};
use crate::table::Table;

/// Factor by which the vertical axis goes on below the fewest steps: enough to see the curve leave
/// the line of perfect scaling, without squeezing the curve.
const BELOW: f64 = 2.8;

/// Points of a drawn formula.
const N_POINTS: u32 = 60;

pub(super) fn blocks(input: &ReportInput<'_>, goal: &GoalAnalysis) -> Vec<Block> {
    let confidence = labels::percent(input.analysis.options.confidence);
    let caption = format!(
        "Fewest steps of any trial at each batch size, with {confidence} intervals of what the best of \
         such a search takes, from the gaps between its best trials; an interval open at the top says \
         that with other trials the goal might not have been reached. The dashed line halves the steps \
         with every doubling, from the smallest batch size on; its noise tilts the line."
    );
    let plot = Plot {
        figure: figure(input, goal, AxisScale::Log2, "steps_to_result"),
        linear: Some(figure(input, goal, AxisScale::Linear, "steps_to_result_linear")),
        caption,
    };
    let table = table(input, goal);
    vec![
        Block::Figure(plot),
        Listing::block(
            table,
            "Steps to result at each batch size, and the trial that got there. search_excess: about how \
             far, as a fraction, the result lies above the best of its box; twice the trials would save \
             half of it. rate_low and rate_high: between these lie the effective learning rates of the \
             trials that took hardly more steps.",
        ),
    ]
}

fn figure(input: &ReportInput<'_>, goal: &GoalAnalysis, scale: AxisScale, name: &str) -> Figure {
    let sizes = || goal.studies.iter().map(|study| study.facts.batch_size as f64);
    let steps: Vec<f64> = goal.curve().iter().map(|point| point.steps as f64).collect();
    let positive = || steps.iter().copied().filter(|steps| *steps > 0.0);
    let fewest = positive().fold(f64::INFINITY, f64::min);
    // Finite ends of intervals belong into the frame.
    let ends = goal.studies.iter().filter_map(|study| study.result.as_ref().and(study.interval));
    let ends = ends.flat_map(|ends| [ends.low, ends.high]).map(labels::height);
    let heights = positive().chain([fewest / BELOW]).chain(ends);
    let x = Axis::around("batch size", scale, sizes());
    let y = Axis::around("steps to result", scale, heights).from_zero();
    let x = if scale == AxisScale::Linear { x.from_zero() } else { x };
    let mut panel = Panel::new(x, y, vec![]);
    panel.series = series(goal, &panel);
    panel.marks = marks(goal);
    let title = format!("Steps to {}", format::question(&goal.question));
    Figure::single(name, &title, &labels::workload(input.record), panel)
}

fn series(goal: &GoalAnalysis, panel: &Panel) -> Vec<Series> {
    let mut series = vec![];
    if let (Determination::Determined, Some(fit)) =
        (goal.regimes.fit.determination, goal.regimes.fit.parameters)
    {
        let interval = fit.critical_batch_size.interval;
        series.extend(interval.map(|interval| {
            let high = interval.high.unwrap_or(f64::INFINITY);
            Series::new("interval of B_crit", Color::Purple, Shape::Range(interval.low, high))
        }));
    }
    series.extend(formulas(goal, panel));
    let with_result = || goal.studies.iter().filter(|study| study.result.is_some());
    let bars = with_result().filter_map(|study| {
        let interval = study.interval?;
        let ends = (labels::height(interval.low), labels::height(interval.high));
        Some((study.facts.batch_size as f64, ends.0, ends.1))
    });
    series.push(Series::new("interval", Color::Blue, Shape::ErrorBars(bars.collect())));
    let points = with_result().filter_map(point).collect();
    series.extend(Series::joined("measured", Color::Blue, points, Marker::Triangle));
    let doubtful = with_result().filter(|study| !study.warnings.is_empty()).filter_map(|study| {
        let Point { x, y, .. } = point(study)?;
        Some(Point::plain(x, y))
    });
    let rings = Shape::Points(doubtful.collect(), Marker::Halo);
    series.push(Series::new("not to be trusted", Color::Vermilion, rings));
    let lacking = goal.studies.iter().filter(|study| study.result.is_none()).map(|study| Point {
        tooltip: lacking_tooltip(study),
        ..Point::plain(study.facts.batch_size as f64, 0.0)
    });
    let ticks = Shape::MarginTicks(lacking.collect());
    series.push(Series::new("no result", Color::Vermilion, ticks));
    series
}

/// Perfect scaling, and the fit.
fn formulas(goal: &GoalAnalysis, panel: &Panel) -> Vec<Series> {
    // Evenly by ratio on linear axes too, where the curves bend most at the smallest sizes.
    let line = |steps: &dyn Fn(f64) -> f64, from: f64| {
        let ratio = panel.x.to / from;
        let sizes = (0..=N_POINTS).map(|i| from * ratio.powf(f64::from(i) / f64::from(N_POINTS)));
        sizes.map(|size| (size, steps(size))).collect::<Vec<_>>()
    };
    let curve = goal.curve();
    let mut series = vec![];
    if let Some(first) = curve.iter().find(|point| point.steps > 0) {
        let n_examples = first.steps as f64 * first.batch_size as f64;
        let points = line(&|size| n_examples / size, first.batch_size as f64);
        let shape = Shape::Line(points, Stroke::Dashed);
        series.push(Series::new("perfect scaling", Color::Muted, shape));
    }
    let fit = &goal.regimes.fit;
    if let (Some(parameters), Some(first)) = (fit.parameters, curve.first()) {
        let label = match fit.determination {
            Determination::PoorFit => "fit S_min (1 + B_crit / B): poor",
            _ => "fit S_min (1 + B_crit / B)",
        };
        let points = line(&|size| parameters.steps(size), first.batch_size as f64);
        series.push(Series::new(label, Color::Purple, Shape::Line(points, Stroke::Solid)));
    }
    series
}

fn point(study: &StudyAnalysis) -> Option<Point> {
    let result = study.result.as_ref()?;
    let mut tooltip = vec![
        format!("batch size {}, trial {}", format::count(study.facts.batch_size), result.trial_id),
        format!("steps to result: {}", format::count(result.steps)),
    ];
    tooltip.extend(study.interval.as_ref().map(|i| format!("interval: {}", labels::interval(i))));
    tooltip.push(format!("examples: {}", format::count(result.examples)));
    tooltip.push(format!("value there: {}", format::number(result.value)));
    tooltip.extend(labels::parameter_lines(&result.parameters));
    tooltip.push(format!(
        "{} of {} trials reached the goal",
        study.counts.n_reached, study.counts.n_complete
    ));
    tooltip.extend(study.warnings.iter().map(|warning| format!("! {warning}")));
    Some(Point { x: study.facts.batch_size as f64, y: result.steps as f64, tooltip })
}

fn lacking_tooltip(study: &StudyAnalysis) -> Vec<String> {
    let heading = format!("batch size {}: no result", format::count(study.facts.batch_size));
    let reasons = study.warnings.iter().map(ToString::to_string);
    [heading].into_iter().chain(reasons).collect()
}

fn marks(goal: &GoalAnalysis) -> Vec<Mark> {
    let mark =
        |at: f64, label: String, color| Mark { direction: Direction::Vertical, at, label, color };
    let regimes = &goal.regimes;
    let within = |interval: Option<BatchSizeInterval>| {
        interval.map_or(String::new(), |ends| format!(" ({})", format::batch_sizes(ends)))
    };
    let of = |estimate: Option<BatchSizeEstimate>, what: &str, color| {
        // With fewer than two points nothing ends anywhere.
        let is_curve = |e: &BatchSizeEstimate| e.determination != Determination::TooFewPoints;
        let estimate = estimate.filter(is_curve)?;
        let (size, within) = (format::batch_size(estimate), within(estimate.interval));
        Some(mark(estimate.value as f64, format!("{what} up to {size}{within}"), color))
    };
    let end = of(regimes.end_of_perfect_scaling, "perfect scaling", Color::Green);
    let useful = of(regimes.maximum_useful_batch_size, "useful", Color::Ink);
    let critical = match (regimes.fit.determination, regimes.fit.parameters) {
        (Determination::Determined, Some(fit)) => {
            let value = fit.critical_batch_size.value;
            Some(mark(value, format!("B_crit {}", format::rounded(value)), Color::Purple))
        }
        _ => None,
    };
    end.into_iter().chain(useful).chain(critical).collect()
}

fn table(input: &ReportInput<'_>, goal: &GoalAnalysis) -> Table {
    let studies = || goal.studies.iter();
    let results = || studies().map(|study| study.result.as_ref());
    let ends = || studies().map(|study| study.result.as_ref().and(study.interval));
    let mut table = Table::new("steps_to_result")
        .counts("batch_size", studies().map(|study| study.facts.batch_size))
        .counts("steps_to_result", results().map(|result| Some(result?.steps)))
        .counts("low", ends().map(|ends| ends?.low.steps()))
        .counts("median", ends().map(|ends| ends?.median.steps()))
        .counts("high", ends().map(|ends| ends?.high.steps()))
        .numbers("search_excess", studies().map(|study| study.search_excess))
        .counts("examples", results().map(|result| Some(result?.examples)))
        .counts("complete", studies().map(|study| study.counts.n_complete))
        .counts("diverged", studies().map(|study| study.counts.n_infeasible))
        .counts("reached", studies().map(|study| study.counts.n_reached))
        .counts("trial_id", results().map(|result| Some(result?.trial_id)));
    for name in labels::searched(input.record) {
        let values = results().map(|result| result?.parameters.get(name).copied());
        table = table.numbers(name, values);
    }
    table
        .numbers("effective_learning_rate", results().map(|result| result?.effective_learning_rate))
        .numbers("rate_low", studies().map(|study| Some(study.good_rates?.0)))
        .numbers("rate_high", studies().map(|study| Some(study.good_rates?.1)))
        .numbers("value", results().map(|result| Some(result?.value)))
        .flags("trusted", studies().map(|study| study.warnings.is_empty()))
        .without_empty_columns()
}
