//! `Ixmp4Report`: what `Platform.import_ixmp4` came to.

use pyo3::prelude::*;
use stratalog::Ixmp4RunState;

use crate::error::Result;
use crate::frame::Columns;

/// What ``Platform.import_ixmp4`` did or, of a dry run, would do.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Ixmp4Report(pub(crate) stratalog::Ixmp4Report);

#[pymethods]
impl Ixmp4Report {
    /// Whether both sides are the same; of a dry run, whether it can be imported.
    #[getter]
    fn ok(&self) -> bool {
        self.0.is_ok()
    }

    /// The source's URL or path, without a password.
    #[getter]
    fn source(&self) -> &str {
        &self.0.source
    }

    /// The revision of its schema.
    #[getter]
    fn revision(&self) -> &str {
        &self.0.revision
    }

    /// Whether its history is copied too.
    #[getter]
    fn history(&self) -> bool {
        self.0.history
    }

    /// Whether nothing was written.
    #[getter]
    fn dry_run(&self) -> bool {
        self.0.dry_run
    }

    /// What is worth knowing, and no difference.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.0.notes.clone()
    }

    /// Of a dry run: what keeps it from being imported, with what to do.
    #[getter]
    fn problems(&self) -> Vec<String> {
        self.0.problems.clone()
    }

    /// Where the sides differ when all is done.
    #[getter]
    fn differences(&self) -> Vec<String> {
        self.0.differences.clone()
    }

    /// How many there are of each. Columns: ``what`` (text), ``there``, ``here`` (int64). Of
    /// a dry run ``there`` is what would be copied, and ``here`` is 0.
    fn counts(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let counts = &self.0.counts;
        Columns::default()
            .text("what", counts.iter().map(|row| row.what.clone()))
            .counts("there", counts.iter().map(|row| row.there))
            .counts(
                "here",
                counts.iter().map(|row| row.here.unwrap_or_default()),
            )
            .into_pandas(py)
    }

    /// The runs of the source. Columns: ``source_id`` (int64), ``model``, ``scenario`` (text),
    /// ``version`` (int64), ``state`` (text: imported, continued, unchanged, deleted, taken),
    /// ``run_id`` (Int64, with gaps for runs that are not here), ``transactions_there``,
    /// ``transactions``, ``checkpoints`` (int64).
    fn runs(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let runs = &self.0.runs;
        Columns::default()
            .integers("source_id", runs.iter().map(|run| run.source_id))
            .text("model", runs.iter().map(|run| run.model.clone()))
            .text("scenario", runs.iter().map(|run| run.scenario.clone()))
            .integers("version", runs.iter().map(|run| i64::from(run.version)))
            .text("state", runs.iter().map(|run| word(run.state).to_owned()))
            .integers("run_id", runs.iter().map(|run| run.run_id.map(|id| id.0)))
            .counts(
                "transactions_there",
                runs.iter().map(|run| run.transactions_there),
            )
            .counts("transactions", runs.iter().map(|run| run.transactions))
            .counts("checkpoints", runs.iter().map(|run| run.checkpoints))
            .into_pandas(py)
    }

    fn __repr__(&self) -> String {
        format!(
            "Ixmp4Report(runs={}, ok={}, dry_run={}, notes={}, problems={}, differences={})",
            self.0.runs.len(),
            if self.ok() { "True" } else { "False" },
            if self.0.dry_run { "True" } else { "False" },
            self.0.notes.len(),
            self.0.problems.len(),
            self.0.differences.len()
        )
    }
}

fn word(state: Ixmp4RunState) -> &'static str {
    match state {
        Ixmp4RunState::Imported => "imported",
        Ixmp4RunState::Continued => "continued",
        Ixmp4RunState::Unchanged => "unchanged",
        Ixmp4RunState::Deleted => "deleted",
        Ixmp4RunState::Taken => "taken",
    }
}
