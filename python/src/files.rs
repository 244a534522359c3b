//! Reading IAMC files.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::PyTable;

use crate::error::Result;

/// The points of one run in a file: give it to ``run.iamc.add``.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct FileRun(stratalog::files::FileRun);

#[pymethods]
impl FileRun {
    /// The model's name; None when the file has no such column.
    #[getter]
    fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// The scenario's name; None when the file has no such column.
    #[getter]
    fn scenario(&self) -> Option<&str> {
        self.0.scenario.as_deref()
    }

    /// The run's version; None when the file has no such column.
    #[getter]
    fn version(&self) -> Option<i32> {
        self.0.version
    }

    /// How many points it holds.
    fn __len__(&self) -> usize {
        self.0.frame.num_rows()
    }

    fn __repr__(&self) -> String {
        let name = |name: &Option<String>| name.as_deref().unwrap_or("no name").to_owned();
        format!(
            "FileRun({} / {}, {} points)",
            name(&self.0.model),
            name(&self.0.scenario),
            self.0.frame.num_rows()
        )
    }

    /// The points as an Arrow stream: region, variable, unit, time and value.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> Result<Bound<'py, PyAny>> {
        let batch = self.0.frame.batch().clone();
        let schema = batch.schema();
        let table = PyTable::try_new(vec![batch], schema)?.into_pyobject(py)?;
        Ok(table.call_method1("__arrow_c_stream__", (requested_schema,))?)
    }
}

/// Reads an IAMC file: CSV, Excel (.xlsx, .xls) or OpenDocument (.ods); long, or wide
/// with years as columns. One ``FileRun`` per model, scenario and version, in the order
/// of their first rows.
///
/// Raises:
///     FileError: it cannot be read as such a file.
///     InvalidFrame: its contents cannot be taken, naming lines and columns.
#[pyfunction]
pub(crate) fn read_file(py: Python<'_>, path: PathBuf) -> Result<Vec<FileRun>> {
    let runs = py.detach(|| stratalog::files::read(&path))?;
    Ok(runs.into_iter().map(FileRun).collect())
}
