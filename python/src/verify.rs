//! `VerifyReport` and `Problem`.

use pyo3::prelude::*;

use crate::error::{Failure, Result};
use crate::input::repr;
use crate::retention;

/// Rows that break one of the change log's promises.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Problem(stratalog::Problem);

#[pymethods]
impl Problem {
    /// The table.
    #[getter]
    fn table(&self) -> &str {
        &self.0.table
    }

    /// What is wrong with the rows.
    #[getter]
    fn problem(&self) -> &str {
        &self.0.problem
    }

    /// How many rows.
    #[getter]
    fn count(&self) -> u64 {
        self.0.count
    }

    /// The first rows by their keys.
    #[getter]
    fn rows(&self) -> Vec<String> {
        self.0.rows.clone()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "Problem(table={}, problem={}, count={})",
            repr(py, &self.0.table),
            repr(py, &self.0.problem),
            self.0.count
        )
    }
}

/// What ``Platform.verify`` found. True when nothing is wrong.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct VerifyReport(pub(crate) stratalog::VerifyReport);

impl VerifyReport {
    fn text(&self) -> String {
        let mut lines = vec![format!(
            "{}: {} tables, {} live rows, {} version rows",
            if self.0.is_ok() { "OK" } else { "BROKEN" },
            self.0.tables.len(),
            self.0.live_rows,
            self.0.version_rows
        )];
        for problem in &self.0.problems {
            let more = if problem.count > problem.rows.len() as u64 {
                "; …"
            } else {
                ""
            };
            lines.push(format!(
                "{}: {} {}: {}{more}",
                problem.table,
                problem.count,
                problem.problem,
                problem.rows.join("; ")
            ));
        }
        for redaction in &self.0.redactions {
            lines.push(format!(
                "redacted: {} values of run {} by {} on {} UTC: {}",
                redaction.rows,
                redaction.run_id,
                redaction.actor,
                redaction.redacted_at.format("%Y-%m-%d %H:%M:%S"),
                redaction.reason
            ));
        }
        lines.join("\n  ")
    }
}

#[pymethods]
impl VerifyReport {
    /// Whether nothing is wrong.
    #[getter]
    fn ok(&self) -> bool {
        self.0.is_ok()
    }

    /// The tables that were compared with their version tables.
    #[getter]
    fn tables(&self) -> Vec<String> {
        self.0.tables.clone()
    }

    /// How many live rows were compared.
    #[getter]
    fn live_rows(&self) -> u64 {
        self.0.live_rows
    }

    /// How many version rows were looked at.
    #[getter]
    fn version_rows(&self) -> u64 {
        self.0.version_rows
    }

    /// Everything that is wrong; empty when all is well.
    #[getter]
    fn problems(&self) -> Vec<Problem> {
        self.0.problems.iter().cloned().map(Problem).collect()
    }

    /// What was taken out of the history on request, oldest first; columns as
    /// ``Platform.redactions``.
    fn redactions(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        retention::tabulate(py, &self.0.redactions)
    }

    /// Raises ``ChangeLogBroken``, naming the rows, when something is wrong.
    fn raise_if_broken(&self) -> Result<()> {
        if self.0.is_ok() {
            return Ok(());
        }
        Err(Failure::named("ChangeLogBroken", self.text()))
    }

    fn __bool__(&self) -> bool {
        self.0.is_ok()
    }

    fn __repr__(&self) -> String {
        format!("<VerifyReport {}>", self.text())
    }
}
