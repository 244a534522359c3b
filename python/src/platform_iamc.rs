//! `PlatformIamc`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::Result;
use crate::filter::filter;
use crate::frame;
use crate::session::Session;

/// The time series of all runs of a platform, to be read.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct PlatformIamc(Arc<Session>);

impl PlatformIamc {
    pub(crate) fn new(session: &Arc<Session>) -> Self {
        Self(Arc::clone(session))
    }

    fn batch(
        &self,
        py: Python<'_>,
        run_id: bool,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<RecordBatch> {
        let filter = filter(filters)?;
        let iamc = self.0.platform()?.iamc();
        let mut batch = py.detach(|| iamc.tabulate(&filter))?;
        if !run_id {
            batch.remove_column(0);
        }
        Ok(batch)
    }
}

#[pymethods]
impl PlatformIamc {
    /// The points of default runs as a pandas ``DataFrame``, by run: ``model``, ``scenario``
    /// (text), ``version`` (int64), then the columns of ``Iamc.tabulate``.
    ///
    /// Args:
    ///     region, variable, unit, year …: as ``Iamc.tabulate`` takes them.
    ///     model, scenario: a name or several, ``*`` standing for any text, or a dict of
    ///         filters.
    ///     run: a dict of filters of runs, as ``Runs.list`` takes them;
    ///         ``{"default_only": False}``: points of all versions.
    ///     run_id: adds ``run_id`` (int64) before the others.
    ///
    /// Raises:
    ///     InvalidFilter: an unknown filter, or a value that does not fit.
    #[pyo3(signature = (*, run_id = false, **filters))]
    #[pyo3(
        text_signature = "($self, *, model=None, scenario=None, run=None, region=None, variable=None, unit=None, year=None, run_id=False, **filters)"
    )]
    fn tabulate(
        &self,
        py: Python<'_>,
        run_id: bool,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        frame::to_pandas(py, self.batch(py, run_id, filters)?)
    }

    /// As ``tabulate``, as a pyarrow ``Table`` with the names as dictionaries.
    #[pyo3(signature = (*, run_id = false, **filters))]
    #[pyo3(
        text_signature = "($self, *, model=None, scenario=None, run=None, region=None, variable=None, unit=None, year=None, run_id=False, **filters)"
    )]
    fn arrow(
        &self,
        py: Python<'_>,
        run_id: bool,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        frame::to_pyarrow(py, self.batch(py, run_id, filters)?)
    }

    /// As ``tabulate``, as a polars ``DataFrame``.
    #[pyo3(signature = (*, run_id = false, **filters))]
    #[pyo3(
        text_signature = "($self, *, model=None, scenario=None, run=None, region=None, variable=None, unit=None, year=None, run_id=False, **filters)"
    )]
    fn polars(
        &self,
        py: Python<'_>,
        run_id: bool,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        frame::to_polars(py, self.batch(py, run_id, filters)?)
    }
}
