//! Rows on their way into a run: read and turned into rows of this platform first, then written as one transaction.
//!
//! Nobody's transaction is open while the source is read, and one that collides with another can be repeated.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema};

use crate::error::Result;
use crate::history::rows::{Incoming, Parts, RowOperation};
use crate::history::write::Write;
use crate::iamc::checked::Chunks;
use crate::schema::TableDescription;
use crate::store::rows::arrow_type;

/// How many rows are handed to the database at once.
const ROWS_AT_ONCE: usize = 1 << 16;

/// What a transaction is to change.
#[derive(Default)]
pub(super) struct Staged {
    tables: Vec<StagedTable>,
}

/// What it is to change in one table. No key is in both.
pub(super) struct StagedTable {
    table: TableDescription,
    /// Rows of which only the key counts.
    pub(super) removed: Chunks,
    /// Rows that are new or other than they were; those that are as they were do no harm.
    pub(super) added: Chunks,
}

impl Staged {
    /// The part for a table, which comes after those that were asked for before.
    pub(super) fn table(&mut self, table: TableDescription) -> &mut StagedTable {
        let at = self
            .tables
            .iter()
            .position(|staged| staged.table.name == table.name);
        let at = at.unwrap_or_else(|| {
            self.tables.push(StagedTable {
                table,
                removed: Chunks::default(),
                added: Chunks::default(),
            });
            self.tables.len() - 1
        });
        &mut self.tables[at]
    }

    /// Writes all of it.
    pub(super) fn write(
        &mut self,
        write: &mut Write<'_>,
        progress: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        for staged in &mut self.tables {
            let table = &staged.table;
            for (operation, chunks) in [
                (RowOperation::Remove, &mut staged.removed),
                (RowOperation::Add, &mut staged.added),
            ] {
                if chunks.rows() == 0 {
                    continue;
                }
                let mut incoming =
                    Incoming::begin(write, table, operation, Parts::Many, chunks.rows())?;
                chunks.read(|chunk| {
                    for begin in (0..chunk.num_rows()).step_by(ROWS_AT_ONCE) {
                        let rows = ROWS_AT_ONCE.min(chunk.num_rows() - begin);
                        incoming.load(write, &chunk.slice(begin, rows), progress)?;
                    }
                    Ok(())
                })?;
                incoming.write(write)?;
            }
        }
        Ok(())
    }
}

/// Rows of a table from the columns that there are; those that are not named are NULL.
pub(super) fn batch(
    table: &TableDescription,
    rows: usize,
    mut columns: Vec<(&str, ArrayRef)>,
) -> Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for column in &table.columns {
        let data_type = arrow_type(column.column_type);
        let given = columns.iter().position(|(name, _)| *name == column.name);
        arrays.push(match given {
            Some(at) => columns.swap_remove(at).1,
            None => new_null_array(&data_type, rows),
        });
        fields.push(Field::new(&column.name, data_type, true));
    }
    debug_assert!(columns.is_empty(), "no columns of {}", table.name);
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}
