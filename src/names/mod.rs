//! Regions, units, variables, models, scenarios: named things of the platform.

mod create;
mod kind;
mod read;
mod spelling;
mod users;

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde::Serialize;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::filter::{self, Checked, Filter, Resolver, Which};
use crate::history::audit::{self, Audit};
use crate::history::write::Subject;
use crate::store::{AnyConnection, doing, is_unique_violation, quote, sql};

pub(crate) use create::{create_missing, create_missing_one};
pub(crate) use kind::{Kind, check_docs, check_name, check_text};
pub(crate) use read::{all, by_id, ever, id_of, ids_by_name, ids_of, of_ids, selected};
use read::{find, find_by_id, not_found};
pub(crate) use spelling::similar;
pub(crate) use users::users;

/// The hierarchy of a region for which none was given.
pub const DEFAULT_HIERARCHY: &str = "common";

/// A named thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, QueryableByName)]
pub struct Named {
    /// Its id.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Its name, unique among its kind.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// A region's hierarchy; none for the others.
    #[diesel(sql_type = Nullable<Text>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hierarchy: Option<String>,
    /// What is said of it: see [`Names::set_docs`].
    #[diesel(sql_type = Nullable<Text>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
}

/// All regions, units, variables, models or scenarios of a platform.
#[derive(Clone)]
pub struct Names {
    core: Arc<Core>,
    kind: Kind,
}

impl Names {
    pub(crate) fn new(core: Arc<Core>, kind: Kind) -> Self {
        Self { core, kind }
    }

    /// Makes a new one (a region in the hierarchy "common").
    ///
    /// A name that was deleted before gets its old id back, so that history that refers to it holds.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], [`Error::InvalidName`].
    pub fn create(&self, name: &str) -> Result<Named> {
        self.create_in(name, DEFAULT_HIERARCHY)
    }

    /// Makes a new region in a hierarchy; other kinds have none and ignore it.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_in(&self, name: &str, hierarchy: &str) -> Result<Named> {
        check_name(self.kind, name)?;
        if self.kind.has_hierarchy() {
            check_text("hierarchy", hierarchy)?;
        }
        let created = self.core.write(
            Subject::Platform,
            &format!("{}.create", self.kind.table()),
            |write| {
                if let Some(taken) = find(write.connection, self.kind, name)? {
                    return Err(self.already_exists(taken));
                }
                create_missing(write, self.kind, &[name], hierarchy)?;
                self.find(write.connection, name)
            },
        );
        match created {
            // Somebody else was faster: it is there, but not made here.
            Ok(written) if written.transaction.is_none() => Err(self.already_exists(written.value)),
            Ok(written) => Ok(written.value),
            Err(error) if is_unique_violation(&error) => match self.get(name) {
                Ok(taken) => Err(self.already_exists(taken)),
                Err(_) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// The one of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with similar names.
    pub fn get(&self, name: &str) -> Result<Named> {
        self.core
            .store
            .ask(|connection| self.find(connection, name))
    }

    /// The one of that id.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn get_by_id(&self, id: i64) -> Result<Named> {
        let found = |connection: &mut _| find_by_id(connection, self.kind, id);
        self.core.store.ask(found)?.ok_or_else(|| Error::NotFound {
            kind: self.kind.word(),
            name: format!("with id {id}"),
            hint: format!("list them with platform.{}.tabulate()", self.kind.table()),
        })
    }

    /// All of them by name.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn list(&self) -> Result<Vec<Named>> {
        self.core
            .store
            .read(|connection| all(connection, self.kind))
    }

    /// Those that a filter selects, by name.
    ///
    /// # Errors
    /// [`Error::InvalidFilter`], listing what there is to filter by.
    pub fn list_with(&self, filter: &Filter) -> Result<Vec<Named>> {
        let checked = Checked::of(filter, filter::Subject::Names(self.kind))?;
        if checked.is_all() {
            return self.list();
        }
        self.core.store.read(|connection| {
            let mut found = Resolver { connection }.names(self.kind, &checked, Which::Live)?;
            // As the engines order text: by its bytes.
            found.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(found)
        })
    }

    /// Says something of the one of that name, for people to read; `None` takes it back. Logged like all else.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::InvalidName`] for text with NUL.
    pub fn set_docs(&self, name: &str, docs: Option<&str>) -> Result<()> {
        check_docs(self.kind.word(), docs)?;
        let operation = format!("{}.set_docs", self.kind.table());
        self.core.write(Subject::Platform, &operation, |write| {
            let named = self.find(write.connection, name)?;
            sql(format!(
                "UPDATE {} SET docs = $1 WHERE id = $2 AND docs IS DISTINCT FROM $1",
                quote(self.kind.table())
            ))
            .bind::<Nullable<Text>, _>(docs)
            .bind::<BigInt, _>(named.id)
            .execute(write.connection)
            .map_err(doing("describing"))?;
            Ok(())
        })?;
        Ok(())
    }

    /// Who made the one of that id and who changed it last, and when.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn audit(&self, id: i64) -> Result<Audit> {
        let mut found = self
            .core
            .store
            .read(|connection| audit::of_ids(connection, self.kind.table(), Some(id)))?;
        Ok(found.remove(&id).unwrap_or_default())
    }

    /// As [`audit`](Self::audit), of all of them by id.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn audits(&self) -> Result<HashMap<i64, Audit>> {
        self.core
            .store
            .read(|connection| audit::of_ids(connection, self.kind.table(), None))
    }

    /// Deletes the one of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::InUse`] naming what uses it.
    pub fn delete(&self, name: &str) -> Result<()> {
        let operation = format!("{}.delete", self.kind.table());
        self.core.write(Subject::Platform, &operation, |write| {
            let named = self.find(write.connection, name)?;
            let used_by = users(write, self.kind.table(), named.id)?;
            if !used_by.is_empty() {
                return Err(Error::InUse {
                    kind: self.kind.word(),
                    name: format!("\"{name}\""),
                    used_by,
                });
            }
            sql(format!(
                "DELETE FROM {} WHERE id = $1",
                quote(self.kind.table())
            ))
            .bind::<BigInt, _>(named.id)
            .execute(write.connection)
            .map_err(doing("deleting"))?;
            Ok(())
        })?;
        Ok(())
    }

    fn already_exists(&self, taken: Named) -> Error {
        Error::AlreadyExists {
            kind: self.kind.word(),
            name: format!("\"{}\"", taken.name),
            id: Some(taken.id),
        }
    }

    fn find(&self, connection: &mut AnyConnection, name: &str) -> Result<Named> {
        match find(connection, self.kind, name)? {
            Some(named) => Ok(named),
            None => Err(not_found(connection, self.kind, name)),
        }
    }
}
