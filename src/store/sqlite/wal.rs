//! Whether a connection still writes to the database's write-ahead log, and not to a deleted one.
//!
//! File locks belong to the process. When a second SQLite library in it (Python's own `sqlite3`, say) closes
//! the same database, ours loses its locks unseen; the other takes itself for the last user and deletes the
//! log, or another process does so later. What is committed into a deleted log is lost (measured). So the
//! log's file is looked at whenever a connection is taken from the pool, and after each COMMIT.

use std::path::{Path, PathBuf};

use diesel::prelude::*;
use diesel::sql_types::Bool;

#[diesel::declare_sql_function]
extern "SQL" {
    /// Whether the log that this connection has open is the one beside the database.
    fn stratalog_log_is_there() -> Bool;
}

#[derive(QueryableByName)]
struct One {
    #[diesel(sql_type = Bool)]
    there: bool,
}

/// Remembers which file the log is; a database in memory has none. The connection must have read from the
/// database, which opens it.
pub(super) fn remember(
    connection: &mut SqliteConnection,
    database: Option<&Path>,
) -> QueryResult<()> {
    // SQLite follows links before it names the log.
    let log = database
        .and_then(|path| path.canonicalize().ok())
        .map(|path| {
            let mut log = path.into_os_string();
            log.push("-wal");
            PathBuf::from(log)
        });
    let opened = log.as_deref().and_then(identity);
    stratalog_log_is_there_utils::register_nondeterministic_impl(connection, move || {
        opened.is_none() || log.as_deref().and_then(identity) == opened
    })
}

/// Whether what is committed here is committed to the database.
pub(in crate::store) fn is_there(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let one: One =
        diesel::sql_query("SELECT stratalog_log_is_there() AS there").get_result(connection)?;
    Ok(one.there)
}

#[cfg(unix)]
fn identity(file: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let file = file.metadata().ok()?;
    Some((file.dev(), file.ino()))
}

/// Elsewhere an open file cannot be deleted.
#[cfg(not(unix))]
fn identity(_file: &Path) -> Option<(u64, u64)> {
    None
}
