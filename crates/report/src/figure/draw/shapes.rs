//! Draws series of numbers, and their swatches in the legend.

use super::super::{Color, Marker, Panel, Series, Shape, Stroke};
use super::canvas::{Canvas, Pixel};
use super::layout::{Place, swatch_width};

type Drawn = Result<(), String>;

/// How opaque areas are: series behind and in front of them stay readable.
const AREA_OPACITY: f64 = 0.16;

/// The series of a panel at an index.
pub(super) fn series(panel: &Panel, place: &Place, index: usize, canvas: &Canvas<'_>) -> Drawn {
    let series = &panel.series[index];
    let color = series.color;
    match &series.shape {
        Shape::Line(points, style) => {
            let pixels: Vec<Option<Pixel>> =
                points.iter().map(|&(x, y)| place.pixel(panel, x, y)).collect();
            for part in clipped(place, &pixels) {
                stroke(&part, color, *style, canvas)?;
            }
            Ok(())
        }
        Shape::Points(points, form) => {
            let pixels = points.iter().filter_map(|point| place.pixel(panel, point.x, point.y));
            let mut shown = pixels.filter(|pixel| place.contains(*pixel));
            shown.try_for_each(|pixel| marker(pixel, *form, color, canvas))
        }
        Shape::ErrorBars(bars) => {
            bars.iter().try_for_each(|bar| error_bar(panel, place, *bar, color, canvas))
        }
        Shape::Band(edges) => band(panel, place, edges, color, canvas),
        Shape::Range(from, to) => range(panel, place, (*from, *to), color, canvas),
        Shape::MarginTicks(points) => {
            let half = margin_tick_half(panel);
            let ticks = points.iter().filter_map(|point| margin_tick(panel, place, index, point.x));
            let mut ticks = ticks.collect::<Vec<_>>().into_iter();
            ticks.try_for_each(|(x, y)| canvas.line(&[(x, y - half), (x, y + half)], color, 3.5))
        }
    }
}

/// The middle of a tick at the upper margin, of the series at an index.
pub(super) fn margin_tick(panel: &Panel, place: &Place, index: usize, x: f64) -> Option<Pixel> {
    let part = panel.x.place(x).filter(|part| (0.0..=1.0).contains(part))?;
    let half = margin_tick_half(panel);
    let row = panel.n_margin_rows(index) as f64;
    Some((place.left + part * place.width(), place.top + half + row * (2.0 * half + 2.0)))
}

/// Half the height of a tick at the upper margin: several rows of them are lower each.
fn margin_tick_half(panel: &Panel) -> f64 {
    if panel.n_margin_rows(panel.series.len()) > 1 { 5.0 } else { 9.0 }
}

fn stroke(points: &[Pixel], color: Color, style: Stroke, canvas: &Canvas<'_>) -> Drawn {
    match style {
        Stroke::Solid => canvas.line(points, color, 2.0),
        Stroke::Thin => canvas.line(points, color, 1.25),
        Stroke::Dashed => canvas.dashes(points, color, 1.5),
    }
}

/// The parts of a line that are in the frame; a point without a place interrupts it.
fn clipped(place: &Place, points: &[Option<Pixel>]) -> Vec<Vec<Pixel>> {
    let mut parts: Vec<Vec<Pixel>> = vec![];
    for pair in points.windows(2) {
        let (Some(from), Some(to)) = (pair[0], pair[1]) else { continue };
        let Some((from, to)) = clipped_segment(place, from, to) else { continue };
        match parts.last_mut().filter(|part| part.last() == Some(&from)) {
            Some(part) => part.push(to),
            None => parts.push(vec![from, to]),
        }
    }
    parts
}

/// The part of a segment that is in the frame (Liang & Barsky 1984).
fn clipped_segment(place: &Place, from: Pixel, to: Pixel) -> Option<(Pixel, Pixel)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    // Each edge: how fast the segment goes out of it, and how far inside it begins.
    let edges = [
        (-dx, from.0 - place.left),
        (dx, place.right - from.0),
        (-dy, from.1 - place.top),
        (dy, place.bottom - from.1),
    ];
    for (outward, inside) in edges {
        if outward == 0.0 && inside < 0.0 {
            return None;
        } else if outward < 0.0 {
            enter = enter.max(inside / outward);
        } else if outward > 0.0 {
            leave = leave.min(inside / outward);
        }
    }
    let at = |part: f64| (from.0 + part * dx, from.1 + part * dy);
    let start = if enter == 0.0 { from } else { at(enter) };
    let end = if leave == 1.0 { to } else { at(leave) };
    (enter <= leave).then_some((start, end))
}

/// A height within the frame; numbers beyond the axis are at its end.
fn height(panel: &Panel, place: &Place, y: f64) -> f64 {
    let part = panel.y.place(y).unwrap_or(if y == f64::INFINITY { 1.0 } else { 0.0 });
    place.bottom - part.clamp(0.0, 1.0) * place.height()
}

fn error_bar(
    panel: &Panel,
    place: &Place,
    (x, low, high): (f64, f64, f64),
    color: Color,
    canvas: &Canvas<'_>,
) -> Drawn {
    let Some(part) = panel.x.place(x).filter(|part| (0.0..=1.0).contains(part)) else {
        return Ok(());
    };
    let x = place.left + part * place.width();
    let [bottom, top] = [low, high].map(|end| height(panel, place, end));
    canvas.line(&[(x, bottom), (x, top)], color, 1.5)?;
    // An end without a cap goes on beyond the frame.
    for (end, y) in [(low, bottom), (high, top)] {
        if panel.y.place(end).is_some_and(|part| (0.0..=1.0).contains(&part)) {
            canvas.line(&[(x - 4.0, y), (x + 4.0, y)], color, 1.5)?;
        }
    }
    Ok(())
}

fn band(
    panel: &Panel,
    place: &Place,
    edges: &[(f64, f64, f64)],
    color: Color,
    canvas: &Canvas<'_>,
) -> Drawn {
    let across = |x: f64| Some(place.left + panel.x.place(x)?.clamp(0.0, 1.0) * place.width());
    let edge = |y: fn(&(f64, f64, f64)) -> f64| {
        let pixel = move |bounds: &(f64, f64, f64)| {
            Some((across(bounds.0)?, height(panel, place, y(bounds))))
        };
        edges.iter().filter_map(pixel).collect::<Vec<Pixel>>()
    };
    let mut corners = edge(|bounds| bounds.1);
    corners.extend(edge(|bounds| bounds.2).into_iter().rev());
    canvas.area(&corners, color, AREA_OPACITY)
}

fn range(
    panel: &Panel,
    place: &Place,
    (from, to): (f64, f64),
    color: Color,
    canvas: &Canvas<'_>,
) -> Drawn {
    let across = |x: f64| {
        let part = panel.x.place(x).unwrap_or(if x == f64::INFINITY { 1.0 } else { 0.0 });
        place.left + part.clamp(0.0, 1.0) * place.width()
    };
    let corners = ((across(from), place.top), (across(to), place.bottom));
    canvas.rectangle(corners.0, corners.1, color, AREA_OPACITY)
}

fn marker(at: Pixel, form: Marker, color: Color, canvas: &Canvas<'_>) -> Drawn {
    let polygon = |corners: &[Pixel]| {
        let corners: Vec<Pixel> = corners.iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect();
        canvas.area(&corners, color, 1.0)
    };
    match form {
        Marker::Disc => canvas.disc(at, 4.5, color),
        Marker::Dot => canvas.disc(at, 3.0, color),
        Marker::Ring => {
            canvas.disc(at, 4.5, Color::Paper)?;
            canvas.ring(at, 4.0, color, 1.5)
        }
        Marker::Halo => canvas.ring(at, 8.5, color, 1.75),
        Marker::Triangle => polygon(&[(0.0, -6.0), (5.5, 4.0), (-5.5, 4.0)]),
        Marker::Square => polygon(&[(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)]),
        Marker::Diamond => polygon(&[(0.0, -6.0), (5.0, 0.0), (0.0, 6.0), (-5.0, 0.0)]),
        Marker::Cross => {
            let arm = |x: f64| [(at.0 - x, at.1 - 3.5), (at.0 + x, at.1 + 3.5)];
            canvas.line(&arm(3.5), color, 1.5)?;
            canvas.line(&arm(-3.5), color, 1.5)
        }
        Marker::Star => {
            let corner = |index: u32| {
                let radius = if index.is_multiple_of(2) { 9.0 } else { 3.8 };
                let angle = f64::from(index) * std::f64::consts::PI / 5.0;
                (radius * angle.sin(), -radius * angle.cos())
            };
            polygon(&(0..10).map(corner).collect::<Vec<Pixel>>())
        }
    }
}

/// A series' sign in the legend, from its left end.
pub(super) fn swatch(series: &Series, (x, y): Pixel, canvas: &Canvas<'_>) -> Drawn {
    let width = swatch_width(series);
    let middle = x + 0.5 * width;
    let color = series.color;
    match &series.shape {
        Shape::Line(_, style) => stroke(&[(x, y), (x + width, y)], color, *style, canvas),
        Shape::Points(_, form) => marker((middle, y), *form, color, canvas),
        Shape::ErrorBars(_) => {
            canvas.line(&[(middle, y - 7.0), (middle, y + 7.0)], color, 1.5)?;
            canvas.line(&[(middle - 4.0, y - 7.0), (middle + 4.0, y - 7.0)], color, 1.5)?;
            canvas.line(&[(middle - 4.0, y + 7.0), (middle + 4.0, y + 7.0)], color, 1.5)
        }
        Shape::Band(_) | Shape::Range(..) => {
            canvas.rectangle((x, y - 6.0), (x + width, y + 6.0), color, AREA_OPACITY)
        }
        Shape::MarginTicks(_) => canvas.line(&[(middle, y - 7.0), (middle, y + 7.0)], color, 3.5),
    }
}
