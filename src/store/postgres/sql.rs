//! PostgreSQL's dialect.

use crate::schema::{ColumnType, TRANSACTION_ID, TableDescription};
use crate::store::{column_list, keys_equal, quote};

/// Null-safe and exact: `IS DISTINCT FROM` takes 0.0 and -0.0 for the same, their bytes differ. Bytes are compared of zeros
/// only: it takes twenty times as long.
pub(crate) fn differs(column_type: ColumnType, a: &str, b: &str) -> String {
    match column_type {
        ColumnType::Double => format!(
            "({a} IS DISTINCT FROM {b} OR ({a} = 0 AND float8send({a}) <> float8send({b})) IS TRUE)"
        ),
        _ => format!("{a} IS DISTINCT FROM {b}"),
    }
}

pub(crate) fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::BigInt => "bigint",
        ColumnType::Integer => "integer",
        ColumnType::SmallInt => "smallint",
        ColumnType::Double => "double precision",
        // Compared by bytes, as on SQLite: the same order and the same equality on every server.
        ColumnType::Text => "text COLLATE \"C\"",
        ColumnType::Bool => "boolean",
        ColumnType::Timestamp => "timestamp",
    }
}

/// The last version row (`w`) of the row with the key of `of`, at the transaction `at` or now, if the condition holds for
/// it; `stratalog_place` is its place in the table.
///
/// It is the first one back from the key in the order of the primary key: one is read, however many there are. With the
/// key's columns each for itself, the planner would have a choice, and without statistics, as in a fresh database, take the
/// index by transaction and read the whole run for each row.
pub(crate) fn last_version(
    table: &TableDescription,
    of: &str,
    at: Option<&str>,
    columns: &str,
    condition: &str,
) -> String {
    let backwards: String = table
        .key_columns()
        .map(|column| format!("w.{} DESC, ", quote(&column.name)))
        .collect();
    let mut from = column_list("w", table.key_columns());
    let mut to = column_list(of, table.key_columns());
    if let Some(at) = at {
        from += &format!(", w.\"{TRANSACTION_ID}\"");
        to += &format!(", {at}");
    }
    format!(
        "LATERAL (SELECT {columns} FROM (SELECT w.ctid AS stratalog_place, w.* FROM {} w WHERE ({from}) <= ({to})
        ORDER BY {backwards}w.\"{TRANSACTION_ID}\" DESC LIMIT 1) w WHERE {} AND {condition})",
        quote(&table.version_name()),
        keys_equal(table, "w", of)
    )
}
