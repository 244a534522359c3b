//! Errors: one Python exception per kind of failure, all in `stratalog/_errors.py`.

use pyo3::intern;
use pyo3::prelude::*;
use stratalog::{Error, LockHolder};

/// The result of every function of the bindings.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// What a binding can fail with.
pub(crate) enum Failure {
    /// The library refused or failed.
    Core(Error),
    /// An exception that is raised already, an interruption for instance.
    Python(PyErr),
    /// One of our exceptions, by its name.
    Named(&'static str, String),
}

impl Failure {
    pub(crate) fn named(exception: &'static str, message: impl Into<String>) -> Self {
        Self::Named(exception, message.into())
    }

    /// Input that is refused before it reaches the library.
    pub(crate) fn frame(problem: impl Into<String>) -> Self {
        Self::Core(Error::InvalidFrame {
            problem: problem.into(),
        })
    }

    pub(crate) fn filter(problem: impl Into<String>) -> Self {
        Self::Core(Error::InvalidFilter(problem.into()))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| match failure {
            Failure::Python(error) => error,
            Failure::Named(exception, message) => raised(py, exception, message, None),
            Failure::Core(Error::Interrupted) => {
                pyo3::exceptions::PyKeyboardInterrupt::new_err("interrupted")
            }
            Failure::Core(error) => {
                raised(py, exception_of(&error), error.to_string(), Some(&error))
            }
        })
    }
}

fn raised(py: Python<'_>, exception: &str, message: String, error: Option<&Error>) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let raised = py
            .import(intern!(py, "stratalog._errors"))?
            .getattr(exception)?
            .call1((message,))?;
        match error {
            Some(Error::RunIsLocked {
                run,
                run_id,
                holder,
                ..
            }) => {
                raised.setattr("run", run)?;
                raised.setattr("run_id", run_id.0)?;
                describe(&raised, holder)?;
            }
            Some(Error::LockTokenMismatch { run, asked, found }) => {
                raised.setattr("run", run)?;
                raised.setattr("asked", asked.0)?;
                let found = found.as_ref().map(|holder| holder.token.0);
                raised.setattr("found", found)?;
            }
            _ => {}
        }
        Ok(PyErr::from_value(raised))
    };
    made().unwrap_or_else(|error| error)
}

/// Who holds a lock, as attributes.
fn describe(raised: &Bound<'_, PyAny>, holder: &LockHolder) -> PyResult<()> {
    raised.setattr("holder", &holder.user)?;
    raised.setattr("host", &holder.host)?;
    raised.setattr("pid", holder.pid)?;
    raised.setattr("since", holder.acquired_at.and_utc())?;
    raised.setattr("expires_at", holder.expires_at.and_utc())?;
    let last_write = holder.last_write_at.map(|at| at.and_utc());
    raised.setattr("last_write_at", last_write)?;
    raised.setattr("reason", &holder.reason)?;
    raised.setattr("token", holder.token.0)
}

fn exception_of(error: &Error) -> &'static str {
    match error {
        Error::NotFound { kind, .. } => match *kind {
            "run" => "RunNotFound",
            "region" => "RegionNotFound",
            "unit" => "UnitNotFound",
            "model" => "ModelNotFound",
            "scenario" => "ScenarioNotFound",
            "variable" => "VariableNotFound",
            _ => "NotFound",
        },
        Error::NoDefaultVersion { .. } => "NoDefaultVersion",
        Error::CheckpointNotFound { .. } => "CheckpointNotFound",
        Error::TransactionNotFound { .. } => "TransactionNotFound",
        Error::StateCompacted { .. } => "StateCompacted",
        Error::AlreadyExists { .. } => "AlreadyExists",
        Error::InUse { .. } => "InUse",
        Error::InvalidName { .. } => "InvalidName",
        Error::InvalidItem { .. } => "InvalidInput",
        Error::Ixmp4 { .. } | Error::Ixmp4Unfit { .. } => "ImportRefused",
        Error::InvalidFrame { .. } => "InvalidFrame",
        Error::UnknownNames { .. } => "UnknownNames",
        Error::InvalidFilter(_) => "InvalidFilter",
        Error::RunIsLocked { .. } => "RunIsLocked",
        Error::RunLockRequired { .. } => "RunLockRequired",
        Error::ReadOnlyView { .. } => "ReadOnlyView",
        Error::UndoOverlaps { .. } => "UndoOverlaps",
        Error::LockLost { .. } => "LockLost",
        Error::NestedLock { .. } => "NestedTransact",
        Error::LockTokenMismatch { .. } => "LockTokenMismatch",
        Error::InvalidLease(_) => "InvalidLease",
        Error::RevertNeedsMissing { .. } => "RevertNeedsMissing",
        Error::RevertNeedsRedacted { .. } => "RevertNeedsRedacted",
        Error::SchemaOutdated { .. } => "SchemaOutdated",
        Error::SchemaTooNew { .. } => "SchemaTooNew",
        Error::InvalidDescription { .. } => "SchemaError",
        Error::InvalidUrl { .. } => "InvalidUrl",
        Error::ChangeLogRefused(_) => "ChangeLogRefused",
        Error::Busy(_) => "Busy",
        Error::Connection { .. } => "ConnectionFailed",
        Error::CommitUnknown { .. } => "CommitUnknown",
        Error::DiskFull { .. } => "DiskFull",
        Error::Storage { .. } => "StorageFailed",
        Error::Migration { .. } | Error::Roles { .. } => "MigrationFailed",
        Error::Database { .. } => "DatabaseError",
        Error::File { .. } => "FileError",
        _ => "StratalogError",
    }
}
