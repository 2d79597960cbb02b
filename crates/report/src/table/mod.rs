//! Tables: one type from which the page's table, the CSV file and the Parquet file come.

mod csv;
mod parquet;

use crate::format;

/// A table by columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name of its files, without an ending.
    pub name: String,
    /// Columns of equal length.
    pub columns: Vec<Column>,
}

/// A column of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, in `snake_case` or as a metric is named; the page shows spaces for underscores.
    pub name: String,
    /// Its cells.
    pub cells: Cells,
}

/// The cells of a column; `None` where there is nothing to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Whole numbers: steps, examples, ids.
    Counts(Vec<Option<u64>>),
    /// Numbers in full precision.
    Numbers(Vec<Option<f64>>),
    /// Words.
    Texts(Vec<Option<String>>),
    /// Yes or no.
    Flags(Vec<Option<bool>>),
}

impl Table {
    /// A table without columns.
    #[must_use]
    pub fn new(name: &str) -> Table {
        Table { name: name.to_owned(), columns: vec![] }
    }

    /// With a column of whole numbers.
    #[must_use]
    pub fn counts<T: Into<Option<u64>>>(
        self,
        name: &str,
        cells: impl IntoIterator<Item = T>,
    ) -> Table {
        self.with(name, Cells::Counts(cells.into_iter().map(Into::into).collect()))
    }

    /// With a column of numbers.
    #[must_use]
    pub fn numbers<T: Into<Option<f64>>>(
        self,
        name: &str,
        cells: impl IntoIterator<Item = T>,
    ) -> Table {
        self.with(name, Cells::Numbers(cells.into_iter().map(Into::into).collect()))
    }

    /// With a column of words.
    #[must_use]
    pub fn texts<T: Into<Option<String>>>(
        self,
        name: &str,
        cells: impl IntoIterator<Item = T>,
    ) -> Table {
        self.with(name, Cells::Texts(cells.into_iter().map(Into::into).collect()))
    }

    /// With a column of yes and no.
    #[must_use]
    pub fn flags<T: Into<Option<bool>>>(
        self,
        name: &str,
        cells: impl IntoIterator<Item = T>,
    ) -> Table {
        self.with(name, Cells::Flags(cells.into_iter().map(Into::into).collect()))
    }

    fn with(mut self, name: &str, cells: Cells) -> Table {
        debug_assert!(
            self.columns.first().is_none_or(|first| first.cells.len() == cells.len()),
            "column {name} of table {} has another length",
            self.name
        );
        self.columns.push(Column { name: name.to_owned(), cells });
        self
    }

    /// Number of rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.cells.len())
    }

    /// The same table without the columns in which no cell says anything.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Table {
        self.columns.retain(|column| !column.cells.is_empty_everywhere());
        self
    }
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Cells::Counts(cells) => cells.len(),
            Cells::Numbers(cells) => cells.len(),
            Cells::Texts(cells) => cells.len(),
            Cells::Flags(cells) => cells.len(),
        }
    }

    fn is_empty_everywhere(&self) -> bool {
        match self {
            Cells::Counts(cells) => cells.iter().all(Option::is_none),
            Cells::Numbers(cells) => cells.iter().all(Option::is_none),
            Cells::Texts(cells) => cells.iter().all(Option::is_none),
            Cells::Flags(cells) => cells.iter().all(Option::is_none),
        }
    }

    /// A cell for people: rounded, with commas, a dash for nothing.
    pub(crate) fn shown(&self, row: usize) -> String {
        let shown = match self {
            Cells::Counts(cells) => cells[row].map(format::count),
            Cells::Numbers(cells) => cells[row].map(format::number),
            Cells::Texts(cells) => cells[row].clone(),
            Cells::Flags(cells) => cells[row].map(|flag| if flag { "yes" } else { "no" }.into()),
        };
        shown.unwrap_or_else(|| "–".to_owned())
    }

    /// A cell for programs: whole, nothing for nothing.
    pub(crate) fn exact(&self, row: usize) -> String {
        let exact = match self {
            Cells::Counts(cells) => cells[row].map(|count| count.to_string()),
            Cells::Numbers(cells) => cells[row].map(|number| format!("{number:?}")),
            Cells::Texts(cells) => cells[row].clone(),
            Cells::Flags(cells) => cells[row].map(|flag| flag.to_string()),
        };
        exact.unwrap_or_default()
    }

    /// Whether cells are read from their left end.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Cells::Texts(_) | Cells::Flags(_))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// All types, with nothing, extremes, and what CSV must quote.
    pub(crate) fn sample() -> Table {
        Table::new("sample")
            .counts("batch_size", [Some(2), None, Some(u64::MAX)])
            .numbers("val/error", [Some(0.1 + 0.2), None, Some(-1e-300)])
            .texts("status", [Some("a, \"b\"\nc".to_owned()), Some("µ".to_owned()), None])
            .flags("reached", [Some(true), Some(false), None])
    }

    #[test]
    fn people_and_programs_read_the_same_cells() {
        let table = sample();
        let row = |row: usize, read: fn(&Cells, usize) -> String| {
            table.columns.iter().map(|column| read(&column.cells, row)).collect::<Vec<_>>()
        };
        assert_eq!(row(0, Cells::shown), ["2", "0.3", "a, \"b\"\nc", "yes"]);
        assert_eq!(row(0, Cells::exact), ["2", "0.30000000000000004", "a, \"b\"\nc", "true"]);
        assert_eq!(row(1, Cells::shown), ["–", "–", "µ", "no"]);
        assert_eq!(row(2, Cells::exact), ["18446744073709551615", "-1e-300", "", ""]);
    }

    #[test]
    fn columns_that_say_nothing_go() {
        let table = Table::new("t").counts("a", [None::<u64>, None]).numbers("b", [1.0, 2.0]);
        let table = table.without_empty_columns();
        assert_eq!(table.columns.len(), 1);
        assert_eq!(table.n_rows(), 2);
    }
}
