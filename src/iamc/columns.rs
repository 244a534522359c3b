//! Columns of a frame, in whatever Arrow type they come.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, Result};
use crate::input::{check_values, row_list};
use crate::schema::ColumnType;

/// Text by distinct value: `names[codes[row]]`.
pub(crate) struct Coded {
    pub(crate) names: Vec<String>,
    pub(crate) codes: Vec<u32>,
}

impl Coded {
    pub(super) fn of(&self, row: usize) -> &str {
        &self.names[self.codes[row] as usize]
    }
}

pub(crate) fn as_type(name: &str, array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, data_type, &options).map_err(|error| {
        Error::frame(format!(
            "column \"{name}\" ({}): {error}",
            array.data_type()
        ))
    })
}

pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// A column of names by distinct value.
pub(super) fn coded(batch: &RecordBatch, name: &str) -> Result<Coded> {
    let Some(array) = batch.column_by_name(name) else {
        return Err(Error::frame(format!("missing columns: {name}")));
    };
    coded_array(name, array)
}

pub(crate) fn coded_array(name: &str, array: &ArrayRef) -> Result<Coded> {
    if array.is_empty() {
        return Ok(Coded {
            names: Vec::new(),
            codes: Vec::new(),
        });
    }
    if !is_text(array.data_type()) {
        return Err(Error::frame(format!(
            "column \"{name}\" must hold text, not {}",
            array.data_type()
        )));
    }
    let text = as_type(name, array, &DataType::Utf8)?;
    check_values(name, ColumnType::Text, &text, true)?;
    let text = text.as_string::<i32>();
    let mut codes = Vec::with_capacity(text.len());
    let mut names: Vec<String> = Vec::new();
    let mut code_of: HashMap<&str, u32> = HashMap::new();
    for value in text.iter().flatten() {
        let code = *code_of.entry(value).or_insert_with(|| {
            names.push(value.to_owned());
            names.len() as u32 - 1
        });
        codes.push(code);
    }
    Ok(Coded { names, codes })
}

/// Dictionaries of numbers and times (categoricals in pandas) become what they hold.
pub(super) fn with_plain_numbers(batch: &RecordBatch) -> Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let array = match array.data_type() {
            DataType::Dictionary(_, held) if !is_text(held) => as_type(field.name(), array, held)?,
            _ => ArrayRef::clone(array),
        };
        fields.push(Field::new(field.name(), array.data_type().clone(), true));
        arrays.push(array);
    }
    Ok(RecordBatch::try_new(
        std::sync::Arc::new(Schema::new(fields)),
        arrays,
    )?)
}

/// Whether no row has a value; a column of which nothing is known has the type Null.
pub(super) fn is_missing(array: &ArrayRef) -> bool {
    array.logical_null_count() == array.len()
}

/// The column in a narrower type; refuses values that do not fit, naming their rows.
pub(super) fn narrowed(
    name: &str,
    what: &str,
    array: &ArrayRef,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let narrow = cast_with_options(array, data_type, &CastOptions::default())?;
    let bad: Vec<_> = (0..array.len())
        .filter(|row| narrow.is_null(*row) && array.is_valid(*row))
        .collect();
    if bad.is_empty() {
        return Ok(narrow);
    }
    Err(Error::frame(format!(
        "column \"{name}\" has {what} that do not fit, in {}",
        row_list(&bad)
    )))
}
