//! What the databases say, in this library's terms.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::Error;
use crate::store::Location;

/// How the triggers begin their messages: `stratalog:code: text`.
pub(crate) const PREFIX: &str = "stratalog:";

/// Codes of refusals that callers tell apart. All others are [`Error::ChangeLogRefused`].
const LOCK_CODES: [&str; 2] = ["lock_lost", "lock_required"];

/// SQLite's word for a file that is not there, or that there are too many open ones.
const CANNOT_OPEN: &str = "unable to open database file";

/// Turns a database error into ours, saying what was being done.
pub(crate) fn doing(what: &str) -> impl FnOnce(DieselError) -> Error {
    let what = what.to_owned();
    move |source| {
        if let Some((_, text)) = refusal(&source) {
            Error::ChangeLogRefused(text)
        } else if is_denied(&source) {
            Error::ChangeLogRefused(format!(
                "{what}: {}: this is for the owner of the tables, not for the role that is connected (`stratalog doctor` \
                 says which)",
                first_line(message_of(&source))
            ))
        } else if is_busy(&source) {
            Error::Busy("the database".into())
        } else if is_disk_full(&source) {
            Error::DiskFull {
                doing: what,
                source,
            }
        } else if is_storage_failure(&source) {
            Error::Storage {
                doing: what,
                source,
            }
        } else if is_closed(&source) {
            let why = first_line(message_of(&source));
            Error::Connection {
                url: "the database".into(),
                source: format!("it was lost while {what}: {why}").into(),
            }
        } else {
            Error::Database {
                doing: what,
                source,
            }
        }
    }
}

/// PostgreSQL's word for a missing privilege on a table.
fn is_denied(error: &DieselError) -> bool {
    message_of(error).starts_with("permission denied for table")
}

/// A disk that fails while a file is opened is told as everywhere else. That there is no such file is not the
/// disk's fault.
pub(super) fn opening(error: Error) -> Error {
    let Error::Connection { url, source } = error else {
        return error;
    };
    let message = source.to_string();
    let source_of_ours =
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.clone()));
    if message != CANNOT_OPEN
        && (is_disk_full(&source_of_ours) || is_storage_failure(&source_of_ours))
    {
        return doing(&format!("opening {url}"))(source_of_ours);
    }
    Error::Connection { url, source }
}

/// A connection that stayed lost. `so` says what that means for the caller.
pub(super) fn lost(location: &Location, error: &Error, so: &str) -> Error {
    let why = match error {
        Error::Connection { source, .. } => source.to_string(),
        error => error.to_string(),
    };
    Error::Connection {
        url: location.to_string(),
        source: format!(
            "{}; {so}. Repeat the call when the server can be reached",
            first_line(&why)
        )
        .into(),
    }
}

/// libpq goes on with guesses on further lines.
pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end()
}

/// The code and text of a refusal by one of our triggers.
fn refusal(error: &DieselError) -> Option<(String, String)> {
    let DieselError::DatabaseError(_, information) = error else {
        return None;
    };
    let (code, text) = information
        .message()
        .strip_prefix(PREFIX)?
        .split_once(": ")?;
    Some((code.to_owned(), text.to_owned()))
}

/// Whether a write was refused because its lock token is not the run's.
pub(crate) fn is_lock_refusal(error: &DieselError) -> bool {
    refusal(error).is_some_and(|(code, _)| LOCK_CODES.contains(&code.as_str()))
}

fn message_of(error: &DieselError) -> &str {
    match error {
        DieselError::DatabaseError(_, information) => information.message(),
        _ => "",
    }
}

/// SQLite waited for its busy timeout in vain, PostgreSQL for its lock timeout.
pub(super) fn is_busy(error: &DieselError) -> bool {
    matches!(
        message_of(error),
        "database is locked"
            | "database table is locked"
            | "canceling statement due to lock timeout"
    )
}

/// PostgreSQL's is the operating system's message, in the language of the server: there is no code to ask for.
fn is_disk_full(error: &DieselError) -> bool {
    let message = message_of(error);
    message == "database or disk is full" || message.contains("No space left on device")
}

/// SQLite, or the server, could not write, or read what it had written.
fn is_storage_failure(error: &DieselError) -> bool {
    /// How PostgreSQL begins what it says of its files.
    const SERVER: [&str; 5] = [
        "could not extend file",
        "could not write block",
        "could not write to file",
        "could not read block",
        "could not fsync file",
    ];
    let message = message_of(error);
    matches!(
        message,
        "disk I/O error"
            | CANNOT_OPEN
            | "database disk image is malformed"
            | "attempt to write a readonly database"
    ) || SERVER.iter().any(|begin| message.starts_with(begin))
}

fn is_closed(error: &DieselError) -> bool {
    matches!(
        error,
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
            _
        )
    )
}

/// Whether it may be how a lost connection shows; when it is lost is for the caller to know. `COPY` tells of it
/// in many ways.
pub(super) fn may_be_a_lost_connection(error: &Error) -> bool {
    matches!(error, Error::Connection { .. } | Error::Database { .. })
}

/// Whether another attempt at the same write has landed.
pub(super) fn is_client_uuid_taken(error: &Error) -> bool {
    let Error::Database {
        source: DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, information),
        ..
    } = error
    else {
        return false;
    };
    information.constraint_name() == Some("transactions_client_uuid")
}

/// A unique name or number was taken, perhaps a moment ago.
pub(crate) fn is_unique_violation(error: &Error) -> bool {
    matches!(
        error,
        Error::Database {
            source: DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _),
            ..
        }
    )
}

/// A collision with another transaction that goes away when the whole is repeated.
pub(super) fn is_transient(error: &Error) -> bool {
    let Error::Database { source, .. } = error else {
        return false;
    };
    match source {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        // Diesel has no kind for a deadlock (40P01).
        _ => message_of(source) == "deadlock detected",
    }
}
