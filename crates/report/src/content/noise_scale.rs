//! The gradient noise scale against the measured critical batch size.

use critbatch_tuner::{NoiseScales, StudyNoiseScale};

use super::{ReportInput, labels};
use crate::figure::{
    Axis, AxisScale, Color, Direction, Figure, Mark, Marker, Panel, Point, Series, Shape, Stroke,
};
use crate::format;
use crate::page::{Listing, Plot, Section};
use crate::table::Table;

pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let scales = input.analysis.noise_scales.as_ref()?;
    let rows = || scales.studies.iter();
    rows().find_map(|study| pooled(study).or(winner(study)))?;
    let caption = "B_noise: tr(Sigma) / |G|² of the gradients met on the way to the goal, averaged over \
                   what would be steps without noise. It is the batch size at which noise and gradient \
                   are of one size, which theory puts near B_crit (McCandlish et al. 2018). The dashed \
                   diagonal is where the noise scale is the batch size.";
    let table = Table::new("noise_scale")
        .counts("batch_size", rows().map(|scale| scale.batch_size))
        .numbers("noise_scale", rows().map(pooled))
        .numbers("low", rows().map(|scale| Some(scale.pooled?.interval?.low)))
        .numbers("high", rows().map(|scale| scale.pooled?.interval?.high))
        .numbers("winner_only", rows().map(winner))
        .numbers("over_B_crit", rows().map(|scale| scale.ratio_to_critical_batch_size))
        .counts("trials", rows().map(|scale| Some(scale.pooled?.n_trials)))
        .counts("measurements", rows().map(|scale| Some(scale.pooled?.n_measurements)))
        .without_empty_columns();
    let blocks = vec![
        Plot::block(figure(input, scales), caption),
        Listing::folded(table, "In examples; pooled over all trials that reached the goal."),
    ];
    Section::of("noise-scale", "Gradient noise scale", blocks)
}

fn pooled(study: &StudyNoiseScale) -> Option<f64> {
    study.pooled?.noise_scale
}

fn winner(study: &StudyNoiseScale) -> Option<f64> {
    study.winner?.noise_scale
}

fn figure(input: &ReportInput<'_>, scales: &NoiseScales) -> Figure {
    let studies = || scales.studies.iter();
    let points = |value: fn(&StudyNoiseScale) -> Option<f64>, what: &'static str| {
        studies().filter_map(move |scale| {
            let value = value(scale)?;
            let tooltip = vec![
                format!("batch size {}", format::count(scale.batch_size)),
                format!("noise scale, {what}: {}", format::rounded(value)),
            ];
            Some(Point { x: scale.batch_size as f64, y: value, tooltip })
        })
    };
    let bars = studies().filter_map(|scale| {
        let interval = scale.pooled?.interval?;
        Some((scale.batch_size as f64, interval.low, interval.high.unwrap_or(f64::INFINITY)))
    });
    let bars: Vec<(f64, f64, f64)> = bars.collect();
    let sizes = || studies().map(|scale| scale.batch_size as f64);
    let pooled: Vec<Point> = points(pooled, "all trials").collect();
    let winners: Vec<Point> = points(winner, "winning trial").collect();
    let critical = scales.critical_batch_size;
    let heights = pooled.iter().chain(&winners).map(|point| point.y).chain(critical);
    let heights = heights.chain(bars.iter().flat_map(|bar| [bar.1, bar.2]));
    let x = Axis::around("batch size", AxisScale::Log2, sizes());
    let y = Axis::around("examples", AxisScale::Log2, heights);
    let mut series = vec![
        Series::new(
            "noise scale = batch size",
            Color::Muted,
            Shape::Line(vec![(x.from, x.from), (x.to, x.to)], Stroke::Dashed),
        ),
        Series::new("interval", Color::Blue, Shape::ErrorBars(bars)),
        Series::new("winning trial", Color::Sky, Shape::Points(winners, Marker::Diamond)),
    ];
    series.extend(Series::joined("all trials", Color::Blue, pooled, Marker::Disc));
    let mark = critical.map(|critical| Mark {
        direction: Direction::Horizontal,
        at: critical,
        label: format!("B_crit {}", format::rounded(critical)),
        color: Color::Purple,
    });
    let panel = Panel { marks: mark.into_iter().collect(), ..Panel::new(x, y, series) };
    let title = "Gradient noise scale and critical batch size";
    Figure::single("noise_scale", title, &labels::workload(input.record), panel)
}
