//! `RunView` and `IamcAsOf`: a run as it was.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use stratalog::TransactionId;

use crate::diff::Diff;
use crate::error::{Failure, Result};
use crate::filter::filter;
use crate::frame;
use crate::held::HeldRun;
use crate::input::AnyTarget;
use crate::meta::MetaIndicators;
use crate::optimization::OptimizationItems;
use crate::tables::RunTables;

/// What a view's state is compared with unless somebody says otherwise.
#[derive(Clone)]
enum Before {
    /// The checkpoint before this one.
    Checkpoint(Box<stratalog::Checkpoint>),
    /// The newest checkpoint before the state.
    State,
}

/// A run as it was, to be read: ``run.as_of("raw data")``. It stays as it is, whatever is
/// written to the run.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct RunView {
    run: Arc<HeldRun>,
    at: TransactionId,
}

impl RunView {
    pub(crate) fn new(run: &Arc<HeldRun>, at: TransactionId) -> Self {
        Self {
            run: Arc::clone(run),
            at,
        }
    }

    pub(crate) fn at(&self) -> TransactionId {
        self.at
    }

    pub(crate) fn core(&self) -> Result<stratalog::RunView> {
        Ok(self.run.run()?.as_of(self.at)?)
    }
}

#[pymethods]
impl RunView {
    /// The id of the run.
    #[getter]
    fn run_id(&self) -> i64 {
        self.run.describe().id().0
    }

    /// The id of the transaction after which it was so; 0: before any.
    #[getter]
    fn transaction_id(&self) -> i64 {
        self.at.0
    }

    /// The run's time series as they were, to be read.
    #[getter]
    fn iamc(&self) -> IamcAsOf {
        IamcAsOf {
            run: Arc::clone(&self.run),
            at: self.at,
            before: Before::State,
        }
    }

    /// The run's meta indicators as they were, to be read.
    #[getter]
    fn meta<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        MetaIndicators::mapping(py, &self.run, Some(self.at))
    }

    /// The run's optimization items as they were, to be read.
    #[getter]
    fn optimization<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        OptimizationItems::facade(py, &self.run, Some(self.at))
    }

    /// The run's rows in the tables of one's own as they were, to be read.
    #[getter]
    fn tables(&self) -> RunTables {
        RunTables::new(&self.run, Some(self.at))
    }

    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py()
            .import(intern!(slf.py(), "stratalog._display"))?
            .call_method1(intern!(slf.py(), "view"), (slf,))
    }

    fn __repr__(&self) -> String {
        format!(
            "<run {} after transaction {}>",
            self.run.describe().label(),
            self.at
        )
    }
}

/// The time series of a run as they were, to be read.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct IamcAsOf {
    run: Arc<HeldRun>,
    at: TransactionId,
    before: Before,
}

impl IamcAsOf {
    pub(crate) fn at_checkpoint(run: &Arc<HeldRun>, checkpoint: &stratalog::Checkpoint) -> Self {
        Self {
            run: Arc::clone(run),
            at: checkpoint.transaction_id,
            before: Before::Checkpoint(Box::new(checkpoint.clone())),
        }
    }

    fn batch(
        &self,
        py: Python<'_>,
        filter: &stratalog::Filter,
    ) -> Result<arrow::array::RecordBatch> {
        let run = self.run.run()?;
        Ok(py.detach(|| run.as_of(self.at)?.iamc().tabulate(filter))?)
    }

    fn refuse<T>(&self) -> Result<T> {
        Err(Failure::Core(stratalog::Error::ReadOnlyView {
            run: self.run.describe().label(),
            at: self.at,
        }))
    }
}

#[pymethods]
impl IamcAsOf {
    /// The points as they were, as a pandas ``DataFrame``; see ``Iamc.tabulate``.
    #[pyo3(signature = (**filters))]
    #[pyo3(
        text_signature = "($self, *, region=None, variable=None, unit=None, year=None, **filters)"
    )]
    fn tabulate(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        let filter = filter(filters)?;
        frame::to_pandas(py, self.batch(py, &filter)?)
    }

    /// The points as they were, as a pyarrow ``Table``; see ``Iamc.arrow``.
    #[pyo3(signature = (**filters))]
    #[pyo3(
        text_signature = "($self, *, region=None, variable=None, unit=None, year=None, **filters)"
    )]
    fn arrow(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        let filter = filter(filters)?;
        frame::to_pyarrow(py, self.batch(py, &filter)?)
    }

    /// The points as they were, as a polars ``DataFrame``; see ``Iamc.polars``.
    #[pyo3(signature = (**filters))]
    #[pyo3(
        text_signature = "($self, *, region=None, variable=None, unit=None, year=None, **filters)"
    )]
    fn polars(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        let filter = filter(filters)?;
        frame::to_polars(py, self.batch(py, &filter)?)
    }

    /// The points as they were, as a ``pyarrow.RecordBatchReader``; see ``Iamc.batches``.
    #[pyo3(signature = (size = 65_536, **filters))]
    #[pyo3(
        text_signature = "($self, size=65536, *, region=None, variable=None, unit=None, year=None, **filters)"
    )]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn batches(
        &self,
        py: Python<'_>,
        size: usize,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        let filter = filter(filters)?;
        let run = self.run.run()?;
        frame::to_reader(py, &self.run, size, |size| {
            run.as_of(self.at)?.iamc().batches(&filter, size)
        })
    }

    /// What changed from an earlier state to this one, a row per point; columns as
    /// ``Diff.tabulate``.
    ///
    /// Args:
    ///     since: the earlier state, as ``Run.as_of`` takes it; default: the run's checkpoint
    ///         before this one, or the empty run.
    #[pyo3(signature = (since = None))]
    fn difference(&self, py: Python<'_>, since: Option<AnyTarget>) -> Result<Py<PyAny>> {
        let run = self.run.run()?;
        let batch = py.detach(|| {
            let diff = match (since, &self.before) {
                (Some(since), _) => run.diff(since.0, Some(self.at.into()))?,
                (None, Before::Checkpoint(checkpoint)) => run.diff_of(checkpoint)?,
                (None, Before::State) => run.as_of(self.at)?.diff_to_checkpoint_before()?,
            };
            diff.points()
        })?;
        frame::to_pandas(py, batch)
    }

    /// Refused: what was is only read.
    ///
    /// Raises:
    ///     ReadOnlyView: always.
    #[pyo3(signature = (*args, **kwargs))]
    fn add(&self, args: &Bound<'_, PyAny>, kwargs: Option<&Bound<'_, PyAny>>) -> Result<()> {
        let _ = (args, kwargs);
        self.refuse()
    }

    /// Refused: what was is only read.
    ///
    /// Raises:
    ///     ReadOnlyView: always.
    #[pyo3(signature = (*args, **kwargs))]
    fn remove(&self, args: &Bound<'_, PyAny>, kwargs: Option<&Bound<'_, PyAny>>) -> Result<()> {
        let _ = (args, kwargs);
        self.refuse()
    }

    fn __repr__(&self) -> String {
        format!(
            "<time series of run {} after transaction {}>",
            self.run.describe().label(),
            self.at
        )
    }
}

/// Either of two runs to be compared: as it is now, or a view of it.
pub(crate) struct AnyState(pub(crate) stratalog::RunView);

impl FromPyObject<'_, '_> for AnyState {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(view) = object.cast::<RunView>() {
            return Ok(Self(view.get().core()?));
        }
        if let Ok(run) = object.cast::<crate::run::Run>() {
            let now = run.get().as_of_now(object.py())?;
            return Ok(Self(now));
        }
        Err(pyo3::exceptions::PyTypeError::new_err(format!(
            "expected a Run or what its as_of gives, not {}",
            object.get_type().name()?
        )))
    }
}

/// A diff of two runs.
pub(crate) fn compare(platform: &stratalog::Platform, a: &AnyState, b: &AnyState) -> Result<Diff> {
    Ok(Diff::new(platform.diff(&a.0, &b.0)?))
}
