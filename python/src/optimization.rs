//! Optimization items of a run, for the classes in `stratalog._optimization`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, NaiveDateTime, Utc};
use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};
use stratalog::{Element, Item, ItemKind, Optimization, TransactionId};

use crate::changes::ChangeCounts;
use crate::error::{Failure, Result};
use crate::filter::filter;
use crate::frame;
use crate::held::HeldRun;
use crate::input::Text;

/// Name, a scalar's value and unit, the names of the columns, their indexsets, id, docs.
type Described = (
    String,
    Option<f64>,
    Option<String>,
    Vec<String>,
    Vec<String>,
    i64,
    Option<String>,
);

/// Created when and by whom, updated when and by whom.
type Audited = (
    Option<DateTime<Utc>>,
    Option<String>,
    Option<DateTime<Utc>>,
    Option<String>,
);

/// What ``Run.optimization`` reads from and writes to.
#[pyclass(frozen, module = "stratalog", name = "_OptimizationItems")]
pub(crate) struct OptimizationItems {
    run: Arc<HeldRun>,
    at: Option<TransactionId>,
}

impl OptimizationItems {
    /// What callers get.
    pub(crate) fn facade<'py>(
        py: Python<'py>,
        run: &Arc<HeldRun>,
        at: Option<TransactionId>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let run = Arc::clone(run);
        py.import(intern!(py, "stratalog._optimization"))?
            .call_method1(intern!(py, "Optimization"), (Self { run, at },))
    }

    fn read<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Fn(&Optimization<'_>) -> stratalog::Result<T> + Send + Sync,
    ) -> Result<T> {
        let run = self.run.run()?;
        Ok(py.detach(|| match self.at {
            Some(at) => work(&run.as_of(at)?.optimization()),
            None => work(&run.optimization()),
        })?)
    }

    fn write<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Fn(&Optimization<'_>) -> stratalog::Result<T> + Send + Sync,
    ) -> Result<T> {
        match self.at {
            // Says that a view is not written to.
            Some(_) => self.read(py, work),
            None => self.run.under_lock(py, |lock| work(&lock.optimization())),
        }
    }
}

fn item_kind(word: &str) -> Result<ItemKind> {
    Ok(match word {
        "indexset" => ItemKind::IndexSet,
        "scalar" => ItemKind::Scalar,
        "table" => ItemKind::Table,
        "parameter" => ItemKind::Parameter,
        "variable" => ItemKind::Variable,
        "equation" => ItemKind::Equation,
        _ => {
            return Err(Failure::named(
                "InvalidInput",
                format!("there are no items called {word:?}"),
            ));
        }
    })
}

fn described(item: Item) -> Described {
    let (columns, indexsets) = item
        .columns
        .into_iter()
        .map(|column| (column.name, column.indexset))
        .unzip();
    (
        item.name, item.value, item.unit, columns, indexsets, item.id, item.docs,
    )
}

fn texts(texts: Vec<Text>) -> Vec<String> {
    texts.into_iter().map(|text| text.0).collect()
}

fn elements(values: &Bound<'_, PyAny>) -> Result<Vec<Element>> {
    let one = values.is_instance_of::<PyString>()
        || values.is_instance_of::<PyInt>()
        || values.is_instance_of::<PyFloat>();
    if one {
        return Ok(vec![element(values)?]);
    }
    values
        .try_iter()?
        .map(|value| element(&value?))
        .collect::<Result<_>>()
}

fn element(value: &Bound<'_, PyAny>) -> Result<Element> {
    // Scalars of numpy become Python's.
    let value = if value.hasattr("dtype")? && value.hasattr("item")? {
        &value.call_method0("item")?
    } else {
        value
    };
    let refused = |problem: &str| {
        let shown = value.repr().map_or_else(|_| "?".into(), |v| v.to_string());
        Failure::named("InvalidInput", format!("element {shown}: {problem}"))
    };
    if value.is_instance_of::<PyString>() {
        return Ok(Element::Text(value.extract::<Text>()?.0));
    }
    if value.is_instance_of::<PyBool>() {
        return Err(refused("elements are text, whole numbers or floats"));
    }
    if value.is_instance_of::<PyInt>() {
        return value
            .extract()
            .map(Element::Int)
            .map_err(|_| refused("the number does not fit into 64 bits"));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Element::Float(value.extract()?));
    }
    Err(refused("elements are text, whole numbers or floats"))
}

#[pymethods]
impl OptimizationItems {
    /// The item of a kind and name.
    fn get(&self, py: Python<'_>, kind: &str, name: Text) -> Result<Described> {
        let kind = item_kind(kind)?;
        Ok(described(self.read(py, |items| items.get(kind, &name.0))?))
    }

    /// The items of a kind that filters select, in the order in which they were made.
    fn list(
        &self,
        py: Python<'_>,
        kind: &str,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Vec<Described>> {
        let kind = item_kind(kind)?;
        let filter = filter(filters)?;
        let items = self.read(py, |items| items.list_with(kind, &filter))?;
        Ok(items.into_iter().map(described).collect())
    }

    /// Who made each item of a kind and who changed it last, by name.
    fn audits(&self, py: Python<'_>, kind: &str) -> Result<HashMap<String, Audited>> {
        let kind = item_kind(kind)?;
        let utc = |time: Option<NaiveDateTime>| time.map(|time| time.and_utc());
        let audits = self.read(py, |items| items.audits(kind))?;
        Ok(audits
            .into_iter()
            .map(|(name, audit)| {
                let audit = (
                    utc(audit.created_at),
                    audit.created_by,
                    utc(audit.updated_at),
                    audit.updated_by,
                );
                (name, audit)
            })
            .collect())
    }

    /// Says something of an item.
    fn set_docs(
        &self,
        py: Python<'_>,
        kind: &str,
        name: Text,
        docs: Option<Text>,
    ) -> Result<ChangeCounts> {
        let kind = item_kind(kind)?;
        let docs = docs.map(|docs| docs.0);
        Ok(self
            .write(py, |items| items.set_docs(kind, &name.0, docs.as_deref()))?
            .into())
    }

    /// Makes an empty indexset.
    fn create_indexset(&self, py: Python<'_>, name: Text) -> Result<()> {
        self.write(py, |items| items.create_indexset(&name.0))?;
        Ok(())
    }

    /// Makes a scalar.
    fn create_scalar(&self, py: Python<'_>, name: Text, value: f64, unit: Text) -> Result<()> {
        self.write(py, |items| items.create_scalar(&name.0, value, &unit.0))?;
        Ok(())
    }

    /// Gives a scalar another value and unit.
    fn set_scalar(
        &self,
        py: Python<'_>,
        name: Text,
        value: f64,
        unit: Text,
    ) -> Result<ChangeCounts> {
        Ok(self
            .write(py, |items| items.set_scalar(&name.0, value, &unit.0))?
            .into())
    }

    /// Makes an item with columns.
    fn create(
        &self,
        py: Python<'_>,
        kind: &str,
        name: Text,
        indexsets: Vec<Text>,
        columns: Option<Vec<Text>>,
    ) -> Result<()> {
        let kind = item_kind(kind)?;
        let (indexsets, columns) = (texts(indexsets), columns.map(texts));
        self.write(py, |items| {
            let indexsets: Vec<_> = indexsets.iter().map(String::as_str).collect();
            let columns: Option<Vec<_>> = columns
                .as_ref()
                .map(|columns| columns.iter().map(String::as_str).collect());
            items.create(kind, &name.0, &indexsets, columns.as_deref())
        })?;
        Ok(())
    }

    /// Deletes an item with its data.
    fn delete(&self, py: Python<'_>, kind: &str, name: Text) -> Result<()> {
        let kind = item_kind(kind)?;
        self.write(py, |items| items.delete(kind, &name.0))
    }

    /// The elements of an indexset, in order.
    fn elements<'py>(&self, py: Python<'py>, name: Text) -> Result<Bound<'py, PyList>> {
        let elements = self.read(py, |items| items.elements(&name.0))?;
        let objects: Vec<_> = elements
            .into_iter()
            .map(|element| match element {
                Element::Text(text) => text.into_bound_py_any(py),
                Element::Int(number) => number.into_bound_py_any(py),
                Element::Float(number) => number.into_bound_py_any(py),
            })
            .collect::<PyResult<_>>()?;
        Ok(PyList::new(py, objects)?)
    }

    /// Adds elements to the end of an indexset.
    fn add_elements(
        &self,
        py: Python<'_>,
        name: Text,
        values: &Bound<'_, PyAny>,
    ) -> Result<ChangeCounts> {
        let values = elements(values)?;
        Ok(self
            .write(py, |items| items.add_elements(&name.0, values.clone()))?
            .into())
    }

    /// Removes elements with the rows that depend on them.
    fn remove_elements(
        &self,
        py: Python<'_>,
        name: Text,
        values: &Bound<'_, PyAny>,
    ) -> Result<ChangeCounts> {
        let values = elements(values)?;
        Ok(self
            .write(py, |items| items.remove_elements(&name.0, values.clone()))?
            .into())
    }

    /// Inserts and updates rows.
    fn add_data(
        &self,
        py: Python<'_>,
        kind: &str,
        name: Text,
        df: &Bound<'_, PyAny>,
    ) -> Result<ChangeCounts> {
        let kind = item_kind(kind)?;
        let rows = frame::take_table(py, df)?;
        Ok(self
            .write(py, |items| items.add_data(kind, &name.0, rows.batch()))?
            .into())
    }

    /// Removes rows; without any all of them.
    fn remove_data(
        &self,
        py: Python<'_>,
        kind: &str,
        name: Text,
        df: Option<&Bound<'_, PyAny>>,
    ) -> Result<ChangeCounts> {
        let kind = item_kind(kind)?;
        let rows = df.map(|df| frame::take_table(py, df)).transpose()?;
        Ok(self
            .write(py, |items| match &rows {
                Some(rows) => items.remove_data(kind, &name.0, rows.batch()),
                None => items.remove_all_data(kind, &name.0),
            })?
            .into())
    }

    /// The rows of an item as a pandas ``DataFrame``.
    fn tabulate(&self, py: Python<'_>, kind: &str, name: Text) -> Result<Py<PyAny>> {
        let batch = self.data(py, kind, &name)?;
        frame::to_pandas(py, batch)
    }

    /// The rows of an item as a pyarrow ``Table``.
    fn arrow(&self, py: Python<'_>, kind: &str, name: Text) -> Result<Py<PyAny>> {
        let batch = self.data(py, kind, &name)?;
        frame::to_pyarrow(py, batch)
    }

    /// Removes the data of all variables and equations.
    fn remove_solution(&self, py: Python<'_>) -> Result<ChangeCounts> {
        Ok(self.write(py, |items| items.remove_solution())?.into())
    }

    /// Whether a variable or equation has data.
    fn has_solution(&self, py: Python<'_>) -> Result<bool> {
        self.read(py, |items| items.has_solution())
    }
}

impl OptimizationItems {
    fn data(&self, py: Python<'_>, word: &str, name: &Text) -> Result<RecordBatch> {
        let kind = item_kind(word)?;
        self.read(py, |items| items.data(kind, &name.0))
    }
}
