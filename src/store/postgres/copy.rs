//! `COPY … FROM STDIN` in the binary format.
//!
//! Format: <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format".

use std::cell::RefCell;
use std::io::Write;
use std::ops::ControlFlow;

use arrow::array::RecordBatch;
use diesel::pg::{CopyFormat, CopyTarget};
use diesel::prelude::*;
use diesel::query_builder::AstPass;

use crate::store::bulk::{ColumnValues, Value};

/// Rows between two reports of progress.
const REPORT_EVERY: usize = 10_000;

diesel::table! {
    /// Stands for any staging table: diesel wants a table's type, ours are known at run time.
    any_staging (id) {
        id -> BigInt,
    }
}

thread_local! {
    /// What the `COPY` on this thread goes into: diesel asks a type for it, not a value.
    static TARGET: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A table or a query in parentheses.
pub(super) struct RunTimeTarget(());

impl RunTimeTarget {
    /// There is one at a time.
    pub(super) fn new(text: &str) -> Self {
        TARGET.set(text.to_owned());
        Self(())
    }
}

/// What data in the binary format begin with.
pub(super) const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

impl CopyTarget for RunTimeTarget {
    type Table = any_staging::table;
    type SqlType = diesel::sql_types::BigInt;

    fn walk_target(mut pass: AstPass<'_, '_, diesel::pg::Pg>) -> QueryResult<()> {
        TARGET.with_borrow(|target| pass.push_sql(target));
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Appends the batch to `target`, a table with the operation type and then the columns in the batch's order.
pub(crate) fn load(
    connection: &mut PgConnection,
    target: &str,
    operation_type: i16,
    batch: &RecordBatch,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> QueryResult<()> {
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(ColumnValues::new)
        .collect::<QueryResult<_>>()?;
    let target = RunTimeTarget::new(target);
    let progress = RefCell::new(progress);
    let rows = batch.num_rows();
    diesel::copy_from(any_staging::table)
        .from_raw_data(target, |out: &mut dyn Write| -> Result<(), CopyError> {
            let mut buffer = Vec::with_capacity(1 << 16);
            buffer.extend_from_slice(SIGNATURE);
            buffer.extend_from_slice(&[0; 8]);
            let mut reported = 0;
            for row in 0..rows {
                write_row(&mut buffer, operation_type, &columns, row);
                if buffer.len() >= 1 << 16 {
                    out.write_all(&buffer)?;
                    buffer.clear();
                }
                if row + 1 - reported == REPORT_EVERY || row + 1 == rows {
                    if (progress.borrow_mut())(row + 1 - reported).is_break() {
                        return Err(diesel::result::Error::RollbackTransaction.into());
                    }
                    reported = row + 1;
                }
            }
            buffer.extend_from_slice(&(-1i16).to_be_bytes());
            out.write_all(&buffer)?;
            Ok(())
        })
        .with_format(CopyFormat::Binary)
        .execute(connection)
        .map(|_| ())
        .map_err(|error| match error {
            CopyError::Database(error) => error,
            CopyError::Io(error) => diesel::result::Error::SerializationError(Box::new(error)),
        })
}

/// Where PostgreSQL counts its timestamps from, in microseconds since 1970-01-01 UTC.
pub(crate) const YEAR_2000: i64 = 946_684_800_000_000;

fn write_row(buffer: &mut Vec<u8>, operation_type: i16, columns: &[ColumnValues<'_>], row: usize) {
    buffer.extend_from_slice(&(columns.len() as i16 + 1).to_be_bytes());
    write_field(buffer, &operation_type.to_be_bytes());
    for column in columns {
        match column.value(row) {
            Value::Null => buffer.extend_from_slice(&(-1i32).to_be_bytes()),
            Value::BigInt(value) => write_field(buffer, &value.to_be_bytes()),
            Value::Integer(value) => write_field(buffer, &value.to_be_bytes()),
            Value::SmallInt(value) => write_field(buffer, &value.to_be_bytes()),
            Value::Double(value) => write_field(buffer, &value.to_be_bytes()),
            Value::Text(value) => write_field(buffer, value.as_bytes()),
            Value::Bool(value) => write_field(buffer, &[u8::from(value)]),
            Value::Timestamp(value) => write_field(buffer, &(value - YEAR_2000).to_be_bytes()),
        }
    }
}

fn write_field(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    buffer.extend_from_slice(bytes);
}
