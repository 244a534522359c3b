//! Rows that come in, compared with the live ones in memory: where many of them lie side by side, to read them in the
//! order of the key takes a fraction of looking for each by its key.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int16Array, RecordBatch, UInt32Array};
use arrow::compute::{kernels::cmp::distinct, or, take};
use arrow::datatypes::{DataType, Field, Int16Type, Int32Type, Int64Type, Schema};

use crate::error::Result;
use crate::history::rows::RowOperation;
use crate::history::write::Write;
use crate::input::{key_arrays, key_converter};
use crate::schema::{OPERATION_TYPE, TableDescription};
use crate::store::bulk::UNCHANGED;
use crate::store::rows::{self, Bind};
use crate::store::{column_list, quote};

/// How many live rows are read, at most, for each one that came in.
const LIVE_READ: usize = 2;

/// From so many rows on: what comes before a few are read takes longer than to look for them.
const ENOUGH: usize = 1_000;

/// The rows with what they change before them, as [`OPERATION_TYPE`]. `None`: they are few, they are not in the order of
/// the key, or many more live ones lie between them.
pub(super) fn compare(
    write: &mut Write<'_>,
    table: &TableDescription,
    operation: RowOperation,
    rows: &RecordBatch,
) -> Result<Option<RecordBatch>> {
    if rows.num_rows() < ENOUGH {
        return Ok(None);
    }
    let Some((text, binds)) = between(table, rows) else {
        return Ok(None);
    };
    let live = rows::select(write.connection, &text, &binds, &table.columns)?;
    if live.num_rows() > LIVE_READ * rows.num_rows() {
        return Ok(None);
    }
    let Some(live_of) = live_of(table, rows, &live)? else {
        return Ok(None);
    };
    let changes = match operation {
        RowOperation::Remove => Int16Array::from_iter_values(
            (0..rows.num_rows()).map(|row| if live_of.is_valid(row) { 2 } else { UNCHANGED }),
        ),
        RowOperation::Add => {
            let differs = differing(table, rows, &live, &live_of)?;
            Int16Array::from_iter_values((0..rows.num_rows()).map(|row| {
                match (live_of.is_valid(row), differs.value(row)) {
                    (false, _) => 0,
                    (true, true) => 1,
                    (true, false) => UNCHANGED,
                }
            }))
        }
    };
    let mut fields = vec![Field::new(OPERATION_TYPE, DataType::Int16, false)];
    fields.extend(
        rows.schema()
            .fields()
            .iter()
            .map(|field| field.as_ref().clone()),
    );
    let mut columns: Vec<ArrayRef> = vec![Arc::new(changes)];
    columns.extend(rows.columns().iter().cloned());
    Ok(Some(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?))
}

/// The query for the live rows of the run from the key of the first row to that of the last. `None`: a column of the key
/// has a type that the database may sort in another way.
fn between(table: &TableDescription, rows: &RecordBatch) -> Option<(String, Vec<Bind>)> {
    let keys: Vec<_> = table.key_columns().collect();
    let key_of = |row: usize| -> Option<Vec<Bind>> {
        let value = |array: &ArrayRef| match array.data_type() {
            _ if array.is_null(row) => None,
            DataType::Int64 => Some(Bind::BigInt(array.as_primitive::<Int64Type>().value(row))),
            DataType::Int32 => Some(Bind::BigInt(
                array.as_primitive::<Int32Type>().value(row).into(),
            )),
            DataType::Int16 => Some(Bind::BigInt(
                array.as_primitive::<Int16Type>().value(row).into(),
            )),
            DataType::Boolean => Some(Bind::BigInt(array.as_boolean().value(row).into())),
            DataType::Utf8 => Some(Bind::Text(array.as_string::<i32>().value(row).to_owned())),
            _ => None,
        };
        keys.iter()
            .map(|key| value(rows.column_by_name(&key.name)?))
            .collect()
    };
    let most = LIVE_READ * rows.num_rows() + 1;
    let binds = [
        key_of(0)?,
        key_of(rows.num_rows() - 1)?,
        vec![Bind::BigInt(most as i64)],
    ]
    .concat();
    let numbers = |first: usize| {
        let numbers: Vec<_> = (first..first + keys.len())
            .map(|n| format!("${n}"))
            .collect();
        numbers.join(", ")
    };
    let key = column_list("", keys.iter().copied());
    let text = format!(
        "SELECT {} FROM {} WHERE ({key}) >= ({}) AND ({key}) <= ({}) ORDER BY {key} LIMIT ${}",
        column_list("", table.columns.iter()),
        quote(&table.name),
        numbers(1),
        numbers(1 + keys.len()),
        binds.len(),
    );
    Some((text, binds))
}

/// Where each row's live one is, if there is one. `None`: they are not in the order of the key.
fn live_of(
    table: &TableDescription,
    rows: &RecordBatch,
    live: &RecordBatch,
) -> Result<Option<UInt32Array>> {
    let (keys, live_keys) = (key_arrays(table, rows), key_arrays(table, live));
    // Mostly the same rows come again.
    if keys == live_keys {
        return Ok(Some((0..rows.num_rows() as u32).collect()));
    }
    let converter = key_converter(&keys)?;
    let keys = converter.convert_columns(&keys)?;
    let live_keys = converter.convert_columns(&live_keys)?;
    let mut next = 0;
    let mut last = None;
    let mut found = Vec::with_capacity(rows.num_rows());
    for key in &keys {
        if last.is_some_and(|last| last >= key) {
            return Ok(None);
        }
        last = Some(key);
        while next < live.num_rows() && live_keys.row(next) < key {
            next += 1;
        }
        let is_there = next < live.num_rows() && live_keys.row(next) == key;
        found.push(is_there.then_some(next as u32));
    }
    Ok(Some(UInt32Array::from(found)))
}

/// Which rows have other values than their live ones.
fn differing(
    table: &TableDescription,
    rows: &RecordBatch,
    live: &RecordBatch,
    live_of: &UInt32Array,
) -> Result<BooleanArray> {
    let mut differs = BooleanArray::from(vec![false; rows.num_rows()]);
    for column in table.value_columns() {
        let both = (
            rows.column_by_name(&column.name),
            live.column_by_name(&column.name),
        );
        if let (Some(values), Some(live)) = both {
            // Null-safe, and of floats by all their bits, as in SQL.
            let here = distinct(values, &take(live, live_of, None)?)?;
            differs = or(&differs, &here)?;
        }
    }
    Ok(differs)
}
