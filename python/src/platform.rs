//! `Platform`.

use std::io::Write;
use std::sync::Arc;

use pyo3::prelude::*;
use stratalog::Engine;

use crate::error::Result;
use crate::input::{Text, Url, repr};
use crate::locks::Locks;
use crate::log;
use crate::names::{Names, Regions};
use crate::run::log_filter;
use crate::runs::{Runs, id_of};
use crate::session::Session;
use crate::verify::VerifyReport;

/// One database with runs, regions, units, and the log of all that was written.
///
/// Args:
///     url: a path (``"scenarios.db"``), ``"sqlite:///scenarios.db"``,
///         ``"sqlite://:memory:"`` or ``"postgresql://user@host/database"``. A new SQLite
///         file is made and migrated.
///     actor: who writes, as recorded with every transaction; default: the
///         operating-system user.
///
/// Raises:
///     InvalidUrl: not a database's URL, or a place where it cannot live.
///     ConnectionFailed: it cannot be reached.
///     SchemaOutdated, SchemaTooNew: with both revisions and what to do.
///
/// May be shared by threads. After a fork open it again: connections and locks do not go
/// along. While a SQLite file is open here, look at it with Python's own ``sqlite3`` from
/// another process: two SQLite libraries in one process take each other's file locks away.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Platform(Arc<Session>);

#[pymethods]
impl Platform {
    #[new]
    #[pyo3(signature = (url, actor = None))]
    fn new(py: Python<'_>, url: Url, actor: Option<Text>) -> Result<Self> {
        let mut options = stratalog::Platform::options();
        if let Some(actor) = actor {
            options = options.actor(actor.0);
        }
        let platform = py.detach(|| options.open(&url.0))?;
        Ok(Self(Session::new(platform)))
    }

    /// Brings a database to this version's schema, all of it or nothing; gives the revisions
    /// that were applied, none when it was there already.
    ///
    /// Raises:
    ///     InvalidUrl, ConnectionFailed.
    ///     MigrationFailed: the database is as it was.
    #[staticmethod]
    fn migrate(py: Python<'_>, url: Url) -> Result<Vec<String>> {
        Ok(py.detach(|| stratalog::Platform::migrate(&url.0))?)
    }

    /// The database's path or URL, without a password.
    #[getter]
    fn url(&self) -> String {
        self.0.describe().url()
    }

    /// "sqlite" or "postgres".
    #[getter]
    fn engine(&self) -> &'static str {
        match self.0.describe().engine() {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }

    /// Who writes.
    #[getter]
    fn actor(&self) -> &str {
        self.0.describe().actor()
    }

    /// Runs.
    #[getter]
    fn runs(&self) -> Runs {
        Runs::new(&self.0)
    }

    /// Regions.
    #[getter]
    fn regions(&self) -> Regions {
        Regions::new(&self.0)
    }

    /// Units.
    #[getter]
    fn units(&self) -> Names {
        Names::new(&self.0, stratalog::Platform::units)
    }

    /// Variables. Adding points makes them as needed.
    #[getter]
    fn variables(&self) -> Names {
        Names::new(&self.0, stratalog::Platform::variables)
    }

    /// Models. Creating runs makes them as needed.
    #[getter]
    fn models(&self) -> Names {
        Names::new(&self.0, stratalog::Platform::models)
    }

    /// Scenarios. Creating runs makes them as needed.
    #[getter]
    fn scenarios(&self) -> Names {
        Names::new(&self.0, stratalog::Platform::scenarios)
    }

    /// Run locks.
    #[getter]
    fn locks(&self) -> Locks {
        Locks::new(&self.0)
    }

    /// Transactions, newest first: ``id`` (int64), ``issued_at`` (datetime64[us, UTC]),
    /// ``run_id`` (int64; Int64 with gaps where some wrote to the platform's own tables
    /// only), ``actor``, ``operation`` (text), ``inserted``, ``updated``, ``deleted`` (rows,
    /// int64), ``tables`` (those written to), ``checkpoints`` (messages of those that name
    /// it).
    ///
    /// Args:
    ///     run: only of this run, given as such or by its id.
    ///     limit: at most so many; ``None``: all.
    ///     before: only ids below this one: the last of the page before.
    #[pyo3(signature = (run = None, limit = Some(50), before = None))]
    #[pyo3(text_signature = "($self, run=None, limit=50, before=None)")]
    fn log(
        &self,
        py: Python<'_>,
        run: Option<&Bound<'_, PyAny>>,
        limit: Option<i64>,
        before: Option<i64>,
    ) -> Result<Py<PyAny>> {
        let filter = log_filter(run.map(id_of).transpose()?, limit, before)?;
        let platform = self.0.platform()?;
        let entries = py.detach(|| platform.log(&filter))?;
        log::tabulate(py, &entries)
    }

    /// Proves that the live tables and the change log agree and that the log is sound.
    ///
    /// Args:
    ///     progress: says on stderr which table it is looking at.
    #[pyo3(signature = (progress = false))]
    fn verify(&self, py: Python<'_>, progress: bool) -> Result<VerifyReport> {
        let platform = self.0.platform()?;
        let report = py.detach(|| {
            platform.verify_with(|table| {
                if progress {
                    // A closed stderr is no reason to fail.
                    let _ = writeln!(std::io::stderr(), "verifying {table}");
                }
            })
        })?;
        Ok(VerifyReport(report))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "Platform({}, actor={})",
            repr(py, &self.url()),
            repr(py, self.actor())
        )
    }
}
