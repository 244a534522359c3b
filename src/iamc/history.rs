//! Every version of points: what was written, when, by whom.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int16Type, Int64Type, TimestampMicrosecondType};

use crate::error::Result;
use crate::iamc::Filter;
use crate::iamc::named::{column, field, named};
use crate::ids::TransactionId;
use crate::run::{Checkpoint, Run, checkpoints_of};
use crate::schema::tables::datapoints;
use crate::schema::{Column, ColumnType, VersionedTable};
use crate::store::rows::{Bind, select};
use crate::store::{column_list, quote};

/// The version rows of the points that a filter selects; `until`: only up to that transaction.
pub(super) fn history(
    run: &Run,
    filter: &Filter,
    until: Option<TransactionId>,
) -> Result<RecordBatch> {
    let table = datapoints::table::description();
    let extra = |name: &str, column_type| Column {
        name: name.into(),
        column_type,
        nullable: true,
        references: None,
    };
    let mut columns: Vec<_> = table.key_columns().cloned().collect();
    columns.extend([
        extra("value", ColumnType::Double),
        extra("operation_type", ColumnType::SmallInt),
        extra("transaction_id", ColumnType::BigInt),
        extra("issued_at", ColumnType::Timestamp),
        extra("actor", ColumnType::Text),
        extra("what", ColumnType::Text),
    ]);
    run.core.store.read(|connection| {
        let until = until.map_or(i64::MAX, |until| until.0);
        let mut binds = vec![Bind::BigInt(run.id().0), Bind::BigInt(until)];
        let conditions = filter.conditions("v", connection, run.core.store.engine(), &mut binds)?;
        // A deleted row's last value is not its value then.
        let sql = format!(
            "SELECT {key}, CASE WHEN v.operation_type < 2 THEN v.value END AS value, v.operation_type,
                    v.transaction_id, t.issued_at, t.actor, t.operation AS what
             FROM {version} v JOIN transactions t ON t.id = v.transaction_id
             WHERE v.run_id = $1 AND v.transaction_id <= $2{conditions}
             ORDER BY {key}, v.transaction_id",
            key = column_list("v", table.key_columns()),
            version = quote(&table.version_name()),
        );
        let rows = select(connection, &sql, &binds, &columns)?;
        let checkpoints = checkpoints_of(connection, run.id())?;
        let mut last: Vec<(&'static str, ArrayRef)> = vec![
            ("value", column(&rows, "value")),
            ("operation", operations(&rows)),
            ("transaction_id", column(&rows, "transaction_id")),
            ("issued_at", utc(&rows)),
            ("actor", column(&rows, "actor")),
            ("what", column(&rows, "what")),
        ];
        last.push(("checkpoint", in_force(&rows, &checkpoints)));
        let last = last
            .into_iter()
            .map(|(name, array)| (field(name, Some(&array)), array))
            .collect();
        named(connection, &rows, Vec::new(), last)
    })
}

fn operations(rows: &RecordBatch) -> ArrayRef {
    let operations: StringArray = column(rows, "operation_type")
        .as_primitive::<Int16Type>()
        .iter()
        .map(|operation| match operation {
            Some(0) => Some("insert"),
            Some(1) => Some("update"),
            _ => Some("delete"),
        })
        .collect();
    Arc::new(operations)
}

fn utc(rows: &RecordBatch) -> ArrayRef {
    let times: TimestampMicrosecondArray = column(rows, "issued_at")
        .as_primitive::<TimestampMicrosecondType>()
        .clone();
    Arc::new(times.with_timezone("UTC"))
}

/// The last checkpoint at or before each row's transaction. `checkpoints`: oldest first.
fn in_force(rows: &RecordBatch, checkpoints: &[Checkpoint]) -> ArrayRef {
    let messages: StringArray = column(rows, "transaction_id")
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
    debug_assert_eq!(messages.len(), rows.num_rows());
    Arc::new(messages)
}
