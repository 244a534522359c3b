//! Connections and the pool.

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::r2d2::R2D2Connection;

use crate::error::{Error, Result};
use crate::store::{Engine, Location, doing, postgres, sqlite};

/// A connection to either engine.
#[derive(diesel::MultiConnection)]
pub(crate) enum AnyConnection {
    /// Embedded.
    Sqlite(SqliteConnection),
    /// A server.
    Postgres(PgConnection),
}

pub(crate) type PooledConnection = r2d2::PooledConnection<Manager>;

/// Opens connections and says whether they can be used again.
#[derive(Debug)]
pub(crate) struct Manager {
    location: Location,
}

impl r2d2::ManageConnection for Manager {
    type Connection = AnyConnection;
    type Error = Error;

    fn connect(&self) -> Result<AnyConnection> {
        match self.location.engine() {
            Engine::Sqlite => sqlite::connect(&self.location).map(AnyConnection::Sqlite),
            Engine::Postgres => postgres::connect(&self.location).map(AnyConnection::Postgres),
        }
    }

    fn is_valid(&self, connection: &mut AnyConnection) -> Result<()> {
        let alive = match connection {
            AnyConnection::Sqlite(_) => return check_kept(&self.location, connection),
            AnyConnection::Postgres(connection) => connection.ping(),
        };
        alive.map_err(doing("checking a connection"))
    }

    /// A connection with a transaction still open, as a panic leaves it, is not used again.
    fn has_broken(&self, connection: &mut AnyConnection) -> bool {
        connection.is_broken()
            || !matches!(
                <AnyConnection as Connection>::TransactionManager::transaction_manager_status_mut(
                    connection
                )
                .transaction_depth(),
                Ok(None)
            )
    }
}

pub(super) fn pool(location: &Location, size: u32) -> Result<r2d2::Pool<Manager>> {
    let builder = r2d2::Pool::builder().test_on_check_out(true);
    let builder = if location.is_memory() {
        // Each connection to :memory: is a database of its own: one, for ever.
        builder.max_size(1).idle_timeout(None).max_lifetime(None)
    } else {
        builder.max_size(size).min_idle(Some(0))
    };
    // The first connection is made here, so that a wrong URL is an error now and says why.
    let manager = Manager {
        location: location.clone(),
    };
    drop(r2d2::ManageConnection::connect(&manager)?);
    builder
        .error_handler(Box::new(r2d2::LoggingErrorHandler))
        .build(manager)
        .map_err(|source| Error::Connection {
            url: location.to_string(),
            source: Box::new(source),
        })
}

/// Begins a transaction that may write. On SQLite the write lock is taken here: a transaction that
/// turned into a writer later would fail at once instead of waiting.
pub(super) fn begin(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(connection) => {
            AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")
        }
        AnyConnection::Postgres(connection) => {
            AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN")?;
            // Staging tables are made IF NOT EXISTS; libpq would print a notice each time.
            connection.batch_execute("SET LOCAL client_min_messages = warning")
        }
    }
}

pub(super) fn begin_snapshot(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(connection) => {
            AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN")
        }
        AnyConnection::Postgres(connection) => AnsiTransactionManager::begin_transaction_sql(
            connection,
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        ),
    }
}

pub(super) fn commit(connection: &mut AnyConnection) -> QueryResult<()> {
    if let AnyConnection::Sqlite(connection) = connection {
        sqlite::leave_transaction(connection)?;
    }
    <AnyConnection as Connection>::TransactionManager::commit_transaction(connection)
}

/// Refuses a connection whose commits the database does not keep.
pub(super) fn check_kept(location: &Location, connection: &mut AnyConnection) -> Result<()> {
    let kept = match connection {
        AnyConnection::Sqlite(connection) => sqlite::wal::is_there(connection),
        AnyConnection::Postgres(_) => Ok(true),
    };
    if kept.map_err(doing("looking for the write-ahead log"))? {
        return Ok(());
    }
    Err(Error::Connection {
        url: location.to_string(),
        source: "its write-ahead log was deleted while it was open, and what was just written may be lost: \
                 another SQLite library in this process (Python's sqlite3?) has opened and closed the same file. \
                 Use such a library in a process of its own"
            .into(),
    })
}

/// Rolls back; a failure is only logged, because the caller has a better error to show, and the pool
/// throws a connection away that is still in a transaction.
pub(super) fn roll_back(connection: &mut AnyConnection) {
    let in_transaction = matches!(
        <AnyConnection as Connection>::TransactionManager::transaction_manager_status_mut(
            connection
        )
        .transaction_depth(),
        Ok(Some(_))
    );
    if in_transaction
        && let Err(error) =
            <AnyConnection as Connection>::TransactionManager::rollback_transaction(connection)
    {
        log::warn!("rolling back a database transaction: {error}");
    }
}
