//! What every part of an opened platform shares.

use diesel::prelude::*;

use crate::error::{Error, Result};
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
    /// All versioned tables, parents first.
    pub(crate) tables: Vec<TableDescription>,
}

impl Core {
    /// The description of a versioned table.
    pub(crate) fn table(&self, name: &str) -> Option<&TableDescription> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The description of a table that holds rows of runs.
    pub(crate) fn run_scoped(&self, name: &str) -> Result<&TableDescription> {
        self.table(name).filter(|table| table.is_run_scoped()).ok_or_else(|| {
            Error::InvalidDescription {
                table: name.to_owned(),
                problem: "not a run-scoped table of this platform: open it with Platform::options().table::<…>()".into(),
            }
        })
    }

    /// Refuses when a program has added a table since this platform was opened: a revert that does not
    /// know it would leave its rows behind.
    pub(crate) fn check_tables(&self, connection: &mut AnyConnection) -> Result<()> {
        let described: i64 = described_tables::table
            .count()
            .get_result(connection)
            .map_err(doing("counting table descriptions"))?;
        if usize::try_from(described).ok() == Some(self.tables.len() - tables::versioned().len()) {
            return Ok(());
        }
        Err(Error::InvalidDescription {
            table: "described_tables".into(),
            problem: "a table was added to the database after it was opened here: open the platform again".into(),
        })
    }
}
