//! The lock row of a run: what is done to it in the database.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use serde::Serialize;

use crate::core::Core;
use crate::error::{Error, LockHolder, Result};
use crate::ids::{LockToken, RunId, TransactionId};
use crate::run::{Run, checkpoint};
use crate::schema::tables::run_locks;
use crate::store::{AnyConnection, Outcome, doing};

const FREE: &str = "free";
const HELD: &str = "held";
const RECOVERING: &str = "recovering";

#[derive(Queryable, Selectable)]
#[diesel(table_name = run_locks)]
struct LockRowInDb {
    run_id: i64,
    token: i64,
    state: String,
    holder_user: Option<String>,
    holder_host: Option<String>,
    holder_pid: Option<i64>,
    holder_client: Option<String>,
    reason: Option<String>,
    lock_transaction: i64,
    acquired_at: Option<NaiveDateTime>,
}

/// A run's lock as it is now.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LockRow {
    /// The run.
    pub run_id: RunId,
    /// The run as "model / scenario, version".
    pub run: String,
    /// held, or recovering: a rollback failed and the next holder will finish it.
    pub state: String,
    /// Who, where, since when and why.
    #[serde(flatten)]
    pub holder: LockHolder,
    /// The run's last transaction when the lock was taken.
    pub lock_transaction: TransactionId,
}

impl LockRowInDb {
    fn holder(&self) -> LockHolder {
        LockHolder {
            user: self.holder_user.clone().unwrap_or_default(),
            host: self.holder_host.clone().unwrap_or_default(),
            pid: self.holder_pid.unwrap_or_default(),
            client: self.holder_client.clone().unwrap_or_default(),
            reason: self.reason.clone().unwrap_or_default(),
            acquired_at: self.acquired_at.unwrap_or_default(),
            token: LockToken(self.token),
        }
    }
}

/// Every lock that is not free, by run.
pub(crate) fn locks(core: &Core) -> Result<Vec<LockRow>> {
    core.store.read(|connection| {
        let rows: Vec<LockRowInDb> = run_locks::table
            .filter(run_locks::state.ne(FREE))
            .order(run_locks::run_id)
            .select(LockRowInDb::as_select())
            .load(connection)
            .map_err(doing("reading locks"))?;
        rows.into_iter()
            .map(|row| {
                let id = RunId(row.run_id);
                let run = super::runs::find_by_id(connection, id)?
                    .map_or_else(|| format!("run {id}"), |info| info.label());
                Ok(LockRow {
                    run_id: id,
                    run,
                    state: row.state.clone(),
                    holder: row.holder(),
                    lock_transaction: TransactionId(row.lock_transaction),
                })
            })
            .collect()
    })
}

/// The lock row that every run has.
pub(super) fn create_row(connection: &mut AnyConnection, run: RunId) -> Result<()> {
    diesel::insert_into(run_locks::table)
        .values((
            run_locks::run_id.eq(run.0),
            run_locks::token.eq(0),
            run_locks::state.eq(FREE),
            run_locks::lock_transaction.eq(0),
        ))
        .execute(connection)
        .map_err(doing("making a run's lock row"))?;
    Ok(())
}

/// Whether the token is the one that holds the run. Writing the token to itself also locks the row until
/// COMMIT, on both engines.
pub(super) fn prove(connection: &mut AnyConnection, run: RunId, token: LockToken) -> Result<bool> {
    let proved = diesel::update(
        run_locks::table
            .filter(run_locks::run_id.eq(run.0))
            .filter(run_locks::token.eq(token.0))
            .filter(run_locks::state.ne(FREE)),
    )
    .set(run_locks::token.eq(token.0))
    .execute(connection)
    .map_err(doing("proving the lock"))?;
    Ok(proved == 1)
}

/// The run's last transaction when its lock was taken.
pub(super) fn locked_at(connection: &mut AnyConnection, run: RunId) -> Result<TransactionId> {
    let locked_at: i64 = run_locks::table
        .find(run.0)
        .select(run_locks::lock_transaction)
        .get_result(connection)
        .map_err(doing("reading the lock"))?;
    Ok(TransactionId(locked_at))
}

/// A rollback is still to be done; the caller holds the row.
pub(super) fn mark_recovering(connection: &mut AnyConnection, run: RunId) -> Result<()> {
    diesel::update(run_locks::table.find(run.0))
        .set(run_locks::state.eq(RECOVERING))
        .execute(connection)
        .map_err(doing("marking the run"))?;
    Ok(())
}

/// The lock is held from the run's present last transaction on.
pub(super) fn hold(connection: &mut AnyConnection, run: RunId) -> Result<()> {
    // A statement of its own: it sees every transaction that was committed before the row was locked.
    let last = checkpoint::last_transaction(connection, run)?;
    diesel::update(run_locks::table.find(run.0))
        .set((
            run_locks::state.eq(HELD),
            run_locks::lock_transaction.eq(last.0),
        ))
        .execute(connection)
        .map_err(doing("taking the lock"))?;
    Ok(())
}

pub(super) fn release(connection: &mut AnyConnection, run: RunId, token: LockToken) -> Result<()> {
    diesel::update(
        run_locks::table
            .filter(run_locks::run_id.eq(run.0))
            .filter(run_locks::token.eq(token.0)),
    )
    .set((
        run_locks::state.eq(FREE),
        run_locks::holder_user.eq(None::<String>),
        run_locks::holder_host.eq(None::<String>),
        run_locks::holder_pid.eq(None::<i64>),
        run_locks::holder_client.eq(None::<String>),
        run_locks::reason.eq(None::<String>),
        run_locks::acquired_at.eq(None::<NaiveDateTime>),
    ))
    .execute(connection)
    .map_err(doing("releasing the lock"))?;
    Ok(())
}

/// One conditional `UPDATE` decides who of several gets it. Returns the token, and whether a rollback is
/// still to be done.
pub(super) fn try_acquire(run: &Run, label: &str, message: &str) -> Result<(LockToken, bool)> {
    let core = &run.core;
    let id = run.id();
    core.store.transaction(|connection| {
        let now = chrono::Utc::now().naive_utc();
        let acquired: Option<(i64, String)> = diesel::update(
            run_locks::table
                .filter(run_locks::run_id.eq(id.0))
                .filter(run_locks::state.ne(HELD)),
        )
        .set((
            run_locks::token.eq(run_locks::token + 1),
            run_locks::holder_user.eq(Some(core.actor.as_str())),
            run_locks::holder_host.eq(Some(host())),
            run_locks::holder_pid.eq(Some(i64::from(std::process::id()))),
            run_locks::holder_client.eq(Some(core.client.as_str())),
            run_locks::reason.eq(Some(message)),
            run_locks::acquired_at.eq(Some(now)),
        ))
        .returning((run_locks::token, run_locks::state))
        .get_result(connection)
        .optional()
        .map_err(doing("taking the lock"))?;
        if let Some((token, state)) = acquired {
            // The lock row outlives its run, so that tokens never begin again.
            if super::runs::find_by_id(connection, id)?.is_none() {
                return Err(deleted(label));
            }
            let recovering = state == RECOVERING;
            if !recovering {
                hold(connection, id)?;
            }
            return Ok(Outcome::Commit((LockToken(token), recovering)));
        }
        let row: Option<LockRowInDb> = run_locks::table
            .find(id.0)
            .select(LockRowInDb::as_select())
            .get_result(connection)
            .optional()
            .map_err(doing("reading the lock"))?;
        match row {
            Some(row) => Err(Error::RunIsLocked {
                run: label.to_owned(),
                run_id: id,
                holder: Box::new(row.holder()),
                waited_seconds: 0.0,
            }),
            None => Err(deleted(label)),
        }
    })
}

fn deleted(label: &str) -> Error {
    Error::NotFound {
        kind: "run",
        name: label.to_owned(),
        hint: "it was deleted".into(),
    }
}

fn host() -> String {
    whoami::hostname().unwrap_or_else(|_| "unknown".to_owned())
}
