//! The SVG document in pixels: lines, areas, discs and words.

use plotters::coord::Shift;
use plotters::element::{Drawable, PointCollection};
use plotters::prelude::*;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::Color;

/// plotters draws at whole units; this many for each pixel keep lines straight.
const UNITS: f64 = 4.0;

/// A place, in pixels from the upper left corner.
pub(super) type Pixel = (f64, f64);

/// Where text stands beside its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Right of it.
    Left,
    /// Around it.
    Middle,
    /// Left of it.
    Right,
}

/// Words and how they look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'text> {
    pub(super) text: &'text str,
    /// Height of the letters' box.
    pub(super) size: f64,
    pub(super) color: Color,
    pub(super) anchor: Anchor,
    pub(super) is_bold: bool,
    /// From bottom to top instead of from left to right.
    pub(super) is_upright: bool,
}

impl<'text> Words<'text> {
    pub(super) fn new(text: &'text str, size: f64, color: Color, anchor: Anchor) -> Words<'text> {
        Words { text, size, color, anchor, is_bold: false, is_upright: false }
    }
}

/// What is drawn on.
pub(super) struct Canvas<'svg> {
    area: DrawingArea<SVGBackend<'svg>, Shift>,
}

type Drawn = Result<(), String>;

fn units((x, y): Pixel) -> (i32, i32) {
    #[expect(clippy::cast_possible_truncation, reason = "drawings are some thousand pixels wide")]
    let unit = |pixels: f64| (pixels * UNITS).round() as i32;
    (unit(x), unit(y))
}

fn length(pixels: f64) -> u32 {
    // Everything that is drawn is at least one unit wide.
    (pixels * UNITS).round().max(1.0) as u32
}

fn whole(size: Pixel) -> (u32, u32) {
    (length(size.0), length(size.1))
}

/// The document at its size in pixels; its view box stays in units.
pub(super) fn in_pixels(document: &str, size: Pixel) -> String {
    let (width, height) = whole(size);
    let in_units = format!("width=\"{width}\" height=\"{height}\"");
    let in_pixels = format!("width=\"{:.0}\" height=\"{:.0}\"", size.0, size.1);
    // plotters writes opacity with every element; the page has thousands.
    document.replacen(&in_units, &in_pixels, 1).replace(" opacity=\"1\"", "")
}

/// A place as the document's attributes have it.
pub(super) fn coordinates(pixel: Pixel) -> (i32, i32) {
    units(pixel)
}

impl<'svg> Canvas<'svg> {
    pub(super) fn new(document: &'svg mut String, size: Pixel) -> Canvas<'svg> {
        let backend = SVGBackend::with_string(document, whole(size));
        Canvas { area: backend.into_drawing_area() }
    }

    pub(super) fn finish(&self) -> Drawn {
        self.area.present().map_err(|error| error.to_string())
    }

    fn draw<E>(&self, element: &E) -> Drawn
    where
        for<'a> &'a E: PointCollection<'a, (i32, i32)>,
        E: Drawable<SVGBackend<'svg>>,
    {
        self.area.draw(element).map_err(|error| error.to_string())
    }

    pub(super) fn line(&self, points: &[Pixel], color: Color, width: f64) -> Drawn {
        let points: Vec<_> = points.iter().copied().map(units).collect();
        self.draw(&PathElement::new(points, color.rgb().stroke_width(length(width))))
    }

    /// Dashes of 6 pixels with gaps of 5 along the line; they go on around its corners.
    pub(super) fn dashes(&self, points: &[Pixel], color: Color, width: f64) -> Drawn {
        const DASH: f64 = 6.0;
        const PERIOD: f64 = 11.0;
        let mut travelled = 0.0;
        for pair in points.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let extent = (to.0 - from.0).hypot(to.1 - from.1);
            let at = |distance: f64| {
                let part = (distance / extent).clamp(0.0, 1.0);
                (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1))
            };
            let mut start = -(travelled % PERIOD);
            while start < extent {
                if start + DASH > 0.0 {
                    self.line(&[at(start), at(start + DASH)], color, width)?;
                }
                start += PERIOD;
            }
            travelled += extent;
        }
        Ok(())
    }

    pub(super) fn area(&self, corners: &[Pixel], color: Color, opacity: f64) -> Drawn {
        let corners: Vec<_> = corners.iter().copied().map(units).collect();
        self.draw(&Polygon::new(corners, color.rgb().mix(opacity).filled()))
    }

    pub(super) fn rectangle(&self, from: Pixel, to: Pixel, color: Color, opacity: f64) -> Drawn {
        let style = color.rgb().mix(opacity).filled();
        self.draw(&Rectangle::new([units(from), units(to)], style))
    }

    pub(super) fn disc(&self, center: Pixel, radius: f64, color: Color) -> Drawn {
        self.draw(&Circle::new(units(center), length(radius), color.rgb().filled()))
    }

    pub(super) fn ring(&self, center: Pixel, radius: f64, color: Color, width: f64) -> Drawn {
        let style = color.rgb().stroke_width(length(width));
        self.draw(&Circle::new(units(center), length(radius), style))
    }

    /// Words whose middle height is at a place.
    pub(super) fn words(&self, at: Pixel, words: Words<'_>) -> Drawn {
        let horizontal = match words.anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let weight = if words.is_bold { FontStyle::Bold } else { FontStyle::Normal };
        let mut font = FontDesc::from(("sans-serif", words.size * UNITS, weight));
        if words.is_upright {
            font = font.transform(FontTransform::Rotate270);
        }
        let style = font.color(&words.color.rgb()).pos(Pos::new(horizontal, VPos::Center));
        self.draw(&Text::new(words.text.to_owned(), units(at), style))
    }
}
