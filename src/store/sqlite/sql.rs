//! SQLite's dialect.

use crate::schema::ColumnType;

/// Null-safe and exact, on connections of this library.
pub(crate) fn differs(column_type: ColumnType, a: &str, b: &str) -> String {
    match column_type {
        // `IS NOT` takes 0.0 and -0.0 for the same; only for zeros is it worth asking for the bits.
        ColumnType::Double => format!(
            "({a} IS NOT {b} OR ({a} = 0 AND stratalog_float_bits({a}) IS NOT stratalog_float_bits({b})))"
        ),
        _ => format!("{a} IS NOT {b}"),
    }
}

/// The same in triggers, which must also run on a plain connection, where our function is missing: a
/// zero that is written counts as a change. That may log a write that changed nothing; the other
/// choice would lose a change between 0.0 and -0.0.
pub(crate) fn differs_in_trigger(column_type: ColumnType, a: &str, b: &str) -> String {
    match column_type {
        ColumnType::Double => format!("({a} IS NOT {b} OR {a} = 0)"),
        _ => format!("{a} IS NOT {b}"),
    }
}

pub(crate) fn type_name(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::BigInt | ColumnType::Integer | ColumnType::SmallInt | ColumnType::Bool => {
            "INTEGER"
        }
        // A REAL column stores -0.0 as 0.0 (measured); ANY in a STRICT table keeps the value as it is.
        ColumnType::Double => "ANY",
        ColumnType::Text | ColumnType::Timestamp => "TEXT",
    }
}

/// What the type alone does not enforce.
pub(crate) fn check(column_type: ColumnType, column: &str, nullable: bool) -> Option<String> {
    let check = match column_type {
        // A division of integers gives 1 here, one of floats 1.5, and text or a blob is greater than any number. As
        // `typeof(..) = 'real'`, but without a function: that might fail, and in case of that SQLite copies each page aside
        // before a statement changes it (a tenth of a change of 100 rows).
        ColumnType::Double => format!("{column} <= 9e999 AND 3 / (2 + 0 * {column}) <> 1"),
        ColumnType::Bool => format!("{column} IN (0, 1)"),
        ColumnType::Integer => format!("{column} BETWEEN -2147483648 AND 2147483647"),
        ColumnType::SmallInt => format!("{column} BETWEEN -32768 AND 32767"),
        ColumnType::BigInt | ColumnType::Text | ColumnType::Timestamp => return None,
    };
    Some(if nullable {
        format!("({column} IS NULL OR {check})")
    } else {
        format!("({check})")
    })
}

/// A time as text, of microseconds since 1970-01-01. SQLite's division truncates; before 1970 it must go down.
pub(crate) fn time_of_microseconds(expression: &str) -> String {
    let micros = format!("((({expression}) % 1000000 + 1000000) % 1000000)");
    format!(
        "(strftime('%Y-%m-%d %H:%M:%S', (({expression}) - {micros}) / 1000000, 'unixepoch') || printf('.%06d', {micros}))"
    )
}
