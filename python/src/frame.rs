//! Tables in and out, as Arrow. What only pandas knows is in `stratalog/_frames.py`.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchReader, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3_arrow::input::AnyRecordBatch;
use pyo3_arrow::{PyRecordBatchReader, PyTable};
use stratalog::{Frame, PointBatches};

use crate::error::{Failure, Result};
use crate::held::HeldRun;
use crate::session::Session;

/// How Arrow marks a column whose values mean something else than their storage (pandas'
/// periods).
const EXTENSION_NAME: &str = "ARROW:extension:name";

/// What can be added.
pub(crate) enum Input {
    /// A table, in memory.
    Table(Frame),
    /// Tables that come one by one.
    Stream(Stream),
}

/// Reads a table, or begins to read a stream, from whatever holds one. The caller's object is read, never kept.
pub(crate) fn take_any(py: Python<'_>, data: &Bound<'_, PyAny>) -> Result<Input> {
    let frames = py.import(intern!(py, "stratalog._frames"))?;
    let stream = frames.call_method1(intern!(py, "stream"), (data,))?;
    if stream.is_none() {
        return take(py, data).map(Input::Table);
    }
    Ok(Input::Stream(Stream {
        batches: stream.unbind(),
        failure: None,
    }))
}

/// Reads a table of points from whatever holds one.
pub(crate) fn take(py: Python<'_>, data: &Bound<'_, PyAny>) -> Result<Frame> {
    take_as(py, data, true)
}

/// Reads a table with columns of any name from whatever holds one.
pub(crate) fn take_table(py: Python<'_>, data: &Bound<'_, PyAny>) -> Result<Frame> {
    take_as(py, data, false)
}

fn take_as(py: Python<'_>, data: &Bound<'_, PyAny>, points: bool) -> Result<Frame> {
    let data = py
        .import(intern!(py, "stratalog._frames"))?
        .call_method1("to_arrow", (data, points))?;
    let input: AnyRecordBatch = data.extract().map_err(|error| unreadable(py, error))?;
    let reader = input.into_reader().map_err(|error| unreadable(py, error))?;
    // Whoever produces the batches may need the interpreter in a thread of its own.
    py.detach(|| {
        let schema = reader.schema();
        let batches = reader
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| Failure::frame(format!("reading it failed: {error}")))?;
        for array in batches.iter().flat_map(RecordBatch::columns) {
            // Text from elsewhere is only believed to be UTF-8.
            array
                .to_data()
                .validate_full()
                .map_err(|error| Failure::frame(format!("it is not valid Arrow data: {error}")))?;
        }
        let frame = Frame::from_batches(&schema, &batches)
            .map_err(|error| Failure::frame(format!("its parts do not fit together: {error}")))?;
        without_row_labels(frame.batch())
    })
}

/// The batches of a Python iterator of tables.
pub(crate) struct Stream {
    batches: Py<PyAny>,
    failure: Option<Failure>,
}

impl Stream {
    /// What ended it, other than its end.
    pub(crate) fn into_failure(self) -> Option<Failure> {
        self.failure
    }

    fn read(&self) -> Result<Option<RecordBatch>> {
        Python::attach(|py| {
            let mut batches = self.batches.bind(py).try_iter()?;
            match batches.next() {
                None => Ok(None),
                Some(table) => Ok(Some(take(py, &table?)?.batch().clone())),
            }
        })
    }
}

impl Iterator for Stream {
    type Item = stratalog::Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read() {
            Ok(batch) => batch.map(Ok),
            Err(Failure::Core(error)) => Some(Err(error)),
            Err(failure) => {
                self.failure = Some(failure);
                Some(Err(stratalog::Error::Interrupted))
            }
        }
    }
}

/// An exception of the table's owner, unless it is an interruption.
fn unreadable(py: Python<'_>, error: PyErr) -> Failure {
    if error.is_instance_of::<PyException>(py) {
        Failure::frame(format!("it is not a table: {}", error.value(py)))
    } else {
        Failure::Python(error)
    }
}

/// Leaves out the row labels that pyarrow adds to a filtered pandas table, and refuses
/// columns that are not what their storage says.
fn without_row_labels(batch: &RecordBatch) -> Result<Frame> {
    let schema = batch.schema();
    let mut kept = Vec::new();
    for (position, field) in schema.fields().iter().enumerate() {
        if let Some(extension) = field.metadata().get(EXTENSION_NAME) {
            return Err(Failure::frame(format!(
                "column \"{}\" has the type {extension}: convert it to text, numbers or times",
                field.name()
            )));
        }
        if !field.name().starts_with("__index_level_") {
            kept.push(position);
        }
    }
    batch
        .project(&kept)
        .map(Frame::from)
        .map_err(|error| Failure::frame(format!("it cannot be read: {error}")))
}

/// A pandas `DataFrame`.
pub(crate) fn to_pandas(py: Python<'_>, batch: RecordBatch) -> Result<Py<PyAny>> {
    give(py, batch, "to_pandas")
}

/// A polars `DataFrame`.
pub(crate) fn to_polars(py: Python<'_>, batch: RecordBatch) -> Result<Py<PyAny>> {
    give(py, batch, "to_polars")
}

/// A pyarrow `Table`.
pub(crate) fn to_pyarrow(py: Python<'_>, batch: RecordBatch) -> Result<Py<PyAny>> {
    give(py, batch, "to_pyarrow")
}

/// A pyarrow `RecordBatchReader` of points that are read when they are asked for.
pub(crate) fn to_reader(
    py: Python<'_>,
    run: &HeldRun,
    size: usize,
    begin: impl FnOnce(NonZeroUsize) -> stratalog::Result<PointBatches> + Send,
) -> Result<Py<PyAny>> {
    let Some(size) = NonZeroUsize::new(size) else {
        let message = "size=0 cannot be: give the rows of a batch, 1 or more";
        return Err(Failure::named("InvalidInput", message));
    };
    let batches = py.detach(|| begin(size))?;
    let reader = PyRecordBatchReader::new(Box::new(Reader {
        batches,
        session: Shared(Some(Arc::clone(&run.session))),
    }));
    let frames = py.import(intern!(py, "stratalog._frames"))?;
    Ok(frames.call_method1("to_reader", (reader,))?.unbind())
}

/// Points as Arrow's C stream asks for them: in whatever thread, attached to the interpreter or not.
struct Reader {
    batches: PointBatches,
    /// The last, so that it is the one that closes the platform.
    session: Shared,
}

/// A session that is let go of in whatever thread, attached to the interpreter or not. `None` only while this is dropped.
struct Shared(Option<Arc<Session>>);

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            Session::let_go_anywhere(session);
        }
    }
}

impl Iterator for Reader {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(Err(refusal)) = self.session.0.as_ref().map(|session| session.here()) {
            return Some(Err(ArrowError::ExternalError(refusal.into())));
        }
        let batch = self.batches.next()?;
        Some(batch.map_err(|error| ArrowError::ExternalError(Box::new(error))))
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }
}

fn give(py: Python<'_>, batch: RecordBatch, function: &str) -> Result<Py<PyAny>> {
    let schema = batch.schema();
    let table = PyTable::try_new(vec![batch], schema)?;
    let frames = py.import(intern!(py, "stratalog._frames"))?;
    Ok(frames.call_method1(function, (table,))?.unbind())
}

/// Columns of a table that is to be shown.
#[derive(Default)]
pub(crate) struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    fn push(mut self, name: &str, array: ArrayRef) -> Self {
        self.fields
            .push(Field::new(name, array.data_type().clone(), true));
        self.arrays.push(array);
        self
    }

    pub(crate) fn text<T: Into<Option<String>>>(
        self,
        name: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.push(
            name,
            Arc::new(StringArray::from_iter(values.into_iter().map(Into::into))),
        )
    }

    pub(crate) fn integers(
        self,
        name: &str,
        values: impl IntoIterator<Item = impl Into<Option<i64>>>,
    ) -> Self {
        self.push(
            name,
            Arc::new(Int64Array::from_iter(values.into_iter().map(Into::into))),
        )
    }

    pub(crate) fn counts(self, name: &str, values: impl IntoIterator<Item = u64>) -> Self {
        self.integers(
            name,
            values.into_iter().map(|count| i64::try_from(count).ok()),
        )
    }

    pub(crate) fn booleans(self, name: &str, values: impl IntoIterator<Item = bool>) -> Self {
        let values: Vec<bool> = values.into_iter().collect();
        self.push(name, Arc::new(BooleanArray::from(values)))
    }

    /// Moments in microseconds since 1970, UTC; those there are none of become NaT.
    pub(crate) fn moments(
        self,
        name: &str,
        values: impl IntoIterator<Item = impl Into<Option<i64>>>,
    ) -> Self {
        let values = values.into_iter().map(Into::into);
        let array = TimestampMicrosecondArray::from_iter(values).with_timezone("UTC");
        self.push(name, Arc::new(array))
    }

    pub(crate) fn into_pandas(self, py: Python<'_>) -> Result<Py<PyAny>> {
        let batch = RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)
            .map_err(stratalog::Error::from)?;
        to_pandas(py, batch)
    }
}
