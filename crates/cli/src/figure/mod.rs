//! Steps to result against batch size as a picture: here the numbers, in `draw` the drawing, in
//! `raster` its pixels.

mod draw;
mod raster;

use critbatch_tuner::{ExperimentSummary, perfect_scaling_line};

use crate::format;

pub(crate) use draw::svg;
pub(crate) use raster::png;

/// Octaves that the line of perfect scaling may go on below the fewest steps measured: enough to
/// see the curve leave it, without squeezing the curve.
const OCTAVES_BELOW: f64 = 1.5;

/// Exponents from here on are written as powers.
const FIRST_WRITTEN_EXPONENT: i32 = 14;

/// What is drawn. All coordinates are binary logarithms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    /// What was trained.
    pub(crate) title: String,
    /// To which goal.
    pub(crate) subtitle: String,
    /// Batch size, steps to result: by ascending batch size.
    pub(crate) measured: Vec<(f64, f64)>,
    /// The two ends of the line of perfect scaling; empty without a result.
    pub(crate) perfect_scaling: Vec<(f64, f64)>,
    /// Batch sizes that did not reach the goal.
    pub(crate) without_result: Vec<f64>,
    /// Batch sizes.
    pub(crate) x_axis: Axis,
    /// Steps.
    pub(crate) y_axis: Axis,
}

/// A logarithmic axis with ticks at powers of two.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    /// What it shows.
    pub(crate) label: &'static str,
    /// Where it begins, with some room.
    pub(crate) from: f64,
    /// Where it ends, with some room.
    pub(crate) to: f64,
    /// Exponents of its ticks.
    pub(crate) ticks: Vec<i32>,
}

impl Axis {
    fn around(label: &'static str, coordinates: impl Iterator<Item = f64>, n_ticks: i32) -> Axis {
        let (lowest, highest) = coordinates
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lowest, highest), coordinate| {
                (lowest.min(coordinate), highest.max(coordinate))
            });
        let (lowest, highest) = if lowest <= highest { (lowest, highest) } else { (0.0, 10.0) };
        let room = 0.06 * (highest - lowest).max(4.0);
        let (from, to) = (lowest - room, highest + room);
        #[expect(clippy::cast_possible_truncation, reason = "logarithms of u64 are below 65")]
        let (first, last) = (from.ceil() as i32, to.floor() as i32);
        let stride = (last - first) / n_ticks + 1;
        let ticks = (first..=last).filter(|exponent| exponent.rem_euclid(stride) == 0).collect();
        Axis { label, from, to, ticks }
    }

    /// The text at a tick: `2048`, or `2¹⁶` where numbers would be long.
    pub(crate) fn tick_label(&self, exponent: i32) -> String {
        const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
        let largest = self.ticks.last().copied().unwrap_or(0);
        if exponent >= 0 && largest < FIRST_WRITTEN_EXPONENT {
            return (1_u64 << exponent).to_string();
        }
        let sign = if exponent < 0 { "⁻" } else { "" };
        let digits = exponent.unsigned_abs().to_string();
        let superscript = digits.bytes().map(|digit| SUPERSCRIPTS[usize::from(digit - b'0')]);
        format!("2{sign}{}", superscript.collect::<String>())
    }
}

impl Figure {
    /// The picture of a summary. Results of 0 steps have no place on a logarithmic axis and are
    /// left out; the tables have them.
    pub(crate) fn of(summary: &ExperimentSummary) -> Figure {
        let log2 = |n: u64| (n as f64).log2();
        let curve = summary.curve();
        let lines = perfect_scaling_line(&curve);
        let drawn = curve.iter().filter(|point| point.steps > 0);
        let measured: Vec<(f64, f64)> =
            drawn.map(|point| (log2(point.batch_size), log2(point.steps))).collect();
        let ideal = curve.iter().zip(lines).filter(|(_, steps)| *steps > 0.0);
        let ideal: Vec<(f64, f64)> =
            ideal.map(|(point, steps)| (log2(point.batch_size), steps.log2())).collect();
        let fewest = measured.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
        let perfect_scaling = shortened(&ideal, fewest - OCTAVES_BELOW);
        let lacking = summary.studies.iter().filter(|study| study.steps_to_result.is_none());
        let batch_sizes = summary.studies.iter().map(|study| log2(study.batch_size));
        let steps = measured.iter().chain(&perfect_scaling).map(|point| point.1);
        Figure {
            title: format::workload(&summary.workload),
            subtitle: format!("steps to {}", format::goal(&summary.goal)),
            without_result: lacking.map(|study| log2(study.batch_size)).collect(),
            x_axis: Axis::around("batch size", batch_sizes, 12),
            y_axis: Axis::around("steps to result", steps, 10),
            measured,
            perfect_scaling,
        }
    }
}

/// The ends of a line of slope -1, cut where it falls below `lowest`.
fn shortened(line: &[(f64, f64)], lowest: f64) -> Vec<(f64, f64)> {
    match (line.first(), line.last()) {
        (Some(&first), Some(&last)) if last.0 > first.0 => {
            let cut = (lowest - last.1).clamp(0.0, last.0 - first.0);
            vec![first, (last.0 - cut, last.1 + cut)]
        }
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, study};

    fn figure(studies: &[(u64, Option<u64>)]) -> Figure {
        let studies = studies.iter().map(|&(batch_size, steps)| study(batch_size, steps));
        Figure::of(&results(studies.collect()).summary)
    }

    #[test]
    fn points_are_logarithms_and_the_line_starts_at_the_smallest_batch_size() {
        let figure = figure(&[(2, Some(1024)), (8, Some(512)), (32, Some(256)), (64, None)]);
        assert_eq!(figure.measured, [(1.0, 10.0), (3.0, 9.0), (5.0, 8.0)]);
        // Ends at 2^5 with 2^6 steps if it were not cut at 2^6.5.
        assert_eq!(figure.perfect_scaling, [(1.0, 10.0), (4.5, 6.5)]);
        assert_eq!(figure.without_result, [6.0]);
        assert_eq!(figure.x_axis.ticks, [1, 2, 3, 4, 5, 6]);
        assert!(figure.y_axis.from < 6.5 && figure.y_axis.to > 10.0);
    }

    #[test]
    fn no_result_has_axes_all_the_same() {
        let empty = figure(&[(2, None), (4, None)]);
        assert!(empty.measured.is_empty() && empty.perfect_scaling.is_empty());
        assert!(empty.y_axis.from < empty.y_axis.to);
        let zero = figure(&[(2, Some(0)), (4, Some(8))]);
        assert_eq!(zero.measured, [(2.0, 3.0)]);
        assert!(zero.perfect_scaling.is_empty(), "0 steps give no line on logarithmic axes");
    }

    #[test]
    fn large_powers_are_written_as_powers() {
        let axis = |last| Axis::around("batch size", [1.0, last].into_iter(), 12);
        assert_eq!(axis(11.0).tick_label(11), "2048");
        assert_eq!(axis(16.0).tick_label(16), "2¹⁶");
        assert_eq!(axis(16.0).tick_label(0), "2⁰");
        assert_eq!(axis(4.0).tick_label(-1), "2⁻¹");
        assert!(axis(60.0).ticks.len() <= 12);
    }

    #[test]
    fn the_drawing_has_its_marks_and_no_raw_markup() {
        let drawing = svg(&figure(&[(2, Some(1024)), (8, Some(512)), (64, None)])).unwrap();
        assert!(drawing.contains("batch size") && drawing.contains("steps to result"));
        assert!(!drawing.contains("<b>"), "names must be escaped");
        let drawing = svg(&figure(&[(2, None)])).unwrap();
        assert!(png(&drawing).unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn the_picture_has_text() {
        let with_text = svg(&figure(&[(2, Some(8))])).unwrap();
        let without_text =
            with_text.replace("<text", "<!-- <text").replace("</text>", "</text> -->");
        assert_ne!(png(&with_text).unwrap(), png(&without_text).unwrap());
    }
}
