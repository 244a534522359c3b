//! What became of a transaction whose connection was lost.
//!
//! The server is asked over a connection of its own, outside the pool: the pool's others may be as dead.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text};

use crate::error::Result;
use crate::store::transaction::{Xid, pause};
use crate::store::{Location, doing, error};

/// How long a server that answers may take to finish a COMMIT, or to undo what was not committed.
const COMMITTING: Duration = Duration::from_secs(120);
const ENDING: Duration = Duration::from_secs(10);

/// Whether the server may have been told to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum CommitWas {
    Sent,
    NotSent,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Fate {
    Committed,
    Aborted,
    /// The server could not be asked, or has forgotten; why.
    Unknown(String),
}

/// Asks until the transaction has ended; gives up when the server stays away for `patience`.
///
/// A session of ours that still waits for its lost client is ended: it would hold its row locks until the
/// server notices. One that is committing is left alone.
pub(in crate::store) fn of(
    location: &Location,
    xid: Xid,
    client_uuid: Option<&str>,
    commit_was: CommitWas,
    patience: Duration,
) -> Fate {
    let started = Instant::now();
    let mut last_heard = started;
    let mut connection = None;
    let mut asked = 0;
    let most = match commit_was {
        CommitWas::Sent => COMMITTING,
        CommitWas::NotSent => ENDING,
    };
    loop {
        match ask(&mut connection, location, xid, client_uuid, commit_was) {
            Ok(Some(fate)) => return fate,
            Ok(None) => {
                last_heard = Instant::now();
                if started.elapsed() >= most {
                    let most = most.as_secs();
                    return Fate::Unknown(format!("the server was still at it after {most} s"));
                }
            }
            Err(error) => {
                connection = None;
                if last_heard.elapsed() >= patience {
                    return Fate::Unknown(error::first_line(&error.to_string()).to_owned());
                }
            }
        }
        asked += 1;
        std::thread::sleep(pause(asked));
    }
}

#[derive(QueryableByName)]
struct Status {
    #[diesel(sql_type = Nullable<Text>)]
    status: Option<String>,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

/// `None`: it has not ended yet.
fn ask(
    connection: &mut Option<PgConnection>,
    location: &Location,
    xid: Xid,
    client_uuid: Option<&str>,
    commit_was: CommitWas,
) -> Result<Option<Fate>> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(super::connect(location)?),
    };
    let status: QueryResult<Status> =
        diesel::sql_query("SELECT pg_xact_status(CAST($1 AS xid8)) AS status")
            .bind::<Text, _>(xid.to_string())
            .get_result(connection);
    let status = match status {
        Ok(status) => status.status,
        // Another server has taken this one's place and has not come so far.
        Err(error) if error.to_string().contains("is in the future") => None,
        Err(error) => return Err(doing("asking what became of a transaction")(error)),
    };
    if status.as_deref() == Some("in progress") {
        end_session(connection, xid, commit_was)?;
        return Ok(None);
    }
    // The row itself is the better witness: it also tells of a server that took another's place.
    if let Some(client_uuid) = client_uuid {
        let found: Found = diesel::sql_query(
            "SELECT EXISTS (SELECT 1 FROM transactions WHERE client_uuid = $1) AS found",
        )
        .bind::<Text, _>(client_uuid)
        .get_result(connection)
        .map_err(doing("looking for a transaction"))?;
        return Ok(Some(if found.found {
            Fate::Committed
        } else {
            Fate::Aborted
        }));
    }
    Ok(Some(match status.as_deref() {
        Some("committed") => Fate::Committed,
        Some("aborted") => Fate::Aborted,
        _ => Fate::Unknown("the server does not remember it".to_owned()),
    }))
}

/// Ends the session that has the transaction open, unless it may be committing right now.
fn end_session(connection: &mut PgConnection, xid: Xid, commit_was: CommitWas) -> Result<()> {
    // A COMMIT that arrives at the last moment does no harm: the session ends before it or after it, and the
    // next question tells which.
    diesel::sql_query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE backend_xid = CAST(CAST($1 AS xid8) AS xid)
           AND ($2 OR state LIKE 'idle in transaction%' OR wait_event_type = 'Client')",
    )
    .bind::<Text, _>(xid.to_string())
    .bind::<Bool, _>(commit_was == CommitWas::NotSent)
    .execute(connection)
    .map(|_| ())
    .map_err(doing("ending a session that lost its client"))
}
