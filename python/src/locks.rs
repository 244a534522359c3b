//! `Locks`: who is writing.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::error::Result;
use crate::frame::Columns;
use crate::session::Session;

/// The run locks of a platform.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Locks(Arc<Session>);

impl Locks {
    pub(crate) fn new(session: &Arc<Session>) -> Self {
        Self(Arc::clone(session))
    }
}

#[pymethods]
impl Locks {
    /// Every run that is locked now: ``run_id`` (int64), ``run`` (its label), ``state``
    /// ("held", or "recovering": a rollback failed, and whoever locks the run next finishes
    /// it), ``holder``, ``host`` (text), ``pid`` (int64), ``reason`` (text), ``since``
    /// (datetime64[us, UTC]), ``token`` (int64).
    fn tabulate(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let platform = self.0.platform()?;
        let rows = py.detach(|| platform.locks())?;
        Columns::default()
            .integers("run_id", rows.iter().map(|row| row.run_id.0))
            .text("run", rows.iter().map(|row| row.run.clone()))
            .text("state", rows.iter().map(|row| row.state.clone()))
            .text("holder", rows.iter().map(|row| row.holder.user.clone()))
            .text("host", rows.iter().map(|row| row.holder.host.clone()))
            .integers("pid", rows.iter().map(|row| row.holder.pid))
            .text("reason", rows.iter().map(|row| row.holder.reason.clone()))
            .moments(
                "since",
                rows.iter()
                    .map(|row| row.holder.acquired_at.and_utc().timestamp_micros()),
            )
            .integers("token", rows.iter().map(|row| row.holder.token.0))
            .into_pandas(py)
    }
}
