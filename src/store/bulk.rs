//! Bulk loading: a record batch goes into a staging table that has the same columns.

use std::ops::ControlFlow;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{
    DataType, Float64Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use diesel::prelude::*;

use crate::error::Result;
use crate::schema::TableDescription;
use crate::store::{AnyConnection, batch as run_sql, doing, postgres, quote, sqlite};

/// The values of one column, ready to be sent.
pub(super) enum ColumnValues<'a> {
    BigInt(&'a ArrayRef, &'a [i64]),
    Integer(&'a ArrayRef, &'a [i32]),
    SmallInt(&'a ArrayRef, &'a [i16]),
    Double(&'a ArrayRef, &'a [f64]),
    Text(&'a StringArray),
    Bool(&'a BooleanArray),
    /// Microseconds since 1970-01-01 UTC.
    Timestamp(&'a ArrayRef, &'a [i64]),
}

/// One value.
#[derive(PartialEq)]
pub(super) enum Value<'a> {
    Null,
    BigInt(&'a i64),
    Integer(&'a i32),
    SmallInt(&'a i16),
    Double(&'a f64),
    Text(&'a str),
    Bool(bool),
    Timestamp(i64),
}

impl<'a> ColumnValues<'a> {
    pub(super) fn new(array: &'a ArrayRef) -> QueryResult<Self> {
        Ok(match array.data_type() {
            DataType::Int64 => Self::BigInt(array, array.as_primitive::<Int64Type>().values()),
            DataType::Int32 => Self::Integer(array, array.as_primitive::<Int32Type>().values()),
            DataType::Int16 => Self::SmallInt(array, array.as_primitive::<Int16Type>().values()),
            DataType::Float64 => Self::Double(array, array.as_primitive::<Float64Type>().values()),
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Boolean => Self::Bool(array.as_boolean()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => Self::Timestamp(
                array,
                array.as_primitive::<TimestampMicrosecondType>().values(),
            ),
            other => {
                return Err(diesel::result::Error::SerializationError(
                    format!("a column of type {other} cannot be loaded").into(),
                ));
            }
        })
    }

    pub(super) fn value(&self, row: usize) -> Value<'a> {
        match self {
            Self::BigInt(array, _) | Self::Integer(array, _) if array.is_null(row) => Value::Null,
            Self::SmallInt(array, _) | Self::Double(array, _) if array.is_null(row) => Value::Null,
            Self::Timestamp(array, _) if array.is_null(row) => Value::Null,
            Self::Text(array) if array.is_null(row) => Value::Null,
            Self::Bool(array) if array.is_null(row) => Value::Null,
            Self::BigInt(_, values) => Value::BigInt(&values[row]),
            Self::Integer(_, values) => Value::Integer(&values[row]),
            Self::SmallInt(_, values) => Value::SmallInt(&values[row]),
            Self::Double(_, values) => Value::Double(&values[row]),
            Self::Text(array) => Value::Text(array.value(row)),
            Self::Bool(array) => Value::Bool(array.value(row)),
            Self::Timestamp(_, values) => Value::Timestamp(values[row]),
        }
    }
}

/// A time as both engines read and show it (UTC), of microseconds since 1970-01-01.
pub(super) fn time_as_text(micros: i64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_micros(micros)?;
    Some(time.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
}

/// What is staged of rows that are loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// The rows, all with this operation type; 0: they are new or have other values; 2: they are to be deleted.
    As(i16),
    /// The rows with the operation types that are the batch's first column. On SQLite.
    Known,
    /// The rows with what they change, as a comparison with the live ones says; of rows [`As`](Self::As) this operation
    /// type. On SQLite, where to write them all down first, and to write down of each what it changes, takes twice as long.
    Compared(i16, Unchanged),
}

/// What becomes of rows that come in and, compared with the live ones, change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unchanged {
    LeftOut,
    /// Staged as [`UNCHANGED`]: whether a key comes twice is seen by looking at all of them.
    Kept,
}

/// The operation type of staged rows that change nothing.
pub(crate) const UNCHANGED: i16 = 3;

/// A temporary table for changes to a table: `operation_type` first, then the table's columns.
pub(crate) struct Staging {
    /// As SQL names it.
    pub(crate) name: String,
}

impl Staging {
    /// An empty one. It belongs to the connection and is empty again after the transaction.
    pub(crate) fn create(connection: &mut AnyConnection, table: &TableDescription) -> Result<Self> {
        let (name, ddl) = match connection {
            AnyConnection::Sqlite(_) => sqlite::ddl::staging(table),
            AnyConnection::Postgres(_) => postgres::ddl::staging(table),
        };
        run_sql(connection, &ddl)?;
        Ok(Self { name })
    }

    /// Appends the rows of a batch whose columns are the table's, in order. `progress` is told how
    /// many rows were taken each time; its error ends the loading.
    pub(crate) fn load(
        &self,
        connection: &mut AnyConnection,
        table: &TableDescription,
        load: Load,
        batch: &RecordBatch,
        progress: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        loaded(table, progress, |progress| match connection {
            AnyConnection::Sqlite(connection) => {
                let insert = sqlite::bulk::Insert::staged(&self.name, table, load);
                sqlite::bulk::load(connection, &insert, batch, progress)
            }
            AnyConnection::Postgres(connection) => match load {
                Load::As(operation_type) => {
                    postgres::copy::load(connection, &self.name, operation_type, batch, progress)
                }
                Load::Known | Load::Compared(..) => not_here("triggers compare the rows"),
            },
        })
    }
}

/// What the rows that go straight into a table are to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Live {
    /// None of them is there.
    New,
    /// All of them are there and get other values.
    Changed,
}

/// Writes the rows of a batch whose columns are the table's, in order, into the table itself. On SQLite.
pub(crate) fn load_live(
    connection: &mut AnyConnection,
    table: &TableDescription,
    live: Live,
    batch: &RecordBatch,
    progress: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<()> {
    loaded(table, progress, |progress| match connection {
        AnyConnection::Sqlite(connection) => {
            let insert = sqlite::bulk::Insert::live(table, live);
            sqlite::bulk::load(connection, &insert, batch, progress)
        }
        AnyConnection::Postgres(_) => not_here("rows are staged"),
    })
}

fn not_here(problem: &str) -> QueryResult<()> {
    Err(diesel::result::Error::QueryBuilderError(problem.into()))
}

/// What `load` comes to, which `progress` can stop.
fn loaded(
    table: &TableDescription,
    progress: &mut dyn FnMut(usize) -> Result<()>,
    load: impl FnOnce(&mut dyn FnMut(usize) -> ControlFlow<()>) -> QueryResult<()>,
) -> Result<()> {
    let mut stopped = None;
    let loaded = load(&mut |rows| match progress(rows) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            stopped = Some(error);
            ControlFlow::Break(())
        }
    })
    .map_err(doing(&format!("loading rows for {}", quote(&table.name))));
    super::failpoint::reach("load", "loaded")?;
    stopped.map_or(loaded, Err)
}

/// The time in which the library itself writes the version rows of a table, by set, and the row triggers do not.
pub(crate) struct SetBased {
    /// The DDL of triggers that were put aside.
    aside: Vec<String>,
}

impl SetBased {
    /// `rows`: how many will be written, more or less.
    pub(crate) fn begin(
        connection: &mut AnyConnection,
        table: &TableDescription,
        rows: usize,
    ) -> Result<Self> {
        let aside = match connection {
            AnyConnection::Sqlite(connection) => {
                sqlite::bulk::begin_recording(connection, table, rows)
            }
            AnyConnection::Postgres(_) => Ok(Vec::new()),
        };
        Ok(Self {
            aside: aside.map_err(doing("switching to set-based recording"))?,
        })
    }

    /// From here on the triggers record again.
    pub(crate) fn end(self, connection: &mut AnyConnection) -> Result<()> {
        match connection {
            AnyConnection::Sqlite(connection) => {
                sqlite::bulk::end_recording(connection, &self.aside)
            }
            AnyConnection::Postgres(_) => Ok(()),
        }
        .map_err(doing("switching back to recording by triggers"))
    }
}
