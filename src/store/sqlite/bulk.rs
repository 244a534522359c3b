//! SQLite's bulk path: staging rows, and the switch for version rows by set.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampMicrosecondType;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Double, Integer, Nullable, SmallInt, Text};
use diesel::sqlite::Sqlite;

use crate::schema::TableDescription;
use crate::store::bulk::{ColumnValues, Live, Load, UNCHANGED, Unchanged, Value, time_as_text};
use crate::store::sqlite::ddl;
use crate::store::{Engine, column_list, keys_equal, or_update, quote};

/// SQLite takes at most 32,766 parameters in a statement; fewer keep the statement's text short.
const PARAMETERS: usize = 2_000;

/// Of what is left after statements of the most rows, statements of a quarter as many, and so on, down to one row: statements
/// of a few sizes are worth keeping, and to prepare one of another takes longer than to run those.
fn rows_at_once(left: usize, most: usize) -> usize {
    let mut rows = most.max(1);
    while rows > left {
        rows = (rows / 4).max(1);
    }
    rows
}

/// Rows `first..first + rows` of the columns, as one `INSERT`.
struct InsertRows<'a> {
    insert: &'a Insert,
    columns: &'a [ColumnValues<'a>],
    first: usize,
    rows: usize,
    /// In so many of the first columns all rows have the same values, which go in once: to bind a value takes a good part of
    /// the time that its row takes in all, and rows in the order of their key have most of it in common.
    shared: usize,
}

/// In how many of the first columns, and not in all, these rows have the same values.
fn shared(columns: &[ColumnValues<'_>], rows: Range<usize>) -> usize {
    let is_shared = |column: &&ColumnValues<'_>| {
        let first = column.value(rows.start);
        // A zero equals that of the other sign, which it is not.
        !matches!(first, Value::Double(_)) && rows.clone().all(|row| column.value(row) == first)
    };
    let shared = columns.iter().take_while(is_shared).count();
    shared.min(columns.len().saturating_sub(1))
}

fn push_values<'b>(
    out: &mut AstPass<'_, 'b, Sqlite>,
    columns: &'b [ColumnValues<'b>],
    row: usize,
) -> QueryResult<()> {
    for (position, column) in columns.iter().enumerate() {
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
    Ok(())
}

impl QueryId for InsertRows<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Conn> diesel::query_dsl::RunQueryDsl<Conn> for InsertRows<'_> {}

impl QueryFragment<Sqlite> for InsertRows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let (shared, others) = self.columns.split_at(self.shared);
        out.push_sql(&self.insert.before);
        if !shared.is_empty() {
            out.push_sql("SELECT ");
            push_values(&mut out, shared, self.first)?;
            out.push_sql(", * FROM (");
        }
        out.push_sql("VALUES ");
        for row in self.first..self.first + self.rows {
            out.push_sql(if row == self.first { "(" } else { ", (" });
            push_values(&mut out, others, row)?;
            out.push_sql(")");
        }
        if !shared.is_empty() {
            // Without a condition SQLite takes ON CONFLICT for one of a join.
            out.push_sql(") WHERE true");
        }
        out.push_sql(&self.insert.after);
        Ok(())
    }
}

/// An `INSERT`: what stands around its rows, which are `VALUES` or a `SELECT`.
pub(crate) struct Insert {
    before: String,
    after: String,
}

impl Insert {
    /// Into the table itself.
    pub(crate) fn live(table: &TableDescription, live: Live) -> Self {
        Self {
            before: format!(
                "INSERT INTO {} ({}) ",
                quote(&table.name),
                column_list("", table.columns.iter())
            ),
            after: match live {
                Live::New => String::new(),
                Live::Changed => or_update(table),
            },
        }
    }

    /// Into its staging table.
    pub(crate) fn staged(into: &str, table: &TableDescription, load: Load) -> Self {
        match load {
            Load::As(operation_type) => Self {
                before: format!("INSERT INTO {into} SELECT {operation_type}, * FROM ("),
                after: ")".to_owned(),
            },
            Load::Known => Self {
                before: format!("INSERT INTO {into} "),
                after: String::new(),
            },
            Load::Compared(operation_type, unchanged) => {
                Self::compared(into, table, operation_type, unchanged)
            }
        }
    }

    fn compared(
        into: &str,
        table: &TableDescription,
        operation_type: i16,
        unchanged: Unchanged,
    ) -> Self {
        let given = column_list("v", table.columns.iter());
        let is_there = format!("l.{} IS NOT NULL", quote(&table.key[0]));
        let differs = Engine::Sqlite.any_differs(table.value_columns(), "l", "v");
        let (what, changes) = match operation_type {
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
        Self {
            before: format!(
                "INSERT INTO {into} WITH v ({}) AS (",
                column_list("", table.columns.iter())
            ),
            after: format!(
                ") SELECT {what}, {given} FROM v LEFT JOIN {} l ON {}{only}",
                quote(&table.name),
                keys_equal(table, "l", "v")
            ),
        }
    }
}

/// As [`time_of_microseconds`](crate::store::Engine::time_of_microseconds) writes them.
fn with_times_as_text(array: &ArrayRef) -> ArrayRef {
    let Some(times) = array.as_primitive_opt::<TimestampMicrosecondType>() else {
        return Arc::clone(array);
    };
    let texts: StringArray = times.iter().map(|micros| time_as_text(micros?)).collect();
    Arc::new(texts)
}

/// Appends the batch, whose columns are those that the `INSERT` is made for.
pub(crate) fn load(
    connection: &mut SqliteConnection,
    insert: &Insert,
    batch: &RecordBatch,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> QueryResult<()> {
    let arrays: Vec<_> = batch.columns().iter().map(with_times_as_text).collect();
    let columns: Vec<_> = arrays
        .iter()
        .map(ColumnValues::new)
        .collect::<QueryResult<_>>()?;
    let most = PARAMETERS / columns.len().max(1);
    let mut first = 0;
    while first < batch.num_rows() {
        let rows = rows_at_once(batch.num_rows() - first, most);
        // Only in the statements of which there are many: each of another form is prepared once.
        let shared = match rows {
            rows if rows < most => 0,
            rows => shared(&columns, first..first + rows),
        };
        InsertRows {
            insert,
            columns: &columns,
            first,
            rows,
            shared,
        }
        .execute(connection)?;
        first += rows;
        if progress(rows).is_break() {
            return Err(diesel::result::Error::RollbackTransaction);
        }
    }
    Ok(())
}

/// From so many rows on it pays to put triggers aside: to drop them and make them again takes some milliseconds here, and
/// each other connection reads the schema anew.
const MANY_ROWS: usize = 10_000;

#[derive(QueryableByName)]
struct Trigger {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    sql: String,
}

/// From here on the library writes the version rows of this transaction itself. Returns the DDL of the triggers that it
/// put aside, for [`end_recording`].
///
/// For few rows, the row triggers are told to do nothing. For many they go: one that has nothing to do still runs for
/// each row, and because of it an `UPDATE` notes down all its rows first, which takes it five times as long (measured).
/// Only this transaction is without them: nobody else can write while it runs, nobody else sees what it did to the
/// schema, and it cannot be committed before they are back (`transaction_context_leave`).
pub(crate) fn begin_recording(
    connection: &mut SqliteConnection,
    table: &TableDescription,
    rows: usize,
) -> QueryResult<Vec<String>> {
    connection.batch_execute("UPDATE transaction_context SET recorded_in_bulk = 1")?;
    if rows < MANY_ROWS {
        return Ok(Vec::new());
    }
    let names: Vec<_> = ddl::row_triggers(table)
        .iter()
        .map(|name| format!("'{}'", name.replace('\'', "''")))
        .collect();
    let triggers: Vec<Trigger> = diesel::sql_query(format!(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name IN ({})",
        names.join(", ")
    ))
    .load(connection)?;
    for trigger in &triggers {
        connection.batch_execute(&format!("DROP TRIGGER {}", quote(&trigger.name)))?;
    }
    Ok(triggers.into_iter().map(|trigger| trigger.sql).collect())
}

/// From here on the row triggers do.
pub(crate) fn end_recording(
    connection: &mut SqliteConnection,
    aside: &[String],
) -> QueryResult<()> {
    for trigger in aside {
        connection.batch_execute(trigger)?;
    }
    connection.batch_execute("UPDATE transaction_context SET recorded_in_bulk = 0")
}
