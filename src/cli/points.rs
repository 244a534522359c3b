//! The rows of a table of points, one by one.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};

use crate::error::Result;

/// What [`Iamc::difference`](crate::Iamc::difference) gave.
pub(super) struct Points<'a> {
    batch: &'a RecordBatch,
    operation: Option<StringArray>,
    region: Option<StringArray>,
    variable: Option<StringArray>,
    unit: Option<StringArray>,
    subannual: Option<StringArray>,
}

/// A changed point. The names of the fields are those of `--json`.
#[derive(serde::Serialize)]
pub(super) struct ChangedPoint {
    pub(super) operation: String,
    pub(super) region: String,
    pub(super) variable: String,
    pub(super) unit: String,
    pub(super) year: Option<i64>,
    pub(super) subannual: Option<String>,
    pub(super) datetime: Option<String>,
    pub(super) value_before: Option<f64>,
    pub(super) value_after: Option<f64>,
}

impl<'a> Points<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Self> {
        let text = |name: &str| -> Result<Option<StringArray>> {
            let Some(array) = batch.column_by_name(name) else {
                return Ok(None);
            };
            Ok(Some(cast(array, &DataType::Utf8)?.as_string().clone()))
        };
        Ok(Self {
            batch,
            operation: text("operation")?,
            region: text("region")?,
            variable: text("variable")?,
            unit: text("unit")?,
            subannual: text("subannual")?,
        })
    }

    fn valid(&self, name: &str, row: usize) -> Option<&ArrayRef> {
        self.batch
            .column_by_name(name)
            .filter(|array| array.is_valid(row))
    }

    fn float(&self, name: &str, row: usize) -> Option<f64> {
        Some(
            self.valid(name, row)?
                .as_primitive_opt::<Float64Type>()?
                .value(row),
        )
    }

    /// One row of it.
    pub(super) fn changed(&self, row: usize) -> ChangedPoint {
        let name = |array: &Option<StringArray>| {
            array
                .as_ref()
                .filter(|array| array.is_valid(row))
                .map(|array| array.value(row).to_owned())
        };
        ChangedPoint {
            operation: name(&self.operation).unwrap_or_default(),
            region: name(&self.region).unwrap_or_default(),
            variable: name(&self.variable).unwrap_or_default(),
            unit: name(&self.unit).unwrap_or_default(),
            year: self
                .valid("year", row)
                .and_then(|array| Some(array.as_primitive_opt::<Int64Type>()?.value(row))),
            subannual: name(&self.subannual),
            datetime: self.valid("datetime", row).and_then(|array| {
                let moments = array.as_primitive_opt::<TimestampMicrosecondType>()?;
                Some(format!(
                    "{}Z",
                    moments
                        .value_as_datetime(row)?
                        .format("%Y-%m-%dT%H:%M:%S%.f")
                ))
            }),
            value_before: self.float("value_before", row),
            value_after: self.float("value_after", row),
        }
    }

    /// All rows of it.
    pub(super) fn all_changed(&self) -> Vec<ChangedPoint> {
        (0..self.batch.num_rows())
            .map(|row| self.changed(row))
            .collect()
    }
}
