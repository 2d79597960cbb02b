//! What surrounds the numbers: title, legend, grid, axes, marks.

use super::super::{Color, Direction, Figure, Mark, Panel};
use super::canvas::{Anchor, Canvas, Words};
use super::layout::{
    AFTER_SWATCH, FLAG, Layout, Place, TEXT_SIZE, TICK_SIZE, TITLE_SIZE, swatch_width, text_width,
};
use super::shapes;

type Drawn = Result<(), String>;

pub(super) fn background(canvas: &Canvas<'_>, layout: &Layout) -> Drawn {
    canvas.rectangle((0.0, 0.0), layout.size, Color::Paper, 1.0)
}

/// Title, subtitle and legend.
pub(super) fn words(figure: &Figure, layout: &Layout, canvas: &Canvas<'_>) -> Drawn {
    let title = Words::new(&figure.title, TITLE_SIZE, Color::Ink, Anchor::Left);
    canvas.words(layout.title, Words { is_bold: true, ..title })?;
    for (at, line) in &layout.subtitle {
        canvas.words(*at, Words::new(line, TEXT_SIZE, Color::Muted, Anchor::Left))?;
    }
    for &((x, y), panel, series) in &layout.legend {
        let series = &figure.panels[panel].series[series];
        shapes::swatch(series, (x, y), canvas)?;
        let words = Words::new(&series.label, TEXT_SIZE, Color::Ink, Anchor::Left);
        canvas.words((x + swatch_width(series) + AFTER_SWATCH, y), words)?;
    }
    Ok(())
}

/// Lines at the ticks.
pub(super) fn grid(panel: &Panel, place: &Place, canvas: &Canvas<'_>) -> Drawn {
    for tick in panel.x.ticks(place.n_ticks.0) {
        if let Some(part) = panel.x.place(tick.at) {
            let x = place.left + part * place.width();
            canvas.line(&[(x, place.top), (x, place.bottom)], Color::Grid, 1.0)?;
        }
    }
    for tick in panel.y.ticks(place.n_ticks.1) {
        if let Some(part) = panel.y.place(tick.at) {
            let y = place.bottom - part * place.height();
            canvas.line(&[(place.left, y), (place.right, y)], Color::Grid, 1.0)?;
        }
    }
    Ok(())
}

/// Frame, ticks, and labels.
pub(super) fn axes(panel: &Panel, place: &Place, canvas: &Canvas<'_>) -> Drawn {
    let corner = (place.left, place.bottom);
    canvas.line(
        &[(place.left, place.top), corner, (place.right, place.bottom)],
        Color::Muted,
        1.0,
    )?;
    for tick in panel.x.ticks(place.n_ticks.0) {
        if let Some(part) = panel.x.place(tick.at) {
            let x = place.left + part * place.width();
            canvas.line(&[(x, place.bottom), (x, place.bottom + 4.0)], Color::Muted, 1.0)?;
            let words = Words::new(&tick.label, TICK_SIZE, Color::Ink, Anchor::Middle);
            canvas.words((x, place.bottom + 14.0), words)?;
        }
    }
    for tick in panel.y.ticks(place.n_ticks.1) {
        if let Some(part) = panel.y.place(tick.at) {
            let y = place.bottom - part * place.height();
            canvas.line(&[(place.left - 4.0, y), (place.left, y)], Color::Muted, 1.0)?;
            let words = Words::new(&tick.label, TICK_SIZE, Color::Ink, Anchor::Right);
            canvas.words((place.left - 7.0, y), words)?;
        }
    }
    labels(panel, place, canvas)
}

fn labels(panel: &Panel, place: &Place, canvas: &Canvas<'_>) -> Drawn {
    let middle = (0.5 * (place.left + place.right), 0.5 * (place.top + place.bottom));
    let words = |text| Words::new(text, TEXT_SIZE, Color::Ink, Anchor::Middle);
    if let Some(y) = place.x_label {
        canvas.words((middle.0, y), words(&panel.x.label))?;
    }
    if let Some(x) = place.y_label {
        canvas.words((x, middle.1), Words { is_upright: true, ..words(&panel.y.label) })?;
    }
    if !panel.title.is_empty() {
        let words = Words::new(&panel.title, TEXT_SIZE, Color::Ink, Anchor::Left);
        canvas.words((place.left, place.title), Words { is_bold: true, ..words })?;
    }
    Ok(())
}

/// Vertical marks carry their label above the frame, the leftmost the highest, so that hardly a line crosses
/// another one's label, and none is seen behind it; horizontal ones at their right end.
pub(super) fn marks(panel: &Panel, place: &Place, canvas: &Canvas<'_>) -> Drawn {
    let of = |direction: Direction| {
        let is_drawn = move |m: &&Mark| m.direction == direction && panel.shows(m);
        panel.marks.iter().filter(is_drawn)
    };
    let mut vertical: Vec<&Mark> = of(Direction::Vertical).collect();
    vertical.sort_by(|a, b| a.at.total_cmp(&b.at));
    let flag = |index: usize| place.top - (vertical.len() - index) as f64 * FLAG;
    let at = |mark: &Mark| {
        let part = panel.x.place(mark.at);
        part.map_or(place.left, |part| place.left + part * place.width())
    };
    for (index, mark) in vertical.iter().enumerate() {
        let x = at(mark);
        canvas.line(&[(x, flag(index) + 2.0), (x, place.bottom)], mark.color, 1.25)?;
    }
    for (index, mark) in vertical.iter().enumerate() {
        flag_label(mark, at(mark), place, flag(index), canvas)?;
    }
    for mark in of(Direction::Horizontal) {
        let Some(part) = panel.y.place(mark.at) else { continue };
        let y = place.bottom - part * place.height();
        canvas.dashes(&[(place.left, y), (place.right, y)], mark.color, 1.25)?;
        let words = Words::new(&mark.label, TICK_SIZE, mark.color, Anchor::Right);
        canvas.words((place.right - 4.0, y - 10.0), words)?;
    }
    Ok(())
}

/// The label of a vertical mark, on the side that has room.
fn flag_label(mark: &Mark, x: f64, place: &Place, top: f64, canvas: &Canvas<'_>) -> Drawn {
    let width = text_width(&mark.label, TICK_SIZE);
    let (at, anchor, left) = match x + 6.0 + width <= place.right + 10.0 {
        true => (x + 6.0, Anchor::Left, x + 4.0),
        false => (x - 6.0, Anchor::Right, x - 8.0 - width),
    };
    let corners = ((left, top + 1.0), (left + width + 4.0, top + FLAG - 1.0));
    canvas.rectangle(corners.0, corners.1, Color::Paper, 1.0)?;
    let words = Words::new(&mark.label, TICK_SIZE, mark.color, anchor);
    canvas.words((at, top + 0.5 * FLAG), words)
}
