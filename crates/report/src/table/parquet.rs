//! Tables as Parquet, column by column, without Arrow.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::{Cells, Column, Table};
use crate::error::ReportError;

impl Table {
    /// As a Parquet file of one row group; every column is optional, counts are unsigned.
    ///
    /// # Errors
    ///
    /// Where the memory for it cannot be written, which is not to be expected.
    pub fn parquet(&self) -> Result<Vec<u8>, ReportError> {
        self.encode().map_err(|error| ReportError::Table {
            table: self.name.clone(),
            format: "Parquet",
            problem: error.to_string(),
        })
    }

    fn encode(&self) -> Result<Vec<u8>, ParquetError> {
        let fields = self.columns.iter().map(|column| Ok(Arc::new(field(column)?)));
        let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
        let schema = Type::group_type_builder(&self.name).with_fields(fields).build()?;
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer = SerializedFileWriter::new(vec![], Arc::new(schema), properties)?;
        let mut rows = writer.next_row_group()?;
        for column in &self.columns {
            let mut writer = rows.next_column()?.expect("the schema has a field for every column");
            write(&mut writer, &column.cells)?;
            writer.close()?;
        }
        rows.close()?;
        writer.into_inner()
    }
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.cells {
        Cells::Counts(_) => (PhysicalType::INT64, Some(LogicalType::integer(64, false))),
        Cells::Numbers(_) => (PhysicalType::DOUBLE, None),
        Cells::Texts(_) => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        Cells::Flags(_) => (PhysicalType::BOOLEAN, None),
    };
    Type::primitive_type_builder(&column.name, physical)
        .with_logical_type(logical)
        .with_repetition(Repetition::OPTIONAL)
        .build()
}

fn write(writer: &mut SerializedColumnWriter<'_>, cells: &Cells) -> Result<(), ParquetError> {
    match cells {
        // Parquet keeps unsigned numbers as the bits of signed ones.
        Cells::Counts(cells) => values::<Int64Type, _>(writer, cells, |count| count.cast_signed()),
        Cells::Numbers(cells) => values::<DoubleType, _>(writer, cells, |number| *number),
        Cells::Texts(cells) => {
            values::<ByteArrayType, _>(writer, cells, |text| ByteArray::from(text.as_str()))
        }
        Cells::Flags(cells) => values::<BoolType, _>(writer, cells, |flag| *flag),
    }
}

fn values<T: DataType, C>(
    writer: &mut SerializedColumnWriter<'_>,
    cells: &[Option<C>],
    value: impl Fn(&C) -> T::T,
) -> Result<(), ParquetError> {
    let present: Vec<T::T> = cells.iter().flatten().map(value).collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    writer.typed::<T>().write_batch(&present, Some(&levels), None)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use super::super::tests::sample;
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = bytes_of(&sample());
        let reader = SerializedFileReader::new(bytes).unwrap();
        let rows = reader.get_row_iter(None).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        let cells = |row: usize| {
            rows[row].get_column_iter().map(|(_, field)| field.clone()).collect::<Vec<_>>()
        };
        let text = |text: &str| Field::Str(text.to_owned());
        let first = [Field::ULong(2), Field::Double(0.1 + 0.2), text("a, \"b\"\nc")];
        assert_eq!(cells(0)[..3], first);
        assert_eq!(cells(0)[3], Field::Bool(true));
        assert_eq!(cells(1), [Field::Null, Field::Null, text("µ"), Field::Bool(false)]);
        assert_eq!(
            cells(2),
            [Field::ULong(u64::MAX), Field::Double(-1e-300), Field::Null, Field::Null]
        );
        let names: Vec<&String> = rows[0].get_column_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["batch_size", "val/error", "status", "reached"]);
    }

    #[test]
    fn a_table_without_rows_is_a_file() {
        let table = Table::new("empty").counts("n", [0_u64; 0]);
        let reader = SerializedFileReader::new(bytes_of(&table)).unwrap();
        assert_eq!(reader.get_row_iter(None).unwrap().count(), 0);
    }

    fn bytes_of(table: &Table) -> bytes::Bytes {
        table.parquet().unwrap().into()
    }
}
