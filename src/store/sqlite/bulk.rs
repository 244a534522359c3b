//! SQLite's bulk path: staging rows, and the switch for version rows by set.

use std::ops::ControlFlow;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::DateTime;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, SmallInt, Text};
use diesel::sqlite::Sqlite;

use crate::schema::TableDescription;
use crate::store::bulk::{ColumnValues, Load, UNCHANGED, Unchanged, Value};
use crate::store::{Engine, column_list, keys_equal, quote};

/// SQLite takes at most 32,766 parameters in a statement; fewer keep the statement's text short.
const PARAMETERS: usize = 2_000;

/// Rows `first..first + rows` of the columns, as one `INSERT`.
struct InsertRows<'a> {
    statement: &'a Statement,
    columns: &'a [ColumnValues<'a>],
    first: usize,
    rows: usize,
    /// A full chunk comes again: its statement is worth keeping.
    full: bool,
}

impl QueryId for InsertRows<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Conn> diesel::query_dsl::RunQueryDsl<Conn> for InsertRows<'_> {}

impl QueryFragment<Sqlite> for InsertRows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        if !self.full {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql(&self.statement.before);
        for row in self.first..self.first + self.rows {
            out.push_sql(if row == self.first { "(" } else { ", (" });
            for (position, column) in self.columns.iter().enumerate() {
                if position > 0 {
                    out.push_sql(", ");
                }
                match column.value(row) {
                    Value::Null => out.push_bind_param::<Nullable<Text>, Option<String>>(&None)?,
                    Value::BigInt(value) => out.push_bind_param::<BigInt, i64>(value)?,
                    Value::Integer(value) => out.push_bind_param::<Integer, i32>(value)?,
                    Value::SmallInt(value) => out.push_bind_param::<SmallInt, i16>(value)?,
                    Value::Double(value) => out.push_bind_param::<Double, f64>(value)?,
                    Value::Text(value) => out.push_bind_param::<Text, str>(value)?,
                    Value::Bool(true) => out.push_bind_param::<Bool, bool>(&true)?,
                    Value::Bool(false) => out.push_bind_param::<Bool, bool>(&false)?,
                    Value::Timestamp(_) => {
                        let problem = "times go in as text";
                        return Err(diesel::result::Error::QueryBuilderError(problem.into()));
                    }
                }
            }
            out.push_sql(")");
        }
        out.push_sql(&self.statement.after);
        Ok(())
    }
}

/// What stands around the rows, which are `v`.
struct Statement {
    before: String,
    after: String,
}

impl Statement {
    fn new(into: &str, table: &TableDescription, load: Load) -> Self {
        let given = column_list("v", table.columns.iter());
        let select = match load.compared {
            None => {
                return Self {
                    before: format!(
                        "INSERT INTO {into} SELECT {}, * FROM (VALUES ",
                        load.operation_type
                    ),
                    after: ")".to_owned(),
                };
            }
            Some(unchanged) => {
                let is_there = format!("l.{} IS NOT NULL", quote(&table.key[0]));
                let differs = Engine::Sqlite.any_differs(table.value_columns(), "l", "v");
                let (what, changes) = match load.operation_type {
                    2 => (
                        format!("CASE WHEN {is_there} THEN 2 ELSE {UNCHANGED} END"),
                        is_there,
                    ),
                    _ => (
                        format!(
                            "CASE WHEN {is_there} THEN CASE WHEN {differs} THEN 1 ELSE {UNCHANGED} END ELSE 0 END"
                        ),
                        format!("NOT {is_there} OR {differs}"),
                    ),
                };
                let only = match unchanged {
                    Unchanged::LeftOut => format!(" WHERE {changes}"),
                    Unchanged::Kept => String::new(),
                };
                format!(
                    "{what}, {given} FROM v LEFT JOIN {} l ON {}{only}",
                    quote(&table.name),
                    keys_equal(table, "l", "v")
                )
            }
        };
        Self {
            before: format!(
                "INSERT INTO {into} WITH v ({}) AS (VALUES ",
                column_list("", table.columns.iter())
            ),
            after: format!(") SELECT {select}"),
        }
    }
}

/// As [`time_of_microseconds`](crate::store::Engine::time_of_microseconds) writes them.
fn with_times_as_text(array: &ArrayRef) -> ArrayRef {
    let Some(times) = array.as_primitive_opt::<TimestampMicrosecondType>() else {
        return Arc::clone(array);
    };
    let texts: StringArray = times
        .iter()
        .map(|micros| {
            let time = DateTime::from_timestamp_micros(micros?)?;
            Some(time.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
        })
        .collect();
    Arc::new(texts)
}

/// Appends the batch, whose columns are the staging table's after the operation type, to it.
pub(crate) fn load(
    connection: &mut SqliteConnection,
    into: &str,
    table: &TableDescription,
    load: Load,
    batch: &RecordBatch,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> QueryResult<()> {
    let arrays: Vec<_> = batch.columns().iter().map(with_times_as_text).collect();
    let columns: Vec<_> = arrays
        .iter()
        .map(ColumnValues::new)
        .collect::<QueryResult<_>>()?;
    let statement = Statement::new(into, table, load);
    let chunk = (PARAMETERS / columns.len().max(1)).max(1);
    let mut first = 0;
    while first < batch.num_rows() {
        let rows = chunk.min(batch.num_rows() - first);
        InsertRows {
            statement: &statement,
            columns: &columns,
            first,
            rows,
            full: rows == chunk,
        }
        .execute(connection)?;
        first += rows;
        if progress(rows).is_break() {
            return Err(diesel::result::Error::RollbackTransaction);
        }
    }
    Ok(())
}

/// From here on the library writes the version rows of this transaction itself.
pub(crate) fn begin_recording(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("UPDATE transaction_context SET recorded_in_bulk = 1")
}

/// From here on the row triggers do.
pub(crate) fn end_recording(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("UPDATE transaction_context SET recorded_in_bulk = 0")
}
