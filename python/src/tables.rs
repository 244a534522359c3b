//! Tables of one's own: `OwnTable`, `OwnTables` of a platform, `RunTables` and `RunTable` of a run.

use std::sync::Arc;

use arrow::array::RecordBatch;
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use stratalog::schema::{Column, ColumnType, Scope};
use stratalog::{TableDescription, TransactionId};

use crate::changes::ChangeCounts;
use crate::error::{Failure, Result};
use crate::filter::filter;
use crate::frame::{self, Columns};
use crate::held::HeldRun;
use crate::input::{AnyTarget, Text, repr};
use crate::session::Session;

/// Above stratalog's own tables, which have ranks below 100.
const RANK: i32 = 100;
const RUN_ID: &str = "run_id";

/// A table of one's own: what it is called and holds.
#[pyclass(frozen, eq, module = "stratalog")]
#[derive(PartialEq, Eq)]
pub(crate) struct OwnTable(TableDescription);

impl OwnTable {
    fn own_columns(&self) -> impl Iterator<Item = &Column> {
        self.0.columns.iter().filter(|column| column.name != RUN_ID)
    }
}

#[pymethods]
impl OwnTable {
    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The columns with their types: ``str``, ``int``, ``float``, ``bool`` or ``datetime``,
    /// ``… | None`` where values may be missing.
    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let columns = PyDict::new(py);
        for column in self.own_columns() {
            columns.set_item(&column.name, python_type(py, column)?)?;
        }
        Ok(columns)
    }

    /// The columns that tell the rows of a run apart.
    #[getter]
    fn key(&self) -> Vec<String> {
        let key = self.0.key.iter();
        key.filter(|column| *column != RUN_ID).cloned().collect()
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.0.name.hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let columns: Vec<_> = self
            .own_columns()
            .map(|column| {
                let missing = if column.nullable { " | None" } else { "" };
                format!("{}: {}{missing}", column.name, word(column.column_type))
            })
            .collect();
        format!(
            "OwnTable({}, columns={{{}}}, key=[{}])",
            repr(py, &self.0.name),
            columns.join(", "),
            self.key().join(", ")
        )
    }
}

fn word(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::BigInt | ColumnType::Integer | ColumnType::SmallInt => "int",
        ColumnType::Double => "float",
        ColumnType::Text => "str",
        ColumnType::Bool => "bool",
        ColumnType::Timestamp => "datetime",
    }
}

fn python_type<'py>(py: Python<'py>, column: &Column) -> PyResult<Bound<'py, PyAny>> {
    let module = match column.column_type {
        ColumnType::Timestamp => "datetime",
        _ => "builtins",
    };
    let python_type = py.import(module)?.getattr(word(column.column_type))?;
    if column.nullable {
        return python_type.call_method1(intern!(py, "__or__"), (py.None(),));
    }
    Ok(python_type)
}

/// A column of a type, or of a type and None.
fn column(name: &str, given: &Bound<'_, PyAny>) -> Result<Column> {
    let refused = || {
        Failure::named(
            "InvalidInput",
            format!(
                "column {}: {} is no type of columns; there are str, int, float, bool and datetime.datetime, each \
                 also as `… | None`",
                repr(given.py(), name),
                crate::input::shown(given)
            ),
        )
    };
    let none = given.py().None().into_bound(given.py()).get_type();
    let mut members = vec![given.clone()];
    if let Ok(union) = given.getattr(intern!(given.py(), "__args__")) {
        members = union
            .cast::<PyTuple>()
            .map_err(|_| refused())?
            .iter()
            .collect();
    }
    let all = members.len();
    members.retain(|member| !member.is(&none));
    let [member] = members.as_slice() else {
        return Err(refused());
    };
    let member = member.cast::<PyType>().map_err(|_| refused())?;
    let column_type = match member.fully_qualified_name()?.to_str()? {
        "str" => ColumnType::Text,
        "int" => ColumnType::BigInt,
        "float" => ColumnType::Double,
        "bool" => ColumnType::Bool,
        "datetime.datetime" => ColumnType::Timestamp,
        _ => return Err(refused()),
    };
    Ok(Column {
        name: name.to_owned(),
        column_type,
        nullable: all > 1,
        references: None,
        ordinal: false,
    })
}

/// The tables of one's own of a platform: ``platform.tables.create("flows", …)`` makes one, and
/// every run then has rows in it, ``run.tables["flows"]``.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct OwnTables(Arc<Session>);

impl OwnTables {
    pub(crate) fn new(session: &Arc<Session>) -> Self {
        Self(Arc::clone(session))
    }

    fn core(&self) -> Result<stratalog::OwnTables> {
        Ok(self.0.platform()?.tables())
    }
}

#[pymethods]
impl OwnTables {
    /// Makes a table whose rows belong to runs: logged, locked, looked at as they were, compared
    /// and reverted with them. The description is kept in the database; every process knows it.
    /// Making it again, with the same description, does nothing.
    ///
    /// Args:
    ///     name: lower-case letters, digits and ``_``, at most 40.
    ///     columns: types by name: ``str``, ``int`` (64 bits), ``float``, ``bool``,
    ///         ``datetime.datetime`` (UTC, microseconds); ``… | None`` where values may be
    ///         missing.
    ///     key: the columns that tell the rows of a run apart; none may be missing.
    ///
    /// Raises:
    ///     SchemaError: it cannot be so, or is there with another description; says why.
    ///     InvalidInput: a type that columns cannot have.
    fn create(
        &self,
        py: Python<'_>,
        name: Text,
        columns: &Bound<'_, PyDict>,
        key: Vec<Text>,
    ) -> Result<OwnTable> {
        let run = Column {
            name: RUN_ID.to_owned(),
            column_type: ColumnType::BigInt,
            nullable: false,
            references: Some("runs".to_owned()),
            ordinal: false,
        };
        let mut described = vec![run];
        for (name, given) in columns {
            described.push(column(&name.extract::<Text>()?.0, &given)?);
        }
        let mut keys = vec![RUN_ID.to_owned()];
        keys.extend(key.into_iter().map(|column| column.0));
        let table = TableDescription {
            name: name.0,
            scope: Scope::Run,
            rank: RANK,
            key: keys,
            unique: Vec::new(),
            columns: described,
        };
        let tables = self.core()?;
        py.detach(|| tables.create(&table))?;
        Ok(OwnTable(table))
    }

    /// The one of that name.
    ///
    /// Raises:
    ///     NotFound: with a similar name if there is one.
    fn get(&self, py: Python<'_>, name: Text) -> Result<OwnTable> {
        let tables = self.core()?;
        Ok(OwnTable(py.detach(|| tables.get(&name.0))?))
    }

    /// All of them, by name.
    fn list(&self, py: Python<'_>) -> Result<Vec<OwnTable>> {
        let tables = self.core()?;
        let found = py.detach(|| tables.list())?;
        let of_runs = found.into_iter().filter(TableDescription::is_run_scoped);
        Ok(of_runs.map(OwnTable).collect())
    }

    /// The columns of all of them: ``table``, ``column``, ``type`` (text), ``may_be_missing``,
    /// ``is_key`` (bool).
    fn tabulate(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let tables = self.list(py)?;
        let rows: Vec<_> = tables
            .iter()
            .flat_map(|table| table.own_columns().map(move |column| (&table.0, column)))
            .collect();
        Columns::default()
            .text("table", rows.iter().map(|(table, _)| table.name.clone()))
            .text("column", rows.iter().map(|(_, column)| column.name.clone()))
            .text(
                "type",
                rows.iter()
                    .map(|(_, column)| word(column.column_type).to_owned()),
            )
            .booleans(
                "may_be_missing",
                rows.iter().map(|(_, column)| column.nullable),
            )
            .booleans(
                "is_key",
                rows.iter()
                    .map(|(table, column)| table.key.contains(&column.name)),
            )
            .into_pandas(py)
    }
}

/// The rows of a run in the tables of one's own, by table: ``run.tables["flows"]``.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct RunTables {
    run: Arc<HeldRun>,
    at: Option<TransactionId>,
}

impl RunTables {
    pub(crate) fn new(run: &Arc<HeldRun>, at: Option<TransactionId>) -> Self {
        Self {
            run: Arc::clone(run),
            at,
        }
    }

    fn names(&self, py: Python<'_>) -> Result<Vec<String>> {
        let tables = OwnTables::new(&self.run.session).list(py)?;
        Ok(tables.into_iter().map(|table| table.0.name).collect())
    }
}

#[pymethods]
impl RunTables {
    fn __getitem__(&self, py: Python<'_>, name: Text) -> Result<RunTable> {
        let tables = self.run.session.platform()?.tables();
        let found = py.detach(|| tables.get(&name.0));
        if let Err(error @ stratalog::Error::NotFound { .. }) = &found {
            return Err(PyKeyError::new_err(error.to_string()).into());
        }
        Ok(RunTable {
            run: Arc::clone(&self.run),
            at: self.at,
            name: found?.name,
        })
    }

    fn __contains__(&self, py: Python<'_>, name: &str) -> Result<bool> {
        Ok(self.names(py)?.iter().any(|known| known == name))
    }

    fn __len__(&self, py: Python<'_>) -> Result<usize> {
        Ok(self.names(py)?.len())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let names = self.names(py)?.into_pyobject(py)?;
        Ok(names.try_iter()?.into_any())
    }

    fn __repr__(&self, py: Python<'_>) -> Result<String> {
        Ok(format!("<tables {}>", self.names(py)?.join(", ")))
    }
}

/// The rows of a run in one table. Reading needs no lock, writing does; it is logged and goes
/// back with the run.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct RunTable {
    run: Arc<HeldRun>,
    at: Option<TransactionId>,
    name: String,
}

impl RunTable {
    fn read<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Fn(&stratalog::RunTable<'_>) -> stratalog::Result<T> + Send + Sync,
    ) -> Result<T> {
        let run = self.run.run()?;
        Ok(py.detach(|| match self.at {
            Some(at) => work(&run.as_of(at)?.table(&self.name)?),
            None => work(&run.table(&self.name)?),
        })?)
    }

    fn write(
        &self,
        py: Python<'_>,
        work: impl Fn(&stratalog::RunTable<'_>) -> stratalog::Result<stratalog::ChangeCounts>
        + Send
        + Sync,
    ) -> Result<ChangeCounts> {
        if self.at.is_some() {
            // Says that it can only be read.
            return Ok(self.read(py, work)?.into());
        }
        let counts = self
            .run
            .under_lock(py, |lock| work(&lock.table(&self.name)?))?;
        Ok(counts.into())
    }

    fn rows(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<RecordBatch> {
        let filter = filter(filters)?;
        self.read(py, |table| table.tabulate_with(&filter))
    }
}

#[pymethods]
impl RunTable {
    /// The table's name.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// Inserts rows that are new and updates those that differ, by the table's key. Rows that
    /// stay as they are leave no trace. All or nothing.
    ///
    /// Args:
    ///     df: a table from pandas, polars, pyarrow or DuckDB, or a dict of lists, with the table's
    ///         columns.
    ///
    /// Raises:
    ///     RunLockRequired: outside of ``with run.transact(…)``.
    ///     InvalidFrame: columns, values or duplicates that do not fit, with their rows (counted
    ///         from 0); nothing was written.
    fn add(&self, py: Python<'_>, df: &Bound<'_, PyAny>) -> Result<ChangeCounts> {
        let rows = frame::take_table(py, df)?;
        self.write(py, |table| table.add(rows.batch()))
    }

    /// Deletes the rows with these keys; other columns are not needed and not looked at. Keys
    /// that are not there are passed over; the counts say how many were deleted. All or nothing.
    ///
    /// Args and errors: as ``add``.
    fn remove(&self, py: Python<'_>, df: &Bound<'_, PyAny>) -> Result<ChangeCounts> {
        let rows = frame::take_table(py, df)?;
        self.write(py, |table| table.remove(rows.batch()))
    }

    /// The rows in the order of the key as a pandas ``DataFrame``: the table's columns;
    /// times are UTC, without a zone.
    ///
    /// Args:
    ///     filters: by the columns: ``node="a*"``, ``year__gte=2030`` …, as ``Iamc.tabulate`` takes
    ///         them.
    ///
    /// Raises:
    ///     InvalidFilter: an unknown column, or a value that does not fit.
    #[pyo3(signature = (**filters))]
    fn tabulate(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        frame::to_pandas(py, self.rows(py, filters)?)
    }

    /// As ``tabulate``, as a pyarrow ``Table``.
    #[pyo3(signature = (**filters))]
    fn arrow(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        frame::to_pyarrow(py, self.rows(py, filters)?)
    }

    /// As ``tabulate``, as a polars ``DataFrame``.
    #[pyo3(signature = (**filters))]
    fn polars(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        frame::to_polars(py, self.rows(py, filters)?)
    }

    /// Every version of the rows, by key, oldest first: the table's columns (those that are not
    /// of the key missing where the row was deleted), then ``operation`` (insert, update, delete),
    /// ``transaction_id`` (int64), ``issued_at`` (datetime64[us, UTC]), ``actor``, ``what``,
    /// ``checkpoint``, as ``Iamc.history``.
    #[pyo3(signature = (**filters))]
    fn history(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        let filter = filter(filters)?;
        frame::to_pandas(py, self.read(py, |table| table.history(&filter))?)
    }

    /// What changed from state ``a`` to state ``b`` (default: the present), a row per row:
    /// ``operation`` (insert, update, delete), the key, then each other column twice, as
    /// ``…_before`` and ``…_after``. Costs what changed.
    ///
    /// Args:
    ///     a, b: states, as ``Run.as_of`` takes them.
    ///
    /// Raises:
    ///     CheckpointNotFound, TransactionNotFound: say what there is.
    #[pyo3(signature = (a, b = None))]
    fn difference(&self, py: Python<'_>, a: AnyTarget, b: Option<AnyTarget>) -> Result<Py<PyAny>> {
        if self.at.is_some() {
            let message = "a view is one state: ask the run itself, run.tables[…].difference(a, b)";
            return Err(PyTypeError::new_err(message).into());
        }
        let run = self.run.run()?;
        let batch = py.detach(|| run.diff(a.0, b.map(|b| b.0))?.table(&self.name))?;
        frame::to_pandas(py, batch)
    }

    fn __repr__(&self, py: Python<'_>) -> Result<String> {
        let rows = self.read(py, |table| table.tabulate())?.num_rows();
        Ok(format!("<table {}: {rows} rows>", repr(py, &self.name)))
    }
}
