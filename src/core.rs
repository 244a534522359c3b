//! What every part of an opened platform shares.

use std::sync::{Arc, RwLock};

use diesel::prelude::*;

use crate::error::Result;
use crate::own_tables;
use crate::run::{Heart, Lease};
use crate::schema::TableDescription;
use crate::schema::tables::{self, described_tables};
use crate::store::clock::Clock;
use crate::store::{AnyConnection, Store, doing};

/// What everything shares: the store, who is writing, and the tables.
pub(crate) struct Core {
    pub(crate) store: Store,
    /// Recorded in every transaction.
    pub(crate) actor: String,
    /// One UUID per opened platform: tells apart holders of locks in one process.
    pub(crate) client: String,
    /// By which leases run out.
    pub(crate) clock: Clock,
    /// Of locks that are taken without one of their own.
    pub(crate) lease: Lease,
    /// Renews the leases of the locks that are held.
    pub(crate) heart: Heart,
    /// See [`tables`](Self::tables).
    pub(crate) tables: RwLock<Arc<Vec<TableDescription>>>,
}

impl Core {
    /// The versioned tables that are known, parents first.
    pub(crate) fn tables(&self) -> Arc<Vec<TableDescription>> {
        match self.tables.read() {
            Ok(tables) => Arc::clone(&tables),
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }

    /// The description of a versioned table.
    pub(crate) fn table(&self, name: &str) -> Option<TableDescription> {
        self.tables()
            .iter()
            .find(|table| table.name == name)
            .cloned()
    }

    /// The description of a table that holds rows of runs.
    pub(crate) fn run_scoped(&self, name: &str) -> Result<TableDescription> {
        let known = || self.table(name).filter(TableDescription::is_run_scoped);
        if let Some(table) = known() {
            return Ok(table);
        }
        self.store
            .read(|connection| self.refresh_tables(connection))?;
        known().ok_or_else(|| own_tables::not_found(self, name))
    }

    /// Takes in the tables that programs have added since: what works on all of a run must not leave rows behind.
    pub(crate) fn refresh_tables(&self, connection: &mut AnyConnection) -> Result<()> {
        let described: i64 = described_tables::table
            .count()
            .get_result(connection)
            .map_err(doing("counting table descriptions"))?;
        let known = self.tables().len() - tables::versioned().len();
        if usize::try_from(described).ok() != Some(known) {
            self.set_tables(own_tables::read(connection)?);
        }
        Ok(())
    }

    fn set_tables(&self, own: Vec<TableDescription>) {
        let tables = Arc::new(with_own(own));
        match self.tables.write() {
            Ok(mut known) => *known = tables,
            Err(poisoned) => *poisoned.into_inner() = tables,
        }
    }
}

/// All versioned tables, parents first.
pub(crate) fn with_own(own: Vec<TableDescription>) -> Vec<TableDescription> {
    let mut all = tables::versioned();
    all.extend(own);
    all.sort_by_key(|table| table.rank);
    all
}
