//! What the databases say, in this library's terms.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::Error;

/// How the triggers begin their messages: `stratalog:code: text`.
pub(crate) const PREFIX: &str = "stratalog:";

/// Codes of refusals that callers tell apart. All others are [`Error::ChangeLogRefused`].
const LOCK_CODES: [&str; 2] = ["lock_lost", "lock_required"];

/// Turns a database error into ours, saying what was being done.
pub(crate) fn doing(what: &str) -> impl FnOnce(DieselError) -> Error {
    let what = what.to_owned();
    move |source| match refusal(&source) {
        Some((_, text)) => Error::ChangeLogRefused(text),
        None if is_busy(&source) => Error::Busy("the database".into()),
        None => Error::Database {
            doing: what,
            source,
        },
    }
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

/// SQLite waited for its busy timeout in vain.
pub(super) fn is_busy(error: &DieselError) -> bool {
    matches!(
        message_of(error),
        "database is locked" | "database table is locked"
    )
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
