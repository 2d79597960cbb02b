//! `measurements.csv`, into buffers that are used again for the next trial.

use std::path::Path;

use super::{LARGEST_COUNT, omission, quotation};
use crate::record::{Curve, Omission};

/// Rows of one file that are reported one by one; of the others only their number.
const MOST_REPORTED_ROWS: u64 = 100;

/// The measurements of one trial, column by column.
#[derive(Debug, Default)]
pub(super) struct Measurements {
    /// Which column is the step.
    step_column: usize,
    steps: Vec<u64>,
    /// Names of the other columns, in the file's order.
    names: Vec<String>,
    /// Their values, [column][row]. There may be more columns than names: buffers of earlier files.
    values: Vec<Vec<f64>>,
}

impl Measurements {
    /// Takes the measurements of a file's text in place of the last ones. Rows that make no sense
    /// are left out.
    pub(super) fn parse(
        &mut self,
        path: &Path,
        text: &[u8],
        omissions: &mut Vec<Omission>,
    ) -> Result<(), Omission> {
        // Some programs begin a text with a byte order mark.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut lines = Lines { rest: text, number: 0 };
        let header = lines.find(|(_, line)| !line.is_empty());
        let (line_number, header) = header.ok_or_else(|| {
            let problem = "the file is empty, expected a header with a column 'step'";
            omission(path, None, format!("{problem}; the trial is left out"))
        })?;
        self.header(header).map_err(|problem| {
            omission(path, Some(line_number), format!("{problem}; the trial is left out"))
        })?;
        let mut n_left_out = 0;
        for (line_number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            if let Err(problem) = self.row(line) {
                let n_rows = self.steps.len();
                self.columns().for_each(|values| values.truncate(n_rows));
                n_left_out += 1;
                if n_left_out <= MOST_REPORTED_ROWS {
                    let problem = format!("{problem}; the row is left out");
                    omissions.push(omission(path, Some(line_number), problem));
                }
            }
        }
        if n_left_out > MOST_REPORTED_ROWS {
            let n_more = n_left_out - MOST_REPORTED_ROWS;
            omissions.push(omission(path, None, format!("{n_more} more rows are left out")));
        }
        Ok(())
    }

    /// The rows (step, value) of a metric; none if the file has no such column.
    pub(super) fn rows(&self, metric: &str) -> impl Iterator<Item = (u64, f64)> + '_ {
        let column = self.names.iter().position(|name| name == metric);
        let values = column.map_or(&[][..], |column| &self.values[column]);
        self.steps.iter().copied().zip(values.iter().copied())
    }

    /// Names of all metrics, in the file's order.
    pub(super) fn metrics(&self) -> &[String] {
        &self.names
    }

    /// All columns, to keep.
    pub(super) fn curve(&self) -> Curve {
        let metrics = self.names.iter().cloned().zip(self.values.iter().cloned());
        Curve { steps: self.steps.clone(), metrics: metrics.collect() }
    }

    fn columns(&mut self) -> impl Iterator<Item = &mut Vec<f64>> {
        self.values.iter_mut().take(self.names.len())
    }

    fn header(&mut self, line: &[u8]) -> Result<(), String> {
        self.steps.clear();
        self.names.clear();
        let mut step_column = None;
        for (column, cell) in line.split(|byte| *byte == b',').enumerate() {
            let name = std::str::from_utf8(bare(cell)).unwrap_or_default();
            if name.is_empty() {
                return Err(format!(
                    "column {} is {}, expected a name",
                    column + 1,
                    quotation(cell)
                ));
            }
            let is_second = match name {
                "step" => step_column.replace(column).is_some(),
                _ => self.names.iter().any(|known| known == name),
            };
            if is_second {
                return Err(format!("a second column {}, expected one", quotation(cell)));
            }
            if name != "step" {
                self.names.push(name.to_owned());
            }
        }
        self.step_column = step_column.ok_or_else(|| {
            format!("the columns {}, expected one of them to be 'step'", quotation(line))
        })?;
        self.values.resize_with(self.values.len().max(self.names.len()), Vec::new);
        self.columns().for_each(Vec::clear);
        Ok(())
    }

    /// Adds a row; on an error the columns may differ in length.
    fn row(&mut self, line: &[u8]) -> Result<(), String> {
        let n_columns = self.names.len() + 1;
        let (mut rest, mut step) = (Some(line), 0);
        let mut values = self.values.iter_mut();
        for column in 0..n_columns {
            let cells = rest.ok_or_else(|| ragged(line, n_columns))?;
            if column == self.step_column {
                (step, rest) = step_cell(cells)?;
            } else {
                let value;
                (value, rest) = metric_cell(cells)?;
                values.next().expect("as many columns as names").push(value);
            }
        }
        if rest.is_some() {
            return Err(ragged(line, n_columns));
        }
        if let Some(previous) = self.steps.last().filter(|previous| step <= **previous) {
            return Err(format!("step {step} after step {previous}, expected ascending steps"));
        }
        self.steps.push(step);
        Ok(())
    }
}

/// Lines with their numbers from 1, without their ends.
struct Lines<'text> {
    rest: &'text [u8],
    number: u64,
}

impl<'text> Iterator for Lines<'text> {
    type Item = (u64, &'text [u8]);

    fn next(&mut self) -> Option<(u64, &'text [u8])> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        self.number += 1;
        Some((self.number, line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

/// What follows the first `end` bytes of the cells of a row: nothing, or other cells.
fn after(cells: &[u8], end: usize) -> Option<&[u8]> {
    cells.get(end + 1..)
}

fn is_cell_end(cells: &[u8], end: usize) -> bool {
    cells.get(end).is_none_or(|byte| *byte == b',')
}

/// The first cell as a step, and the cells after it.
fn step_cell(cells: &[u8]) -> Result<(u64, Option<&[u8]>), String> {
    let n_digits = cells.iter().take(15).take_while(|byte| byte.is_ascii_digit()).count();
    if n_digits > 0 && is_cell_end(cells, n_digits) {
        let digits = cells[..n_digits].iter();
        let step = digits.fold(0, |step, digit| 10 * step + u64::from(digit - b'0'));
        return Ok((step, after(cells, n_digits)));
    }
    let end = memchr::memchr(b',', cells).unwrap_or(cells.len());
    match fast_float2::parse(bare(&cells[..end])).ok().and_then(whole) {
        Some(step) => Ok((step, after(cells, end))),
        None => {
            let found = quotation(&cells[..end]);
            Err(format!("step {found}, expected a whole number from 0 to 2^53"))
        }
    }
}

/// The first cell as a value, NaN if it is empty, and the cells after it.
fn metric_cell(cells: &[u8]) -> Result<(f64, Option<&[u8]>), String> {
    if let Ok((value, end)) = fast_float2::parse_partial(cells)
        && is_cell_end(cells, end)
    {
        return Ok((value, after(cells, end)));
    }
    let end = memchr::memchr(b',', cells).unwrap_or(cells.len());
    let cell = bare(&cells[..end]);
    let value = if cell.is_empty() { Ok(f64::NAN) } else { fast_float2::parse(cell) };
    match value {
        Ok(value) => Ok((value, after(cells, end))),
        Err(_) => Err(format!("{}, expected a number", quotation(&cells[..end]))),
    }
}

/// A whole number that `f64` holds exactly.
pub(super) fn whole(value: f64) -> Option<u64> {
    let is_whole = (0.0..=LARGEST_COUNT as f64).contains(&value) && value.fract() == 0.0;
    is_whole.then_some(value as u64)
}

/// A cell without space around it and without quotation marks.
fn bare(cell: &[u8]) -> &[u8] {
    let cell = cell.trim_ascii();
    let quoted = cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\""));
    quoted.map_or(cell, <[u8]>::trim_ascii)
}

fn ragged(line: &[u8], n_columns: usize) -> String {
    let n_cells = 1 + memchr::memchr_iter(b',', line).count();
    format!("cells: {n_cells}, expected {n_columns} as in the header")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell(text: &str) -> Option<u64> {
        let value = metric_cell(text.as_bytes()).ok().filter(|(_, rest)| rest.is_none());
        value.map(|(value, _)| if value.is_nan() { f64::NAN } else { value }.to_bits())
    }

    fn by_std(text: &str) -> Option<u64> {
        let value = text.parse::<f64>().ok();
        value.map(|value| if value.is_nan() { f64::NAN } else { value }.to_bits())
    }

    proptest! {
        #[test]
        fn every_value_is_read_as_the_standard_library_reads_it(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            for text in [format!("{value}"), format!("{value:?}"), format!("{value:.17e}")] {
                prop_assert_eq!(cell(&text), by_std(&text), "{}", text);
            }
        }

        #[test]
        fn whatever_looks_like_a_number_is_one_for_both(
            text in "[+-]?([0-9]{0,25}\\.?[0-9]{0,25}([eE][+-]?[0-9]{0,4})?|inf|nan|infinity)[x.]?"
        ) {
            prop_assume!(!text.is_empty());
            prop_assert_eq!(cell(&text), by_std(&text), "{}", text);
        }
    }

    #[test]
    fn numbers_that_are_hard_to_round_are_right() {
        let hard = [
            "2.2250738585072011e-308",
            "4.9406564584124654e-324",
            "2.4703282292062327208e-324",
            "1.7976931348623157e308",
            "1.8e308",
            "9007199254740993",
            "0.1000000000000000055511151231257827021181583404541015625",
            "1e-400",
            "1e99999999999",
        ];
        for text in hard {
            assert_eq!(cell(text), by_std(text), "{text}");
        }
    }

    #[test]
    fn buffers_forget_the_last_file() {
        let mut measurements = Measurements::default();
        let mut parse = |text: &str| {
            measurements.parse(Path::new(""), text.as_bytes(), &mut vec![]).unwrap();
            measurements.curve()
        };
        parse("step,a,b,c\n0,1,2,3\n1,4,5,6\n");
        let curve = parse("step,b\n7,8\n");
        assert_eq!(curve.steps, [7]);
        assert_eq!(curve.metrics.into_iter().collect::<Vec<_>>(), [("b".to_owned(), vec![8.0])]);
        assert_eq!(parse("step,z,y\n"), parse("z,step,y\n"));
    }
}
