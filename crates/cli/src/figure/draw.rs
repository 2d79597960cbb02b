//! Draws a [`Figure`] as SVG.

use std::ops::Range;

use anyhow::{Context, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;

use super::{Axis, Figure};

/// Width and height of the drawing, in pixels.
const SIZE: (u32, u32) = (860, 580);

/// plotters draws at whole units; this many for each pixel keep lines straight.
const UNITS: u32 = 4;

const INK: RGBColor = RGBColor(31, 41, 55);
const GRID: RGBColor = RGBColor(226, 230, 236);
const MEASURED: RGBColor = RGBColor(29, 78, 216);
const PERFECT: RGBColor = RGBColor(107, 114, 128);
const LACKING: RGBColor = RGBColor(194, 65, 12);

type Area<'svg> = DrawingArea<SVGBackend<'svg>, Shift>;
type Chart<'svg> = ChartContext<'svg, SVGBackend<'svg>, Cartesian2d<Axis, Axis>>;

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, coordinate: &f64, (first, last): (i32, i32)) -> i32 {
        let part = (coordinate - self.from) / (self.to - self.from);
        #[expect(clippy::cast_possible_truncation, reason = "pixels of a small drawing")]
        let offset = (part * f64::from(last - first)).round() as i32;
        first + offset
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().copied().map(f64::from).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, coordinate: &f64) -> String {
        #[expect(clippy::cast_possible_truncation, reason = "ticks lie at small whole exponents")]
        let exponent = coordinate.round() as i32;
        self.tick_label(exponent)
    }
}

/// The drawing as an SVG document.
///
/// # Errors
///
/// Where plotters fails, which it has no reason to.
pub(crate) fn svg(figure: &Figure) -> anyhow::Result<String> {
    let mut document = String::new();
    {
        let size = (SIZE.0 * UNITS, SIZE.1 * UNITS);
        let area = SVGBackend::with_string(&mut document, size).into_drawing_area();
        draw(figure, &area).context("cannot draw the figure")?;
        area.present().map_err(failure)?;
    }
    Ok(in_pixels(&document))
}

/// The document at its size in pixels; its view box stays in units.
fn in_pixels(document: &str) -> String {
    let attributes = |(width, height): (u32, u32)| format!("width=\"{width}\" height=\"{height}\"");
    let in_units = attributes((SIZE.0 * UNITS, SIZE.1 * UNITS));
    document.replacen(&in_units, &attributes(SIZE), 1)
}

fn units(pixels: u32) -> u32 {
    pixels * UNITS
}

/// As [`units`], where plotters wants signed numbers.
fn offset(pixels: i32) -> i32 {
    pixels * UNITS.cast_signed()
}

fn font(pixels: u32, color: &RGBColor) -> TextStyle<'static> {
    FontDesc::from(("sans-serif", units(pixels))).color(color)
}

fn failure(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}

fn draw<'svg>(figure: &Figure, area: &Area<'svg>) -> anyhow::Result<()> {
    area.fill(&WHITE).map_err(failure)?;
    let area = area.margin(units(14), units(4), 0, 0);
    let area = area.titled(&figure.title, font(22, &INK)).map_err(failure)?;
    let area = area.titled(&figure.subtitle, font(17, &PERFECT)).map_err(failure)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(units(12))
        .margin_right(units(28))
        .x_label_area_size(units(56))
        .y_label_area_size(units(84))
        .build_cartesian_2d(figure.x_axis.clone(), figure.y_axis.clone())
        .map_err(failure)?;
    draw_mesh(figure, &mut chart)?;
    draw_perfect_scaling(figure, &mut chart)?;
    draw_measured(figure, &mut chart)?;
    draw_without_result(figure, &mut chart)?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .margin(units(14))
        .legend_area_size(units(40))
        .background_style(WHITE.mix(0.9))
        .border_style(GRID.stroke_width(units(1)))
        .label_font(font(15, &INK))
        .draw()
        .map_err(failure)
}

fn draw_mesh<'svg>(figure: &Figure, chart: &mut Chart<'svg>) -> anyhow::Result<()> {
    let (x_axis, y_axis) = (&figure.x_axis, &figure.y_axis);
    chart
        .configure_mesh()
        .x_labels(x_axis.ticks.len())
        .y_labels(y_axis.ticks.len())
        .x_desc(x_axis.label)
        .y_desc(y_axis.label)
        .axis_desc_style(font(17, &INK))
        .label_style(font(15, &INK))
        .axis_style(INK.stroke_width(units(1)))
        .bold_line_style(GRID.stroke_width(units(1)))
        .light_line_style(TRANSPARENT)
        .set_all_tick_mark_size(units(5))
        .draw()
        .map_err(failure)
}

fn draw_perfect_scaling<'svg>(figure: &Figure, chart: &mut Chart<'svg>) -> anyhow::Result<()> {
    if figure.perfect_scaling.is_empty() {
        return Ok(());
    }
    let style = PERFECT.stroke_width(units(2));
    let line =
        DashedLineSeries::new(figure.perfect_scaling.iter().copied(), units(8), units(6), style);
    let series = chart.draw_series(line).map_err(failure)?;
    series.label("perfect scaling").legend(move |(x, y)| {
        let dash =
            |from, to| PathElement::new(vec![(x + offset(from), y), (x + offset(to), y)], style);
        EmptyElement::at((0, 0)) + dash(0, 8) + dash(14, 22) + dash(28, 34)
    });
    Ok(())
}

fn draw_measured<'svg>(figure: &Figure, chart: &mut Chart<'svg>) -> anyhow::Result<()> {
    if figure.measured.is_empty() {
        return Ok(());
    }
    let style = MEASURED.stroke_width(units(2));
    if figure.measured.len() > 1 {
        let line = LineSeries::new(figure.measured.iter().copied(), style);
        chart.draw_series(line).map_err(failure)?;
    }
    let points = figure.measured.iter().map(|point| triangle(*point));
    chart.draw_series(points).map_err(failure)?.label("measured").legend(move |(x, y)| {
        EmptyElement::at((0, 0))
            + PathElement::new(vec![(x, y), (x + offset(34), y)], style)
            + triangle((x + offset(17), y))
    });
    Ok(())
}

fn triangle<Coordinate>(at: Coordinate) -> TriangleMarker<Coordinate, i32> {
    TriangleMarker::new(at, offset(8), MEASURED.filled())
}

/// Ticks at the upper margin: with steps beyond the budget they would lie above.
fn draw_without_result<'svg>(figure: &Figure, chart: &mut Chart<'svg>) -> anyhow::Result<()> {
    if figure.without_result.is_empty() {
        return Ok(());
    }
    let style = LACKING.stroke_width(units(4));
    let (from, to) = (figure.y_axis.from, figure.y_axis.to);
    let height = 0.045 * (to - from);
    let ticks = figure.without_result.iter().map(|batch_size| {
        PathElement::new(vec![(*batch_size, to), (*batch_size, to - height)], style)
    });
    chart.draw_series(ticks).map_err(failure)?.label("no result").legend(move |(x, y)| {
        PathElement::new(
            vec![(x + offset(17), y - offset(8)), (x + offset(17), y + offset(8))],
            style,
        )
    });
    Ok(())
}
