//! Frames: Arrow tables as they come from pandas, polars, pyarrow or a file.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::error::Result;

/// A table of input: named, typed columns (Arrow).
///
/// ```
/// let frame = stratalog::Frame::yearly([
///     ("World", "Population", "million", 2020, 7_800.0),
///     ("World", "Population", "million", 2030, 8_500.0),
/// ]);
/// assert_eq!(frame.num_rows(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Frame {
    batch: RecordBatch,
}

impl From<RecordBatch> for Frame {
    fn from(batch: RecordBatch) -> Self {
        Self { batch }
    }
}

impl Frame {
    /// Batches of one schema, put together.
    ///
    /// # Errors
    /// [`Error::Arrow`](crate::Error::Arrow) when they do not fit together.
    pub fn from_batches(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self> {
        Ok(Self {
            batch: concat_batches(schema, batches)?,
        })
    }

    /// Yearly points: region, variable, unit, year, value.
    pub fn yearly<'a>(
        points: impl IntoIterator<Item = (&'a str, &'a str, &'a str, i64, f64)>,
    ) -> Self {
        let points: Vec<_> = points.into_iter().collect();
        let text = |get: fn(&(&'a str, &'a str, &'a str, i64, f64)) -> &'a str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(points.iter().map(get)))
        };
        Self::from_columns(vec![
            ("region", text(|point| point.0)),
            ("variable", text(|point| point.1)),
            ("unit", text(|point| point.2)),
            (
                "year",
                Arc::new(Int64Array::from_iter_values(
                    points.iter().map(|point| point.3),
                )),
            ),
            (
                "value",
                Arc::new(Float64Array::from_iter_values(
                    points.iter().map(|point| point.4),
                )),
            ),
        ])
    }

    /// Columns of equal length.
    pub(crate) fn from_columns(columns: Vec<(&str, ArrayRef)>) -> Self {
        let fields: Vec<_> = columns
            .iter()
            .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
            .collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let schema = Arc::new(Schema::new(fields));
        // Columns of one length by construction: an empty frame is unreachable.
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)
            .unwrap_or_else(|_| RecordBatch::new_empty(schema));
        Self { batch }
    }

    /// How many rows it has.
    pub fn num_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// The columns.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }
}
