//! One description per table; everything else is generated from it.
//!
//! **Invariant:** the name of a column is typed once, in [`versioned_table!`](crate::versioned_table).
//! Diesel's `table!` for the table and its version table, the DDL of both, the triggers, the bulk
//! statements, as-of, diff, revert and verify all come from the same [`TableDescription`].

mod macros;
mod sql_type;
pub mod tables;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub use sql_type::{ColumnType, DescribedType};

/// Whose rows a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Rows of the whole platform (regions, units, runs …): logged, written without a run lock,
    /// never touched by a revert.
    Platform,
    /// Rows that belong to a run by their `run_id`, the first column of the key: written under the
    /// run's lock and reverted with the run.
    Run,
    /// Stratalog's own bookkeeping: not versioned.
    Bookkeeping,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the database.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// The table whose `id` it holds.
    pub references: Option<String>,
    /// Whether it only says in which order rows were made: states that differ in nothing else are the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ordinal: bool,
}

impl Column {
    /// A column of a query's result, which may be NULL.
    pub(crate) fn of_result(name: &str, column_type: ColumnType) -> Self {
        Self {
            name: name.to_owned(),
            column_type,
            nullable: true,
            references: None,
            ordinal: false,
        }
    }
}

/// A combination of columns that is unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unique {
    /// The columns.
    pub columns: Vec<String>,
    /// Only among rows where this Bool column is true.
    pub when: Option<String>,
}

impl Unique {
    /// The index that enforces it on a table.
    pub(crate) fn create_index(&self, table: &str) -> String {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|column| format!("\"{column}\""))
            .collect();
        let (suffix, when) = match &self.when {
            Some(column) => (format!("_when_{column}"), format!(" WHERE \"{column}\"")),
            None => (String::new(), String::new()),
        };
        format!(
            "CREATE UNIQUE INDEX \"{table}_{}{suffix}\" ON \"{table}\" ({}){when}",
            self.columns.join("_"),
            columns.join(", ")
        )
    }
}

/// All there is to know about a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDescription {
    /// Its name, plural by custom.
    pub name: String,
    /// Whose rows it holds.
    pub scope: Scope,
    /// Parents have a lower rank than the tables that refer to them.
    pub rank: i32,
    /// The columns of the primary key, in order. A key that is just `id` is given by the database.
    pub key: Vec<String>,
    /// Further combinations of columns that are unique.
    pub unique: Vec<Unique>,
    /// All columns, the key's included.
    pub columns: Vec<Column>,
}

/// A table with a description: implemented by [`versioned_table!`](crate::versioned_table).
pub trait VersionedTable {
    /// The description that everything is generated from.
    fn description() -> TableDescription;
}

/// The columns that a version row has beside its table's own.
pub(crate) const TRANSACTION_ID: &str = "transaction_id";
pub(crate) const END_TRANSACTION_ID: &str = "end_transaction_id";
pub(crate) const OPERATION_TYPE: &str = "operation_type";
/// The column that scopes a row to its run.
pub(crate) const RUN_ID: &str = "run_id";

impl TableDescription {
    /// The name of the table that holds the version rows.
    pub fn version_name(&self) -> String {
        format!("{}_version", self.name)
    }

    /// Whether the database gives the key (a single `id`).
    pub fn has_generated_id(&self) -> bool {
        self.key.len() == 1 && self.key[0] == "id"
    }

    /// Whether the rows belong to runs.
    pub fn is_run_scoped(&self) -> bool {
        self.scope == Scope::Run
    }

    /// Whether writes are logged.
    pub fn is_versioned(&self) -> bool {
        self.scope != Scope::Bookkeeping
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that are not part of the key.
    pub fn value_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| !self.key.contains(&column.name))
    }

    /// The columns by which states of a row are compared.
    pub(crate) fn compared_columns(&self) -> impl Iterator<Item = &Column> {
        self.value_columns().filter(|column| !column.ordinal)
    }

    /// The columns of the key, in the key's order.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|name| self.column(name))
    }

    /// The table whose `id` the column holds; `run_id` always holds that of a run.
    pub(crate) fn parent_of<'a>(&self, column: &'a Column) -> Option<&'a str> {
        match &column.references {
            Some(parent) => Some(parent),
            None => (self.is_run_scoped() && column.name == RUN_ID).then_some("runs"),
        }
    }

    /// Whether the column may be NULL in the version table: a redaction takes values out of a run's history.
    pub(crate) fn is_nullable_in_history(&self, column: &Column) -> bool {
        column.nullable || (self.is_run_scoped() && !self.key.contains(&column.name))
    }

    /// The name of [`create_changes_index`](Self::create_changes_index).
    pub(crate) fn changes_index(&self) -> String {
        format!("{}_changes", self.version_name())
    }

    /// The index that makes revert and diff cost what changed, not what is there.
    pub(crate) fn create_changes_index(&self) -> String {
        let version = self.version_name();
        let run = if self.is_run_scoped() {
            "\"run_id\", "
        } else {
            ""
        };
        let name = self.changes_index();
        format!("CREATE INDEX \"{name}\" ON \"{version}\" ({run}\"{TRANSACTION_ID}\")")
    }

    /// Checks that the description can be turned into tables on both engines.
    ///
    /// # Errors
    /// [`Error::InvalidDescription`] saying what is wrong.
    pub fn validate(&self) -> Result<()> {
        let refuse = |problem: String| {
            Err(Error::InvalidDescription {
                table: self.name.clone(),
                problem,
            })
        };
        for name in std::iter::once(&self.name).chain(self.columns.iter().map(|c| &c.name)) {
            if !is_identifier(name) {
                return refuse(format!(
                    "{name:?} is not a usable name: lower-case letters, digits and _, at most 40 of them, a letter first"
                ));
            }
        }
        if self.key.is_empty() {
            return refuse("it needs a key".into());
        }
        for (position, column) in self.columns.iter().enumerate() {
            if [TRANSACTION_ID, END_TRANSACTION_ID, OPERATION_TYPE].contains(&column.name.as_str())
                && self.is_versioned()
            {
                return refuse(format!(
                    "the column name {} is stratalog's own",
                    column.name
                ));
            }
            if self.columns[..position]
                .iter()
                .any(|c| c.name == column.name)
            {
                return refuse(format!("the column {} is there twice", column.name));
            }
        }
        for name in self
            .key
            .iter()
            .chain(self.unique.iter().flat_map(|unique| &unique.columns))
        {
            match self.column(name) {
                None => return refuse(format!("the key names {name}, which is not a column")),
                Some(column) if column.nullable && self.key.contains(name) => {
                    return refuse(format!("the key column {name} must not be nullable"));
                }
                Some(_) => {}
            }
        }
        if self.is_run_scoped() {
            let run = self.columns.iter().find(|column| column.name == RUN_ID);
            if self.key[0] != RUN_ID || self.key.len() < 2 {
                return refuse("the key of a run's table is run_id and at least one more".into());
            }
            if run.is_some_and(|column| column.column_type != ColumnType::BigInt) {
                return refuse("run_id must be a BigInt".into());
            }
        }
        Ok(())
    }
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    name.len() <= 40
        && characters.next().is_some_and(|c| c.is_ascii_lowercase())
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
