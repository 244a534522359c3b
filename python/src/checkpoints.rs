//! `Checkpoints`: those of one run.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList, PyString};
use stratalog::{CheckpointId, Target};

use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::frame::Columns;
use crate::held::HeldRun;
use crate::input::{Text, whole_number};

/// The checkpoints of a run, oldest first. ``run.checkpoints["raw data"]`` is the latest
/// of that name, ``run.checkpoints[7]`` the one with the id 7.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Checkpoints(Arc<HeldRun>);

/// A checkpoint's name or id.
struct Which(Target);

impl FromPyObject<'_, '_> for Which {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyString>() {
            return Ok(Self(Target::from(object.extract::<Text>()?.0)));
        }
        match whole_number(&object) {
            Some(id) => Ok(Self(Target::Checkpoint(CheckpointId(id)))),
            None => Err(PyTypeError::new_err(format!(
                "expected a checkpoint's name or id, not {}",
                object.get_type().name()?
            ))),
        }
    }
}

impl Checkpoints {
    pub(crate) fn new(run: &Arc<HeldRun>) -> Self {
        Self(Arc::clone(run))
    }

    fn all(&self, py: Python<'_>) -> Result<Vec<stratalog::Checkpoint>> {
        let run = self.0.run()?;
        Ok(py.detach(|| run.checkpoints())?)
    }
}

#[pymethods]
impl Checkpoints {
    /// Makes a checkpoint: what is there now survives a failure of the block. Needs the run's
    /// lock.
    ///
    /// Raises:
    ///     RunLockRequired: outside of ``with run.transact(…)``.
    ///     InvalidName: the message is empty or holds a NUL.
    fn create(&self, py: Python<'_>, message: Text) -> Result<Checkpoint> {
        let checkpoint = self.0.under_lock(py, |lock| lock.checkpoint(&message.0))?;
        Ok(Checkpoint::new(&self.0, checkpoint))
    }

    /// All of them, oldest first.
    fn list(&self, py: Python<'_>) -> Result<Vec<Checkpoint>> {
        Ok(self
            .all(py)?
            .into_iter()
            .map(|checkpoint| Checkpoint::new(&self.0, checkpoint))
            .collect())
    }

    /// All of them, oldest first: ``id`` (int64), ``message`` (text), ``transaction_id``
    /// (int64), ``actor`` (text), ``created_at`` (datetime64[us, UTC]).
    fn tabulate(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let rows = self.all(py)?;
        Columns::default()
            .integers("id", rows.iter().map(|row| row.id.0))
            .text("message", rows.iter().map(|row| row.message.clone()))
            .integers(
                "transaction_id",
                rows.iter().map(|row| row.transaction_id.0),
            )
            .text("actor", rows.iter().map(|row| row.actor.clone()))
            .moments(
                "created_at",
                rows.iter()
                    .map(|row| row.created_at.and_utc().timestamp_micros()),
            )
            .into_pandas(py)
    }

    /// The checkpoint of that name (the latest of it) or id.
    ///
    /// Raises:
    ///     CheckpointNotFound: lists the ones there are.
    fn get(&self, py: Python<'_>, name_or_id: Which) -> Result<Checkpoint> {
        let run = self.0.run()?;
        let checkpoint = py.detach(|| run.checkpoint(name_or_id.0))?;
        Ok(Checkpoint::new(&self.0, checkpoint))
    }

    fn __getitem__(&self, py: Python<'_>, name_or_id: Which) -> Result<Checkpoint> {
        self.get(py, name_or_id)
    }

    fn __contains__(&self, py: Python<'_>, checkpoint: &Bound<'_, PyAny>) -> Result<bool> {
        let rows = self.all(py)?;
        if let Ok(checkpoint) = checkpoint.cast::<Checkpoint>() {
            return Ok(rows.contains(checkpoint.get().core()));
        }
        Ok(match checkpoint.extract::<Which>()?.0 {
            Target::Name(name) => rows.iter().any(|row| row.message == name),
            Target::Checkpoint(id) => rows.iter().any(|row| row.id == id),
            Target::LastCheckpoint => !rows.is_empty(),
            Target::Transaction(_) | Target::Time(_) => false,
        })
    }

    fn __len__(&self, py: Python<'_>) -> Result<usize> {
        Ok(self.all(py)?.len())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyIterator>> {
        Ok(PyList::new(py, self.list(py)?)?.try_iter()?)
    }

    fn __repr__(&self) -> String {
        format!("<checkpoints of run {}>", self.0.describe().label())
    }
}
