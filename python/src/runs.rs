//! `Runs`: those of a platform.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use stratalog::RunId;

use crate::audit;
use crate::error::Result;
use crate::filter::filter_of;
use crate::frame::Columns;
use crate::input::{Text, whole_number};
use crate::run::Run;
use crate::session::Session;

/// The runs of a platform.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Runs(Arc<Session>);

impl Runs {
    pub(crate) fn new(session: &Arc<Session>) -> Self {
        Self(Arc::clone(session))
    }

    fn core(&self) -> Result<stratalog::Runs> {
        Ok(self.0.platform()?.runs())
    }

    fn find(
        &self,
        py: Python<'_>,
        model: Option<&Bound<'_, PyAny>>,
        scenario: Option<&Bound<'_, PyAny>>,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Vec<stratalog::Run>> {
        let named = [("model", model), ("scenario", scenario)];
        let filter = filter_of(py, &named, filters)?;
        let runs = self.core()?;
        Ok(py.detach(|| runs.list(&filter))?)
    }
}

/// The id of a run that is given as such or as its id.
pub(crate) fn id_of(run: &Bound<'_, PyAny>) -> Result<RunId> {
    if let Ok(run) = run.cast::<Run>() {
        return Ok(run.get().core().id());
    }
    whole_number(run).map(RunId).ok_or_else(|| {
        PyTypeError::new_err(format!("expected a Run or its id, not {}", run.get_type())).into()
    })
}

#[pymethods]
impl Runs {
    /// Makes the next version of a model's scenario, both made as needed. Versions count from
    /// 1 and are never used again, whatever other processes do at the same time. The new run
    /// is not the default.
    ///
    /// Raises:
    ///     InvalidName: a name is empty, begins or ends with a blank, or holds a NUL.
    fn create(&self, py: Python<'_>, model: Text, scenario: Text) -> Result<Run> {
        let runs = self.core()?;
        Ok(Run::new(
            &self.0,
            py.detach(|| runs.create(&model.0, &scenario.0))?,
        ))
    }

    /// A version of a model's scenario; without a number its default version.
    ///
    /// Raises:
    ///     RunNotFound: says which there are.
    ///     NoDefaultVersion: none is the default; lists the versions.
    #[pyo3(signature = (model, scenario, version = None))]
    fn get(
        &self,
        py: Python<'_>,
        model: Text,
        scenario: Text,
        version: Option<i32>,
    ) -> Result<Run> {
        let runs = self.core()?;
        Ok(Run::new(
            &self.0,
            py.detach(|| runs.get(&model.0, &scenario.0, version))?,
        ))
    }

    /// The run of that id.
    ///
    /// Raises:
    ///     RunNotFound: there is none.
    fn get_by_id(&self, py: Python<'_>, id: i64) -> Result<Run> {
        let runs = self.core()?;
        Ok(Run::new(&self.0, py.detach(|| runs.get_by_id(RunId(id)))?))
    }

    /// The runs by id, all versions, or those that filters select: ``model``, ``scenario``,
    /// ``version``, ``id``, ``is_default``, ``default_only``, ``iamc``.
    ///
    /// Args:
    ///     model, scenario: a name or several; ``*`` stands for any text. Or a dict of filters
    ///         of such things, such as ``{"name__ilike": "message*"}``.
    ///     default_only: only default versions.
    ///     iamc: ``True``: those with points; or a dict of filters of points that they have.
    ///
    /// Raises:
    ///     InvalidFilter: an unknown filter, or a value that does not fit.
    #[pyo3(signature = (model = None, scenario = None, **filters))]
    #[pyo3(text_signature = "($self, model=None, scenario=None, *, default_only=False, **filters)")]
    fn list(
        &self,
        py: Python<'_>,
        model: Option<&Bound<'_, PyAny>>,
        scenario: Option<&Bound<'_, PyAny>>,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Vec<Run>> {
        let runs = self.find(py, model, scenario, filters)?;
        Ok(runs.into_iter().map(|run| Run::new(&self.0, run)).collect())
    }

    /// As ``list``: ``id`` (int64), ``model``, ``scenario`` (text), ``version`` (int64),
    /// ``is_default`` (bool).
    ///
    /// Args:
    ///     audit_info: adds ``created_at``, ``created_by``, ``updated_at``, ``updated_by``
    ///         (datetime64[us, UTC], text): who made the run, and who wrote to it last.
    #[pyo3(signature = (model = None, scenario = None, *, audit_info = false, **filters))]
    #[pyo3(
        text_signature = "($self, model=None, scenario=None, *, default_only=False, audit_info=False, **filters)"
    )]
    fn tabulate(
        &self,
        py: Python<'_>,
        model: Option<&Bound<'_, PyAny>>,
        scenario: Option<&Bound<'_, PyAny>>,
        audit_info: bool,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        let runs = self.find(py, model, scenario, filters)?;
        let mut columns = Columns::default()
            .integers("id", runs.iter().map(|run| run.id().0))
            .text("model", runs.iter().map(|run| run.info().model.clone()))
            .text(
                "scenario",
                runs.iter().map(|run| run.info().scenario.clone()),
            )
            .integers(
                "version",
                runs.iter().map(|run| i64::from(run.info().version)),
            )
            .booleans("is_default", runs.iter().map(|run| run.info().is_default));
        if audit_info {
            let core = self.core()?;
            let audits = py.detach(|| core.audits())?;
            let ids: Vec<_> = runs.iter().map(|run| run.id().0).collect();
            columns = audit::columns(columns, &audits, &ids);
        }
        columns.into_pandas(py)
    }

    /// Deletes a run, given as such or by its id, with all its rows, as one logged
    /// transaction. Its history stays, its version number is not used again. Takes the lock
    /// itself.
    ///
    /// Raises:
    ///     RunNotFound: there is none.
    ///     RunIsLocked: somebody is writing to it.
    fn delete(&self, py: Python<'_>, run: &Bound<'_, PyAny>) -> Result<()> {
        let id = id_of(run)?;
        let runs = self.core()?;
        py.detach(|| runs.delete(&runs.get_by_id(id)?))?;
        Ok(())
    }

    /// The runs that were deleted and not brought back. ``run.as_of(…)`` looks at what they
    /// were.
    fn deleted(&self, py: Python<'_>) -> Result<Vec<Run>> {
        let runs = self.core()?;
        let deleted = py.detach(|| runs.deleted())?;
        Ok(deleted
            .into_iter()
            .map(|run| Run::new(&self.0, run))
            .collect())
    }

    /// Brings a deleted run back, given as such or by its id: as it was, under its old id and
    /// version number, with all its history. It is not the default.
    ///
    /// Raises:
    ///     RunNotFound: no run of that id was deleted.
    ///     RevertNeedsMissing: it needs regions or units that were deleted since; they are
    ///         named. It is there then, but empty; see ``Run.revert_to``.
    fn restore(&self, py: Python<'_>, run: &Bound<'_, PyAny>) -> Result<Run> {
        let id = id_of(run)?;
        let runs = self.core()?;
        Ok(Run::new(&self.0, py.detach(|| runs.restore(id))?))
    }
}
