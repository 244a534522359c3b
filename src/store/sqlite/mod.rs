//! SQLite: the embedded engine.

pub(crate) mod bulk;
pub(crate) mod ddl;
pub(crate) mod doctor;
pub(crate) mod sql;
pub(super) mod wal;

use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::error::{Error, Result};
use crate::store::Location;
use crate::store::error::is_busy;

/// How long a statement waits for another process's write.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

#[diesel::declare_sql_function]
extern "SQL" {
    /// The bits of a float, which tell 0.0 from -0.0; SQLite itself has nothing that does. NULL has none.
    fn stratalog_float_bits(
        value: diesel::sql_types::Nullable<diesel::sql_types::Double>,
    ) -> diesel::sql_types::Nullable<diesel::sql_types::BigInt>;
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = diesel::sql_types::Text)]
    journal_mode: String,
}

/// Opens a connection with everything set that the change log relies on.
pub(super) fn connect(location: &Location) -> Result<SqliteConnection> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Connection {
        url: location.to_string(),
        source,
    };
    let path = match location {
        Location::File(path) => path.to_str().ok_or_else(|| Error::InvalidUrl {
            url: location.to_string(),
            problem: "the path is not UTF-8".into(),
        })?,
        _ => ":memory:",
    };
    // SQLITE_USE_URI is on: a path that begins with "file:" would be read as a URI.
    let path = if path.starts_with("file:") {
        format!("./{path}")
    } else {
        path.to_owned()
    };
    let mut connection = SqliteConnection::establish(&path).map_err(|e| failed(Box::new(e)))?;
    // The busy timeout comes first: switching to WAL itself may have to wait for another process. What is temporary has
    // a small cache: its pages stay dirty for ever, and each COMMIT looks at all of them (16,000 after a bulk write took
    // longer than a change of 100 rows).
    connection
        .batch_execute(&format!(
            "PRAGMA busy_timeout = {};
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA recursive_triggers = ON;
             PRAGMA cache_size = -65536;
             PRAGMA temp.cache_size = -4096;",
            BUSY_TIMEOUT.as_millis()
        ))
        .map_err(|e| failed(Box::new(e)))?;
    let mode = switch_to_wal(&mut connection).map_err(|e| failed(Box::new(e)))?;
    if !location.is_memory() && mode.journal_mode != "wal" {
        return Err(Error::InvalidUrl {
            url: location.to_string(),
            problem: format!(
                "the write-ahead log could not be switched on (journal mode {}): is it on a network file system or read-only?",
                mode.journal_mode
            ),
        });
    }
    stratalog_float_bits_utils::register_impl(&mut connection, |value: Option<f64>| {
        value.map(|value| value.to_bits() as i64)
    })
    .map_err(|e| failed(Box::new(e)))?;
    let file = (!location.is_memory()).then(|| Path::new(&path));
    connection
        .batch_execute("SELECT count(*) FROM sqlite_schema")
        .and_then(|()| wal::remember(&mut connection, file))
        .map_err(|e| failed(Box::new(e)))?;
    Ok(connection)
}

/// The switch needs the file for itself, and there SQLite does not keep to its busy timeout: of several
/// processes that open a new file at once, some are told at once that it is locked (measured).
fn switch_to_wal(connection: &mut SqliteConnection) -> QueryResult<JournalMode> {
    let started = Instant::now();
    loop {
        match diesel::sql_query("PRAGMA journal_mode = WAL").get_result(connection) {
            Err(error) if is_busy(&error) && started.elapsed() < BUSY_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

/// How long the statements of a connection wait for another's write.
pub(super) fn wait_at_most(connection: &mut SqliteConnection, most: Duration) -> QueryResult<()> {
    connection.batch_execute(&format!("PRAGMA busy_timeout = {}", most.as_millis()))
}

/// Before COMMIT: the context of a stratalog transaction must not outlive it. A deferred foreign key
/// makes the database refuse a COMMIT where this was forgotten.
pub(super) fn leave_transaction(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("DELETE FROM transaction_context")
}
