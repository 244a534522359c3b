//! Revert: set a run's rows back to an earlier state, as a new transaction.
//!
//! **Invariant:** what is read and written is what changed since the target, whatever the size of the
//! run. Only rows with a version row after the target can differ from it, and the index on
//! `(run_id, transaction_id)` finds those.

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::error::{Error, Result};
use crate::history::as_of::{touched_keys, was_state};
use crate::history::changes::{ChangeCounts, ChangeSet};
use crate::history::write::Write;
use crate::ids::{RunId, TransactionId};
use crate::schema::TableDescription;
use crate::store::{column_list, doing, keys_equal, quote, sql};

/// Sets all rows of the run back to their state after `target`. `label` is the run's name in errors.
pub(crate) fn revert(
    write: &mut Write<'_>,
    run: RunId,
    label: &str,
    target: TransactionId,
) -> Result<ChangeCounts> {
    let core = write.core;
    let mut sets = Vec::new();
    for table in core.tables.iter().filter(|table| table.is_run_scoped()) {
        let set = changes_back_to(write, table, run, target)?;
        if set.counts().total() > 0 {
            sets.push(set);
        }
    }
    for set in &sets {
        check_parents(write, set, label)?;
    }
    // `tables` is in the order of ranks: parents first. Children go first, parents come first.
    for set in sets.iter().rev() {
        set.apply_deletes(write)?;
    }
    let mut counts = ChangeCounts::default();
    for set in &sets {
        set.apply_inserts_and_updates(write)?;
        counts += set.counts();
    }
    Ok(counts)
}

/// The changes that bring a table's rows of the run back to the target.
fn changes_back_to<'t>(
    write: &mut Write<'_>,
    table: &'t TableDescription,
    run: RunId,
    target: TransactionId,
) -> Result<ChangeSet<'t>> {
    let (select, binds) = (
        select_changes_back_to(write.engine(), table),
        [run.0, target.0],
    );
    ChangeSet::fill(write, table, &select, &binds)
}

/// `$1` is the run, `$2` the target.
pub(crate) fn select_changes_back_to(
    engine: crate::store::Engine,
    table: &TableDescription,
) -> String {
    let key = quote(&table.key[0]);
    // A row that goes keeps its present values in the change set, one that comes back gets its old ones.
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            let name = quote(&column.name);
            format!("CASE WHEN s.{key} IS NULL THEN l.{name} ELSE s.{name} END")
        })
        .collect();
    format!(
        "SELECT CASE WHEN s.{key} IS NULL THEN 2 WHEN l.{key} IS NULL THEN 0 ELSE 1 END, {columns}
         FROM {touched} k
         LEFT JOIN {version} s ON {s_is_k} AND {was_state}
         LEFT JOIN {live} l ON {l_is_k}
         WHERE (s.{key} IS NULL) <> (l.{key} IS NULL) OR {differs}",
        columns = columns.join(", "),
        touched = touched_keys(table, "$1", "$2", None),
        version = quote(&table.version_name()),
        s_is_k = keys_equal(table, "s", "k"),
        was_state = was_state("s", "$2"),
        live = quote(&table.name),
        l_is_k = keys_equal(table, "l", "k"),
        differs = engine.any_differs(table.value_columns(), "l", "s"),
    )
}

#[derive(QueryableByName)]
struct Missing {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Rows that come back need their parents (regions, units …), which a revert never touches. The log
/// still knows the names of those that were deleted.
fn check_parents(write: &mut Write<'_>, set: &ChangeSet<'_>, label: &str) -> Result<()> {
    if set.counts().inserted + set.counts().updated == 0 {
        return Ok(());
    }
    let core = write.core;
    let mut missing = Vec::new();
    for column in &set.table().columns {
        let Some(parent) = set
            .table()
            .parent_of(column)
            .and_then(|name| core.table(name))
        else {
            continue;
        };
        // A parent without a name of its own is shown by its id.
        let name = match parent.column("name") {
            Some(_) => "v.name",
            None => "CAST(v.id AS TEXT)",
        };
        let rows: Vec<Missing> = sql(format!(
            "SELECT DISTINCT {name} AS name FROM {changes} c
             JOIN {version} v ON v.id = c.{column} AND v.operation_type = 2 AND v.end_transaction_id IS NULL
             WHERE c.operation_type < 2
               AND NOT EXISTS (SELECT 1 FROM {live} p WHERE p.id = c.{column})
             ORDER BY 1",
            changes = set.staging.name,
            version = quote(&parent.version_name()),
            live = quote(&parent.name),
            column = quote(&column.name),
        ))
        .load(write.connection)
        .map_err(doing("looking for what the earlier state needs"))?;
        if !rows.is_empty() {
            let names: Vec<_> = rows.iter().map(|row| format!("\"{}\"", row.name)).collect();
            missing.push(format!("{} {}", parent.name, names.join(", ")));
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::RevertNeedsMissing {
            run: label.to_owned(),
            missing: missing.join("; "),
        })
    }
}

/// The live rows of a run in one table, as a change set that deletes them.
pub(crate) fn delete_all<'t>(
    write: &mut Write<'_>,
    table: &'t TableDescription,
    run: RunId,
) -> Result<ChangeSet<'t>> {
    let select = format!(
        "SELECT 2, {} FROM {} l WHERE l.run_id = $1",
        column_list("l", table.columns.iter()),
        quote(&table.name)
    );
    ChangeSet::fill(write, table, &select, &[run.0])
}
