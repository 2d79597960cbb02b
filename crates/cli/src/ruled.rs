//! The one form of tables.

use std::io;

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, Table, TableStyle, Width,
};

/// Rules above and below the header and at the end, none between rows.
const RULED: TableStyle =
    TableStyle::new().top_border(RULE).header_separator(RULE).bottom_border(RULE);

const RULE: LineStyle = LineStyle::none().fill('─').junction('─');

/// An empty table with this header.
pub(crate) fn table(header: impl Into<Row>) -> Table {
    let mut table = Table::new();
    table.load_style(RULED).set_header(header);
    table
}

/// A table as text. Where stdout is a terminal that is narrower, cells are broken, between words if it is not narrower
/// than these; elsewhere every row is one line.
pub(crate) fn text(table: Table) -> String {
    fitted(table, terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0))
}

/// The same of numbers, whose cells go to the right.
pub(crate) fn numbers(mut table: Table) -> String {
    table.column_iter_mut().for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    text(table)
}

fn fitted(mut table: Table, width: Option<u16>) -> String {
    let whole = table.to_string();
    let widest = whole.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let Some(width) = width.filter(|&width| usize::from(width) < widest) else { return whole };
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    let words = longest_words(&mut table);
    let between = words.len().saturating_sub(1);
    let spare = usize::from(width).checked_sub(words.iter().sum::<usize>() + between);
    let padding = if spare >= Some(2 * words.len()) { 1 } else { 0 };
    for (column, word) in table.column_iter_mut().zip(words) {
        column.set_padding((padding, padding));
        if let (Some(_), Ok(word)) = (spare, u16::try_from(word)) {
            column
                .set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(word + 2 * padding)));
        }
    }
    table.to_string()
}

/// Characters of the longest word of each column.
fn longest_words(table: &mut Table) -> Vec<usize> {
    let mut longest = vec![0; table.column_count()];
    for row in table.header().into_iter().chain(table.row_iter()) {
        for (longest, cell) in longest.iter_mut().zip(row.cell_iter()) {
            let content = cell.content();
            let words = content.split_whitespace().map(|word| word.chars().count());
            *longest = words.fold(*longest, usize::max);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(width: Option<u16>) -> String {
        let mut table = table(["batch size", "95 %\nbootstrap", "what there is to say"]);
        table.add_row(["1,024", "12,345 to 67,890", "more than thirty letters, in several words"]);
        fitted(table, width)
    }

    fn widest(text: &str) -> usize {
        text.lines().map(|line| line.chars().count()).max().unwrap()
    }

    #[test]
    fn a_narrow_terminal_breaks_cells_and_no_line() {
        let wide = text(None);
        assert_eq!(wide.lines().count(), 6, "{wide}");
        assert_eq!(text(Some(200)), wide);
        for width in [60, 40, 26] {
            let narrow = text(Some(width));
            assert!(widest(&narrow) <= usize::from(width) && widest(&wide) > 60, "{narrow}");
            for word in ["1,024", "12,345", "67,890", "bootstrap", "letters,", "several"] {
                assert!(narrow.contains(word), "{word} is broken in\n{narrow}");
            }
        }
        assert!(widest(&text(Some(12))) <= 12, "words are broken where they have to be");
    }
}
