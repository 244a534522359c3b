//! Checks that input of any table goes through, before anything is written.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};

use crate::error::{Error, Result};
use crate::schema::{ColumnType, TableDescription};

/// How many bad rows a message names.
const NAMED_ROWS: usize = 10;

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
    use arrow::datatypes::Float64Type;
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

/// Refuses keys that are there more than once, naming the rows.
pub(crate) fn refuse_duplicate_keys(table: &TableDescription, batch: &RecordBatch) -> Result<()> {
    use arrow::compute::{SortColumn, lexsort_to_indices, partition, take};
    let keys: Vec<_> = table
        .key
        .iter()
        .filter_map(|key| batch.column_by_name(key))
        .cloned()
        .collect();
    let order = lexsort_to_indices(
        &keys
            .iter()
            .map(|values| SortColumn {
                values: Arc::clone(values),
                options: None,
            })
            .collect::<Vec<_>>(),
        None,
    )?;
    let sorted: Vec<_> = keys
        .iter()
        .map(|key| take(key, &order, None))
        .collect::<std::result::Result<_, _>>()?;
    let mut duplicates: Vec<usize> = partition(&sorted)?
        .ranges()
        .into_iter()
        .filter(|range| range.len() > 1)
        .flat_map(|range| range.map(|position| order.value(position) as usize))
        .collect();
    duplicates.sort_unstable();
    if duplicates.is_empty() {
        return Ok(());
    }
    Err(Error::frame(format!(
        "the same key more than once, in {}",
        row_list(&duplicates)
    )))
}
