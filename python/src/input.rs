//! What callers pass: text, timeouts, targets.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDateTime, PyString, PyTzInfo};
use stratalog::{Lease, Target, TransactionId};

use crate::checkpoint::Checkpoint;
use crate::error::Failure;
use crate::view::RunView;

/// A `str`. One with lone surrogates, which no database takes, is refused as input and
/// not as a fault of the encoding.
pub(crate) struct Text(pub(crate) String);

impl FromPyObject<'_, '_> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        object.extract::<String>().map(Self).map_err(|error| {
            if !error.is_instance_of::<PyUnicodeEncodeError>(object.py()) {
                return error;
            }
            let shown = object
                .repr()
                .map_or_else(|_| "a text".into(), |text| text.to_string());
            Failure::named(
                "InvalidInput",
                format!("{shown} has characters that are not Unicode text (lone surrogates)"),
            )
            .into()
        })
    }
}

/// A database: `str` or a path.
pub(crate) struct Url(pub(crate) String);

impl FromPyObject<'_, '_> for Url {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyString>() {
            return object.extract::<Text>().map(|text| Self(text.0));
        }
        let path: PathBuf = object.extract()?;
        path.into_os_string()
            .into_string()
            .map(Self)
            .map_err(|path| {
                Failure::named(
                    "InvalidUrl",
                    format!("{}: the path is not Unicode text", path.display()),
                )
                .into()
            })
    }
}

/// Seconds to wait; `inf` is for ever.
pub(crate) struct Timeout(pub(crate) Duration);

impl FromPyObject<'_, '_> for Timeout {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let seconds: f64 = object.extract()?;
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) => Ok(Self(duration)),
            Err(_) if seconds > 0.0 => Ok(Self(Duration::MAX)),
            Err(_) => Err(Failure::named(
                "InvalidInput",
                format!("timeout={seconds} cannot be waited: give seconds, 0 or more"),
            )
            .into()),
        }
    }
}

/// How long a lease lasts, in seconds. Whether that is sensible, the library says.
pub(crate) struct LeaseTime(pub(crate) Duration);

impl FromPyObject<'_, '_> for LeaseTime {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let seconds: f64 = object.extract()?;
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) => Ok(Self(duration)),
            Err(_) => Err(Failure::named(
                "InvalidLease",
                format!("a lease or heartbeat of {seconds} s cannot be: give seconds, more than 0"),
            )
            .into()),
        }
    }
}

/// A lease of a caller's, renewed each third of it.
pub(crate) fn lease(time: Option<LeaseTime>) -> Option<Lease> {
    time.map(|time| Lease::of(time.0))
}

/// A whole number that is not a `bool`; numpy's integers count.
pub(crate) fn whole_number(object: &Bound<'_, PyAny>) -> Option<i64> {
    if object.is_instance_of::<PyBool>() {
        None
    } else {
        object.extract().ok()
    }
}

/// What to go back to or look at: a checkpoint, its name, a transaction's id, a view, or a time.
pub(crate) struct AnyTarget(pub(crate) Target);

impl FromPyObject<'_, '_> for AnyTarget {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(checkpoint) = object.cast::<Checkpoint>() {
            return Ok(Self(Target::Checkpoint(checkpoint.get().core().id)));
        }
        if object.is_instance_of::<PyString>() {
            return Ok(Self(Target::from(object.extract::<Text>()?.0)));
        }
        if let Some(id) = whole_number(&object) {
            return Ok(Self(Target::Transaction(TransactionId(id))));
        }
        if let Ok(view) = object.cast::<RunView>() {
            return Ok(Self(Target::Transaction(view.get().at())));
        }
        if object.is_instance_of::<PyDateTime>() {
            return utc(object).map(|time| Self(Target::Time(time)));
        }
        Err(PyTypeError::new_err(format!(
            "expected a Checkpoint, a checkpoint's name, a transaction's id or a datetime, not {}",
            object.get_type().name()?
        )))
    }
}

/// A time.
pub(crate) struct Moment(pub(crate) NaiveDateTime);

impl FromPyObject<'_, '_> for Moment {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyDateTime>() {
            return utc(object).map(Self);
        }
        Err(PyTypeError::new_err(format!(
            "expected a datetime, not {}",
            object.get_type().name()?
        )))
    }
}

/// A `datetime` in UTC; one without a zone is UTC already.
pub(crate) fn utc(object: Borrowed<'_, '_, PyAny>) -> PyResult<NaiveDateTime> {
    if object.getattr("tzinfo")?.is_none() {
        object.extract()
    } else {
        let utc = object.call_method1("astimezone", (PyTzInfo::utc(object.py())?,))?;
        Ok(utc.extract::<DateTime<Utc>>()?.naive_utc())
    }
}

pub(crate) fn shown(object: &Bound<'_, PyAny>) -> String {
    object
        .repr()
        .map_or_else(|_| "…".into(), |text| text.to_string())
}

/// Text as Python shows it.
pub(crate) fn repr(py: Python<'_>, text: &str) -> String {
    shown(PyString::new(py, text).as_any())
}
