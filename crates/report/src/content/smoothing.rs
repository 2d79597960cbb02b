//! The trials of each study split by their label smoothing.

use critbatch_tuner::{SmoothingCurve, SmoothingPoint};

use super::{ReportInput, labels, quality};
use crate::figure::{Axis, AxisScale, Color, Figure, Marker, Panel, Point, Series};
use crate::format;
use crate::page::{Listing, Plot, Section};
use crate::table::Table;

pub(super) fn section(input: &ReportInput<'_>) -> Option<Section> {
    let smoothing = input.analysis.label_smoothing.as_ref()?;
    let curves = &smoothing.values;
    let panels = [
        panel(curves, "steps to result", AxisScale::Log2, |point| {
            point.steps_to_result.map(|steps| steps as f64)
        }),
        panel(
            curves,
            &format!("best {}", smoothing.metric),
            quality::scale(curves.iter().flat_map(|c| &c.points).filter_map(|p| p.best)),
            |point| point.best,
        ),
    ];
    let panels: Vec<Panel> = panels.into_iter().flatten().collect();
    let title = "Label smoothing";
    let subtitle = labels::workload(input.record);
    let figure = Figure::multiples("label_smoothing", title, &subtitle, panels);
    let caption = "The same trials, shared out by their label smoothing: each value has fewer than \
                   the study, which alone makes its steps to result larger.";
    let blocks =
        vec![Plot::block(figure, caption), Listing::folded(table(curves), "The same as numbers.")];
    Section::of("label-smoothing", "Label smoothing", blocks)
}

fn panel(
    curves: &[SmoothingCurve],
    name: &str,
    scale: AxisScale,
    value: impl Fn(&SmoothingPoint) -> Option<f64>,
) -> Option<Panel> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    points().find_map(&value)?;
    let series = curves.iter().enumerate().flat_map(|(index, curve)| {
        let label = format!("label smoothing {}", format::number(curve.label_smoothing));
        let points = curve.points.iter().filter_map(|point| {
            let value = value(point)?;
            let tooltip = vec![
                format!("{label}, batch size {}", format::count(point.batch_size)),
                format!("{name}: {}", format::number(value)),
                format!("of {} trials", point.n_trials),
            ];
            Some(Point { x: point.batch_size as f64, y: value, tooltip })
        });
        Series::joined(&label, Color::distinct(index), points.collect(), Marker::Disc)
    });
    let sizes = points().map(|point| point.batch_size as f64);
    let x = Axis::around("batch size", AxisScale::Log2, sizes);
    Some(Panel::new(x, Axis::around(name, scale, points().filter_map(&value)), series.collect()))
}

fn table(curves: &[SmoothingCurve]) -> Table {
    let rows =
        || curves.iter().flat_map(|curve| curve.points.iter().map(|p| (curve.label_smoothing, p)));
    Table::new("label_smoothing")
        .numbers("label_smoothing", rows().map(|(smoothing, _)| smoothing))
        .counts("batch_size", rows().map(|(_, point)| point.batch_size))
        .counts("trials", rows().map(|(_, point)| point.n_trials))
        .counts("steps_to_result", rows().map(|(_, point)| point.steps_to_result))
        .numbers("best_value", rows().map(|(_, point)| point.best))
}
