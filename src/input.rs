//! Checks that input of any table goes through, before anything is written.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};

use crate::error::{Error, Result};
use crate::schema::{ColumnType, TableDescription};
use crate::store::rows::arrow_type;

/// How many bad rows a message names.
const NAMED_ROWS: usize = 10;

/// The times that both engines take, in microseconds since 1970-01-01 UTC: years of four digits.
const YEARS: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

/// "rows 3, 7 and 12 more".
pub(crate) fn row_list(rows: &[usize]) -> String {
    let shown: Vec<_> = rows.iter().take(NAMED_ROWS).map(usize::to_string).collect();
    let more = match rows.len().saturating_sub(NAMED_ROWS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{} {}{more}",
        if rows.len() == 1 { "row" } else { "rows" },
        shown.join(", ")
    )
}

/// Refuses missing values, NaN, infinity and text with NUL, naming the rows.
pub(crate) fn check_values(
    name: &str,
    column_type: ColumnType,
    array: &ArrayRef,
    needed: bool,
) -> Result<()> {
    use arrow::array::AsArray;
    use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
    let refuse = |what: &str, rows: &[usize]| -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        Err(Error::frame(format!(
            "column \"{name}\" has {what} in {}",
            row_list(rows)
        )))
    };
    if needed && array.null_count() > 0 {
        let rows: Vec<_> = (0..array.len()).filter(|row| array.is_null(*row)).collect();
        refuse("missing values (NaN or null)", &rows)?;
    }
    match column_type {
        ColumnType::Double => {
            let values = array.as_primitive::<Float64Type>();
            let rows: Vec<_> = (0..values.len())
                .filter(|row| values.is_valid(*row) && !values.value(*row).is_finite())
                .collect();
            refuse("NaN or infinity", &rows)
        }
        ColumnType::Timestamp => {
            let values = array.as_primitive::<TimestampMicrosecondType>();
            let rows: Vec<_> = (0..values.len())
                .filter(|row| values.is_valid(*row) && !YEARS.contains(&values.value(*row)))
                .collect();
            refuse("times before the year 1 or after 9999", &rows)
        }
        ColumnType::Text => {
            let values = array.as_string::<i32>();
            let rows: Vec<_> = (0..values.len())
                .filter(|row| values.is_valid(*row) && values.value(*row).contains('\0'))
                .collect();
            refuse("text with a NUL character", &rows)
        }
        _ => Ok(()),
    }
}

/// The columns of the key.
pub(crate) fn key_arrays(table: &TableDescription, batch: &RecordBatch) -> Vec<ArrayRef> {
    table
        .key
        .iter()
        .filter_map(|key| batch.column_by_name(key))
        .cloned()
        .collect()
}

/// What makes keys comparable, in the order in which the databases sort them.
pub(crate) fn key_converter(keys: &[ArrayRef]) -> Result<RowConverter> {
    let fields = keys
        .iter()
        .map(|key| SortField::new(key.data_type().clone()))
        .collect();
    Ok(RowConverter::new(fields)?)
}

/// The rows in the order of their key. Refuses keys that are there more than once, naming the rows.
pub(crate) fn in_order_of_key(
    table: &TableDescription,
    batch: &RecordBatch,
) -> Result<RecordBatch> {
    let keys = key_arrays(table, batch);
    let keys = key_converter(&keys)?.convert_columns(&keys)?;
    let key = |row: &u32| keys.row(*row as usize);
    let mut order: Vec<u32> = (0..batch.num_rows() as u32).collect();
    if order.is_sorted_by(|a, b| key(a) < key(b)) {
        return Ok(batch.clone());
    }
    order.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut duplicates: Vec<usize> = order
        .chunk_by(|a, b| key(a) == key(b))
        .filter(|same| same.len() > 1)
        .flat_map(|same| same.iter().map(|row| *row as usize))
        .collect();
    duplicates.sort_unstable();
    if !duplicates.is_empty() {
        return Err(Error::frame(format!(
            "the same key more than once, in {}",
            row_list(&duplicates)
        )));
    }
    Ok(take_record_batch(batch, &UInt32Array::from(order))?)
}

/// An array of whatever type as what a column of a table holds; refuses values that would not be the same, naming the
/// rows. Text is not taken for a number, nor a number for text.
pub(crate) fn exactly(name: &str, array: &ArrayRef, column_type: ColumnType) -> Result<ArrayRef> {
    if array.logical_null_count() == array.len() {
        // A column without a value has whatever type.
        return Ok(new_null_array(&arrow_type(column_type), array.len()));
    }
    let given = match array.data_type() {
        // Categoricals of pandas, dictionaries of Arrow.
        DataType::Dictionary(_, values) => cast(array, values)?,
        _ => Arc::clone(array),
    };
    let kind = given.data_type();
    let fits = match column_type {
        ColumnType::BigInt | ColumnType::Integer | ColumnType::SmallInt | ColumnType::Double => {
            kind.is_numeric()
        }
        ColumnType::Text => {
            matches!(
                kind,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            )
        }
        ColumnType::Bool => *kind == DataType::Boolean,
        ColumnType::Timestamp => {
            matches!(
                kind,
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64
            )
        }
    };
    if !fits {
        return Err(Error::frame(format!(
            "column \"{name}\" must hold {}, not {kind}",
            column_type.word()
        )));
    }
    // An instant stays what it is whatever its zone; it is kept in UTC.
    let zone = match kind {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let wanted = match arrow_type(column_type) {
        DataType::Timestamp(unit, _) => DataType::Timestamp(unit, zone),
        wanted => wanted,
    };
    let converted = cast(&given, &wanted)?;
    let back = cast(&converted, kind)?;
    let changed: Vec<_> = not_distinct(&back, &given)?
        .iter()
        .enumerate()
        .filter(|(_, same)| *same != Some(true))
        .map(|(row, _)| row)
        .collect();
    if !changed.is_empty() {
        return Err(Error::frame(format!(
            "column \"{name}\" must hold {}; these do not fit: {}",
            column_type.word(),
            row_list(&changed)
        )));
    }
    match converted.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let utc = cast(&converted, &DataType::Int64)?;
            Ok(cast(&utc, &DataType::Timestamp(*unit, None))?)
        }
        _ => Ok(converted),
    }
}
