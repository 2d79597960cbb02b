//! Where the parts of a figure are, in pixels.

use super::super::{Direction, Figure, Mark, Panel, Series, Shape};
use super::canvas::Pixel;

/// Width of every figure.
const WIDTH: f64 = 760.0;

/// Heights of a title, a subtitle's line, a line of the legend, a panel's title, and a mark's label.
pub(super) const TITLE: f64 = 26.0;
pub(super) const SUBTITLE: f64 = 19.0;
pub(super) const LEGEND: f64 = 22.0;
const PANEL_TITLE: f64 = 22.0;
pub(super) const FLAG: f64 = 17.0;

/// Below a panel: its ticks, and the axis' label.
const TICKS: f64 = 24.0;
const LABEL: f64 = 22.0;

/// Sizes of letters.
pub(super) const TITLE_SIZE: f64 = 18.0;
pub(super) const TEXT_SIZE: f64 = 14.0;
pub(super) const TICK_SIZE: f64 = 13.0;

/// Around everything.
const MARGIN: f64 = 14.0;

/// Between a legend's swatch and its text, and after the text.
pub(super) const AFTER_SWATCH: f64 = 7.0;
const AFTER_ENTRY: f64 = 18.0;

/// Where the parts of a figure are.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) size: Pixel,
    /// Left end and middle height of the title.
    pub(super) title: Pixel,
    /// The lines of the subtitle.
    pub(super) subtitle: Vec<(Pixel, String)>,
    /// Left end and middle height of each entry: panel and series.
    pub(super) legend: Vec<(Pixel, usize, usize)>,
    pub(super) panels: Vec<Place>,
}

/// Where a panel's frame is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    /// Middle height of the panel's title.
    pub(super) title: f64,
    /// Middle of the axes' labels; `None` where a neighbour's label says the same.
    pub(super) x_label: Option<f64>,
    pub(super) y_label: Option<f64>,
    /// About how many ticks have room.
    pub(super) n_ticks: (usize, usize),
}

impl Place {
    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// Where a pair of numbers is; anywhere where it is outside of the axes, `None` where they have
    /// no place for it.
    pub(super) fn pixel(&self, panel: &Panel, x: f64, y: f64) -> Option<Pixel> {
        let (across, up) = (panel.x.place(x)?, panel.y.place(y)?);
        Some((self.left + across * self.width(), self.bottom - up * self.height()))
    }

    /// Whether a pixel is in the frame, with some forgiveness at its edges.
    pub(super) fn contains(&self, (x, y): Pixel) -> bool {
        (self.left - 0.5..=self.right + 0.5).contains(&x)
            && (self.top - 0.5..=self.bottom + 0.5).contains(&y)
    }
}

/// Width of a series' sign in the legend.
pub(super) fn swatch_width(series: &Series) -> f64 {
    match series.shape {
        Shape::Line(..) | Shape::Band(_) | Shape::Range(..) => 28.0,
        Shape::Points(..) | Shape::ErrorBars(_) | Shape::MarginTicks(_) => 14.0,
    }
}

/// About how wide a text is: DejaVu Sans, the widest of the fonts that may show it.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let width = |character: char| match character {
        'i' | 'j' | 'l' | '.' | ',' | '\'' | '|' | ' ' | ':' | ';' | 'I' => 0.34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' => 0.41,
        'm' | 'w' | 'M' | 'W' | '%' | '→' | '±' | '<' | '>' | '=' | '≤' => 0.9,
        character if character.is_uppercase() => 0.7,
        _ => 0.62,
    };
    text.chars().map(width).sum::<f64>() * size
}

impl Layout {
    pub(super) fn of(figure: &Figure) -> Layout {
        let left = MARGIN;
        let title = (left, MARGIN + 0.5 * TITLE);
        let mut y = MARGIN + TITLE;
        let mut subtitle = vec![];
        for line in wrapped(&figure.subtitle, WIDTH - 2.0 * MARGIN) {
            subtitle.push(((left, y + 0.5 * SUBTITLE), line));
            y += SUBTITLE;
        }
        y += 4.0;
        let (legend, y) = legend(figure, y);
        let (panels, bottom) = panels(figure, y + 6.0);
        Layout { size: (WIDTH, (bottom + MARGIN).ceil()), title, subtitle, legend, panels }
    }
}

/// Lines of at most a width, broken at spaces.
fn wrapped(text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(line, TEXT_SIZE) + text_width(word, TEXT_SIZE) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The entries from left to right, in as many lines as they need, and where the last line ends.
fn legend(figure: &Figure, top: f64) -> (Vec<(Pixel, usize, usize)>, f64) {
    let is_same = |a: &Series, b: &Series| {
        let kind = |series: &Series| std::mem::discriminant(&series.shape);
        a.label == b.label && a.color == b.color && kind(a) == kind(b)
    };
    let mut shown: Vec<&Series> = vec![];
    let mut entries = vec![];
    let (mut x, mut y) = (MARGIN, top + 0.5 * LEGEND);
    for (panel_index, panel) in figure.panels.iter().enumerate() {
        for (series_index, series) in panel.series.iter().enumerate() {
            let is_shown = shown.iter().any(|other| is_same(other, series));
            if series.label.is_empty() || series.is_empty() || is_shown {
                continue;
            }
            let width = swatch_width(series) + AFTER_SWATCH + text_width(&series.label, TEXT_SIZE);
            if x > MARGIN && x + width > WIDTH - MARGIN {
                (x, y) = (MARGIN, y + LEGEND);
            }
            entries.push(((x, y), panel_index, series_index));
            shown.push(series);
            x += width + AFTER_ENTRY;
        }
    }
    let bottom = if entries.is_empty() { top } else { y + 0.5 * LEGEND };
    (entries, bottom)
}

fn panels(figure: &Figure, top: f64) -> (Vec<Place>, f64) {
    let n_panels = figure.panels.len();
    let n_columns = match n_panels {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    };
    let height = [370.0, 270.0, 190.0][n_columns - 1];
    let width = (WIDTH - 2.0 * MARGIN) / n_columns as f64;
    let is_shared = |axis: fn(&Panel) -> &str| {
        figure.panels.windows(2).all(|pair| axis(&pair[0]) == axis(&pair[1]))
    };
    let (x_is_shared, y_is_shared) = (is_shared(|p| &p.x.label), is_shared(|p| &p.y.label));
    let n_ticks = ([11, 6, 4][n_columns - 1], [7, 6, 5][n_columns - 1]);
    let mut places = vec![];
    let mut row_top = top;
    for (row, row_panels) in figure.panels.chunks(n_columns).enumerate() {
        let n_flags = row_panels.iter().map(n_flags).max().unwrap_or(0);
        let has_titles = row_panels.iter().any(|panel| !panel.title.is_empty());
        let title_height = if has_titles { PANEL_TITLE } else { 0.0 };
        let frame_top = row_top + title_height + n_flags as f64 * FLAG + 4.0;
        for (column, panel) in row_panels.iter().enumerate() {
            // A panel names its axis where the next one below or to the left does not.
            let has_x_label = !x_is_shared || (row * n_columns + column + n_columns) >= n_panels;
            let has_y_label = !y_is_shared || column == 0;
            let ticks = panel.y.ticks(n_ticks.1);
            let tick_widths = ticks.iter().map(|tick| text_width(&tick.label, TICK_SIZE));
            let tick_width = tick_widths.fold(20.0, f64::max) + 10.0;
            let left = MARGIN + column as f64 * width;
            let frame_left = left + tick_width + if has_y_label { 24.0 } else { 4.0 };
            let bottom = frame_top + height;
            places.push(Place {
                left: frame_left,
                top: frame_top,
                right: left + width - 12.0,
                bottom,
                title: row_top + 0.5 * PANEL_TITLE,
                x_label: has_x_label.then_some(bottom + TICKS + 0.5 * LABEL),
                y_label: has_y_label.then_some(left + 9.0),
                n_ticks,
            });
        }
        let has_label = places.iter().rev().take(row_panels.len()).any(|p| p.x_label.is_some());
        row_top = frame_top + height + TICKS + if has_label { LABEL } else { 6.0 };
    }
    (places, row_top)
}

fn n_flags(panel: &Panel) -> usize {
    let is_flag = |mark: &&Mark| mark.direction == Direction::Vertical && panel.shows(mark);
    panel.marks.iter().filter(is_flag).count()
}
