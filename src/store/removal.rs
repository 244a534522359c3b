//! What may be taken out of a run's history, as SQL that both engines' triggers and the statements that do it share.

use crate::schema::{
    Column, END_TRANSACTION_ID, OPERATION_TYPE, RUN_ID, TRANSACTION_ID, TableDescription,
};
use crate::store::{keys_equal, quote};

/// True for a version row that no state needs which a compaction `c` keeps: it was over by the horizon, and no
/// retained state lies in it.
pub(crate) fn is_over(row: &str, c: &str) -> String {
    format!(
        "({row}.\"{END_TRANSACTION_ID}\" <= {c}.\"horizon\" AND {})",
        no_retained_in(
            c,
            &format!("{row}.\"{TRANSACTION_ID}\""),
            &format!("{row}.\"{END_TRANSACTION_ID}\"")
        )
    )
}

/// True for the record of a deletion before the horizon of which nothing is left that was deleted.
pub(crate) fn deletes_nothing(table: &TableDescription, row: &str, c: &str) -> String {
    format!(
        "({row}.\"{OPERATION_TYPE}\" = 2 AND {row}.\"{TRANSACTION_ID}\" <= {c}.\"horizon\" AND NOT EXISTS (
      SELECT 1 FROM {version} earlier WHERE {same} AND earlier.\"{TRANSACTION_ID}\" < {row}.\"{TRANSACTION_ID}\"))",
        version = quote(&table.version_name()),
        same = keys_equal(table, "earlier", row),
    )
}

/// True when a compaction retains no state in `[from, to)`.
pub(crate) fn no_retained_in(c: &str, from: &str, to: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM \"retained_states\" kept
      WHERE kept.\"compaction_id\" = {c}.\"id\" AND kept.\"transaction_id\" >= {from} AND kept.\"transaction_id\" < {to})"
    )
}

/// True for a version row that a compaction which is under way does not need; `None`: the history of this table
/// is never compacted.
pub(super) fn compacted(table: &TableDescription, row: &str) -> Option<String> {
    table.is_run_scoped().then(|| {
        format!(
            "EXISTS (
    SELECT 1 FROM \"compactions\" c
    JOIN \"run_locks\" l ON l.\"run_id\" = c.\"run_id\" AND l.\"token\" = c.\"lock_token\" AND l.\"state\" <> 'free'
    WHERE c.\"run_id\" = {row}.\"{RUN_ID}\" AND c.\"finished_at\" IS NULL
      AND ({} OR {}))",
            is_over(row, "c"),
            deletes_nothing(table, row, "c")
        )
    })
}

/// True for a change of a version row that takes its values out, as a redaction says, and does nothing else.
/// `None`: this table has no values, or its history is never redacted.
pub(super) fn redacted(table: &TableDescription, old: &str, new: &str) -> Option<String> {
    if !table.is_run_scoped() || table.value_columns().next().is_none() {
        return None;
    }
    let same = table
        .key
        .iter()
        .map(String::as_str)
        .chain([TRANSACTION_ID, END_TRANSACTION_ID, OPERATION_TYPE])
        .map(|name| format!("{old}.{0} IS NOT DISTINCT FROM {new}.{0}", quote(name)));
    let gone = table
        .value_columns()
        .map(|column| format!("{new}.{} IS NULL", quote(&column.name)));
    let terms: Vec<_> = same
        .chain(gone)
        .chain([is_past(old), is_named(table, old)])
        .collect();
    Some(format!("({})", terms.join("\n    AND ")))
}

/// True for a version row that is not the present state of its row.
pub(crate) fn is_past(row: &str) -> String {
    format!("({row}.\"{END_TRANSACTION_ID}\" IS NOT NULL OR {row}.\"{OPERATION_TYPE}\" = 2)")
}

/// True for a version row that a redaction names.
pub(crate) fn is_named(table: &TableDescription, row: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM \"redacted_rows\" r WHERE r.\"run_id\" = {row}.\"{RUN_ID}\"
      AND r.\"transaction_id\" = {row}.\"{TRANSACTION_ID}\" AND r.\"table_name\" = '{}' AND r.\"row_key\" = {})",
        table.name,
        key_label(table, row)
    )
}

/// True for a version row without a value that its table demands.
pub(crate) fn lacks_values(table: &TableDescription, row: &str) -> Option<String> {
    let needed: Vec<_> = table
        .value_columns()
        .filter(|column: &&Column| !column.nullable)
        .map(|column| format!("{row}.{} IS NULL", quote(&column.name)))
        .collect();
    (!needed.is_empty()).then(|| format!("({})", needed.join(" OR ")))
}

/// `run_id=1, node=a` as an SQL expression over the row alias: how rows are named where all tables share one text.
pub(crate) fn key_label(table: &TableDescription, alias: &str) -> String {
    table
        .key
        .iter()
        .map(|key| format!("'{key}=' || CAST({alias}.{} AS TEXT)", quote(key)))
        .collect::<Vec<_>>()
        .join(" || ', ' || ")
}
