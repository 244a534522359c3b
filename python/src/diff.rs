//! `Diff`: what differs between two states.

use pyo3::intern;
use pyo3::prelude::*;
use stratalog::{Filter, RunView};

use crate::error::Result;
use crate::frame::{self, Columns};
use crate::input::Text;

/// What differs between two states: of one run (``run.diff("raw data")``) or of two
/// (``platform.diff(a, b)``). True when anything does; ``len`` is the number of rows that differ,
/// in all tables. Past states do not change, and neither does this.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Diff(stratalog::Diff);

impl Diff {
    pub(crate) fn new(diff: stratalog::Diff) -> Self {
        Self(diff)
    }

    fn total(&self, py: Python<'_>) -> Result<u64> {
        let counts = py.detach(|| self.0.counts())?;
        Ok(counts.iter().map(|table| table.changes.total()).sum())
    }
}

#[pymethods]
impl Diff {
    /// The id of the transaction after which the first state was.
    #[getter]
    fn before(&self) -> i64 {
        self.0.before().0
    }

    /// The id of the transaction after which the second state was.
    #[getter]
    fn after(&self) -> i64 {
        self.0.after().0
    }

    /// How many rows differ, per table that differs: ``table`` (text), ``inserted``,
    /// ``updated``, ``deleted`` (int64).
    fn counts(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let rows = py.detach(|| self.0.counts())?;
        Columns::default()
            .text("table", rows.iter().map(|row| row.table.clone()))
            .counts("inserted", rows.iter().map(|row| row.changes.inserted))
            .counts("updated", rows.iter().map(|row| row.changes.updated))
            .counts("deleted", rows.iter().map(|row| row.changes.deleted))
            .into_pandas(py)
    }

    /// How many rows differ, per region and variable that differ: ``table``, ``region``,
    /// ``variable`` (text, empty for other tables than that of the points), ``inserted``,
    /// ``updated``, ``deleted`` (int64).
    fn summary(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let rows = py.detach(|| self.0.summary())?;
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        Columns::default()
            .text("table", rows.iter().map(|row| row.table.clone()))
            .text("region", rows.iter().map(|row| name(&row.region)))
            .text("variable", rows.iter().map(|row| name(&row.variable)))
            .counts("inserted", rows.iter().map(|row| row.changes.inserted))
            .counts("updated", rows.iter().map(|row| row.changes.updated))
            .counts("deleted", rows.iter().map(|row| row.changes.deleted))
            .into_pandas(py)
    }

    /// The points that differ, as a pandas ``DataFrame``: ``operation`` (insert, update,
    /// delete), the columns of ``Iamc.tabulate`` but ``value``, then ``value_before`` and
    /// ``value_after`` (float64, NaN where there is none).
    fn tabulate(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let batch = py.detach(|| self.0.points())?;
        frame::to_pandas(py, batch)
    }

    /// The points that differ, as a pyarrow ``Table``: as ``tabulate``, with the names as
    /// dictionaries.
    fn arrow(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let batch = py.detach(|| self.0.points())?;
        frame::to_pyarrow(py, batch)
    }

    /// The rows of one of one's own tables that differ, as a pandas ``DataFrame``: ``operation``
    /// (insert, update, delete), the key, then each other column twice, as ``…_before`` and
    /// ``…_after``.
    ///
    /// Raises:
    ///     NotFound: there is no such table.
    fn table(&self, py: Python<'_>, name: Text) -> Result<Py<PyAny>> {
        let batch = py.detach(|| self.0.table(&name.0))?;
        frame::to_pandas(py, batch)
    }

    /// Draws the series that differ, before (dashed) and after, with matplotlib
    /// (``pip install 'stratalog[plot]'``).
    ///
    /// Args:
    ///     ax: where to draw; default: a figure of its own.
    ///     max_series: at most so many, those with the most changes first; how many more there
    ///         are is said in the title.
    ///
    /// Returns:
    ///     The matplotlib ``Axes``.
    ///
    /// Raises:
    ///     ValueError: no points differ.
    ///     ImportError: matplotlib is missing; says what to install.
    #[pyo3(signature = (ax = None, max_series = 6))]
    fn plot<'py>(
        slf: &Bound<'py, Self>,
        ax: Option<&Bound<'py, PyAny>>,
        max_series: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.py()
            .import(intern!(slf.py(), "stratalog._plot"))?
            .call_method1(intern!(slf.py(), "diff"), (slf, ax, max_series))
    }

    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py()
            .import(intern!(slf.py(), "stratalog._display"))?
            .call_method1(intern!(slf.py(), "diff"), (slf,))
    }

    // For `_display`.
    fn _first(&self, py: Python<'_>, limit: u64) -> Result<Py<PyAny>> {
        let batch = py.detach(|| self.0.first_points(Some(limit)))?;
        frame::to_pandas(py, batch)
    }

    // For `_plot`.
    fn _states(
        &self,
        py: Python<'_>,
        regions: Vec<String>,
        variables: Vec<String>,
    ) -> Result<(Py<PyAny>, Py<PyAny>)> {
        let filter = Filter::all().region(regions).variable(variables);
        let read = |view: RunView| view.iamc().tabulate(&filter);
        let (before, after) = py.detach(|| -> stratalog::Result<_> {
            Ok((read(self.0.view_before()?)?, read(self.0.view_after()?)?))
        })?;
        Ok((frame::to_pandas(py, before)?, frame::to_pandas(py, after)?))
    }

    fn __len__(&self, py: Python<'_>) -> Result<usize> {
        Ok(usize::try_from(self.total(py)?).unwrap_or(usize::MAX))
    }

    fn __bool__(&self, py: Python<'_>) -> Result<bool> {
        Ok(self.total(py)? > 0)
    }

    fn __repr__(&self, py: Python<'_>) -> Result<String> {
        let counts = py.detach(|| self.0.counts())?;
        let tables: Vec<_> = counts
            .iter()
            .map(|table| format!("{} {}", table.table, table.changes))
            .collect();
        let what = if tables.is_empty() {
            "no difference".to_owned()
        } else {
            tables.join("; ")
        };
        Ok(format!(
            "<diff from transaction {} to {}: {what}>",
            self.0.before(),
            self.0.after()
        ))
    }
}
