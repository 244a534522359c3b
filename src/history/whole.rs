//! Changes to all that a run has in a table: what is there is found as one range, and not each row by its key.
//!
//! For engines that record by set, where [`Extent::All`](super::extent::Extent) says so. The version rows are copies of the
//! live rows: as they were written, or as they are before they go.

use crate::error::Result;
use crate::history::changes::add_version_rows;
use crate::history::extent::{binds_of, of_this_run};
use crate::history::write::Write;
use crate::schema::{END_TRANSACTION_ID, OPERATION_TYPE, TableDescription};
use crate::store::bulk::SetBased;
use crate::store::{doing, failpoint, quote};

/// Records the first rows of a run, which are in the live table by now.
pub(super) fn record_first(write: &mut Write<'_>, table: &TableDescription) -> Result<()> {
    record_live(write, table, 0)
}

/// Gives all rows other values; `update` writes them to the live table, as many as there are.
pub(super) fn update(
    write: &mut Write<'_>,
    table: &TableDescription,
    rows: usize,
    update: impl FnOnce(&mut Write<'_>) -> Result<()>,
) -> Result<()> {
    let recording = SetBased::begin(write.connection, table, rows)?;
    end_versions(write, table)?;
    update(write)?;
    failpoint::reach("changes", "written")?;
    record_live(write, table, 1)?;
    recording.end(write.connection)
}

/// Deletes all rows, of which there are so many.
pub(super) fn delete(write: &mut Write<'_>, table: &TableDescription, rows: usize) -> Result<()> {
    let recording = SetBased::begin(write.connection, table, rows)?;
    end_versions(write, table)?;
    record_live(write, table, 2)?;
    let live = quote(&table.name);
    write
        .execute(
            &format!("DELETE FROM {live} WHERE {}", of_this_run(&live)),
            &binds_of(write),
        )
        .map_err(doing("deleting rows"))?;
    failpoint::reach("changes", "written")?;
    recording.end(write.connection)
}

fn end_versions(write: &mut Write<'_>, table: &TableDescription) -> Result<()> {
    let version = quote(&table.version_name());
    let text = format!(
        "UPDATE {version} SET \"{END_TRANSACTION_ID}\" = $1
         WHERE {} AND \"{END_TRANSACTION_ID}\" IS NULL AND \"{OPERATION_TYPE}\" <> 2",
        of_this_run(&version)
    );
    write
        .execute(&text, &binds_of(write))
        .map_err(doing("ending version rows"))?;
    Ok(())
}

/// Adds the live rows to the version rows.
fn record_live(write: &mut Write<'_>, table: &TableDescription, operation_type: i16) -> Result<()> {
    let select = format!(
        "$1, {operation_type} FROM {} l WHERE {}",
        quote(&table.name),
        of_this_run("l")
    );
    let text = add_version_rows(write.engine(), table, "l", &select);
    write
        .execute(&text, &binds_of(write))
        .map_err(doing("adding version rows"))?;
    failpoint::reach("changes", "recorded")
}
