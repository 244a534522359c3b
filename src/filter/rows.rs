//! Filters of rows that have been read: by columns of any table.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{
    DataType, Float64Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use chrono::DateTime;

use crate::error::Result;
use crate::filter::{Checked, Scalar};

/// Those of the rows that pass.
pub(crate) fn rows_that_pass(rows: &RecordBatch, checked: &Checked) -> Result<RecordBatch> {
    if checked.is_all() {
        return Ok(rows.clone());
    }
    let passing: BooleanArray = (0..rows.num_rows())
        .map(|row| Some(checked.passes(|name| scalar(rows.column_by_name(name)?, row))))
        .collect();
    Ok(filter_record_batch(rows, &passing)?)
}

fn scalar(array: &ArrayRef, row: usize) -> Option<Scalar> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Int64 => Scalar::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Int32 => Scalar::Int(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int16 => Scalar::Int(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Float64 => Scalar::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Scalar::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::Boolean => Scalar::Bool(array.as_boolean().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            Scalar::Time(DateTime::from_timestamp_micros(micros)?.naive_utc())
        }
        _ => return None,
    })
}
