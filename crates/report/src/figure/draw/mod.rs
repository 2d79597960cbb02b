//! Draws a [`Figure`] as SVG: `layout` says where things are, `canvas` writes them, `frame` draws
//! axes and words, `shapes` the numbers, `hits` what a pointer meets.

mod canvas;
mod frame;
mod hits;
mod layout;
mod shapes;

use super::{Drawing, Figure};
use crate::error::ReportError;
use canvas::Canvas;
use layout::Layout;

/// The figure as an SVG document.
///
/// # Errors
///
/// Where plotters fails, which it has no reason to.
pub(super) fn drawing(figure: &Figure) -> Result<Drawing, ReportError> {
    let layout = Layout::of(figure);
    let mut document = String::new();
    let drawn = {
        let canvas = Canvas::new(&mut document, layout.size);
        draw(figure, &layout, &canvas).and_then(|()| canvas.finish())
    };
    drawn.map_err(|problem| ReportError::Figure { figure: figure.name.clone(), problem })?;
    let svg = canvas::in_pixels(&document, layout.size);
    Ok(Drawing {
        name: figure.name.clone(),
        title: figure.title.clone(),
        svg: hits::added(figure, &layout, svg),
    })
}

fn draw(figure: &Figure, layout: &Layout, canvas: &Canvas<'_>) -> Result<(), String> {
    frame::background(canvas, layout)?;
    frame::words(figure, layout, canvas)?;
    for (panel, place) in figure.panels.iter().zip(&layout.panels) {
        frame::grid(panel, place, canvas)?;
        frame::marks(panel, place, canvas)?;
        for index in 0..panel.series.len() {
            shapes::series(panel, place, index, canvas)?;
        }
        frame::axes(panel, place, canvas)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
