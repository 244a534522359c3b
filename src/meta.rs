//! Meta indicators: what is said of a run as a whole, such as its climate category.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Float64Type, Int64Type, Schema};
use serde::Serialize;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::filter::{Checked, Filter, Resolver, Scalar, Subject};
use crate::history::rows::{Incoming, Parts, RowOperation};
use crate::history::write::Write;
use crate::history::{ChangeCounts, as_of, retained};
use crate::ids::{RunId, TransactionId};
use crate::run::{Access, Run, RunInfo, Runs};
use crate::schema::tables::meta_indicators;
use crate::schema::{RUN_ID, TableDescription, VersionedTable};
use crate::store::rows::{Bind, schema_of, select};
use crate::store::{AnyConnection, Engine, column_list, quote};

/// Keys that would be mistaken for what identifies a run where indicators become columns of a table.
pub const RESERVED_KEYS: [&str; 5] = ["id", "is_default", "model", "scenario", "version"];

/// The value of an indicator. Its type is kept: `true` is not 1, and 1 is not 1.0.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum MetaValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other finite number.
    Float(f64),
    /// Text without NUL.
    Text(String),
}

impl MetaValue {
    /// "bool", "int", "float" or "str".
    pub fn type_word(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
        }
    }

    fn scalar(&self) -> Scalar {
        match self {
            Self::Bool(value) => Scalar::Bool(*value),
            Self::Int(value) => Scalar::Int(*value),
            Self::Float(value) => Scalar::Float(*value),
            Self::Text(value) => Scalar::Text(value.clone()),
        }
    }
}

impl std::fmt::Display for MetaValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            // 1.0, not 1.
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(value) => value.fmt(f),
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),+) => {
        $(impl From<$type> for MetaValue {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })+
    };
}
from!(bool => Bool, i32 => Int, i64 => Int, f64 => Float, &str => Text, String => Text);

/// An indicator of a run, as [`Platform::meta`](crate::Platform::meta) lists them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetaIndicator {
    /// Whose it is.
    pub run: RunInfo,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: MetaValue,
}

/// The meta indicators of a run. From a [`Run`] they can be read, from a [`RunLock`](crate::RunLock) written as
/// well, from a [`RunView`](crate::RunView) read as they were.
///
/// ```
/// # fn main() -> stratalog::Result<()> {
/// # let platform = stratalog::Platform::open("sqlite://:memory:")?;
/// # let run = platform.runs().create("model", "scenario")?;
/// use stratalog::MetaValue;
///
/// let lock = run.lock("categories")?;
/// lock.meta().set("category", "C1")?;
/// lock.meta().set("exceedance", 0.33)?;
/// lock.commit()?;
/// assert_eq!(run.meta().get("category")?, Some(MetaValue::Text("C1".into())));
/// # Ok(())
/// # }
/// ```
pub struct Meta<'a> {
    access: Access<'a>,
}

impl<'a> Meta<'a> {
    pub(crate) fn new(access: Access<'a>) -> Self {
        Self { access }
    }

    /// All indicators by key.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn all(&self) -> Result<BTreeMap<String, MetaValue>> {
        let run = self.access.run();
        run.core.store.read(|connection| {
            if let Some(at) = self.access.at() {
                retained::check(connection, run.id(), at)?;
            }
            read(connection, run, self.access.at())
        })
    }

    /// The value of a key.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn get(&self, key: &str) -> Result<Option<MetaValue>> {
        Ok(self.all()?.remove(key))
    }

    /// Sets one indicator.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn set(&self, key: &str, value: impl Into<MetaValue>) -> Result<ChangeCounts> {
        self.update([(key, Some(value.into()))])
    }

    /// Removes one indicator; one that is not there is passed over.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn remove(&self, key: &str) -> Result<ChangeCounts> {
        self.update([(key, None)])
    }

    /// Sets the indicators that have a value and removes those that have none or NaN, as one transaction. What stays
    /// as it is leaves no trace.
    ///
    /// # Errors
    /// [`Error::RunLockRequired`](crate::Error::RunLockRequired), [`Error::LockLost`](crate::Error::LockLost);
    /// [`Error::InvalidName`](crate::Error::InvalidName) for a key that is empty or reserved,
    /// [`Error::InvalidFrame`](crate::Error::InvalidFrame) for an infinite number or text with NUL.
    pub fn update<K: Into<String>>(
        &self,
        entries: impl IntoIterator<Item = (K, Option<MetaValue>)>,
    ) -> Result<ChangeCounts> {
        let entries = checked(entries)?;
        self.write("meta.update", |_, _| Ok(entries.clone()))
    }

    /// Makes these all the indicators that there are, as one transaction.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn replace<K: Into<String>>(
        &self,
        entries: impl IntoIterator<Item = (K, Option<MetaValue>)>,
    ) -> Result<ChangeCounts> {
        let entries = checked(entries)?;
        self.write("meta.replace", |connection, run| {
            let mut all: BTreeMap<_, _> = read(connection, run, None)?
                .into_keys()
                .map(|key| (key, None))
                .collect();
            all.extend(entries.clone());
            Ok(all)
        })
    }

    fn write(
        &self,
        operation: &str,
        entries: impl Fn(&mut AnyConnection, &Run) -> Result<BTreeMap<String, Option<MetaValue>>>,
    ) -> Result<ChangeCounts> {
        let table = meta_indicators::table::description();
        let run = self.access.run();
        self.access.lock()?.write(operation, |write| {
            let entries = entries(write.connection, run)?;
            let (set, removed): (Vec<_>, Vec<_>) =
                entries.into_iter().partition(|(_, value)| value.is_some());
            let mut counts = write_rows(write, &table, run.id(), &removed, RowOperation::Remove)?;
            counts += write_rows(write, &table, run.id(), &set, RowOperation::Add)?;
            Ok(counts)
        })
    }
}

pub(crate) type Entry = (String, Option<MetaValue>);

fn write_rows(
    write: &mut Write<'_>,
    table: &TableDescription,
    run: RunId,
    entries: &[Entry],
    operation: RowOperation,
) -> Result<ChangeCounts> {
    if entries.is_empty() {
        return Ok(ChangeCounts::default());
    }
    let mut incoming = Incoming::begin(write, table, operation, Parts::One, entries.len())?;
    incoming.load(write, &batch(table, run, entries)?, &mut |_| Ok(()))?;
    incoming.write(write)
}

pub(crate) fn batch(
    table: &TableDescription,
    run: RunId,
    entries: &[Entry],
) -> Result<RecordBatch> {
    macro_rules! values {
        ($array:ty, $variant:ident, $value:ident => $as:expr) => {
            Arc::new(
                entries
                    .iter()
                    .map(|(_, value)| match value {
                        Some(MetaValue::$variant($value)) => Some($as),
                        _ => None,
                    })
                    .collect::<$array>(),
            ) as ArrayRef
        };
    }
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![run.0; entries.len()])),
        Arc::new(StringArray::from_iter_values(
            entries.iter().map(|(key, _)| key),
        )),
        values!(BooleanArray, Bool, value => *value),
        values!(Int64Array, Int, value => *value),
        values!(Float64Array, Float, value => *value),
        values!(StringArray, Text, value => value.as_str()),
    ];
    let fields: Vec<_> = schema_of(&table.columns)
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// Checks keys and values; NaN is no value.
fn checked<K: Into<String>>(
    entries: impl IntoIterator<Item = (K, Option<MetaValue>)>,
) -> Result<BTreeMap<String, Option<MetaValue>>> {
    let mut all = BTreeMap::new();
    for (key, value) in entries {
        let key = key.into();
        let refuse = |problem| {
            Err(Error::InvalidName {
                kind: "meta indicator",
                name: key.clone(),
                problem,
            })
        };
        if RESERVED_KEYS.contains(&key.as_str()) {
            return refuse("the keys id, model, scenario and version are reserved");
        }
        crate::names::check_text("meta indicator", &key)?;
        let value = match value {
            Some(MetaValue::Float(value)) if value.is_nan() => None,
            Some(MetaValue::Float(value)) if value.is_infinite() => {
                return Err(Error::frame(format!(
                    "the meta indicator \"{key}\" is infinite"
                )));
            }
            Some(MetaValue::Text(text)) if text.contains('\0') => {
                return Err(Error::frame(format!(
                    "the meta indicator \"{key}\" has a NUL in its text"
                )));
            }
            value => value,
        };
        all.insert(key, value);
    }
    Ok(all)
}

fn read(
    connection: &mut AnyConnection,
    run: &Run,
    at: Option<TransactionId>,
) -> Result<BTreeMap<String, MetaValue>> {
    let mut binds = vec![Bind::BigInt(run.id().0)];
    binds.extend(at.map(|at| Bind::BigInt(at.0)));
    let relation = relation(run.core.store.engine(), at);
    let found = values(
        connection,
        &format!("{relation} WHERE d.\"{RUN_ID}\" = $1"),
        &binds,
    )?;
    Ok(found
        .into_iter()
        .map(|(_, key, value)| (key, value))
        .collect())
}

fn relation(engine: Engine, at: Option<TransactionId>) -> String {
    let table = meta_indicators::table::description();
    let rows = match at {
        Some(_) => as_of::relation(engine, &table, "$1", "$2"),
        None => quote(&table.name),
    };
    format!("{rows} d")
}

/// (run, key, value) of each row by key; rows whose value was redacted have none and are left out.
fn values(
    connection: &mut AnyConnection,
    from: &str,
    binds: &[Bind],
) -> Result<Vec<(RunId, String, MetaValue)>> {
    let table = meta_indicators::table::description();
    let rows = select(
        connection,
        &format!(
            "SELECT {} FROM {from} ORDER BY {}",
            column_list("d", table.columns.iter()),
            column_list("d", table.key_columns()),
        ),
        binds,
        &as_of::columns(&table),
    )?;
    let [runs, keys, bools, ints, floats, texts] = rows.columns() else {
        return Ok(Vec::new());
    };
    let (runs, keys) = (runs.as_primitive::<Int64Type>(), keys.as_string::<i32>());
    let value = |row: usize| {
        if bools.is_valid(row) {
            Some(MetaValue::Bool(bools.as_boolean().value(row)))
        } else if ints.is_valid(row) {
            Some(MetaValue::Int(ints.as_primitive::<Int64Type>().value(row)))
        } else if floats.is_valid(row) {
            Some(MetaValue::Float(
                floats.as_primitive::<Float64Type>().value(row),
            ))
        } else if texts.is_valid(row) {
            Some(MetaValue::Text(
                texts.as_string::<i32>().value(row).to_owned(),
            ))
        } else {
            None
        }
    };
    Ok((0..rows.num_rows())
        .filter_map(|row| {
            Some((
                RunId(runs.value(row)),
                keys.value(row).to_owned(),
                value(row)?,
            ))
        })
        .collect())
}

/// The indicators that a filter selects, by run and key.
pub(crate) fn of_platform(core: &Arc<Core>, filter: &Filter) -> Result<Vec<MetaIndicator>> {
    let checked = Checked::of(&filter.of_default_runs(), Subject::Meta)?;
    let runs: BTreeMap<_, _> = Runs::new(Arc::clone(core))
        .list(&Filter::all())?
        .into_iter()
        .map(|run| (run.id().0, run.info().clone()))
        .collect();
    let engine = core.store.engine();
    let found = core.store.read(|connection| {
        let mut binds = Vec::new();
        let selection = Resolver { connection }.of_runs(&checked)?;
        let conditions = selection.conditions("d", engine, &mut binds);
        let relation = relation(engine, None);
        values(
            connection,
            &format!("{relation} WHERE 1 = 1{conditions}"),
            &binds,
        )
    })?;
    Ok(found
        .into_iter()
        .filter(|(_, key, value)| {
            checked.passes(|name| match name {
                "key" => Some(Scalar::Text(key.clone())),
                "type" => Some(Scalar::Text(value.type_word().to_owned())),
                _ => Some(value.scalar()),
            })
        })
        .filter_map(|(run, key, value)| {
            let run = runs.get(&run.0)?.clone();
            Some(MetaIndicator { run, key, value })
        })
        .collect())
}
