//! Tables that programs describe themselves, in Rust or at run time.
//!
//! **Invariant:** their descriptions are kept in the database, so that every process that opens it logs, reverts and
//! verifies them.

use std::sync::Arc;

use diesel::prelude::*;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::names::similar;
use crate::schema::tables::{self, described_tables};
use crate::schema::{Scope, TableDescription};
use crate::store::{AnyConnection, Engine, Outcome, Store, doing, migrate};

/// The tables of one's own of a platform.
#[derive(Clone)]
pub struct OwnTables {
    core: Arc<Core>,
}

impl OwnTables {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Makes a table that is described at run time. Programs in Rust describe theirs with
    /// [`versioned_table!`](crate::versioned_table) and name them in
    /// [`PlatformOptions::table`](crate::PlatformOptions::table).
    ///
    /// Making one that is there already, with the same description, is no error and does nothing.
    ///
    /// # Errors
    /// [`Error::InvalidDescription`] saying what is wrong with it, or that the database has a table of that name with
    /// another description.
    pub fn create(&self, table: &TableDescription) -> Result<()> {
        make_missing(&self.core.store, std::slice::from_ref(table))?;
        self.core
            .store
            .read(|connection| self.core.refresh_tables(connection))
    }

    /// The description of the one of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`], with a similar name.
    pub fn get(&self, name: &str) -> Result<TableDescription> {
        let found = self.list()?.into_iter().find(|table| table.name == name);
        found.ok_or_else(|| not_found(&self.core, name))
    }

    /// All of them by name.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn list(&self) -> Result<Vec<TableDescription>> {
        self.core.store.read(read)
    }
}

pub(crate) fn not_found(core: &Core, name: &str) -> Error {
    let own = tables::versioned();
    let names: Vec<_> = core
        .tables()
        .iter()
        .filter(|table| table.is_run_scoped() && !own.contains(table))
        .map(|table| table.name.clone())
        .collect();
    let hint = match similar(name, &names) {
        Some(candidate) => format!("did you mean \"{candidate}\"?"),
        None if names.is_empty() => {
            "there are none yet: make one with platform.tables.create() (Rust: Platform::options().table::<…>())".into()
        }
        None => format!("there are {}", names.join(", ")),
    };
    Error::NotFound {
        kind: "table of runs",
        name: format!("\"{name}\""),
        hint,
    }
}

/// The tables that programs added, those of this program made or compared first.
pub(crate) fn make_missing(
    store: &Store,
    own: &[TableDescription],
) -> Result<Vec<TableDescription>> {
    let mut known = store.read(read)?;
    for table in own {
        table.validate()?;
        let refuse = |problem: &str| Error::InvalidDescription {
            table: table.name.clone(),
            problem: problem.into(),
        };
        if table.scope == Scope::Bookkeeping || is_taken(&table.name) {
            return Err(refuse("the name is taken by stratalog itself: use another"));
        }
        for parent in table
            .columns
            .iter()
            .filter_map(|column| table.parent_of(column))
        {
            let parent = tables::versioned()
                .into_iter()
                .chain(known.iter().cloned())
                .find(|candidate| candidate.name == parent)
                .ok_or_else(|| {
                    refuse(&format!(
                        "it refers to {parent}, which is not a described table"
                    ))
                })?;
            if parent.rank >= table.rank || !parent.has_generated_id() {
                return Err(refuse(&format!(
                    "its rank must be above that of {}, which must have a key of just id",
                    parent.name
                )));
            }
        }
        if !known.iter().any(|k| k.name == table.name) {
            known = store.transaction("describe", |connection| {
                create(store.engine(), connection, table)
            })?;
        }
        if !known.contains(table) {
            return Err(refuse(
                "the database has it with other columns, key or rank: describe it the same, or use another name",
            ));
        }
    }
    Ok(known)
}

/// Names of stratalog's own tables, and those that are made beside a table.
fn is_taken(name: &str) -> bool {
    let mut own = tables::versioned();
    own.extend(tables::bookkeeping());
    own.iter().any(|table| table.name == name)
        || ["stratalog_", "sqlite_", "pg_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        || ["_version", "_named"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
}

fn create(
    engine: Engine,
    connection: &mut AnyConnection,
    table: &TableDescription,
) -> Result<Outcome<Vec<TableDescription>>> {
    migrate::enter_ddl(connection)?;
    // Another process may have made it in the meantime.
    let known = read(connection)?;
    if known.iter().any(|k| k.name == table.name) {
        return Ok(Outcome::Nothing(known));
    }
    let description = serde_json::to_string(table).map_err(|error| Error::InvalidDescription {
        table: table.name.clone(),
        problem: error.to_string(),
    })?;
    let mut tables = tables::versioned();
    tables.extend(known);
    migrate::make_table(engine, connection, table, &tables)?;
    diesel::insert_into(described_tables::table)
        .values((
            described_tables::name.eq(&table.name),
            described_tables::description.eq(&description),
        ))
        .execute(connection)
        .map_err(doing("keeping a table's description"))?;
    Ok(Outcome::Commit(read(connection)?))
}

pub(crate) fn read(connection: &mut AnyConnection) -> Result<Vec<TableDescription>> {
    let rows: Vec<(String, String)> = described_tables::table
        .select((described_tables::name, described_tables::description))
        .order(described_tables::name)
        .load(connection)
        .map_err(doing("reading table descriptions"))?;
    rows.into_iter()
        .map(|(table, description)| {
            serde_json::from_str(&description).map_err(|error| Error::InvalidDescription {
                table,
                problem: error.to_string(),
            })
        })
        .collect()
}
