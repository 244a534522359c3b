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

/// What becomes of rows that are loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// 0: they are new or have other values; 2: they are to be deleted.
    pub(crate) operation_type: i16,
    /// `None`: it is said of all of them.
    pub(crate) compared: Option<Unchanged>,
}

/// What becomes of rows that are loaded and that, compared with the live ones, change nothing. Only SQLite compares them
/// as they come: to write them all down first, and to write down of each what it changes, takes twice as long.
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
        let mut stopped = None;
        let progress = &mut |rows| match progress(rows) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                stopped = Some(error);
                ControlFlow::Break(())
            }
        };
        let loaded = match connection {
            AnyConnection::Sqlite(connection) => {
                sqlite::bulk::load(connection, &self.name, table, load, batch, progress)
            }
            AnyConnection::Postgres(connection) => {
                postgres::copy::load(connection, &self.name, load.operation_type, batch, progress)
            }
        }
        .map_err(doing(&format!("loading rows for {}", quote(&table.name))));
        super::failpoint::reach("load", "loaded")?;
        stopped.map_or(loaded, Err)
    }
}

/// From here on the library writes the version rows of this transaction itself, by set.
pub(crate) fn begin_recording(connection: &mut AnyConnection) -> Result<()> {
    match connection {
        AnyConnection::Sqlite(connection) => sqlite::bulk::begin_recording(connection),
        AnyConnection::Postgres(_) => Ok(()),
    }
    .map_err(doing("switching to set-based recording"))
}

/// From here on the triggers write them again.
pub(crate) fn end_recording(connection: &mut AnyConnection) -> Result<()> {
    match connection {
        AnyConnection::Sqlite(connection) => sqlite::bulk::end_recording(connection),
        AnyConnection::Postgres(_) => Ok(()),
    }
    .map_err(doing("switching back to recording by triggers"))
}
