//! Time to result and its price, on the measured device and, projected, on more of them.

use critbatch_tuner::{GoalAnalysis, IdealProjection, TimePoint, TimeToResult};

use super::{ReportInput, labels};
use crate::figure::{Axis, AxisScale, Color, Figure, Marker, Panel, Point, Series, Shape, Stroke};
use crate::format;
use crate::page::{Block, Listing, Plot, Section};
use crate::table::Table;

pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let variants = super::variants(input, blocks);
    Section::of("time", "Time and price", vec![Block::PerGoal(variants)])
}

fn blocks(input: &ReportInput<'_>, goal: &GoalAnalysis) -> Vec<Block> {
    let Some(time) = &goal.time else { return vec![] };
    let question = format::question(&goal.question);
    let mut blocks = vec![
        Plot::block(
            measured(time, &question),
            "On the measured device, one trial alone: steps times the duration of a step, without \
             evaluation. Examples stand for energy and money.",
        ),
        Plot::block(
            front(time, &question),
            "On the Pareto front no other batch size takes less of one and not more of the other.",
        ),
        Listing::folded(table(time), "The same as numbers; durations in seconds."),
    ];
    if time.projections.iter().any(|projection| !projection.points.is_empty()) {
        blocks.push(Plot::block(
            projection(input, time, &question),
            "A projection, not a measurement: N devices as fast as the measured one share each \
             batch out evenly and talk for free.",
        ));
        blocks.push(Listing::folded(projection_table(time), "The projection as numbers."));
    }
    blocks
}

fn tooltip(point: &TimePoint) -> Vec<String> {
    vec![
        format!("batch size {}", format::count(point.batch_size)),
        format!("time to result: {}", format::seconds(point.seconds)),
        format!("examples to result: {}", format::count(point.examples)),
        format!("steps: {}", format::count(point.steps)),
        format!("one step: {}", format::seconds(point.seconds_per_step)),
    ]
}

fn measured(time: &TimeToResult, question: &str) -> Figure {
    let panel = |title: &str, label: &str, scale, value: fn(&TimePoint) -> f64| {
        let points = time.points.iter().map(|point| Point {
            x: point.batch_size as f64,
            y: value(point),
            tooltip: tooltip(point),
        });
        let sizes = time.points.iter().map(|point| point.batch_size as f64);
        Panel::new(
            Axis::around("batch size", AxisScale::Log2, sizes),
            Axis::around(label, scale, time.points.iter().map(value)),
            Series::joined("measured", Color::Blue, points.collect(), Marker::Triangle).into(),
        )
        .titled(title)
    };
    let panels = vec![
        panel("Time to result", "seconds", AxisScale::Log10, |point| point.seconds),
        panel("Examples to result", "examples", AxisScale::Log10, |point| point.examples as f64),
    ];
    Figure::multiples("time_to_result", "Time and examples to result", question, panels)
}

fn front(time: &TimeToResult, question: &str) -> Figure {
    let points = |is_on_front: bool| {
        let points = time.points.iter().filter(|p| p.is_on_pareto_front == is_on_front);
        let point = |point: &TimePoint| Point {
            x: point.examples as f64,
            y: point.seconds,
            tooltip: tooltip(point),
        };
        points.map(point).collect::<Vec<Point>>()
    };
    let mut on_front = points(true);
    on_front.sort_by(|a, b| a.x.total_cmp(&b.x));
    let [line, on_front] = Series::joined("Pareto front", Color::Blue, on_front, Marker::Triangle);
    let others = Shape::Points(points(false), Marker::Disc);
    let panel = Panel::new(
        Axis::around(
            "examples to result",
            AxisScale::Log10,
            time.points.iter().map(|p| p.examples as f64),
        ),
        Axis::around("seconds to result", AxisScale::Log10, time.points.iter().map(|p| p.seconds)),
        vec![line, Series::new("other batch sizes", Color::Muted, others), on_front],
    );
    Figure::single("pareto_front", "Time against examples to result", question, panel)
}

fn projection(input: &ReportInput<'_>, time: &TimeToResult, question: &str) -> Figure {
    let points = || time.projections.iter().flat_map(|projection| &projection.points);
    let n_projections = time.projections.len();
    let series = time.projections.iter().enumerate().flat_map(|(index, projection)| {
        let color = Color::ordered(index, n_projections);
        let label = devices(projection);
        let points: Vec<Point> = projection
            .points
            .iter()
            .map(|point| Point {
                x: point.batch_size as f64,
                y: point.projected_seconds,
                tooltip: vec![
                    format!("{label}, batch size {}", format::count(point.batch_size)),
                    format!("projected time to result: {}", {
                        format::seconds(point.projected_seconds)
                    }),
                    format!("projected device time: {}", {
                        format::seconds(point.projected_device_seconds)
                    }),
                ],
            })
            .collect();
        let line = points.iter().map(|point| (point.x, point.y)).collect();
        [
            Series::unnamed(color, Shape::Line(line, Stroke::Dashed)),
            Series::new(label, color, Shape::Points(points, Marker::Disc)),
        ]
    });
    let panel = Panel::new(
        Axis::around(
            "batch size over all devices",
            AxisScale::Log2,
            points().map(|p| p.batch_size as f64),
        ),
        Axis::around("projected seconds", AxisScale::Log10, points().map(|p| p.projected_seconds)),
        series.collect(),
    );
    let title = "Projection: time to result on ideal devices";
    let subtitle = format!("{question}; {}", labels::workload(input.record));
    Figure::single("projection", title, &subtitle, panel)
}

fn devices(projection: &IdealProjection) -> String {
    match projection.n_devices {
        1 => "1 device".to_owned(),
        n => format!("{} devices", format::count(n)),
    }
}

fn table(time: &TimeToResult) -> Table {
    let points = || time.points.iter();
    Table::new("time_to_result")
        .counts("batch_size", points().map(|point| point.batch_size))
        .counts("steps", points().map(|point| point.steps))
        .counts("examples", points().map(|point| point.examples))
        .numbers("seconds_per_step", points().map(|point| point.seconds_per_step))
        .numbers("seconds", points().map(|point| point.seconds))
        .flags("on_pareto_front", points().map(|point| point.is_on_pareto_front))
}

fn projection_table(time: &TimeToResult) -> Table {
    let points =
        || time.projections.iter().flat_map(|p| p.points.iter().map(|point| (p.n_devices, point)));
    Table::new("projection")
        .counts("devices", points().map(|(n_devices, _)| n_devices))
        .counts("batch_size", points().map(|(_, point)| point.batch_size))
        .numbers(
            "projected_seconds_per_step",
            points().map(|(_, point)| point.projected_seconds_per_step),
        )
        .numbers("projected_seconds", points().map(|(_, point)| point.projected_seconds))
        .numbers(
            "projected_device_seconds",
            points().map(|(_, point)| point.projected_device_seconds),
        )
}
