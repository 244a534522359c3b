//! Few rows as a parameter of the statement that writes them: to stage them would take longer than all else that a small
//! write does.
//!
//! A row is a JSON object, by column. PostgreSQL reads its numbers and texts as it reads those of a statement, by the type
//! of the column, so no digit is lost.

use arrow::array::RecordBatch;
use diesel::prelude::*;
use serde_json::{Map, Number, Value as Json};

use crate::schema::Column;
use crate::store::bulk::{ColumnValues, Value, time_as_text};
use crate::store::postgres::sql::type_name;
use crate::store::quote;

/// The rows as a relation `c`, of `$1`, which is what [`parameter`] makes of them.
pub(crate) fn relation(columns: &[Column]) -> String {
    let columns: Vec<_> = columns
        .iter()
        .map(|column| format!("{} {}", quote(&column.name), type_name(column.column_type)))
        .collect();
    format!(
        "json_to_recordset(CAST($1 AS json)) AS c ({})",
        columns.join(", ")
    )
}

/// The rows of batches that have these columns, in order.
pub(crate) fn parameter(columns: &[Column], batches: &[RecordBatch]) -> QueryResult<String> {
    let mut rows = Vec::new();
    for batch in batches {
        let arrays: Vec<_> = batch
            .columns()
            .iter()
            .map(ColumnValues::new)
            .collect::<QueryResult<_>>()?;
        rows.extend((0..batch.num_rows()).map(|row| {
            let values = arrays.iter().map(|array| json(array.value(row)));
            let names = columns.iter().map(|column| column.name.clone());
            Json::Object(Map::from_iter(names.zip(values)))
        }));
    }
    Ok(Json::Array(rows).to_string())
}

fn json(value: Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::BigInt(value) => Json::from(*value),
        Value::Integer(value) => Json::from(*value),
        Value::SmallInt(value) => Json::from(*value),
        // JSON has no word for what is not finite; in quotes PostgreSQL knows it.
        Value::Double(value) => {
            Number::from_f64(*value).map_or_else(|| Json::from(value.to_string()), Json::Number)
        }
        Value::Text(value) => Json::from(value),
        Value::Bool(value) => Json::from(value),
        Value::Timestamp(value) => Json::from(time_as_text(value)),
    }
}
