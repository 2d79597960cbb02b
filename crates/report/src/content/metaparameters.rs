//! Best metaparameters against batch size, and what learning-rate heuristics would have cost.

use critbatch_tuner::{GoalAnalysis, Heuristic, HeuristicScores, Scale, StudyAnalysis};

use super::{ReportInput, labels};
use crate::figure::{
    Axis, AxisScale, Color, Direction, Figure, Mark, Marker, Panel, Point, Series, Shape, Stroke,
};
use crate::format;
use crate::page::{Block, Listing, Plot};
use crate::table::Table;

const RULES: [(Heuristic, Color); 3] = [
    (Heuristic::Constant, Color::Muted),
    (Heuristic::Linear, Color::Vermilion),
    (Heuristic::SquareRoot, Color::Green),
];

/// The quantity that the heuristics are about.
const EFFECTIVE_RATE: &str = "effective learning rate";

pub(super) fn blocks(input: &ReportInput<'_>, goal: &GoalAnalysis) -> Vec<Block> {
    let mut blocks = vec![];
    let panels = panels(input, goal);
    if !panels.is_empty() {
        let figure = Figure::multiples(
            "best_metaparameters",
            "Metaparameters of the best trial at each batch size",
            &format::question(&goal.question),
            panels,
        );
        blocks.push(Plot::block(
            figure,
            &format!(
                "The effective learning rate is learning_rate / (1 - momentum); bars hold those of all \
                 trials that took at most {} more steps than the best one. The lines follow the \
                 constant, linear and square-root heuristics from the base batch size.",
                labels::percent(input.analysis.options.tolerances.useful)
            ),
        ));
    }
    if let Some(scores) = &goal.heuristics {
        blocks.extend(scorecard(input, goal, scores));
    }
    blocks
}

/// What a study's best trial gives.
type Value<'a> = Box<dyn Fn(&StudyAnalysis) -> Option<f64> + 'a>;

/// One quantity against batch size.
struct Quantity<'a> {
    name: String,
    scale: AxisScale,
    value: Value<'a>,
}

fn panels(input: &ReportInput<'_>, goal: &GoalAnalysis) -> Vec<Panel> {
    let searched = labels::searched(input.record);
    let mut quantities: Vec<Quantity<'_>> = searched
        .iter()
        .map(|&name| {
            let value =
                move |study: &StudyAnalysis| study.result.as_ref()?.parameters.get(name).copied();
            match name {
                "momentum" => Quantity {
                    name: "1 - momentum".to_owned(),
                    scale: AxisScale::Log10,
                    value: Box::new(move |study| Some(1.0 - value(study)?)),
                },
                _ => Quantity {
                    name: name.to_owned(),
                    scale: scale(input, name),
                    value: Box::new(value),
                },
            }
        })
        .collect();
    if searched.contains(&"learning_rate") {
        quantities.push(Quantity {
            name: EFFECTIVE_RATE.to_owned(),
            scale: AxisScale::Log10,
            value: Box::new(|study| study.result.as_ref()?.effective_learning_rate),
        });
    }
    quantities.iter().filter_map(|quantity| panel(goal, quantity)).collect()
}

/// Logarithmic where it was searched so.
fn scale(input: &ReportInput<'_>, name: &str) -> AxisScale {
    let mut scales =
        input.record.studies.iter().filter_map(|study| study.facts.space.scales.get(name));
    match name == "learning_rate" || scales.any(|scale| matches!(scale, Scale::Log(..))) {
        true => AxisScale::Log10,
        false => AxisScale::Linear,
    }
}

fn panel(goal: &GoalAnalysis, quantity: &Quantity<'_>) -> Option<Panel> {
    let Quantity { name, scale, value } = quantity;
    let points: Vec<Point> = goal
        .studies
        .iter()
        .filter_map(|study| {
            let (value, result) = (value(study)?, study.result.as_ref()?);
            let mut tooltip = vec![
                format!(
                    "batch size {}, trial {}",
                    format::count(study.facts.batch_size),
                    result.trial_id
                ),
                format!("{name}: {}", format::number(value)),
            ];
            tooltip.extend(labels::parameter_lines(&result.parameters));
            Some(Point { x: study.facts.batch_size as f64, y: value, tooltip })
        })
        .collect();
    points.first()?;
    let sizes = goal.studies.iter().map(|study| study.facts.batch_size as f64);
    let x = Axis::around("batch size", AxisScale::Log2, sizes);
    let bars: Vec<(f64, f64, f64)> = match name == EFFECTIVE_RATE {
        true => goal.studies.iter().filter_map(good_rates).collect(),
        false => vec![],
    };
    let ends = bars.iter().flat_map(|(_, low, high)| [*low, *high]);
    let y = Axis::around(name, *scale, points.iter().map(|point| point.y).chain(ends));
    let mut series = vec![];
    if name == EFFECTIVE_RATE {
        series.extend(goal.heuristics.iter().flat_map(|scores| rules(scores, &x)));
        series.push(Series::new("about as good", Color::Blue, Shape::ErrorBars(bars)));
    }
    series.extend(Series::joined("best trial", Color::Blue, points, Marker::Triangle));
    // An axis label of each panel would be its title again.
    let y = Axis { label: String::new(), ..y };
    Some(Panel::new(x, y, series).titled(name.clone()))
}

/// Where the effective learning rates of good trials lie.
fn good_rates(study: &StudyAnalysis) -> Option<(f64, f64, f64)> {
    let (low, high) = study.good_rates?;
    Some((study.facts.batch_size as f64, low, high))
}

/// The rules as lines over the whole axis.
fn rules(scores: &HeuristicScores, x: &Axis) -> Vec<Series> {
    let base = scores.base_batch_size as f64;
    let line = |(rule, color): (Heuristic, Color)| {
        let exponent = match rule {
            Heuristic::Constant => 0.0,
            Heuristic::Linear => 1.0,
            Heuristic::SquareRoot => 0.5,
        };
        let at = |size: f64| (size, scores.base_rate * (size / base).powf(exponent));
        let shape = Shape::Line(vec![at(x.from), at(x.to)], Stroke::Dashed);
        Series::new(labels::heuristic(rule), color, shape)
    };
    RULES.map(line).into()
}

fn scorecard(input: &ReportInput<'_>, goal: &GoalAnalysis, scores: &HeuristicScores) -> Vec<Block> {
    let factor = format::number(input.analysis.options.tolerances.learning_rate_factor);
    let base = format::count(scores.base_batch_size);
    let caption = format!(
        "Steps needed when the effective learning rate follows a rule from batch size {base}, over \
         steps with the best one: 1 costs nothing. Judged by the study's own trials within a factor \
         {factor} of the predicted rate, all else at its best among them, so real costs are higher. \
         Ticks at the top, a row for each rule: no such trial reached the goal."
    );
    let rules = || scores.rules.iter();
    let summary = Table::new("heuristics")
        .texts("rule", rules().map(|rule| labels::heuristic(rule.heuristic).to_owned()))
        .numbers("mean_factor_lost", rules().map(|rule| rule.mean_factor_lost))
        .counts("failed", rules().map(|rule| rule.n_failed));
    let points =
        || rules().flat_map(|rule| rule.points.iter().map(move |point| (rule.heuristic, point)));
    let details = Table::new("heuristics_by_batch_size")
        .texts("rule", points().map(|(rule, _)| labels::heuristic(rule).to_owned()))
        .counts("batch_size", points().map(|(_, point)| point.batch_size))
        .numbers("predicted_rate", points().map(|(_, point)| point.predicted_rate))
        .numbers("best_rate", points().map(|(_, point)| point.best_rate))
        .numbers("rate_ratio", points().map(|(_, point)| point.rate_ratio))
        .counts("trials_near", points().map(|(_, point)| point.n_near))
        .counts("steps", points().map(|(_, point)| point.steps))
        .counts("best_steps", points().map(|(_, point)| point.best_steps))
        .numbers("factor_lost", points().map(|(_, point)| point.factor_lost));
    vec![
        Plot::block(cost_figure(goal, scores), &caption),
        Listing::block(
            summary,
            "Geometric mean over batch sizes other than the base; failed counts batch sizes where \
             no trial near the predicted rate reached the goal.",
        ),
        Listing::folded(details, "The same at each batch size."),
    ]
}

fn cost_figure(goal: &GoalAnalysis, scores: &HeuristicScores) -> Figure {
    let mut series = vec![];
    for ((rule, color), marker) in
        RULES.into_iter().zip([Marker::Disc, Marker::Square, Marker::Diamond])
    {
        let points = scores.rules.iter().filter(|score| score.heuristic == rule);
        let points: Vec<_> = points.flat_map(|score| &score.points).collect();
        let lost = points.iter().map(|point| {
            // Where the rule failed, the line is interrupted.
            let factor = point.factor_lost.unwrap_or(f64::NAN);
            let tooltip = vec![
                format!("{} rule, batch size {}", labels::heuristic(rule), {
                    format::count(point.batch_size)
                }),
                format!("steps: {} times the best", format::number(factor)),
                format!("predicted rate: {}", format::number(point.predicted_rate)),
                format!("best rate: {}", point.best_rate.map_or("–".into(), format::number)),
                format!("trials near it: {}", point.n_near),
            ];
            Point { x: point.batch_size as f64, y: factor, tooltip }
        });
        series.extend(Series::joined(labels::heuristic(rule), color, lost.collect(), marker));
        let failed = points.iter().filter(|point| point.has_failed());
        let failed = failed.map(|point| Point {
            tooltip: vec![
                format!("{} rule, batch size {}", labels::heuristic(rule), {
                    format::count(point.batch_size)
                }),
                format!("no trial near {} reached the goal", format::number(point.predicted_rate)),
            ],
            ..Point::plain(point.batch_size as f64, 0.0)
        });
        series.push(Series::unnamed(color, Shape::MarginTicks(failed.collect())));
    }
    let sizes = goal.studies.iter().map(|study| study.facts.batch_size as f64);
    let lost = scores.rules.iter().flat_map(|rule| &rule.points);
    let lost = lost.filter_map(|point| point.factor_lost).chain([1.0]);
    let panel = Panel::new(
        Axis::around("batch size", AxisScale::Log2, sizes),
        Axis::around("steps over best steps", AxisScale::Log10, lost),
        series,
    );
    let mark = Mark {
        direction: Direction::Horizontal,
        at: 1.0,
        label: String::new(),
        color: Color::Muted,
    };
    let panel = Panel { marks: vec![mark], ..panel };
    let title = "Steps lost by following a learning-rate heuristic";
    Figure::single("heuristics", title, &format::question(&goal.question), panel)
}
