//! What a pointer, a finger or the keyboard meets: an invisible circle over every point that has
//! something to say.
//!
//! The circles are part of every drawing. Opened alone, a drawing shows their titles as any viewer
//! does; the page's script makes tooltips of them.

use std::fmt::Write;

use super::super::{Figure, Panel, Point, Shape};
use super::canvas::{Pixel, coordinates};
use super::layout::{Layout, Place};
use super::shapes::margin_tick;
use crate::text::escape;

/// Radius around a point, in pixels.
const RADIUS: f64 = 8.0;

/// The document with its hit circles, last and so on top.
pub(super) fn added(figure: &Figure, layout: &Layout, document: String) -> String {
    let mut group = String::new();
    for (panel, place) in figure.panels.iter().zip(&layout.panels) {
        for index in 0..panel.series.len() {
            for (point, pixel) in hits(panel, place, index) {
                circle(&mut group, point, pixel);
            }
        }
    }
    match (group.is_empty(), document.strip_suffix("</svg>\n")) {
        (false, Some(body)) => {
            format!("{body}<g fill=\"none\" pointer-events=\"all\">\n{group}</g>\n</svg>\n")
        }
        _ => document,
    }
}

fn hits<'a>(panel: &'a Panel, place: &Place, index: usize) -> Vec<(&'a Point, Pixel)> {
    let (points, is_at_margin) = match &panel.series[index].shape {
        Shape::Points(points, _) => (points, false),
        Shape::MarginTicks(points) => (points, true),
        _ => return vec![],
    };
    let pixel = |point: &Point| match is_at_margin {
        true => margin_tick(panel, place, index, point.x),
        false => place.pixel(panel, point.x, point.y).filter(|pixel| place.contains(*pixel)),
    };
    let with_tooltip = points.iter().filter(|point| !point.tooltip.is_empty());
    with_tooltip.filter_map(|point| Some((point, pixel(point)?))).collect()
}

fn circle(group: &mut String, point: &Point, pixel: Pixel) {
    let ((x, y), (radius, _)) = (coordinates(pixel), coordinates((RADIUS, 0.0)));
    let _ = writeln!(
        group,
        "<circle class=\"hit\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" data-x=\"{}\" data-y=\"{}\">\
         <title>{}</title></circle>",
        point.x,
        point.y,
        escape(&point.tooltip.join("\n"))
    );
}
