//! `DoctorReport` and `Finding`.

use pyo3::prelude::*;

use crate::input::repr;

/// One thing that ``Platform.doctor`` looked at.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Finding(stratalog::Finding);

#[pymethods]
impl Finding {
    /// What was looked at: "server", "role", "owner", "triggers", "functions", "stamps",
    /// "history", "sqlite", "journal".
    #[getter]
    fn check(&self) -> &str {
        self.0.check
    }

    /// "ok", "note" or "problem".
    #[getter]
    fn severity(&self) -> String {
        self.0.severity.to_string()
    }

    /// What was found.
    #[getter]
    fn what(&self) -> &str {
        &self.0.what
    }

    /// What to do about it; None where there is nothing to do.
    #[getter]
    fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "Finding(check={}, severity={}, what={})",
            repr(py, self.0.check),
            repr(py, &self.severity()),
            repr(py, &self.0.what)
        )
    }
}

/// What ``Platform.doctor`` found. True when nothing has to be done.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct DoctorReport(pub(crate) stratalog::DoctorReport);

#[pymethods]
impl DoctorReport {
    /// Whether nothing has to be done.
    #[getter]
    fn ok(&self) -> bool {
        self.0.is_ok()
    }

    /// Everything that was looked at.
    #[getter]
    fn findings(&self) -> Vec<Finding> {
        self.0.findings.iter().cloned().map(Finding).collect()
    }

    fn __bool__(&self) -> bool {
        self.0.is_ok()
    }

    fn __repr__(&self) -> String {
        let mut lines = vec![if self.0.is_ok() { "OK" } else { "PROBLEM" }.to_owned()];
        for finding in &self.0.findings {
            lines.push(format!(
                "{} {}: {}",
                finding.severity, finding.check, finding.what
            ));
        }
        format!("<DoctorReport {}>", lines.join("\n  "))
    }
}
