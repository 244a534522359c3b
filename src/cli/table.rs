//! Tables for people: no lines, numbers to the right, as wide as the terminal.

use chrono::NaiveDateTime;
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement};

/// A column.
pub(super) struct Column {
    name: &'static str,
    alignment: CellAlignment,
    /// Cells are not broken into lines, however narrow the terminal is.
    stays_whole: bool,
}

/// A column of text.
pub(super) fn text(name: &'static str) -> Column {
    Column {
        name,
        alignment: CellAlignment::Left,
        stays_whole: false,
    }
}

/// A column of dates and times.
pub(super) fn time(name: &'static str) -> Column {
    Column {
        stays_whole: true,
        ..text(name)
    }
}

/// What stands in such a column.
pub(super) fn seconds(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A column of numbers.
pub(super) fn number(name: &'static str) -> Column {
    Column {
        name,
        alignment: CellAlignment::Right,
        stays_whole: true,
    }
}

/// How a cell looks where there are colours. What it says does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Strong,
    Inserted,
    Updated,
    Deleted,
}

impl Look {
    /// Of "insert", "update", "delete".
    pub(super) fn of(operation: &str) -> Self {
        match operation {
            "insert" => Self::Inserted,
            "update" => Self::Updated,
            "delete" => Self::Deleted,
            _ => Self::Plain,
        }
    }

    fn on(self, cell: Cell) -> Cell {
        match self {
            Self::Plain => cell,
            Self::Strong => cell.add_attribute(Attribute::Bold),
            Self::Inserted => cell.fg(Color::DarkGreen),
            Self::Updated => cell.fg(Color::DarkYellow),
            Self::Deleted => cell.fg(Color::DarkRed),
        }
    }
}

pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<(String, Look)>>,
}

impl Table {
    pub(super) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.looking(cells.into_iter().map(|cell| (cell, Look::Plain)));
    }

    /// A row whose cells look like something.
    pub(super) fn looking(&mut self, cells: impl IntoIterator<Item = (String, Look)>) {
        let cells = cells.into_iter();
        self.rows
            .push(cells.map(|(cell, look)| (printable(&cell), look)).collect());
    }

    /// The table as text. Cells are wrapped on a terminal only: elsewhere a row is a line.
    pub(super) fn render(&self, is_terminal: bool, has_colours: bool) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).set_header(
            self.columns
                .iter()
                .map(|column| Cell::new(column.name).add_attribute(Attribute::Bold)),
        );
        for row in &self.rows {
            table.add_row(row.iter().map(|(cell, look)| look.on(Cell::new(cell))));
        }
        let last = self.columns.len().saturating_sub(1);
        for (index, (column, shown)) in self.columns.iter().zip(table.column_iter_mut()).enumerate()
        {
            shown.set_cell_alignment(column.alignment);
            shown.set_padding((0, if index == last { 0 } else { 2 }));
            if column.stays_whole {
                shown.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        // Some terminals say that they are 0 wide: they do not know.
        match table.width().filter(|width| is_terminal && *width > 0) {
            Some(width) => table
                .set_width(width)
                .set_content_arrangement(ContentArrangement::Dynamic),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        table.force_no_tty();
        if has_colours {
            table.enforce_styling();
        }
        table.trim_fmt()
    }
}

/// Without the characters that would move a terminal's cursor, or worse.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                '�'
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_plain_and_aligned() {
        let mut table = Table::new([number("id"), text("name"), number("rows")]);
        table.row(["1".into(), "a".into(), "10".into()]);
        table.row(["20".into(), "long\u{1b}[1m name".into(), "5".into()]);
        assert_eq!(
            table.render(false, false),
            "id  name           rows\n 1  a                10\n20  long�[1m name     5"
        );
    }
}
