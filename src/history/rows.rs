//! Rows that come in: staged, compared with what is there, written as a change set.

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::history::changes::{ChangeCounts, ChangeSet};
use crate::history::write::Write;
use crate::schema::TableDescription;
use crate::store::bulk::{Purpose, Staging};

/// What to do with the rows that come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOperation {
    /// Insert what is new, update what differs.
    Add,
    /// Delete what is there.
    Remove,
}

/// Loads the rows (all columns of the table, `run_id` included) and adds or removes them.
pub(crate) fn write_rows(
    write: &mut Write<'_>,
    table: &TableDescription,
    rows: &RecordBatch,
    operation: RowOperation,
    progress: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<ChangeCounts> {
    let incoming = Staging::create(write.connection, table, Purpose::Incoming)?;
    incoming.load(write.connection, table, rows, progress)?;
    let changes = match operation {
        RowOperation::Add => ChangeSet::upsert(write, table, &incoming)?,
        RowOperation::Remove => ChangeSet::removal(write, table, &incoming)?,
    };
    changes.apply(write)?;
    Ok(changes.counts())
}
