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

use crate::error::{Error, Result};
use crate::history::write::{Subject, Write};
use crate::history::{ChangeCounts, revert};
use crate::iamc::Iamc;
use crate::ids::LockToken;
use crate::run::checkpoint::{self, Checkpoint, Target};
use crate::run::{Run, RunTable, lock_row};
use crate::store::{AnyConnection, Outcome};

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
        check_message(message)?;
        let started = Instant::now();
        let label = run.label();
        loop {
            if let Some(interrupt) = options.interrupt {
                interrupt()?;
            }
            match lock_row::try_acquire(&run, &label, message) {
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
            lock_row::release(connection, self.run.id(), self.token)?;
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
            lock_row::release(write.connection, self.run.id(), self.token)?;
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
            if !lock_row::prove(connection, self.run.id(), self.token)? {
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
            lock_row::release(write.connection, run, self.token)?;
            Ok(counts)
        });
        match result {
            Ok(written) => {
                if written.transaction.is_none() {
                    // Nothing was to be undone, so nothing was committed, the release included.
                    self.under_lock(|connection| lock_row::release(connection, run, self.token))?;
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
        let locked_at = lock_row::locked_at(write.connection, run)?;
        // A checkpoint made before the lock was taken names no later transaction than the lock does.
        let target = checkpoint::last_checkpointed(write.connection, run)?.max(locked_at);
        revert::revert(write, run, &self.label, target)
    }

    /// The run must not look free while its rollback is to be done.
    fn mark_recovering(&self) {
        let marked =
            self.under_lock(|connection| lock_row::mark_recovering(connection, self.run.id()));
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
        self.under_lock(|connection| lock_row::hold(connection, run))
    }
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
