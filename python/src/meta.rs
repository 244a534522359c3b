//! Meta indicators of a run, and of the platform's runs.

use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};
use stratalog::{MetaValue, TransactionId};

use crate::changes::ChangeCounts;
use crate::error::{Failure, Result};
use crate::filter::filter_of;
use crate::held::HeldRun;
use crate::input::Text;
use crate::session::Session;

type Entries = Vec<(String, Option<MetaValue>)>;

/// What ``Run.meta`` reads from and writes to.
#[pyclass(frozen, module = "stratalog", name = "_MetaIndicators")]
pub(crate) struct MetaIndicators {
    run: Arc<HeldRun>,
    at: Option<TransactionId>,
}

impl MetaIndicators {
    /// The mapping that callers get.
    pub(crate) fn mapping<'py>(
        py: Python<'py>,
        run: &Arc<HeldRun>,
        at: Option<TransactionId>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let run = Arc::clone(run);
        py.import(intern!(py, "stratalog._meta"))?
            .call_method1(intern!(py, "Meta"), (Self { run, at },))
    }

    pub(crate) fn replace_all(
        py: Python<'_>,
        run: &Arc<HeldRun>,
        entries: &Bound<'_, PyAny>,
    ) -> Result<()> {
        Self {
            run: Arc::clone(run),
            at: None,
        }
        .replace(py, entries)?;
        Ok(())
    }

    fn write(
        &self,
        py: Python<'_>,
        work: impl Fn(&stratalog::Meta<'_>) -> stratalog::Result<stratalog::ChangeCounts> + Send + Sync,
    ) -> Result<ChangeCounts> {
        match self.at {
            Some(at) => {
                let run = self.run.run()?;
                Ok(py.detach(|| work(&run.as_of(at)?.meta()))?.into())
            }
            None => Ok(self.run.under_lock(py, |lock| work(&lock.meta()))?.into()),
        }
    }
}

#[pymethods]
impl MetaIndicators {
    /// All indicators, by key.
    fn read<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let run = self.run.run()?;
        let all = py.detach(|| match self.at {
            Some(at) => run.as_of(at)?.meta().all(),
            None => run.meta().all(),
        })?;
        let dict = PyDict::new(py);
        for (key, value) in all {
            dict.set_item(key, object(py, value)?)?;
        }
        Ok(dict)
    }

    /// Sets those with a value and removes those without, as one transaction.
    fn update(&self, py: Python<'_>, entries: &Bound<'_, PyAny>) -> Result<ChangeCounts> {
        let entries = taken(entries)?;
        self.write(py, |meta| meta.update(entries.clone()))
    }

    /// Makes these all that there are, as one transaction.
    fn replace(&self, py: Python<'_>, entries: &Bound<'_, PyAny>) -> Result<ChangeCounts> {
        let entries = taken(entries)?;
        self.write(py, |meta| meta.replace(entries.clone()))
    }
}

/// The meta indicators of the runs of a platform.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct PlatformMeta(Arc<Session>);

impl PlatformMeta {
    pub(crate) fn new(session: &Arc<Session>) -> Self {
        Self(Arc::clone(session))
    }
}

#[pymethods]
impl PlatformMeta {
    /// The indicators of default runs: ``model``, ``scenario`` (text), ``version`` (int64),
    /// ``key`` (text), ``value`` (object: bool, int, float or str), by run and key.
    ///
    /// Args:
    ///     key: one key or several, ``*`` standing for any text.
    ///     value: a value or several; ``value__gte`` and the like.
    ///     type: ``"bool"``, ``"int"``, ``"float"`` or ``"str"``.
    ///     model, scenario: a name or several, or a dict of filters.
    ///     run: a dict of filters of runs, as ``Runs.list`` takes them;
    ///         ``{"default_only": False}``: indicators of all versions.
    ///
    /// Raises:
    ///     InvalidFilter: an unknown filter, or a value that does not fit.
    #[pyo3(signature = (key = None, **filters))]
    #[pyo3(text_signature = "($self, key=None, *, model=None, scenario=None, run=None, **filters)")]
    fn tabulate(
        &self,
        py: Python<'_>,
        key: Option<&Bound<'_, PyAny>>,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        let filter = filter_of(py, &[("key", key)], filters)?;
        let platform = self.0.platform()?;
        let found = py.detach(|| platform.meta(&filter))?;
        let rows: Vec<_> = found
            .into_iter()
            .map(|found| {
                let run = found.run;
                let value = object(py, found.value)?;
                (run.model, run.scenario, run.version, found.key, value).into_bound_py_any(py)
            })
            .collect::<PyResult<_>>()?;
        Ok(py
            .import(intern!(py, "stratalog._meta"))?
            .call_method1(intern!(py, "frame"), (rows,))?
            .unbind())
    }
}

fn object(py: Python<'_>, value: MetaValue) -> PyResult<Bound<'_, PyAny>> {
    match value {
        MetaValue::Bool(value) => value.into_bound_py_any(py),
        MetaValue::Int(value) => value.into_bound_py_any(py),
        MetaValue::Float(value) => value.into_bound_py_any(py),
        MetaValue::Text(value) => value.into_bound_py_any(py),
    }
}

/// The entries of a dict, or whatever makes one.
fn taken(entries: &Bound<'_, PyAny>) -> Result<Entries> {
    let mut all = Vec::new();
    for (key, value) in entries.cast::<PyDict>().map_err(PyErr::from)? {
        if !key.is_instance_of::<PyString>() {
            return Err(refused(&key, "the keys of meta indicators are text"));
        }
        let value = taken_value(&key, &value)?;
        all.push((key.extract::<Text>()?.0, value));
    }
    Ok(all)
}

fn refused(key: &Bound<'_, PyAny>, problem: &str) -> Failure {
    let key = key
        .repr()
        .map_or_else(|_| "?".to_owned(), |key| key.to_string());
    Failure::named("InvalidInput", format!("meta indicator {key}: {problem}"))
}

fn taken_value(key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> Result<Option<MetaValue>> {
    // bool before int: True is an int to Python. Scalars of numpy become Python's by item().
    let value = if value.hasattr("dtype")? && value.hasattr("item")? {
        &value
            .call_method0("item")
            .map_err(|_| refused(key, "give one value: bool, int, float or str"))?
    } else {
        value
    };
    if value.is_none() {
        return Ok(None);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Some(MetaValue::Bool(value.is_true())));
    }
    if value.is_instance_of::<PyInt>() {
        let value = value
            .extract()
            .map_err(|_| refused(key, "the number does not fit into 64 bits"))?;
        return Ok(Some(MetaValue::Int(value)));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Some(MetaValue::Float(value.extract()?)));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(Some(MetaValue::Text(value.extract::<Text>()?.0)));
    }
    let kind = value.get_type().name()?.to_string();
    // How pandas says that there is no value.
    if ["NAType", "NaTType"].contains(&kind.as_str()) {
        return Ok(None);
    }
    Err(refused(
        key,
        &format!("a {kind} cannot be stored: bool, int, float and str can"),
    ))
}
