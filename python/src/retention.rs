//! `CompactReport`, and redactions as a table.

use pyo3::prelude::*;
use stratalog::Redaction;

use crate::error::Result;
use crate::frame::Columns;

/// What ``Platform.compact`` came to.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct CompactReport(pub(crate) stratalog::CompactReport);

#[pymethods]
impl CompactReport {
    /// Version rows of the runs that were compacted, before.
    #[getter]
    fn rows_before(&self) -> u64 {
        self.0.runs.iter().map(|run| run.rows_before).sum()
    }

    /// Version rows of the runs that were compacted, afterwards.
    #[getter]
    fn rows_after(&self) -> u64 {
        self.0.runs.iter().map(|run| run.rows_after).sum()
    }

    /// Bytes in use before: of the database (SQLite), of all version tables (PostgreSQL).
    #[getter]
    fn bytes_before(&self) -> u64 {
        self.0.bytes_before
    }

    /// Bytes in use afterwards. In a dry run they are the same.
    #[getter]
    fn bytes_after(&self) -> u64 {
        self.0.bytes_after
    }

    /// The ids of runs that were passed over, because somebody holds their lock.
    #[getter]
    fn locked(&self) -> Vec<i64> {
        self.0.locked.iter().map(|run| run.run_id.0).collect()
    }

    /// The runs that were compacted. Columns: ``run_id``, ``run``, ``rows_before``,
    /// ``rows_after``.
    fn tabulate(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let runs = &self.0.runs;
        Columns::default()
            .integers("run_id", runs.iter().map(|run| run.run_id.0))
            .text("run", runs.iter().map(|run| run.run.clone()))
            .counts("rows_before", runs.iter().map(|run| run.rows_before))
            .counts("rows_after", runs.iter().map(|run| run.rows_after))
            .into_pandas(py)
    }

    fn __repr__(&self) -> String {
        format!(
            "CompactReport(runs={}, locked={}, rows_before={}, rows_after={}, bytes_before={}, bytes_after={})",
            self.0.runs.len(),
            self.0.locked.len(),
            self.rows_before(),
            self.rows_after(),
            self.0.bytes_before,
            self.0.bytes_after
        )
    }
}

/// Redactions, oldest first, a row each.
pub(crate) fn tabulate(py: Python<'_>, redactions: &[Redaction]) -> Result<Py<PyAny>> {
    Columns::default()
        .integers("id", redactions.iter().map(|redaction| redaction.id))
        .integers(
            "run_id",
            redactions.iter().map(|redaction| redaction.run_id.0),
        )
        .moments(
            "redacted_at",
            redactions
                .iter()
                .map(|redaction| redaction.redacted_at.and_utc().timestamp_micros()),
        )
        .text(
            "actor",
            redactions.iter().map(|redaction| redaction.actor.clone()),
        )
        .text(
            "reason",
            redactions.iter().map(|redaction| redaction.reason.clone()),
        )
        .counts("rows", redactions.iter().map(|redaction| redaction.rows))
        .into_pandas(py)
}
