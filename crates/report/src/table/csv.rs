//! Tables as CSV: a header of names, a row a line, full precision.

use super::Table;
use crate::error::ReportError;

impl Table {
    /// As a CSV file; cells with nothing to say are empty.
    ///
    /// # Errors
    ///
    /// Where the memory for it cannot be written, which is not to be expected.
    pub fn csv(&self) -> Result<Vec<u8>, ReportError> {
        let failure = |problem: String| ReportError::Table {
            table: self.name.clone(),
            format: "CSV",
            problem,
        };
        let mut writer = csv::Writer::from_writer(vec![]);
        let names = self.columns.iter().map(|column| &column.name);
        writer.write_record(names).map_err(|error| failure(error.to_string()))?;
        for row in 0..self.n_rows() {
            let cells = self.columns.iter().map(|column| column.cells.exact(row));
            writer.write_record(cells).map_err(|error| failure(error.to_string()))?;
        }
        writer.into_inner().map_err(|error| failure(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = sample().csv().unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        assert_eq!(reader.headers().unwrap(), vec!["batch_size", "val/error", "status", "reached"]);
        let rows: Vec<Vec<String>> =
            reader.deserialize().collect::<Result<_, csv::Error>>().unwrap();
        assert_eq!(rows[0][1].parse::<f64>().unwrap(), 0.1 + 0.2);
        assert_eq!(rows[0][2], "a, \"b\"\nc");
        assert_eq!(rows[1], ["", "", "µ", "false"]);
        assert_eq!(rows[2][0], u64::MAX.to_string());
    }
}
