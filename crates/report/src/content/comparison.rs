//! Several experiments on one axis.

use critbatch_tuner::{
    BatchSizeEstimate, ComparedExperiment, ComparedPoint, Comparison, Determination, FitParameters,
    Regimes, StepsInterval,
};

use super::{ReportInput, answer, labels};
use crate::figure::{
    Axis, AxisScale, Color, Direction, Figure, Mark, Marker, Panel, Point, Series, Shape, Stroke,
};
use crate::format;
use crate::page::{Block, Listing, Page, Plot, Section};
use crate::table::Table;

/// Experiments side by side.
#[derive(Debug, Clone, Copy)]
pub struct ComparisonInput<'a> {
    /// Their curves on one axis.
    pub comparison: &'a Comparison,
    /// The experiments in the comparison's order; the first goal of each is the one compared.
    pub experiments: &'a [ReportInput<'a>],
}

/// The comparison: curves on one axis, where they bend, and each experiment's own answer.
pub(crate) fn page(input: &ComparisonInput<'_>) -> Page {
    let comparison = input.comparison;
    let sections = [
        Section::of("curves", "Curves", curves(input)),
        Section::of(
            "regimes",
            "Where the curves bend",
            vec![Listing::block(
                regimes(input),
                "Batch sizes at which the regimes end, their intervals, whether the data determine them \
                 or only bound them, and B_crit where it is determined.",
            )],
        ),
        Section::of("answers", "Each experiment's own answer", vec![Block::Facts(answers(input))]),
        Section::of(
            "points",
            "Points",
            vec![Listing::block(
                points(comparison),
                "Every point of the figures; without steps where no trial reached the goal.",
            )],
        ),
    ];
    let labels: Vec<String> =
        comparison.experiments.iter().map(|experiment| experiment.label.clone()).collect();
    Page {
        title: "Comparison".to_owned(),
        subtitle: format::list(&labels),
        goals: vec![],
        lead: vec![Block::Answer(lead(comparison))],
        sections: sections.into_iter().flatten().collect(),
    }
}

/// How far each experiment's batches are useful, in order.
fn lead(comparison: &Comparison) -> String {
    let mut useful: Vec<(u64, String)> = comparison
        .experiments
        .iter()
        .filter_map(|experiment| {
            let useful = experiment.regimes.maximum_useful_batch_size?;
            if useful.determination == Determination::TooFewPoints {
                return None;
            }
            let size = format::batch_size(useful);
            Some((useful.value, format!("{} up to {size}", experiment.label)))
        })
        .collect();
    useful.sort_by_key(|(value, _)| std::cmp::Reverse(*value));
    let texts: Vec<String> = useful.into_iter().map(|(_, text)| text).collect();
    match texts.is_empty() {
        true => "No experiment has a curve yet, so there is nothing to compare.".to_owned(),
        false => format!("Larger batches save steps in {}.", format::list(&texts)),
    }
}

/// What all experiments have in common of data set, model, optimizer and goal.
fn in_common(input: &ComparisonInput<'_>) -> String {
    fn common<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
        let first = values.next()?;
        values.all(|value| value == first).then_some(first)
    }
    let workloads = || input.experiments.iter().map(|experiment| &experiment.record.workload);
    let parts = [
        common(workloads().map(|workload| &workload.dataset)),
        common(workloads().map(|workload| &workload.model)),
        common(workloads().map(|workload| &workload.optimizer)),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    let goal = common(input.comparison.experiments.iter().map(|experiment| &experiment.question));
    let texts = [parts.join(" / "), goal.map_or(String::new(), format::question)];
    texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
}

fn curves(input: &ComparisonInput<'_>) -> Vec<Block> {
    let comparison = input.comparison;
    let has_points = comparison.experiments.iter().any(|experiment| !experiment.points.is_empty());
    let mut blocks = vec![];
    if let Some(at) = comparison.normalising_batch_size {
        let caption = format!(
            "Each curve is divided by its own steps at batch size {}, so that different goals and \
             workloads can be compared: what matters is where a curve leaves the dashed line of \
             perfect scaling. The noise of that one point shifts a whole curve.",
            format::count(at)
        );
        blocks.push(Plot::block(normalised(input, at), &caption));
    }
    if has_points {
        let caption = "Steps to result as they are, with intervals of what the best of such a search \
                       takes. Ticks at the top: no trial reached the goal.";
        blocks.push(Plot::block(absolute(input), caption));
    }
    blocks
}

fn answers(input: &ComparisonInput<'_>) -> Vec<(String, String)> {
    let labelled = input.comparison.experiments.iter().zip(input.experiments);
    let answer = |(compared, experiment): (&ComparedExperiment, &ReportInput<'_>)| {
        let goal = experiment.analysis.goals.first()?;
        let sentences = answer::sentences(experiment, goal);
        let sizes = format::counts(compared.doubtful.iter().copied());
        let doubts = match compared.doubtful.len() {
            0 => String::new(),
            1 => format!(" Batch size {sizes} cannot be trusted yet."),
            _ => format!(" Batch sizes {sizes} cannot be trusted yet."),
        };
        Some((compared.label.clone(), format!("{sentences}{doubts}")))
    };
    labelled.filter_map(answer).collect()
}

/// The fit, where the data determine it.
fn determined(regimes: &Regimes) -> Option<FitParameters> {
    let is_determined = regimes.fit.determination == Determination::Determined;
    regimes.fit.parameters.filter(|_| is_determined)
}

fn regimes(input: &ComparisonInput<'_>) -> Table {
    let rows = || input.comparison.experiments.iter();
    let is_curve =
        |estimate: &BatchSizeEstimate| estimate.determination != Determination::TooFewPoints;
    let end = |regimes: &Regimes| regimes.end_of_perfect_scaling.filter(is_curve);
    let useful = |regimes: &Regimes| regimes.maximum_useful_batch_size.filter(is_curve);
    let says = |estimate: Option<BatchSizeEstimate>| {
        estimate.map(|estimate| labels::determination(estimate.determination).to_owned())
    };
    let interval = |estimate: Option<BatchSizeEstimate>| estimate?.interval;
    let critical = |regimes: &Regimes| Some(determined(regimes)?.critical_batch_size);
    let fewest =
        |experiment: &ComparedExperiment| experiment.points.iter().map(|point| point.steps).min();
    let workloads = input.experiments.iter().map(|experiment| labels::workload(experiment.record));
    let workloads = workloads.map(Some).chain(std::iter::repeat(None)).take(rows().count());
    Table::new("regimes")
        .texts("experiment", rows().map(|experiment| experiment.label.clone()))
        .counts("end_of_perfect_scaling", rows().map(|e| Some(end(&e.regimes)?.value)))
        .counts("end_low", rows().map(|e| Some(interval(end(&e.regimes))?.low)))
        .counts("end_high", rows().map(|e| Some(interval(end(&e.regimes))?.high)))
        .texts("end_is", rows().map(|e| says(end(&e.regimes))))
        .counts("maximum_useful", rows().map(|e| Some(useful(&e.regimes)?.value)))
        .counts("maximum_low", rows().map(|e| Some(interval(useful(&e.regimes))?.low)))
        .counts("maximum_high", rows().map(|e| Some(interval(useful(&e.regimes))?.high)))
        .texts("maximum_is", rows().map(|e| says(useful(&e.regimes))))
        .numbers("B_crit", rows().map(|e| Some(critical(&e.regimes)?.value)))
        .numbers("B_crit_low", rows().map(|e| Some(critical(&e.regimes)?.interval?.low)))
        .numbers("B_crit_high", rows().map(|e| critical(&e.regimes)?.interval?.high))
        .counts("fewest_steps", rows().map(fewest))
        .texts("workload", workloads)
        .texts("goal", rows().map(|experiment| format::question(&experiment.question)))
}

fn points(comparison: &Comparison) -> Table {
    let rows = || {
        comparison.experiments.iter().flat_map(|experiment| {
            let sizes = experiment.batch_sizes().into_iter();
            sizes.map(move |batch_size| (experiment, batch_size, experiment.at(batch_size)))
        })
    };
    let low = |point: Option<&ComparedPoint>| point?.interval?.low.steps();
    let high = |point: Option<&ComparedPoint>| point?.interval?.high.steps();
    Table::new("comparison")
        .texts("experiment", rows().map(|(experiment, ..)| experiment.label.clone()))
        .counts("batch_size", rows().map(|(_, batch_size, _)| batch_size))
        .counts("steps", rows().map(|(.., point)| Some(point?.steps)))
        .counts("low", rows().map(|(.., point)| low(point)))
        .counts("high", rows().map(|(.., point)| high(point)))
        .numbers("relative_steps", rows().map(|(.., point)| point?.relative_steps))
}

const MARKERS: [Marker; 4] = [Marker::Triangle, Marker::Disc, Marker::Square, Marker::Diamond];

/// Colours repeat after six experiments and markers after four: twelve differ in one of them.
fn series(
    comparison: &Comparison,
    value: fn(&ComparedPoint) -> Option<f64>,
) -> impl Iterator<Item = Series> {
    let joined = move |(index, experiment): (usize, &ComparedExperiment)| {
        let points = experiment.points.iter().filter_map(|point| {
            let mut tooltip = vec![
                format!("{}, batch size {}", experiment.label, format::count(point.batch_size)),
                format!("steps: {}", format::count(point.steps)),
            ];
            let interval = point.interval.as_ref().map(labels::interval);
            tooltip.extend(interval.map(|interval| format!("interval: {interval}")));
            tooltip
                .extend(point.relative_steps.map(|r| format!("relative: {}", format::number(r))));
            Some(Point { x: point.batch_size as f64, y: value(point)?, tooltip })
        });
        let (marker, color) = (MARKERS[index % MARKERS.len()], Color::distinct(index));
        let lacking = experiment.without_result.iter().map(|size| Point {
            tooltip: vec![
                format!("{}, batch size {}", experiment.label, format::count(*size)),
                match experiment.too_few_trials.contains(size) {
                    true => "no trial has reached the goal yet".to_owned(),
                    false => "no trial reached the goal".to_owned(),
                },
            ],
            ..Point::plain(*size as f64, 0.0)
        });
        let ticks = Series::unnamed(color, Shape::MarginTicks(lacking.collect()));
        let curve = Series::joined(&experiment.label, color, points.collect(), marker);
        curve.into_iter().chain([ticks])
    };
    comparison.experiments.iter().enumerate().flat_map(joined)
}

fn batch_sizes(comparison: &Comparison) -> Axis {
    let sizes = comparison.experiments.iter().flat_map(ComparedExperiment::batch_sizes);
    Axis::around("batch size", AxisScale::Log2, sizes.map(|size| size as f64))
}

fn normalised(input: &ComparisonInput<'_>, at: u64) -> Figure {
    let comparison = input.comparison;
    let points = comparison.experiments.iter().flat_map(|experiment| &experiment.points);
    let heights = points.filter_map(|point| point.relative_steps);
    let x = batch_sizes(comparison);
    let y = Axis::around("steps, relative", AxisScale::Log2, heights);
    let base = at as f64;
    let line = vec![(x.from, base / x.from), (x.to, base / x.to)];
    let ideal = Series::new("perfect scaling", Color::Muted, Shape::Line(line, Stroke::Dashed));
    let series = [ideal].into_iter().chain(series(comparison, |point| point.relative_steps));
    let mark = Mark {
        direction: Direction::Vertical,
        at: base,
        label: format!("normalised at {}", format::count(at)),
        color: Color::Muted,
    };
    let panel = Panel { marks: vec![mark], ..Panel::new(x, y, series.collect()) };
    Figure::single("comparison_normalised", "Steps to result, normalised", &in_common(input), panel)
}

fn absolute(input: &ComparisonInput<'_>) -> Figure {
    let comparison = input.comparison;
    let points = || comparison.experiments.iter().flat_map(|experiment| &experiment.points);
    let bars = |(index, experiment): (usize, &ComparedExperiment)| {
        let bar = |point: &ComparedPoint| {
            let StepsInterval { low, high, .. } = point.interval?;
            Some((point.batch_size as f64, labels::height(low), labels::height(high)))
        };
        let bars = experiment.points.iter().filter_map(bar).collect();
        Series::unnamed(Color::distinct(index), Shape::ErrorBars(bars))
    };
    let bars: Vec<Series> = comparison.experiments.iter().enumerate().map(bars).collect();
    let ends = points().filter_map(|point| point.interval);
    let ends = ends.flat_map(|ends| [ends.low, ends.high]).map(labels::height);
    let heights = points().map(|point| point.steps as f64).chain(ends);
    let label = "fewest steps of any trial, with interval";
    let y = Axis::around(label, AxisScale::Log2, heights);
    let series = bars.into_iter().chain(series(comparison, |point| Some(point.steps as f64)));
    let panel = Panel::new(batch_sizes(comparison), y, series.collect());
    Figure::single("comparison", "Steps to result", &in_common(input), panel)
}
