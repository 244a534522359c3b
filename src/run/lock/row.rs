//! The lock row of a run: what is done to it in the database.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Nullable, Text, Timestamp};

use crate::core::Core;
use crate::error::{LockHolder, Result};
use crate::ids::{LockToken, RunId, TransactionId};
use crate::run::lock::lease;
use crate::schema::tables::run_locks;
use crate::store::kept::kept;
use crate::store::rows::Bind;
use crate::store::{AnyConnection, doing, sql};

pub(super) const FREE: &str = "free";
pub(super) const HELD: &str = "held";
pub(super) const RECOVERING: &str = "recovering";

/// A lock row with its lease.
#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = BigInt)]
    pub(super) run_id: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) token: i64,
    #[diesel(sql_type = Text)]
    pub(super) state: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) holder_user: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) holder_host: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) holder_pid: Option<i64>,
    /// `None` when the holder gave the lock up without a rollback.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) holder_client: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) reason: Option<String>,
    #[diesel(sql_type = BigInt)]
    pub(super) lock_transaction: i64,
    #[diesel(sql_type = Nullable<Timestamp>)]
    pub(super) acquired_at: Option<NaiveDateTime>,
    #[diesel(sql_type = Double)]
    pub(super) lease_seconds: f64,
    #[diesel(sql_type = Timestamp)]
    pub(super) renewed_at: NaiveDateTime,
    #[diesel(sql_type = Timestamp)]
    pub(super) expires_at: NaiveDateTime,
    #[diesel(sql_type = Nullable<Timestamp>)]
    pub(super) last_write_at: Option<NaiveDateTime>,
    /// Whether the lease has run out by the database's clock.
    #[diesel(sql_type = Bool)]
    pub(super) has_lapsed: bool,
}

impl Row {
    pub(super) fn is_free(&self) -> bool {
        self.state == FREE
    }

    pub(super) fn token(&self) -> LockToken {
        LockToken(self.token)
    }

    pub(super) fn holder(&self) -> LockHolder {
        LockHolder {
            user: self.holder_user.clone().unwrap_or_default(),
            host: self.holder_host.clone().unwrap_or_default(),
            pid: self.holder_pid.unwrap_or_default(),
            client: self.holder_client.clone().unwrap_or_default(),
            reason: self.reason.clone().unwrap_or_default(),
            acquired_at: self.acquired_at.unwrap_or_default(),
            expires_at: self.expires_at,
            last_write_at: self.last_write_at,
            token: self.token(),
        }
    }
}

fn select(core: &Core) -> String {
    format!(
        "SELECT l.run_id, l.token, l.state, l.holder_user, l.holder_host, l.holder_pid, l.holder_client,
           l.reason, l.lock_transaction, l.acquired_at, e.lease_seconds, e.renewed_at, e.expires_at,
           e.last_write_at, e.expires_at < {} AS has_lapsed
         FROM run_locks l JOIN run_leases e ON e.run_id = l.run_id",
        core.clock.now()
    )
}

/// The lock of a run; `None` for a run that never was.
pub(super) fn read(connection: &mut AnyConnection, core: &Core, run: RunId) -> Result<Option<Row>> {
    let text = format!("{} WHERE l.run_id = $1", select(core));
    kept(&text, &[Bind::BigInt(run.0)])
        .get_result(connection)
        .optional()
        .map_err(doing("reading the lock"))
}

/// Every lock that is not free, by run.
pub(super) fn taken(connection: &mut AnyConnection, core: &Core) -> Result<Vec<Row>> {
    sql(format!(
        "{} WHERE l.state <> '{FREE}' ORDER BY l.run_id",
        select(core)
    ))
    .load(connection)
    .map_err(doing("reading locks"))
}

/// The lock row that every run has, and its lease row.
pub(in crate::run) fn create(connection: &mut AnyConnection, run: RunId) -> Result<()> {
    diesel::insert_into(run_locks::table)
        .values((
            run_locks::run_id.eq(run.0),
            run_locks::token.eq(0),
            run_locks::state.eq(FREE),
            run_locks::lock_transaction.eq(0),
        ))
        .execute(connection)
        .map_err(doing("making a run's lock row"))?;
    lease::create_row(connection, run)
}

/// Who takes a lock, and why.
pub(super) struct Taker<'a> {
    pub(super) core: &'a Core,
    pub(super) message: &'a str,
}

/// One conditional `UPDATE` gives the lock of the holding `from` to a new one in state `to`, and decides who
/// of several gets it. `None`: it is not as it was seen any more.
pub(super) fn take(
    connection: &mut AnyConnection,
    taker: &Taker<'_>,
    seen: &Row,
    to: &str,
) -> Result<Option<LockToken>> {
    let core = taker.core;
    let text = format!(
        "UPDATE run_locks SET token = token + 1, state = '{to}', holder_user = $1, holder_host = $2,
           holder_pid = $3, holder_client = $4, reason = $5, acquired_at = {now}
         WHERE run_id = $6 AND token = $7 AND state = $8
         RETURNING token",
        now = core.clock.now(),
    );
    let binds = [
        Bind::Text(core.actor.clone()),
        Bind::Text(host()),
        Bind::BigInt(i64::from(std::process::id())),
        Bind::Text(core.client.clone()),
        Bind::Text(taker.message.to_owned()),
        Bind::BigInt(seen.run_id),
        Bind::BigInt(seen.token),
        Bind::Text(seen.state.clone()),
    ];
    let token: Option<Token> = kept(&text, &binds)
        .get_result(connection)
        .optional()
        .map_err(doing("taking the lock"))?;
    Ok(token.map(|token| LockToken(token.token)))
}

#[derive(QueryableByName)]
struct Token {
    #[diesel(sql_type = BigInt)]
    token: i64,
}

/// Whether the token is the one that holds the run. Writing the token to itself also locks the row until
/// COMMIT, on both engines.
pub(super) fn prove(connection: &mut AnyConnection, run: RunId, token: LockToken) -> Result<bool> {
    let text = format!(
        "UPDATE run_locks SET token = $2 WHERE run_id = $1 AND token = $2 AND state <> '{FREE}'"
    );
    let proved = kept(&text, &[Bind::BigInt(run.0), Bind::BigInt(token.0)])
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

/// Nobody holds the run any more, but a rollback is still to be done: the next to ask does it. Nothing when
/// the lock is another's already.
pub(super) fn give_up(
    connection: &mut AnyConnection,
    (run, token): (RunId, LockToken),
) -> Result<()> {
    diesel::update(
        run_locks::table
            .filter(run_locks::run_id.eq(run.0))
            .filter(run_locks::token.eq(token.0))
            .filter(run_locks::state.ne(FREE)),
    )
    .set((
        run_locks::state.eq(RECOVERING),
        run_locks::holder_client.eq(None::<String>),
    ))
    .execute(connection)
    .map_err(doing("marking the run"))?;
    Ok(())
}

/// The lock is held from the run's present last transaction on.
pub(super) fn hold(connection: &mut AnyConnection, run: RunId) -> Result<()> {
    // A statement of its own: it sees every transaction that was committed before the row was locked.
    let text = format!(
        "UPDATE run_locks SET state = '{HELD}', lock_transaction =
           (SELECT coalesce(max(t.id), 0) FROM transactions t WHERE t.run_id = $1)
         WHERE run_id = $1"
    );
    kept(&text, &[Bind::BigInt(run.0)])
        .execute(connection)
        .map_err(doing("taking the lock"))?;
    Ok(())
}

/// Frees the run, if the token is the one that holds it. That proves it as [`prove`] does.
pub(super) fn release(
    connection: &mut AnyConnection,
    run: RunId,
    token: LockToken,
) -> Result<bool> {
    let text = format!(
        "UPDATE run_locks SET state = '{FREE}', holder_user = NULL, holder_host = NULL, holder_pid = NULL,
           holder_client = NULL, reason = NULL, acquired_at = NULL
         WHERE run_id = $1 AND token = $2 AND state <> '{FREE}'"
    );
    let released = kept(&text, &[Bind::BigInt(run.0), Bind::BigInt(token.0)])
        .execute(connection)
        .map_err(doing("releasing the lock"))?;
    Ok(released == 1)
}

pub(super) fn host() -> String {
    whoami::hostname().unwrap_or_else(|_| "unknown".to_owned())
}
