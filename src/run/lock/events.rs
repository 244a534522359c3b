//! What became of locks other than by their holders, kept for people to read.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use serde::Serialize;

use crate::core::Core;
use crate::error::Result;
use crate::ids::{LockToken, RunId};
use crate::run::lock::row::Row;
use crate::schema::tables::lock_events;
use crate::store::{AnyConnection, doing};

/// A lock was taken from its holder.
pub(super) const TAKEN_OVER: &str = "taken over";
/// Somebody decided that its holder is to lose it.
pub(super) const FORCED: &str = "forced";
/// The rollback that a new holder had to do could not be done.
pub(super) const ROLLBACK_FAILED: &str = "rollback failed";

/// Something that happened to a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LockEvent {
    /// Its number; larger is later.
    pub id: i64,
    /// The run.
    pub run_id: RunId,
    /// When (UTC).
    pub occurred_at: NaiveDateTime,
    /// "taken over" (its holder was dead or silent for too long), "forced" (somebody unlocked it by hand), or
    /// "rollback failed" (the run is marked, and the next holder tries again).
    pub event: String,
    /// The holding that ended or failed.
    pub token: LockToken,
    /// Who held it.
    pub holder: String,
    /// On which host.
    pub host: String,
    /// In which process there.
    pub pid: i64,
    /// What for.
    pub holder_reason: String,
    /// Who took it, forced it, or met the failure.
    pub actor: String,
    /// Why.
    pub reason: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = lock_events)]
struct EventRow {
    id: i64,
    run_id: i64,
    occurred_at: NaiveDateTime,
    event: String,
    token: i64,
    holder_user: Option<String>,
    holder_host: Option<String>,
    holder_pid: Option<i64>,
    holder_reason: Option<String>,
    actor: String,
    reason: String,
}

impl From<EventRow> for LockEvent {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            run_id: RunId(row.run_id),
            occurred_at: row.occurred_at,
            event: row.event,
            token: LockToken(row.token),
            holder: row.holder_user.unwrap_or_default(),
            host: row.holder_host.unwrap_or_default(),
            pid: row.holder_pid.unwrap_or_default(),
            holder_reason: row.holder_reason.unwrap_or_default(),
            actor: row.actor,
            reason: row.reason,
        }
    }
}

/// Keeps what happened to the holding that a lock row shows.
pub(super) fn record(
    connection: &mut AnyConnection,
    core: &Core,
    of: &Row,
    event: &str,
    reason: &str,
) -> Result<()> {
    diesel::insert_into(lock_events::table)
        .values((
            lock_events::run_id.eq(of.run_id),
            lock_events::event.eq(event),
            lock_events::token.eq(of.token),
            lock_events::holder_user.eq(of.holder_user.as_deref()),
            lock_events::holder_host.eq(of.holder_host.as_deref()),
            lock_events::holder_pid.eq(of.holder_pid),
            lock_events::holder_reason.eq(of.reason.as_deref()),
            lock_events::actor.eq(&core.actor),
            lock_events::reason.eq(reason),
        ))
        .execute(connection)
        .map_err(doing("keeping what happened to a lock"))?;
    Ok(())
}

/// The events of one run or of all, newest first.
pub(super) fn list(
    connection: &mut AnyConnection,
    run: Option<RunId>,
    limit: i64,
) -> Result<Vec<LockEvent>> {
    let first = run.map_or(i64::MIN, |run| run.0);
    let last = run.map_or(i64::MAX, |run| run.0);
    let rows: Vec<EventRow> = lock_events::table
        .filter(lock_events::run_id.between(first, last))
        .order(lock_events::id.desc())
        .limit(limit)
        .select(EventRow::as_select())
        .load(connection)
        .map_err(doing("reading what happened to locks"))?;
    Ok(rows.into_iter().map(LockEvent::from).collect())
}
