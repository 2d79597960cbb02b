//! Figures as numbers and words: what is drawn, without a pixel. `draw` makes an SVG document of
//! it, `raster` a picture.

mod axis;
mod draw;
mod palette;
mod raster;

pub use axis::{Axis, AxisScale, Tick};
pub use palette::{Color, N_ORDERED};

/// One or several panels under a title.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Name of its files, without an ending.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// Of what; may be empty.
    pub subtitle: String,
    /// Small multiples, row by row.
    pub panels: Vec<Panel>,
}

/// One pair of axes and what is drawn between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Written above; empty for the only one.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// From back to front.
    pub series: Vec<Series>,
    /// Straight lines across the panel, with a label each.
    pub marks: Vec<Mark>,
}

/// Numbers drawn in one way.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its line in the legend; empty for none.
    pub label: String,
    /// Its colour.
    pub color: Color,
    /// How it is drawn.
    pub shape: Shape,
}

/// How numbers are drawn. What has no place on its axis is left out, and lines end at the frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// (x, y) joined.
    Line(Vec<(f64, f64)>, Stroke),
    /// One marker each.
    Points(Vec<Point>, Marker),
    /// (x, low, high): a bar between them, open where it leaves the frame.
    ErrorBars(Vec<(f64, f64, f64)>),
    /// (x, low, high): the area between them.
    Band(Vec<(f64, f64, f64)>),
    /// A range of x, over the whole height.
    Range(f64, f64),
    /// Ticks at the upper margin, for an x without a y; each series of them in a row of its own.
    MarginTicks(Vec<Point>),
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// One line.
    Solid,
    /// One line, thinner than others.
    Thin,
    /// A broken line, for what was not measured.
    Dashed,
}

/// A point, and what its tooltip says.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Along the horizontal axis.
    pub x: f64,
    /// Along the vertical axis.
    pub y: f64,
    /// Lines of its tooltip, the first one its heading; empty for none.
    pub tooltip: Vec<String>,
}

/// The form of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Disc,
    /// A small disc, where there are many.
    Dot,
    /// A hollow disc, for what is no more than a bound.
    Ring,
    /// A ring around another marker.
    Halo,
    /// A triangle.
    Triangle,
    /// A square.
    Square,
    /// A diamond.
    Diamond,
    /// A cross.
    Cross,
    /// A star.
    Star,
}

/// A straight line at a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Which way it goes.
    pub direction: Direction,
    /// At which number of the axis that it crosses.
    pub at: f64,
    /// Written at its end.
    pub label: String,
    /// Its colour.
    pub color: Color,
}

/// Which way a mark goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Across the horizontal axis.
    Vertical,
    /// Across the vertical axis.
    Horizontal,
}

/// A figure as SVG: the same document is a file, part of the page, and what the picture is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// Name of its files, without an ending.
    pub name: String,
    /// What it shows, in words.
    pub title: String,
    /// The document.
    pub svg: String,
}

impl Point {
    /// A point without a tooltip.
    #[must_use]
    pub fn plain(x: f64, y: f64) -> Point {
        Point { x, y, tooltip: vec![] }
    }
}

impl Series {
    /// A series of a legend.
    #[must_use]
    pub fn new(label: impl Into<String>, color: Color, shape: Shape) -> Series {
        Series { label: label.into(), color, shape }
    }

    /// A series without a line in the legend.
    #[must_use]
    pub fn unnamed(color: Color, shape: Shape) -> Series {
        Series::new("", color, shape)
    }

    /// Whether there is nothing to draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.shape {
            Shape::Line(points, _) => points.is_empty(),
            Shape::Points(points, _) | Shape::MarginTicks(points) => points.is_empty(),
            Shape::ErrorBars(bars) | Shape::Band(bars) => bars.is_empty(),
            Shape::Range(..) => false,
        }
    }

    /// Points joined by a line of the same colour; only the markers are in the legend. A point whose y is
    /// no number is not drawn, and interrupts the line.
    #[must_use]
    pub fn joined(label: &str, color: Color, points: Vec<Point>, marker: Marker) -> [Series; 2] {
        let line = points.iter().map(|point| (point.x, point.y)).collect();
        [
            Series::unnamed(color, Shape::Line(line, Stroke::Thin)),
            Series::new(label, color, Shape::Points(points, marker)),
        ]
    }
}

impl Panel {
    /// A panel without a title or marks.
    #[must_use]
    pub fn new(x: Axis, y: Axis, series: Vec<Series>) -> Panel {
        Panel { title: String::new(), x, y, series, marks: vec![] }
    }

    /// Series of margin ticks among the first `n` series.
    fn n_margin_rows(&self, n: usize) -> usize {
        let first = self.series.iter().take(n);
        first.filter(|s| matches!(s.shape, Shape::MarginTicks(_)) && !s.is_empty()).count()
    }

    /// With a title.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Panel {
        Panel { title: title.into(), ..self }
    }

    /// Whether a mark lies between the ends of its axis.
    #[must_use]
    pub fn shows(&self, mark: &Mark) -> bool {
        let axis = match mark.direction {
            Direction::Vertical => &self.x,
            Direction::Horizontal => &self.y,
        };
        axis.place(mark.at).is_some_and(|place| (0.0..=1.0).contains(&place))
    }
}

impl Figure {
    /// A figure of one panel.
    #[must_use]
    pub fn single(name: &str, title: &str, subtitle: &str, panel: Panel) -> Figure {
        Figure::multiples(name, title, subtitle, vec![panel])
    }

    /// A figure of several panels.
    #[must_use]
    pub fn multiples(name: &str, title: &str, subtitle: &str, panels: Vec<Panel>) -> Figure {
        Figure {
            name: name.to_owned(),
            title: title.to_owned(),
            subtitle: subtitle.to_owned(),
            panels,
        }
    }

    /// Draws it.
    ///
    /// # Errors
    ///
    /// Where plotters fails, which it has no reason to.
    pub fn draw(&self) -> Result<Drawing, crate::ReportError> {
        draw::drawing(self)
    }
}

impl Drawing {
    /// As a PNG file, at twice the drawing's size.
    ///
    /// # Errors
    ///
    /// Where the drawing is no SVG document or too large.
    pub fn png(&self) -> Result<Vec<u8>, crate::ReportError> {
        raster::png(&self.svg)
            .map_err(|problem| crate::ReportError::Figure { figure: self.name.clone(), problem })
    }
}
