//! `Checkpoint`.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;

use stratalog::Filter;

use crate::changes::ChangeCounts;
use crate::diff::Diff;
use crate::error::Result;
use crate::held::HeldRun;
use crate::input::{AnyTarget, Timeout, repr};
use crate::view::IamcAsOf;

/// A message tied to a state of a run: what one looks at, compares with, and reverts to.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Checkpoint {
    run: Arc<HeldRun>,
    checkpoint: stratalog::Checkpoint,
}

impl Checkpoint {
    pub(crate) fn new(run: &Arc<HeldRun>, checkpoint: stratalog::Checkpoint) -> Self {
        Self {
            run: Arc::clone(run),
            checkpoint,
        }
    }

    pub(crate) fn core(&self) -> &stratalog::Checkpoint {
        &self.checkpoint
    }
}

#[pymethods]
impl Checkpoint {
    /// Its id.
    #[getter]
    fn id(&self) -> i64 {
        self.checkpoint.id.0
    }

    /// The id of its run.
    #[getter]
    fn run_id(&self) -> i64 {
        self.checkpoint.run_id.0
    }

    /// The run's last transaction when it was made; 0 before the run's first.
    #[getter]
    fn transaction_id(&self) -> i64 {
        self.checkpoint.transaction_id.0
    }

    /// Its name. Names may repeat; a name means the latest checkpoint that has it.
    #[getter]
    fn message(&self) -> &str {
        &self.checkpoint.message
    }

    /// Who made it.
    #[getter]
    fn actor(&self) -> &str {
        &self.checkpoint.actor
    }

    /// When (UTC, aware). Shown only: ids say what came first.
    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(self
            .checkpoint
            .created_at
            .and_utc()
            .into_pyobject(py)?
            .into_any())
    }

    /// The run's time series as they were, to be read.
    #[getter]
    fn iamc(&self) -> IamcAsOf {
        IamcAsOf::at_checkpoint(&self.run, &self.checkpoint)
    }

    /// What changed from an earlier state to this one.
    ///
    /// Args:
    ///     since: the earlier state, as ``Run.as_of`` takes it; default: the run's checkpoint
    ///         before this one, or the empty run.
    #[pyo3(signature = (since = None))]
    fn diff(&self, py: Python<'_>, since: Option<AnyTarget>) -> Result<Diff> {
        let run = self.run.run()?;
        let diff = py.detach(|| match since {
            Some(since) => run.diff(since.0, Some((&self.checkpoint).into())),
            None => run.diff_of(&self.checkpoint),
        })?;
        Ok(Diff::new(diff))
    }

    /// Sets the run back to this state; see ``Run.revert_to``.
    #[pyo3(signature = (timeout = None))]
    fn revert(&self, py: Python<'_>, timeout: Option<Timeout>) -> Result<ChangeCounts> {
        let target = (&self.checkpoint).into();
        Ok(self
            .run
            .revert_to(py, target, Filter::all(), timeout.map(|timeout| timeout.0))?
            .into())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| {
            other.get().checkpoint == self.checkpoint
                && other.get().run.session.describe().url() == self.run.session.describe().url()
        })
    }

    fn __hash__(&self) -> i64 {
        self.checkpoint.id.0
    }

    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py()
            .import(intern!(slf.py(), "stratalog._display"))?
            .call_method1(intern!(slf.py(), "checkpoint"), (slf,))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "Checkpoint(id={}, message={}, run_id={}, transaction_id={}, actor={}, created_at='{}Z')",
            self.checkpoint.id,
            repr(py, &self.checkpoint.message),
            self.checkpoint.run_id,
            self.checkpoint.transaction_id,
            repr(py, &self.checkpoint.actor),
            self.checkpoint.created_at.format("%Y-%m-%dT%H:%M:%S")
        )
    }
}
