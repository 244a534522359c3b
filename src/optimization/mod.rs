//! Optimization items of a run: indexsets, scalars, tables, parameters, variables, equations.
//!
//! An item's data are rows of their own, keyed by their elements, so a change costs what it changes.

mod data;
mod elements;
mod read;

use std::collections::HashMap;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::filter::{Checked, Filter, Subject};
use crate::history::ChangeCounts;
use crate::history::audit::{self, Audit};
use crate::history::changes::ChangeSet;
use crate::history::write::Write;
use crate::ids::RunId;
use crate::names::{self, Kind};
use crate::run::Access;
use crate::schema::VersionedTable;
use crate::schema::tables::{
    indexset_elements, optimization_columns, optimization_items, optimization_rows,
};
use crate::store::rows::Bind;
use crate::store::{column_list, quote};

pub use elements::Element;
use read::Reader;

/// Which kind of item. The numbers are those on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemKind {
    /// An ordered set of elements that the columns of other items are taken from.
    IndexSet = 0,
    /// A number with a unit.
    Scalar = 1,
    /// Combinations of elements.
    Table = 2,
    /// Combinations of elements with a value and a unit.
    Parameter = 3,
    /// Combinations of elements with a level and a marginal: a part of the solution.
    Variable = 4,
    /// As a variable.
    Equation = 5,
}

impl ItemKind {
    pub(crate) const ALL: [Self; 6] = [
        Self::IndexSet,
        Self::Scalar,
        Self::Table,
        Self::Parameter,
        Self::Variable,
        Self::Equation,
    ];

    /// "indexset", "scalar", …
    pub fn word(self) -> &'static str {
        match self {
            Self::IndexSet => "indexset",
            Self::Scalar => "scalar",
            Self::Table => "table",
            Self::Parameter => "parameter",
            Self::Variable => "variable",
            Self::Equation => "equation",
        }
    }

    /// The columns of its data beside those of the indexsets. `levels` and not `level`, because that is what models
    /// call one of their indexsets.
    pub fn value_columns(self) -> &'static [&'static str] {
        match self {
            Self::IndexSet | Self::Scalar | Self::Table => &[],
            Self::Parameter => &["value", "unit"],
            Self::Variable | Self::Equation => &["levels", "marginals"],
        }
    }

    /// "indexsets", "scalars", …
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::IndexSet => "indexsets",
            Self::Scalar => "scalars",
            Self::Table => "tables",
            Self::Parameter => "parameters",
            Self::Variable => "variables",
            Self::Equation => "equations",
        }
    }

    pub(crate) fn of(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i16 == number)
    }

    fn bind(self) -> Bind {
        Bind::BigInt(self as i64)
    }

    fn has_data(self) -> bool {
        !matches!(self, Self::IndexSet | Self::Scalar)
    }
}

/// A column of an item's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ItemColumn {
    /// Its name.
    pub name: String,
    /// The indexset whose elements it may hold.
    pub indexset: String,
}

/// An optimization item, without its data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// Which kind.
    pub kind: ItemKind,
    /// Its name, unique among its kind in the run.
    pub name: String,
    /// Counts the items of its kind in the run, in the order in which they were first made; a clone keeps it.
    pub number: i64,
    /// A number that only this item has among all of its kind in the database: of its run and its number.
    pub id: i64,
    /// What is said of it: see [`Optimization::set_docs`].
    pub docs: Option<String>,
    /// A scalar's value.
    pub value: Option<f64>,
    /// A scalar's unit.
    pub unit: Option<String>,
    /// The columns of a table, parameter, variable or equation.
    pub columns: Vec<ItemColumn>,
}

/// So many items of a kind can have an id in a run.
const NUMBERS: i64 = 1_000_000;

impl Item {
    fn new(kind: ItemKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            number: 0,
            id: 0,
            docs: None,
            value: None,
            unit: None,
            columns: Vec::new(),
        }
    }

    fn numbered(mut self, run: RunId, number: i64) -> Self {
        self.number = number;
        self.id = run.0 * NUMBERS + number;
        self
    }

    /// Makes it a scalar of that value.
    fn set(&mut self, value: f64, unit: &str) -> Result<()> {
        if !value.is_finite() {
            return Err(Error::frame(format!(
                "scalar \"{}\": {value} cannot be stored, only finite numbers",
                self.name
            )));
        }
        self.value = Some(value);
        self.unit = Some(unit.to_owned());
        Ok(())
    }
}

/// The optimization items of a run. From a [`Run`](crate::Run) they can be read, from a
/// [`RunLock`](crate::RunLock) written as well, from a [`RunView`](crate::RunView) read as they were.
///
/// ```
/// # fn main() -> stratalog::Result<()> {
/// # let platform = stratalog::Platform::open("sqlite://:memory:")?;
/// # platform.units().create("km")?;
/// # let run = platform.runs().create("model", "scenario")?;
/// use std::sync::Arc;
/// use stratalog::arrow::array::{Float64Array, RecordBatch, StringArray};
/// use stratalog::{Element, ItemKind};
///
/// let lock = run.lock("transport problem")?;
/// let items = lock.optimization();
/// items.create_indexset("plants")?;
/// items.add_elements("plants", ["seattle", "san-diego"].map(Element::from))?;
/// items.create(ItemKind::Parameter, "distance", &["plants"], None)?;
/// let rows = RecordBatch::try_from_iter([
///     ("plants", Arc::new(StringArray::from(vec!["seattle"])) as _),
///     ("value", Arc::new(Float64Array::from(vec![2.5])) as _),
///     ("unit", Arc::new(StringArray::from(vec!["km"])) as _),
/// ])?;
/// assert_eq!(items.add_data(ItemKind::Parameter, "distance", &rows)?.inserted, 1);
/// lock.commit()?;
/// # Ok(())
/// # }
/// ```
pub struct Optimization<'a> {
    access: Access<'a>,
}

impl<'a> Optimization<'a> {
    pub(crate) fn new(access: Access<'a>) -> Self {
        Self { access }
    }

    fn read<T>(&self, work: impl FnMut(&mut Reader<'_>) -> Result<T>) -> Result<T> {
        Reader::read(self.access.run(), self.access.at(), work)
    }

    fn write<T>(
        &self,
        operation: &str,
        mut work: impl FnMut(&mut Write<'_>) -> Result<T>,
    ) -> Result<T> {
        self.access.lock()?.write(operation, &mut work)
    }

    fn live<'w>(&'w self, write: &'w mut Write<'_>) -> Reader<'w> {
        Reader::live(
            write.core.store.engine(),
            write.connection,
            self.access.run(),
        )
    }

    /// The items of a kind that a filter selects, in the order in which they were made.
    ///
    /// # Errors
    /// [`Error::InvalidFilter`], listing what there is to filter by.
    pub fn list_with(&self, kind: ItemKind, filter: &Filter) -> Result<Vec<Item>> {
        let checked = Checked::of(filter, Subject::Items(kind))?;
        self.read(|reader| reader.items_that_pass(kind, &checked))
    }

    /// Who made each item of a kind and who changed it last, and when, by name. Changes of an item's data do not count.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn audits(&self, kind: ItemKind) -> Result<HashMap<String, Audit>> {
        let run = self.access.run();
        let all = run
            .core
            .store
            .read(|connection| audit::of_items(connection, run.id()))?;
        Ok(all
            .into_iter()
            .filter(|((number, _), _)| *number == kind as i16)
            .map(|((_, name), audit)| (name, audit))
            .collect())
    }

    /// The item of that kind and name.
    ///
    /// # Errors
    /// [`Error::NotFound`], with a similar name.
    pub fn get(&self, kind: ItemKind, name: &str) -> Result<Item> {
        self.read(|reader| reader.item(kind, name))
    }

    /// The items of a kind, in the order in which they were made.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn list(&self, kind: ItemKind) -> Result<Vec<Item>> {
        self.read(|reader| reader.items(kind))
    }

    /// Makes an empty indexset.
    ///
    /// # Errors
    /// [`Error::RunLockRequired`], [`Error::AlreadyExists`], [`Error::InvalidName`].
    pub fn create_indexset(&self, name: &str) -> Result<Item> {
        self.create_item(Item::new(ItemKind::IndexSet, name))
    }

    /// Makes a scalar.
    ///
    /// # Errors
    /// As [`create_indexset`](Self::create_indexset); [`Error::NotFound`] for the unit, [`Error::InvalidFrame`] for
    /// NaN and infinity.
    pub fn create_scalar(&self, name: &str, value: f64, unit: &str) -> Result<Item> {
        let mut item = Item::new(ItemKind::Scalar, name);
        item.set(value, unit)?;
        self.create_item(item)
    }

    /// Gives a scalar another value and unit.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the scalar or the unit, [`Error::RunLockRequired`].
    pub fn set_scalar(&self, name: &str, value: f64, unit: &str) -> Result<ChangeCounts> {
        self.write("scalars.set", |write| {
            let mut item = self.live(write).item(ItemKind::Scalar, name)?;
            item.set(value, unit)?;
            self.put(write, &item)
        })
    }

    /// Says something of an item, for people to read; `None` takes it back.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::RunLockRequired`]; [`Error::InvalidName`] for text with NUL.
    pub fn set_docs(&self, kind: ItemKind, name: &str, docs: Option<&str>) -> Result<ChangeCounts> {
        names::check_docs(kind.word(), docs)?;
        self.write(&format!("{}.set_docs", kind.words()), |write| {
            let mut item = self.live(write).item(kind, name)?;
            item.docs = docs.map(ToOwned::to_owned);
            self.put(write, &item)
        })
    }

    /// Makes a table, parameter, variable or equation whose columns hold elements of the indexsets. `columns`: their
    /// names, if not those of the indexsets. Only variables and equations may have no column.
    ///
    /// # Errors
    /// As [`create_indexset`](Self::create_indexset); [`Error::NotFound`] for an indexset; [`Error::InvalidItem`] for
    /// columns that do not fit.
    pub fn create(
        &self,
        kind: ItemKind,
        name: &str,
        indexsets: &[&str],
        columns: Option<&[&str]>,
    ) -> Result<Item> {
        let columns = columns.unwrap_or(indexsets);
        let refuse = |problem: String| {
            Err(Error::InvalidItem {
                kind: kind.word(),
                name: name.to_owned(),
                problem,
            })
        };
        if !kind.has_data() {
            return refuse("it has no columns".into());
        }
        if columns.len() != indexsets.len() {
            return refuse(format!(
                "{} column names for {} indexsets",
                columns.len(),
                indexsets.len()
            ));
        }
        if indexsets.is_empty() && matches!(kind, ItemKind::Table | ItemKind::Parameter) {
            return refuse("it needs at least one indexset".into());
        }
        for (position, column) in columns.iter().enumerate() {
            if kind.value_columns().contains(column) {
                return refuse(format!(
                    "a column cannot be called \"{column}\", which is the name of a column of its values: give other column names"
                ));
            }
            if columns[..position].contains(column) {
                return refuse(format!(
                    "two columns are called \"{column}\": give each a name of its own"
                ));
            }
            names::check_text("column", column)?;
        }
        let mut item = Item::new(kind, name);
        item.columns = columns
            .iter()
            .zip(indexsets)
            .map(|(name, indexset)| ItemColumn {
                name: (*name).to_owned(),
                indexset: (*indexset).to_owned(),
            })
            .collect();
        self.create_item(item)
    }

    fn create_item(&self, item: Item) -> Result<Item> {
        names::check_text(item.kind.word(), &item.name)?;
        self.write(&format!("{}.create", item.kind.words()), |write| {
            if self.live(write).find(item.kind, &item.name)?.is_some() {
                return Err(Error::AlreadyExists {
                    kind: item.kind.word(),
                    name: format!("\"{}\"", item.name),
                    id: None,
                });
            }
            for column in &item.columns {
                self.live(write)
                    .item(ItemKind::IndexSet, &column.indexset)?;
            }
            let number = self.live(write).number_for(item.kind, &item.name)?;
            let item = item.clone().numbered(self.access.run().id(), number);
            self.put(write, &item)?;
            Ok(item)
        })
    }

    fn put(&self, write: &mut Write<'_>, item: &Item) -> Result<ChangeCounts> {
        let unit = match &item.unit {
            Some(unit) => Some(names::id_of(write.connection, Kind::Unit, unit)?),
            None => None,
        };
        let run = self.access.run().id();
        let mut counts = read::put_item(write, run, item, unit)?;
        counts += read::put_columns(write, run, item)?;
        Ok(counts)
    }

    /// Deletes an item with its data.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::RunLockRequired`]; [`Error::InUse`] for an indexset that items have columns of.
    pub fn delete(&self, kind: ItemKind, name: &str) -> Result<()> {
        self.write(&format!("{}.delete", kind.words()), |write| {
            self.live(write).item(kind, name)?;
            let of_item = [("kind", kind.bind()), ("item", Bind::Text(name.to_owned()))];
            if kind == ItemKind::IndexSet {
                let users = self.live(write).users(name)?;
                if !users.is_empty() {
                    return Err(Error::InUse {
                        kind: kind.word(),
                        name: format!("\"{name}\""),
                        used_by: users
                            .iter()
                            .map(|item| format!("{} \"{}\"", item.kind.word(), item.name))
                            .collect::<Vec<_>>()
                            .join(", "),
                    });
                }
                let elements = indexset_elements::table::description();
                let of_set = [("indexset", Bind::Text(name.to_owned()))];
                self.delete_rows(write, &elements, &of_set)?;
            }
            self.delete_rows(write, &optimization_rows::table::description(), &of_item)?;
            self.delete_rows(write, &optimization_columns::table::description(), &of_item)?;
            self.delete_rows(
                write,
                &optimization_items::table::description(),
                &[("kind", kind.bind()), ("name", Bind::Text(name.to_owned()))],
            )?;
            Ok(())
        })
    }

    /// Removes the data of all variables and equations.
    ///
    /// # Errors
    /// [`Error::RunLockRequired`].
    pub fn remove_solution(&self) -> Result<ChangeCounts> {
        self.write("optimization.remove_solution", |write| {
            let mut counts = ChangeCounts::default();
            for kind in [ItemKind::Variable, ItemKind::Equation] {
                let rows = optimization_rows::table::description();
                counts += self.delete_rows(write, &rows, &[("kind", kind.bind())])?;
            }
            Ok(counts)
        })
    }

    /// Whether a variable or equation has data.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn has_solution(&self) -> Result<bool> {
        self.read(|reader| {
            Ok(reader.has_rows(ItemKind::Variable)? || reader.has_rows(ItemKind::Equation)?)
        })
    }

    /// Deletes the run's rows of a table that have these values: one statement, whatever their number.
    fn delete_rows(
        &self,
        write: &mut Write<'_>,
        table: &crate::TableDescription,
        with: &[(&str, Bind)],
    ) -> Result<ChangeCounts> {
        let mut binds = vec![Bind::BigInt(self.access.run().id().0)];
        let mut select = format!(
            "SELECT 2, {} FROM {} l WHERE l.run_id = $1",
            column_list("l", table.columns.iter()),
            quote(&table.name)
        );
        for (column, bind) in with {
            binds.push(bind.clone());
            select += &format!(" AND l.{} = ${}", quote(column), binds.len());
        }
        let changes = ChangeSet::fill(write, table, &select, &binds, None)?;
        changes.apply(write)?;
        Ok(changes.counts())
    }
}
