//! Connections and the pool.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::r2d2::R2D2Connection;

use crate::error::{Error, Result};
use crate::store::rows::Plan;
use crate::store::transaction::Xid;
use crate::store::{Engine, Location, Patience, doing, error, postgres, sqlite, workers};

/// How long a connection is waited for, while others use all of them or the server is away.
pub(super) const KEEP_ASKING: Duration = Duration::from_secs(30);

/// How long the pool waits in one go for a server. It tries again ever more seldom, up to half of this: a
/// server that comes back is found soon.
const ASK_SERVER: Duration = Duration::from_secs(5);

/// A connection to either engine.
#[derive(diesel::MultiConnection)]
pub(crate) enum AnyConnection {
    /// Embedded.
    Sqlite(SqliteConnection),
    /// A server.
    Postgres(PgConnection),
}

impl AnyConnection {
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }
}

pub(crate) type PooledConnection = r2d2::PooledConnection<Manager>;

/// Whoever answered so lately is not asked whether it is there before it is used again: on a server that takes a round trip
/// for each transaction. All that use such a connection repeat what they asked when it turns out to be lost.
const ANSWERED_LATELY: Duration = Duration::from_millis(500);

/// A connection of the pool.
pub(crate) struct Pooled {
    connection: AnyConnection,
    /// When it was asked what it last answered. Not when the answer came: a connection that is cut in between would
    /// seem to have answered after others were found lost to the same cut.
    answered: Instant,
    is_lost: bool,
}

impl Pooled {
    /// It did what was asked then.
    pub(super) fn answered(&mut self, asked: Instant) {
        self.answered = asked;
    }

    /// Whether it is there; after an error without a transaction that could be rolled back. One that is not is not used
    /// again.
    pub(super) fn answers(&mut self) -> Usable {
        let answer = match &mut self.connection {
            AnyConnection::Sqlite(_) => Ok(()),
            AnyConnection::Postgres(connection) => connection.ping(),
        };
        self.is_lost = answer.is_err();
        match answer {
            Ok(()) => Usable::Yes,
            Err(_) => Usable::No,
        }
    }
}

impl Deref for Pooled {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

/// Opens connections and says whether they can be used again.
#[derive(Debug)]
pub(crate) struct Manager {
    location: Location,
    /// When a connection was last found lost: others that answered before may be, too.
    lost: Mutex<Option<Instant>>,
}

impl Manager {
    fn new(location: &Location) -> Self {
        Self {
            location: location.clone(),
            lost: Mutex::new(None),
        }
    }

    fn open(&self) -> Result<AnyConnection> {
        match self.location.engine() {
            Engine::Sqlite => sqlite::connect(&self.location)
                .map(AnyConnection::Sqlite)
                .map_err(error::opening),
            Engine::Postgres => postgres::connect(&self.location).map(AnyConnection::Postgres),
        }
    }

    fn lost(&self) -> MutexGuard<'_, Option<Instant>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = Error;

    fn connect(&self) -> Result<Pooled> {
        let asked = Instant::now();
        Ok(Pooled {
            connection: self.open()?,
            answered: asked,
            is_lost: false,
        })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<()> {
        match &mut pooled.connection {
            AnyConnection::Sqlite(_) => check_kept(&self.location, &mut pooled.connection),
            AnyConnection::Postgres(connection) => {
                let answered = pooled.answered;
                if answered.elapsed() < ANSWERED_LATELY && *self.lost() < Some(answered) {
                    return Ok(());
                }
                let asked = Instant::now();
                connection.ping().map_err(doing("checking a connection"))?;
                pooled.answered(asked);
                Ok(())
            }
        }
    }

    /// A connection with a transaction still open, as a panic leaves it, is not used again.
    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        let broken = pooled.is_lost
            || pooled.connection.is_broken()
            || !matches!(
                <AnyConnection as Connection>::TransactionManager::transaction_manager_status_mut(
                    &mut pooled.connection
                )
                .transaction_depth(),
                Ok(None)
            );
        if broken {
            *self.lost() = Some(Instant::now());
        }
        broken
    }
}

pub(super) fn pool(location: &Location, size: u32) -> Result<r2d2::Pool<Manager>> {
    let builder = r2d2::Pool::builder()
        .test_on_check_out(true)
        .thread_pool(workers::shared());
    let builder = if location.is_memory() {
        // Each connection to :memory: is a database of its own: one, for ever.
        builder.max_size(1).idle_timeout(None).max_lifetime(None)
    } else {
        builder.max_size(size).min_idle(Some(0))
    };
    let builder = builder.connection_timeout(match location.engine() {
        Engine::Sqlite => KEEP_ASKING,
        Engine::Postgres => ASK_SERVER,
    });
    // The first connection is made here, so that a wrong URL is an error now and says why.
    let manager = Manager::new(location);
    drop(manager.open()?);
    builder
        .error_handler(Box::new(r2d2::LoggingErrorHandler))
        .build(manager)
        .map_err(|source| Error::Connection {
            url: location.to_string(),
            source: Box::new(source),
        })
}

/// A connection outside the pool, for the heartbeat: on SQLite it waits for other writers only so long, on
/// PostgreSQL its session lasts.
pub(super) fn lasting(location: &Location, patience: Duration) -> Result<AnyConnection> {
    let mut connection = Manager::new(location).open()?;
    if let AnyConnection::Sqlite(connection) = &mut connection {
        sqlite::wait_at_most(connection, patience).map_err(doing("connecting"))?;
    }
    Ok(connection)
}

/// Begins a transaction that may write; returns its id on PostgreSQL. On SQLite the write lock is taken here:
/// a transaction that turned into a writer later would fail at once instead of waiting.
pub(super) fn begin(
    connection: &mut AnyConnection,
    patience: Patience,
    plan: Plan,
) -> QueryResult<Option<Xid>> {
    match connection {
        AnyConnection::Sqlite(connection) => {
            let Patience::Short(most) = patience else {
                AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE")?;
                return Ok(None);
            };
            sqlite::wait_at_most(connection, most)?;
            let begun =
                AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE");
            sqlite::wait_at_most(connection, sqlite::BUSY_TIMEOUT)?;
            begun.map(|()| None)
        }
        AnyConnection::Postgres(connection) => {
            postgres::begin(connection, patience, plan).map(Some)
        }
    }
}

pub(super) fn begin_snapshot(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(connection) => {
            AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN")
        }
        AnyConnection::Postgres(connection) => {
            AnsiTransactionManager::begin_transaction_sql(connection, postgres::BEGIN_SNAPSHOT)
        }
    }
}

/// What comes before COMMIT.
pub(super) fn leave_transaction(connection: &mut AnyConnection) -> QueryResult<()> {
    match connection {
        AnyConnection::Sqlite(connection) => sqlite::leave_transaction(connection),
        AnyConnection::Postgres(_) => Ok(()),
    }
}

pub(super) fn commit(connection: &mut AnyConnection) -> QueryResult<()> {
    match <AnyConnection as Connection>::TransactionManager::commit_transaction(connection) {
        // Why it could not be rolled back is less to the point: SQLite has done it already, or there is no
        // connection any more.
        Err(diesel::result::Error::RollbackErrorOnCommit { commit_error, .. }) => {
            Err(*commit_error)
        }
        result => result,
    }
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

/// Whether a connection can be used further. The pool throws away one that cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usable {
    Yes,
    No,
}

/// Rolls back what is open. A failure is only logged, because the caller has a better error to show.
pub(super) fn roll_back(connection: &mut AnyConnection) -> Usable {
    let depth = <AnyConnection as Connection>::TransactionManager::transaction_manager_status_mut(
        connection,
    )
    .transaction_depth();
    let rolled_back = match depth {
        Ok(Some(_)) => {
            <AnyConnection as Connection>::TransactionManager::rollback_transaction(connection)
        }
        Ok(None) => return Usable::Yes,
        Err(error) => Err(error),
    };
    match rolled_back {
        Ok(()) => Usable::Yes,
        Err(error) => {
            log::warn!("rolling back a database transaction: {error}");
            Usable::No
        }
    }
}
