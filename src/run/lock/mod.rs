//! Run locks.
//!
//! ```text
//!               acquire (one conditional UPDATE, token + 1)
//!   free ──────────────────────────────────────────────► held ──────────────────┐
//!     ▲  ▲                                               │ │ ▲                  │ its process ended,
//!     │  └── commit: checkpoint + release, one commit ───┘ │ │ rolled back      │ its lease ran out,
//!     │  └── rollback: revert + release, one commit ───────┤ │                  │ or it was forced
//!     │                                                    │ │                  │
//!     │                                  rollback failed   ▼ │                  │
//!     └── released by whoever forced it ────────────── recovering ◄─────────────┘
//!                                                          by the next holder (token + 1)
//! ```
//!
//! **Invariant:** who writes to a run proves the token of its lock row in the same database transaction
//! and keeps that row locked until COMMIT. A run whose rollback is still to be done is never free: the next
//! holder does it first, and a holder that dies while it does is followed by another.

mod claim;
mod events;
mod heart;
mod lease;
mod locks;
mod moment;
mod row;
mod waiting;

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::history::ChangeCounts;
use crate::history::retained;
use crate::history::revert::{self, Kind};
use crate::history::write::{Origin, Subject, Write};
use crate::iamc::Iamc;
use crate::ids::{LockToken, TransactionId};
use crate::meta::Meta;
use crate::optimization::Optimization;
use crate::run::checkpoint::{self, Checkpoint, LAST_CHECKPOINT, Target};
use crate::run::{Access, Run, RunTable};
use crate::store::{AnyConnection, Outcome, failpoint};
use claim::{Claim, Left};
use waiting::Waiting;

pub use events::LockEvent;
pub(crate) use heart::Heart;
pub use lease::Lease;
pub(crate) use lease::{Renewal, renew};
pub use locks::{LockRow, Locks};
pub(super) use row::create as create_row;

/// The longest that waiting, for the lock or for other writers, goes without looking for an interruption.
const SLICE: Duration = Duration::from_millis(100);

/// How long taking a lock that is to be had waits for other writers at least, whatever its timeout.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(60);

/// How to take a lock.
#[derive(Default)]
pub struct LockOptions<'a> {
    /// How long to wait for it; `None`: not at all.
    pub timeout: Option<Duration>,
    /// Until when this holder is believed to live; `None`: as the platform has it.
    pub lease: Option<Lease>,
    /// Asked at least every 100 ms while waiting; an error ends the waiting.
    pub interrupt: Option<&'a dyn Fn() -> Result<()>>,
}

impl LockOptions<'_> {
    /// Waits up to `timeout`.
    pub fn timeout(timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..Self::default()
        }
    }
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
    /// Renews the lease while this lives.
    _beating: heart::Beating,
    finished: bool,
}

impl RunLock {
    pub(super) fn acquire(run: Run, message: &str, options: LockOptions<'_>) -> Result<Self> {
        check_message(message)?;
        let lease = options.lease.unwrap_or(run.core.lease).check()?;
        let started = Instant::now();
        let timeout = options.timeout.unwrap_or_default();
        let mut waiting = Waiting::new(options.interrupt);
        run.core.heart.start()?;
        loop {
            waiting.check()?;
            match claim::claim(&run, message, lease, SLICE) {
                Ok(claim) => {
                    return Self::claimed(run, message, lease, claim).map(|(lock, _)| lock);
                }
                Err(Error::RunIsLocked {
                    run: label,
                    run_id,
                    holder,
                    ..
                }) => {
                    let waited = started.elapsed();
                    let left = timeout.saturating_sub(waited);
                    if left.is_zero() {
                        let waited = options.timeout.map(|_| waited).unwrap_or_default();
                        return Err(Error::RunIsLocked {
                            run: label,
                            run_id,
                            holder,
                            waited_seconds: waited.as_secs_f64(),
                        });
                    }
                    waiting.pause(&run, left)?;
                }
                // Other writers were in the way; the lock itself may be had.
                Err(Error::Busy(_)) if started.elapsed() < timeout.max(ACQUIRE_PATIENCE) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The guard of a lock that was claimed, once what its last holder left is rolled back.
    fn claimed(
        run: Run,
        message: &str,
        lease: Lease,
        claim: Claim,
    ) -> Result<(Self, ChangeCounts)> {
        let beating = run.core.heart.hold(run.id(), claim.token, lease);
        let mut lock = Self {
            label: run.label(),
            run,
            token: claim.token,
            message: message.to_owned(),
            _beating: beating,
            finished: false,
        };
        let mut undone = ChangeCounts::default();
        if let Some(left) = claim.left {
            match lock.recover(&left) {
                Ok(counts) => undone = counts,
                Err(error) => {
                    // Still recovering: the next one to ask tries again.
                    lock.finished = true;
                    return Err(error);
                }
            }
        }
        Ok((lock, undone))
    }

    /// Rolls back what the holder of a claimed lock left, and leaves the run free.
    fn recover_and_release(run: Run, message: &str, claim: Claim) -> Result<ChangeCounts> {
        let lease = run.core.lease;
        let (lock, undone) = Self::claimed(run, message, lease, claim)?;
        lock.release()?;
        Ok(undone)
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
        Iamc::new(Access::Write(self))
    }

    /// The run's meta indicators, to be written and read.
    pub fn meta(&self) -> Meta<'_> {
        Meta::new(Access::Write(self))
    }

    /// The run's optimization items, to be written and read.
    pub fn optimization(&self) -> Optimization<'_> {
        Optimization::new(Access::Write(self))
    }

    /// The run's rows in a table of the program's own, to be written and read.
    ///
    /// # Errors
    /// [`Error::InvalidDescription`] when there is no such run-scoped table.
    pub fn table(&self, name: &str) -> Result<RunTable<'_>> {
        RunTable::new(Access::Write(self), name)
    }

    /// Makes a checkpoint: what is there now survives a failure of the block.
    ///
    /// # Errors
    /// [`Error::LockLost`].
    pub fn checkpoint(&self, message: &str) -> Result<Checkpoint> {
        check_message(message)?;
        let (run, core) = (self.run.id(), &self.run.core);
        self.under_lock("checkpoint", |connection| {
            let checkpoint = checkpoint::create(connection, run, message, &core.actor)?;
            renew(connection, &core.clock, (run, self.token), Renewal::Write)?;
            Ok(checkpoint)
        })
    }

    /// Sets the run back to an earlier state, as [`Run::revert_to`] does, within this block.
    ///
    /// # Errors
    /// [`Error::CheckpointNotFound`], [`Error::TransactionNotFound`], [`Error::RevertNeedsMissing`],
    /// [`Error::LockLost`].
    pub fn revert_to(&self, target: impl Into<Target>) -> Result<ChangeCounts> {
        self.revert_only(target, &Filter::all())
    }

    /// [`revert_to`](Self::revert_to) of the points that a filter selects: other rows, those of other tables
    /// included, stay as they are.
    ///
    /// # Errors
    /// As [`revert_to`](Self::revert_to).
    pub fn revert_only(&self, target: impl Into<Target>, only: &Filter) -> Result<ChangeCounts> {
        let target = target.into();
        self.write(&revert::description(&target, only), |write| {
            write.core.refresh_tables(write.connection)?;
            let to = checkpoint::resolve(write.connection, self.run.info(), &target)?;
            revert::revert(write, self.run.info(), Kind::Revert, to, only)
        })
    }

    /// Takes back what one of the run's transactions changed, as [`Run::undo`] does, within this block.
    ///
    /// # Errors
    /// [`Error::UndoOverlaps`], [`Error::TransactionNotFound`], [`Error::RevertNeedsMissing`],
    /// [`Error::LockLost`].
    pub fn undo(&self, transaction: TransactionId) -> Result<ChangeCounts> {
        self.write(&format!("undo of transaction {transaction}"), |write| {
            write.core.refresh_tables(write.connection)?;
            checkpoint::resolve(write.connection, self.run.info(), &transaction.into())?;
            revert::undo(write, self.run.info(), transaction)
        })
    }

    /// Makes the checkpoint that the lock was taken for, and releases, in one commit.
    ///
    /// # Errors
    /// [`Error::LockLost`]. When the checkpoint cannot be made the run is rolled back.
    pub fn commit(mut self) -> Result<Checkpoint> {
        let core = &self.run.core;
        let result = core.store.transaction("commit", |connection| {
            // First: it locks the lock row, so no other can write before the checkpoint is there.
            self.let_go(connection)?;
            failpoint::reach("commit", "released")?;
            checkpoint::create(connection, self.run.id(), &self.message, &core.actor)
                .map(Outcome::Commit)
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
            self.let_go(write.connection)?;
            Ok(value)
        })?;
        self.finished = true;
        Ok(value)
    }

    /// Runs `work` as a transaction of `origin`, then `after`, and releases, in one commit and without a checkpoint.
    /// When `work` changes nothing there is no transaction, and `after` runs all the same.
    pub(crate) fn write_from_and_release(
        mut self,
        operation: &str,
        origin: &Origin,
        mut work: impl FnMut(&mut Write<'_>) -> Result<()>,
        after: impl Fn(&mut AnyConnection, Option<TransactionId>) -> Result<()>,
    ) -> Result<Option<TransactionId>> {
        let end = |connection: &mut AnyConnection, transaction| {
            after(connection, transaction)?;
            self.let_go(connection)
        };
        let core = &self.run.core;
        let written = core.write_from(self.subject(), operation, origin, |write| {
            work(write)?;
            end(write.connection, Some(write.id))
        })?;
        if written.transaction.is_none() {
            self.under_lock("release", |connection| end(connection, None))?;
        }
        self.finished = true;
        Ok(written.transaction)
    }

    fn subject(&self) -> Subject<'_> {
        Subject::Run {
            id: self.run.id(),
            label: &self.label,
            token: self.token,
        }
    }

    /// Runs `work` in a short database transaction that has proved the token and holds the lock row.
    pub(crate) fn proved<T>(
        &self,
        step: &str,
        mut work: impl FnMut(&mut AnyConnection) -> Result<Outcome<T>>,
    ) -> Result<T> {
        self.run.core.store.transaction(step, |connection| {
            if !row::prove(connection, self.run.id(), self.token)? {
                return Err(self.lost());
            }
            work(connection)
        })
    }

    /// [`proved`](Self::proved) that is committed.
    fn under_lock<T>(
        &self,
        step: &str,
        mut work: impl FnMut(&mut AnyConnection) -> Result<T>,
    ) -> Result<T> {
        self.proved(step, |connection| work(connection).map(Outcome::Commit))
    }

    /// Releases the lock of a run to which nothing was written under it; there is no checkpoint.
    pub(crate) fn release(mut self) -> Result<()> {
        self.run.core.store.transaction("release", |connection| {
            self.let_go(connection).map(Outcome::Commit)
        })?;
        self.finished = true;
        Ok(())
    }

    /// Frees the run within the transaction that is open.
    fn let_go(&self, connection: &mut AnyConnection) -> Result<()> {
        if row::release(connection, self.run.id(), self.token)? {
            Ok(())
        } else {
            Err(self.lost())
        }
    }

    fn lost(&self) -> Error {
        Error::LockLost {
            run: self.label.clone(),
            token: self.token,
        }
    }

    /// Reverts and releases in one commit; gives the run up to the next holder when that fails.
    fn roll_back(&self) -> Result<ChangeCounts> {
        let operation = format!("rollback of \"{}\"", self.message);
        self.undo_and(&operation, "release", |connection| self.let_go(connection))
    }

    /// Rolls back what an earlier holder left; then the lock is held as any other.
    fn recover(&self, left: &Left) -> Result<ChangeCounts> {
        let operation = format!("rollback of \"{}\": {}", left.reason, left.why);
        self.undo_and(&operation, "hold", |connection| {
            row::hold(connection, self.run.id())
        })
    }

    /// Sets the run back and does `then` with the lock row, in one commit.
    fn undo_and(
        &self,
        operation: &str,
        step: &str,
        mut then: impl FnMut(&mut AnyConnection) -> Result<()>,
    ) -> Result<ChangeCounts> {
        let result = self.run.core.write(self.subject(), operation, |write| {
            let counts = self.set_back(write)?;
            failpoint::reach("rollback", "undone")?;
            then(write.connection)?;
            Ok(counts)
        });
        let result = result.and_then(|written| {
            if written.transaction.is_none() {
                // Nothing was to be undone, so nothing was committed, `then` included.
                self.under_lock(step, &mut then)?;
            }
            Ok(written.value)
        });
        result.inspect_err(|error| {
            if !error.is_lock_lost() {
                self.give_up(error);
            }
        })
    }

    /// Sets the run back to the last checkpoint made since it was locked, or to the lock transaction.
    fn set_back(&self, write: &mut Write<'_>) -> Result<ChangeCounts> {
        write.core.refresh_tables(write.connection)?;
        let run = self.run.id();
        let locked_at = row::locked_at(write.connection, run)?;
        // A checkpoint made before the lock was taken names no later transaction than the lock does.
        let target = checkpoint::last_checkpointed(write.connection, run)?.max(locked_at);
        retained::check(write.connection, run, target)?;
        revert::revert(
            write,
            self.run.info(),
            Kind::Rollback,
            target,
            &Filter::all(),
        )
    }

    /// The run must not look free while its rollback is to be done, nor wait for a holder that is none.
    fn give_up(&self, error: &Error) {
        let (run, core) = (self.run.id(), &self.run.core);
        let reason = error.to_string();
        let given_up = self.under_lock("give up", |connection| {
            if let Some(seen) = row::read(connection, core, run)? {
                events::record(connection, core, &seen, events::ROLLBACK_FAILED, &reason)?;
            }
            row::give_up(connection, (run, self.token))
        });
        match given_up {
            Ok(()) => {}
            Err(error) if error.is_lock_lost() => {}
            Err(error) => {
                log::error!(
                    "run {}: giving it up failed, again soon: {error}",
                    self.label
                );
                core.heart.give_up(run, self.token);
            }
        }
    }
}

pub(crate) fn check_message(message: &str) -> Result<()> {
    if message.is_empty() || message.contains('\0') {
        return Err(Error::InvalidName {
            kind: "checkpoint",
            name: message.to_owned(),
            problem: "a message needs text, without NUL: it is what one reverts to by name",
        });
    }
    if message == LAST_CHECKPOINT {
        return Err(Error::InvalidName {
            kind: "checkpoint",
            name: message.to_owned(),
            problem: "this word means the last checkpoint, whatever its name",
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
