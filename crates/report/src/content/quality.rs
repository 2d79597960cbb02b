//! Solution quality: the best that training reaches at each batch size within a budget.

use critbatch_tuner::{Quality, QualityBudget, QualityCurve, QualityPoint};

use super::{ReportInput, labels};
use crate::figure::{Axis, AxisScale, Color, Figure, Marker, Panel, Point, Series, Shape};
use crate::format;
use crate::page::{Listing, Plot, Section};
use crate::table::Table;

pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let n_train = input.experiment.map(|experiment| experiment.n_train);
    let mut blocks = vec![];
    for (index, quality) in input.analysis.quality.iter().enumerate() {
        let suffix = if index == 0 { String::new() } else { format!("_{}", index + 1) };
        if let Some(figure) = figure(input, quality, &suffix, n_train) {
            let caption = "The best single measurement of any trial within a budget. In the paper large \
                           batches look better with equal steps, and small ones with equal examples. \
                           A hollow point is no more than a bound: some trial ended before the budget \
                           did, and might have gone on to a better value.";
            blocks.push(Plot::block(figure, caption));
            let note = "cut_short: some trial ended before the budget did, at the goal or because \
                        it could not win any more, so the best value might be better.";
            blocks.push(Listing::folded(table(quality, &suffix, n_train), note));
        }
    }
    Section::of("solution-quality", "Solution quality", blocks)
}

fn figure(
    input: &ReportInput<'_>,
    quality: &Quality,
    suffix: &str,
    n_train: Option<u64>,
) -> Option<Figure> {
    let Quality { metric, curves, .. } = quality;
    let points = || curves.iter().flat_map(|curve| &curve.points);
    points().next()?;
    let x = Axis::around("batch size", AxisScale::Log2, points().map(|p| p.batch_size as f64));
    let values = || points().map(|point| point.value);
    let y = Axis::around(metric, scale(values()), values());
    let of_kind = |is_kind: fn(QualityBudget) -> bool| {
        curves.iter().filter(|curve| is_kind(curve.budget)).collect::<Vec<&QualityCurve>>()
    };
    let groups = [
        ("equal steps", of_kind(|budget| matches!(budget, QualityBudget::Steps(_)))),
        ("equal examples", of_kind(|budget| matches!(budget, QualityBudget::Examples(_)))),
        ("all measurements", of_kind(|budget| budget == QualityBudget::Unlimited)),
    ];
    let panels = groups.into_iter().filter(|(_, curves)| !curves.is_empty());
    let panels = panels.map(|(title, curves)| {
        let n_curves = curves.len();
        let series = curves.iter().enumerate().flat_map(|(index, curve)| {
            let label = budget(curve.budget, n_train);
            let color = Color::ordered(index, n_curves);
            let points = curve.points.iter().map(|point| self::point(point, metric, &label));
            let cut_short = curve.points.iter().filter(|point| point.is_cut_short);
            let cut_short =
                cut_short.map(|point| Point::plain(point.batch_size as f64, point.value));
            let rings = Shape::Points(cut_short.collect(), Marker::Ring);
            let curve = Series::joined(&label, color, points.collect(), Marker::Disc);
            curve.into_iter().chain([Series::unnamed(color, rings)])
        });
        // An entry of the legend, that is drawn nowhere.
        let legend = Shape::Points(vec![Point::plain(f64::NAN, f64::NAN)], Marker::Ring);
        let is_cut_short = curves.iter().flat_map(|curve| &curve.points).any(|p| p.is_cut_short);
        let legend = Series::new("a bound", Color::Muted, legend);
        let series = series.chain(is_cut_short.then_some(legend)).collect();
        Panel::new(x.clone(), y.clone(), series).titled(title)
    });
    let name = format!("solution_quality{suffix}");
    let title = format!("Best {metric} within a budget");
    Some(Figure::multiples(&name, &title, &labels::workload(input.record), panels.collect()))
}

/// Logarithmic where all values have a place there.
pub(super) fn scale(mut values: impl Iterator<Item = f64>) -> AxisScale {
    match values.all(|value| value > 0.0) {
        true => AxisScale::Log10,
        false => AxisScale::Linear,
    }
}

fn point(point: &QualityPoint, metric: &str, budget: &str) -> Point {
    let tooltip = vec![
        format!("batch size {}, trial {}", format::count(point.batch_size), point.trial_id),
        format!("{metric}: {}", format::number(point.value)),
        format!("at step {}, within {budget}", format::count(point.step)),
    ];
    let bound = "a bound: some trial ended before the budget did";
    let tooltip = tooltip.into_iter().chain(point.is_cut_short.then(|| bound.to_owned())).collect();
    Point { x: point.batch_size as f64, y: point.value, tooltip }
}

/// `2,000 steps`, `1.5 epochs`.
fn budget(budget: QualityBudget, n_train: Option<u64>) -> String {
    match (budget, n_train) {
        (QualityBudget::Unlimited, _) => "no budget".to_owned(),
        (QualityBudget::Steps(steps), _) => format!("{} steps", format::count(steps)),
        (QualityBudget::Examples(examples), Some(n_train)) if n_train > 0 => {
            format!("{} epochs", format::rounded(examples as f64 / n_train as f64))
        }
        (QualityBudget::Examples(examples), _) => format!("{} examples", format::count(examples)),
    }
}

fn table(quality: &Quality, suffix: &str, n_train: Option<u64>) -> Table {
    let rows =
        || quality.curves.iter().flat_map(|curve| curve.points.iter().map(|p| (curve.budget, p)));
    let steps = |budget| match budget {
        QualityBudget::Steps(steps) => Some(steps),
        QualityBudget::Examples(_) | QualityBudget::Unlimited => None,
    };
    let examples = |budget| match budget {
        QualityBudget::Steps(_) | QualityBudget::Unlimited => None,
        QualityBudget::Examples(examples) => Some(examples),
    };
    let epochs = |budget| Some(examples(budget)? as f64 / n_train? as f64);
    Table::new(&format!("solution_quality{suffix}"))
        .counts("step_budget", rows().map(|(budget, _)| steps(budget)))
        .counts("example_budget", rows().map(|(budget, _)| examples(budget)))
        .numbers("epoch_budget", rows().map(|(budget, _)| epochs(budget)))
        .counts("batch_size", rows().map(|(_, point)| point.batch_size))
        .numbers(&format!("best {}", quality.metric), rows().map(|(_, point)| point.value))
        .counts("step", rows().map(|(_, point)| point.step))
        .counts("trial_id", rows().map(|(_, point)| point.trial_id))
        .flags("cut_short", rows().map(|(_, point)| point.is_cut_short))
        .without_empty_columns()
}
