//! Run locks.
//!
//! ```text
//!            acquire (one conditional UPDATE, token + 1)
//!   free ───────────────────────────────────────────► held
//!     ▲  ▲                                             │ │
//!     │  └── commit: checkpoint + release, one commit ──┘ │
//!     │  └── rollback: revert + release, one commit ──────┤
//!     │                                                   │ rollback failed
//!     └────── revert, by the next one to acquire ── recovering
//! ```
//!
//! **Invariant:** who writes to a run proves the token of its lock row in the same database transaction
//! and keeps that row locked until COMMIT. A run whose rollback failed is never free: the next holder
//! finishes the rollback first.

use std::time::{Duration, Instant};

use chrono::NaiveDateTime;
use diesel::prelude::*;
use serde::Serialize;

use crate::error::{Error, LockHolder, Result};
use crate::history::write::{Subject, Write};
use crate::history::{ChangeCounts, revert};
use crate::iamc::Iamc;
use crate::ids::{LockToken, RunId, TransactionId};
use crate::platform::Core;
use crate::run::checkpoint::{self, Checkpoint, Target};
use crate::run::{Run, RunTable};
use crate::schema::tables::run_locks;
use crate::store::{AnyConnection, Outcome, doing};

const FREE: &str = "free";
const HELD: &str = "held";
const RECOVERING: &str = "recovering";

/// The longest that waiting goes without looking for an interruption.
const SLICE: Duration = Duration::from_millis(100);

/// How to take a lock.
#[derive(Default)]
pub struct LockOptions<'a> {
    /// How long to wait for it; `None`: not at all.
    pub timeout: Option<Duration>,
    /// Asked at least every 100 ms while waiting; an error ends the waiting.
    pub interrupt: Option<&'a dyn Fn() -> Result<()>>,
}

impl LockOptions<'_> {
    /// Waits up to `timeout`.
    pub fn timeout(timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            interrupt: None,
        }
    }
}

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

/// The exclusive right to write to a run. Writing happens through it.
///
/// [`commit`](Self::commit) makes a checkpoint and releases. Dropping it instead, a panic included,
/// sets the run back to its last checkpoint made under this lock, or to the state in which it was locked.
///
/// ```
/// # fn main() -> stratalog::Result<()> {
/// # let platform = stratalog::Platform::open("sqlite://:memory:")?;
/// let run = platform.runs().create("model", "scenario")?;
/// let lock = run.lock("first data")?;
/// assert!(run.lock("second writer").is_err_and(|error| error.is_locked()));
/// let checkpoint = lock.commit()?;
/// assert_eq!(checkpoint.message, "first data");
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a RunLock rolls the run back; end it with .commit() or .rollback()"]
pub struct RunLock {
    run: Run,
    label: String,
    token: LockToken,
    message: String,
    finished: bool,
}

impl RunLock {
    pub(super) fn acquire(run: Run, message: &str, options: LockOptions<'_>) -> Result<Self> {
        let started = Instant::now();
        let label = run.label();
        loop {
            if let Some(interrupt) = options.interrupt {
                interrupt()?;
            }
            match try_acquire(&run, &label, message) {
                Ok((token, was_recovering)) => {
                    let mut lock = Self {
                        run,
                        label,
                        token,
                        message: message.to_owned(),
                        finished: false,
                    };
                    if was_recovering && let Err(error) = lock.finish_recovery() {
                        // Still recovering: the next one to ask tries again.
                        lock.finished = true;
                        return Err(error);
                    }
                    return Ok(lock);
                }
                Err(Error::RunIsLocked {
                    run,
                    run_id,
                    holder,
                    ..
                }) => {
                    let waited = started.elapsed();
                    let left = options.timeout.unwrap_or_default().saturating_sub(waited);
                    if left.is_zero() {
                        let waited_seconds = if options.timeout.is_some() {
                            waited.as_secs_f64()
                        } else {
                            0.0
                        };
                        return Err(Error::RunIsLocked {
                            run,
                            run_id,
                            holder,
                            waited_seconds,
                        });
                    }
                    std::thread::sleep(left.min(SLICE));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The fencing number of this holding.
    pub fn token(&self) -> LockToken {
        self.token
    }

    /// The run's time series, to be written and read.
    pub fn iamc(&self) -> Iamc<'_> {
        Iamc::writer(self)
    }

    /// The run's rows in a table of the program's own, to be written and read.
    ///
    /// # Errors
    /// [`Error::InvalidDescription`] when there is no such run-scoped table.
    pub fn table(&self, name: &str) -> Result<RunTable<'_>> {
        RunTable::writer(self, name)
    }

    /// Makes a checkpoint: what is there now survives a failure of the block.
    ///
    /// # Errors
    /// [`Error::LockLost`].
    pub fn checkpoint(&self, message: &str) -> Result<Checkpoint> {
        check_message(message)?;
        self.under_lock(|connection| {
            checkpoint::create(connection, self.run.id(), message, &self.run.core.actor)
        })
    }

    /// Sets the run back to an earlier state, as [`Run::revert_to`] does, within this block.
    ///
    /// # Errors
    /// [`Error::CheckpointNotFound`], [`Error::TransactionNotFound`], [`Error::RevertNeedsMissing`],
    /// [`Error::LockLost`].
    pub fn revert_to(&self, target: impl Into<Target>) -> Result<ChangeCounts> {
        let target = target.into();
        self.write(&format!("revert to {target}"), |write| {
            write.core.check_tables(write.connection)?;
            let to = checkpoint::resolve(write.connection, self.run.info(), &target)?;
            revert::revert(write, self.run.id(), &self.label, to)
        })
    }

    /// Makes the checkpoint that the lock was taken for, and releases, in one commit.
    ///
    /// # Errors
    /// [`Error::LockLost`]. When the checkpoint cannot be made the run is rolled back.
    pub fn commit(mut self) -> Result<Checkpoint> {
        let result = self.under_lock(|connection| {
            let checkpoint = checkpoint::create(
                connection,
                self.run.id(),
                &self.message,
                &self.run.core.actor,
            )?;
            release(connection, self.run.id(), self.token)?;
            Ok(checkpoint)
        });
        if result.is_ok() {
            self.finished = true;
        }
        // Otherwise dropping `self` rolls back.
        result
    }

    /// Sets the run back to its last checkpoint under this lock (or to the state in which it was locked)
    /// and releases. Returns what was undone.
    ///
    /// # Errors
    /// [`Error::LockLost`], [`Error::RevertNeedsMissing`]; the run is then marked, and the next to take its
    /// lock finishes the rollback.
    pub fn rollback(mut self) -> Result<ChangeCounts> {
        self.finished = true;
        self.roll_back()
    }

    /// Runs `work` in a stratalog transaction of this run.
    pub(crate) fn write<T>(
        &self,
        operation: &str,
        work: impl FnMut(&mut Write<'_>) -> Result<T>,
    ) -> Result<T> {
        Ok(self.run.core.write(self.subject(), operation, work)?.value)
    }

    /// Runs `work`, which changes something, and releases in the same commit, without a checkpoint.
    pub(super) fn write_and_release<T>(
        mut self,
        operation: &str,
        mut work: impl FnMut(&mut Write<'_>) -> Result<T>,
    ) -> Result<T> {
        let value = self.write(operation, |write| {
            let value = work(write)?;
            release(write.connection, self.run.id(), self.token)?;
            Ok(value)
        })?;
        self.finished = true;
        Ok(value)
    }

    fn subject(&self) -> Subject<'_> {
        Subject::Run {
            id: self.run.id(),
            label: &self.label,
            token: self.token,
        }
    }

    /// Runs `work` in a short database transaction that has proved the token and holds the lock row.
    fn under_lock<T>(&self, mut work: impl FnMut(&mut AnyConnection) -> Result<T>) -> Result<T> {
        self.run.core.store.transaction(|connection| {
            // Writing the token to itself proves it and locks the row until COMMIT, on both engines.
            let proved = diesel::update(
                run_locks::table
                    .filter(run_locks::run_id.eq(self.run.id().0))
                    .filter(run_locks::token.eq(self.token.0))
                    .filter(run_locks::state.ne(FREE)),
            )
            .set(run_locks::token.eq(self.token.0))
            .execute(connection)
            .map_err(doing("proving the lock"))?;
            if proved != 1 {
                return Err(self.lost());
            }
            work(connection).map(Outcome::Commit)
        })
    }

    fn lost(&self) -> Error {
        Error::LockLost {
            run: self.label.clone(),
            token: self.token,
        }
    }

    /// Reverts and releases in one commit; marks the run when that fails.
    fn roll_back(&self) -> Result<ChangeCounts> {
        let run = self.run.id();
        let operation = format!("rollback of \"{}\"", self.message);
        let result = self.run.core.write(self.subject(), &operation, |write| {
            let counts = self.undo(write)?;
            release(write.connection, run, self.token)?;
            Ok(counts)
        });
        match result {
            Ok(written) => {
                if written.transaction.is_none() {
                    // Nothing was to be undone, so nothing was committed, the release included.
                    self.under_lock(|connection| release(connection, run, self.token))?;
                }
                Ok(written.value)
            }
            Err(error) => {
                if !error.is_lock_lost() {
                    self.mark_recovering();
                }
                Err(error)
            }
        }
    }

    /// Sets the run back to the last checkpoint made since it was locked, or to the lock transaction.
    fn undo(&self, write: &mut Write<'_>) -> Result<ChangeCounts> {
        write.core.check_tables(write.connection)?;
        let run = self.run.id();
        let locked_at: i64 = run_locks::table
            .find(run.0)
            .select(run_locks::lock_transaction)
            .get_result(write.connection)
            .map_err(doing("reading the lock"))?;
        // A checkpoint made before the lock was taken names no later transaction than the lock does.
        let target =
            checkpoint::last_checkpointed(write.connection, run)?.max(TransactionId(locked_at));
        revert::revert(write, run, &self.label, target)
    }

    /// The run must not look free while its rollback is to be done.
    fn mark_recovering(&self) {
        let marked = self.under_lock(|connection| {
            diesel::update(run_locks::table.find(self.run.id().0))
                .set(run_locks::state.eq(RECOVERING))
                .execute(connection)
                .map_err(doing("marking the run"))
        });
        if let Err(error) = marked {
            log::error!(
                "run {}: marking it for recovery failed: {error}",
                self.label
            );
        }
    }

    /// Finishes the rollback that the last holder could not; then the lock is held as any other.
    fn finish_recovery(&self) -> Result<()> {
        let run = self.run.id();
        self.run.core.write(
            self.subject(),
            "rollback left by an earlier holder",
            |write| self.undo(write),
        )?;
        self.under_lock(|connection| hold(connection, run))
    }
}

/// The lock is held from the run's present last transaction on.
fn hold(connection: &mut AnyConnection, run: RunId) -> Result<()> {
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

fn release(connection: &mut AnyConnection, run: RunId, token: LockToken) -> Result<()> {
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
fn try_acquire(run: &Run, label: &str, message: &str) -> Result<(LockToken, bool)> {
    check_message(message)?;
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
            None => Err(Error::NotFound {
                kind: "run",
                name: label.to_owned(),
                hint: "it was deleted".into(),
            }),
        }
    })
}

fn host() -> String {
    whoami::hostname().unwrap_or_else(|_| "unknown".to_owned())
}

fn check_message(message: &str) -> Result<()> {
    if message.is_empty() || message.contains('\0') {
        return Err(Error::InvalidName {
            kind: "checkpoint",
            name: message.to_owned(),
            problem: "a message needs text, without NUL: it is what one reverts to by name",
        });
    }
    Ok(())
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        match self.roll_back() {
            Ok(undone) => log::warn!(
                "run {}: the lock for \"{}\" was dropped without commit, rolled back ({undone})",
                self.label,
                self.message
            ),
            Err(error) => log::error!("run {}: rolling back failed: {error}", self.label),
        }
    }
}
