//! Every version of the rows of a run in a table: what was written, when, by whom.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Int16Type, Int64Type, TimestampMicrosecondType};

use crate::error::Result;
use crate::ids::{RunId, TransactionId};
use crate::run::{Checkpoint, checkpoints_of};
use crate::schema::{Column, ColumnType, TRANSACTION_ID, TableDescription};
use crate::store::rows::{Bind, select};
use crate::store::{AnyConnection, column_list, quote};

/// The version rows of a run in a table, by key, oldest first: the key's columns, the others (NULL where the row was
/// deleted: its last values are not its values then), and what [`described`] describes.
///
/// `until`: up to that transaction; `conditions`: on the alias v, each beginning with AND, with parameters from `$3` on.
pub(crate) fn of_run(
    connection: &mut AnyConnection,
    table: &TableDescription,
    run: RunId,
    until: Option<TransactionId>,
    (conditions, more): (&str, &[Bind]),
) -> Result<RecordBatch> {
    let mut columns: Vec<_> = table.key_columns().cloned().collect();
    columns.extend(table.value_columns().map(|column| Column {
        nullable: true,
        ..column.clone()
    }));
    columns.extend([
        Column::of_result("operation_type", ColumnType::SmallInt),
        Column::of_result(TRANSACTION_ID, ColumnType::BigInt),
        Column::of_result("issued_at", ColumnType::Timestamp),
        Column::of_result("actor", ColumnType::Text),
        Column::of_result("what", ColumnType::Text),
    ]);
    let values: String = table
        .value_columns()
        .map(|column| {
            let name = quote(&column.name);
            format!(" CASE WHEN v.operation_type < 2 THEN v.{name} END AS {name},")
        })
        .collect();
    let mut binds = vec![
        Bind::BigInt(run.0),
        Bind::BigInt(until.map_or(i64::MAX, |until| until.0)),
    ];
    binds.extend_from_slice(more);
    let text = format!(
        "SELECT {key},{values} v.operation_type, v.{TRANSACTION_ID}, t.issued_at, t.actor, t.operation AS what
         FROM {version} v JOIN transactions t ON t.id = v.{TRANSACTION_ID}
         WHERE v.run_id = $1 AND v.{TRANSACTION_ID} <= $2{conditions}
         ORDER BY {key}, v.{TRANSACTION_ID}",
        key = column_list("v", table.key_columns()),
        version = quote(&table.version_name()),
    );
    select(connection, &text, &binds, &columns)
}

/// What each version row of [`of_run`] came from: `operation` (insert, update, delete), `transaction_id` (int64),
/// `issued_at` (timestamp\[us, UTC\]), `actor`, `what` (what the transaction did), `checkpoint` (text: the one in
/// force, that is the run's last at or before the transaction).
pub(crate) fn described(
    connection: &mut AnyConnection,
    run: RunId,
    rows: &RecordBatch,
) -> Result<Vec<(Field, ArrayRef)>> {
    let checkpoints = checkpoints_of(connection, run)?;
    let column = |name: &str| rows.column_by_name(name).cloned();
    let columns = [
        (
            "operation",
            column("operation_type").map(|types| operations(&types)),
        ),
        (TRANSACTION_ID, column(TRANSACTION_ID)),
        ("issued_at", column("issued_at").map(|times| utc(&times))),
        ("actor", column("actor")),
        ("what", column("what")),
        (
            "checkpoint",
            column(TRANSACTION_ID).map(|ids| in_force(&ids, &checkpoints)),
        ),
    ];
    Ok(columns
        .into_iter()
        .filter_map(|(name, array)| {
            let array = array?;
            Some((Field::new(name, array.data_type().clone(), true), array))
        })
        .collect())
}

/// Operation types as words.
pub(crate) fn operations(types: &ArrayRef) -> ArrayRef {
    let words: StringArray = types
        .as_primitive::<Int16Type>()
        .iter()
        .map(|operation| match operation {
            Some(0) => Some("insert"),
            Some(1) => Some("update"),
            _ => Some("delete"),
        })
        .collect();
    Arc::new(words)
}

fn utc(times: &ArrayRef) -> ArrayRef {
    let times: TimestampMicrosecondArray = times.as_primitive::<TimestampMicrosecondType>().clone();
    Arc::new(times.with_timezone("UTC"))
}

/// The last checkpoint at or before each transaction. `checkpoints`: oldest first.
fn in_force(transactions: &ArrayRef, checkpoints: &[Checkpoint]) -> ArrayRef {
    let messages: StringArray = transactions
        .as_primitive::<Int64Type>()
        .values()
        .iter()
        .map(|id| {
            let later =
                checkpoints.partition_point(|checkpoint| checkpoint.transaction_id.0 <= *id);
            let before = later.checked_sub(1)?;
            Some(checkpoints[before].message.as_str())
        })
        .collect();
    Arc::new(messages)
}
