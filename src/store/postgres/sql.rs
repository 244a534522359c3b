//! PostgreSQL's dialect.

use crate::schema::ColumnType;

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
