//! A run and the lock that one of its objects may hold.
//!
//! ```text
//!            transact.__enter__, lock              acquired
//!   Free ──────────────────────► Acquiring ─────────────────────► Held
//!    ▲                               │ refused, interrupted        │
//!    └───────────────────────────────┴─────── commit, rollback ────┘
//! ```
//!
//! **Invariant:** the slot and the database are only waited for while detached from the interpreter,
//! because who is in them may ask it for signals. Writes share the slot, taking the lock out of it is
//! exclusive: no write is under way when a block ends. In a forked child the lock is never dropped:
//! that would roll back its parent's block.

use std::io::Write;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};
use std::time::Duration;

use pyo3::prelude::*;
use stratalog::{
    ChangeCounts, Error, Filter, Lease, LockOptions, LockToken, RevertOptions, Run, RunLock,
    Target, TransactionId,
};

use crate::error::{Failure, Result};
use crate::session::{Session, detached};

enum Slot {
    Free,
    Acquiring,
    Held(Box<RunLock>, Ending),
}

/// Who is to end a holding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A `with` block.
    Block,
    /// The caller of `Run.lock`.
    Caller,
}

/// How a caller wants the lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) message: &'a str,
    pub(crate) timeout: Option<Duration>,
    pub(crate) lease: Option<Lease>,
    pub(crate) ending: Ending,
    /// Whether anybody still waits for it; asked while waiting and once it is there.
    pub(crate) wanted: Option<&'a Py<PyAny>>,
}

/// A run, as all Python objects that came from one `Run` share it.
pub(crate) struct HeldRun {
    run: Run,
    slot: RwLock<Slot>,
    /// The last, so that it is the one that closes the platform.
    pub(crate) session: Arc<Session>,
}

/// Runs whose lock may be held, for when the interpreter ends without leaving the block. Not to be waited for
/// while attached to the interpreter: a thread that forks has it, and may need that.
static HELD: Mutex<Vec<Weak<HeldRun>>> = Mutex::new(Vec::new());

pub(crate) fn all_held() -> MutexGuard<'static, Vec<Weak<HeldRun>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HeldRun {
    pub(crate) fn new(session: &Arc<Session>, run: Run) -> Arc<Self> {
        Arc::new(Self {
            session: Arc::clone(session),
            run,
            slot: RwLock::new(Slot::Free),
        })
    }

    /// The run, to be asked the database about; refused in a forked child.
    pub(crate) fn run(&self) -> Result<&Run> {
        self.session.platform()?;
        Ok(&self.run)
    }

    /// What is known without the database.
    pub(crate) fn describe(&self) -> &Run {
        &self.run
    }

    fn read(&self) -> RwLockReadGuard<'_, Slot> {
        self.slot.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Slot> {
        self.slot.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this very object holds the run's lock.
    pub(crate) fn owns_lock(&self, py: Python<'_>) -> Result<bool> {
        self.session.platform()?;
        Ok(py.detach(|| matches!(*self.read(), Slot::Held(..))))
    }

    /// Runs `work` under the lock that this object holds.
    pub(crate) fn under_lock<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&RunLock) -> stratalog::Result<T> + Send,
    ) -> Result<T> {
        self.session.platform()?;
        py.detach(|| match &*self.read() {
            Slot::Held(lock, _) => Ok(work(lock)?),
            _ => Err(Error::RunLockRequired {
                run: self.run.label(),
            }
            .into()),
        })
    }

    /// Takes the run's lock for this object.
    pub(crate) fn acquire(self: &Arc<Self>, py: Python<'_>, wish: Wish<'_>) -> Result<LockToken> {
        let run = self.run()?;
        let token = py.detach(|| {
            let reservation = Reservation::make(self)?;
            let lock = asking(wish.wanted, |interrupt| {
                let options = LockOptions {
                    timeout: wish.timeout,
                    lease: wish.lease,
                    interrupt: Some(interrupt),
                };
                run.lock_with(wish.message, options)
            })?;
            let token = lock.token();
            reservation.fulfil(lock, wish.ending);
            let mut held = all_held();
            held.retain(|run| run.strong_count() > 0);
            held.push(Arc::downgrade(self));
            Ok::<_, Failure>(token)
        })?;
        // A signal that came meanwhile is raised here: between here and the block nothing would see it.
        if let Err(interruption) = ask(py, wish.wanted) {
            // Dropping the lock releases it: nothing was written yet.
            py.detach(|| drop(self.take_out(token)));
            return Err(interruption.into());
        }
        Ok(token)
    }

    /// Whether this object holds the lock of that token. Not to be asked while attached to the interpreter.
    pub(crate) fn holds(&self, token: LockToken) -> bool {
        !self.session.is_forked()
            && matches!(&*self.read(), Slot::Held(lock, _) if lock.token() == token)
    }

    /// Takes the lock of that token out, to be committed or rolled back. `None`: it is held no more, or by the
    /// parent of this process. Not to be called while attached to the interpreter.
    pub(crate) fn take_out(&self, token: LockToken) -> Option<RunLock> {
        if self.session.is_forked() {
            return None;
        }
        let mut slot = self.write();
        match &*slot {
            Slot::Held(lock, _) if lock.token() == token => {
                match std::mem::replace(&mut *slot, Slot::Free) {
                    Slot::Held(lock, _) => Some(*lock),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Sets the points of a run that a filter selects back: under the lock that this object holds, or else
    /// under one of its own.
    pub(crate) fn revert_to(
        &self,
        py: Python<'_>,
        target: Target,
        only: Filter,
        timeout: Option<Duration>,
    ) -> Result<ChangeCounts> {
        // Only one of the two comes to pass.
        let (same, same_only) = (target.clone(), only.clone());
        self.under_some_lock(
            py,
            timeout,
            move |lock| lock.revert_only(same, &same_only),
            move |run, lock| run.revert_with(target, RevertOptions { only, lock }),
        )
    }

    /// Takes back what one transaction of the run changed, as [`revert_to`](Self::revert_to) does.
    pub(crate) fn undo(
        &self,
        py: Python<'_>,
        transaction: TransactionId,
        timeout: Option<Duration>,
    ) -> Result<ChangeCounts> {
        self.under_some_lock(
            py,
            timeout,
            |lock| lock.undo(transaction),
            |run, lock| run.undo_with(transaction, lock),
        )
    }

    fn under_some_lock(
        &self,
        py: Python<'_>,
        timeout: Option<Duration>,
        under_ours: impl FnOnce(&RunLock) -> stratalog::Result<ChangeCounts> + Send,
        under_its_own: impl FnOnce(&Run, LockOptions<'_>) -> stratalog::Result<ChangeCounts> + Send,
    ) -> Result<ChangeCounts> {
        let run = self.run()?;
        py.detach(|| {
            if let Slot::Held(lock, _) = &*self.read() {
                return Ok(under_ours(lock)?);
            }
            interruptible(|interrupt| {
                let options = LockOptions {
                    timeout,
                    interrupt: Some(interrupt),
                    ..LockOptions::default()
                };
                under_its_own(run, options)
            })
        })
    }
}

impl Drop for HeldRun {
    fn drop(&mut self) {
        let slot = self.slot.get_mut().unwrap_or_else(PoisonError::into_inner);
        let held = std::mem::replace(slot, Slot::Free);
        if self.session.is_forked() {
            std::mem::forget(held);
        } else if let Slot::Held(lock, _) = held {
            let mut lock = Some(lock);
            detached(|| drop(lock.take()));
        }
    }
}

/// Keeps a second `transact` of the same object out while the first one waits for the
/// lock.
struct Reservation<'a> {
    run: &'a HeldRun,
    fulfilled: bool,
}

impl<'a> Reservation<'a> {
    fn make(run: &'a HeldRun) -> Result<Self> {
        let mut slot = run.write();
        match &*slot {
            Slot::Free => {}
            Slot::Held(_, Ending::Caller) => {
                return Err(Failure::named(
                    "NestedTransact",
                    format!(
                        "run {} is locked by this very object already, with run.lock(…): end that \
                         lock with .commit() or .rollback() first, or go on writing under it",
                        run.run.label()
                    ),
                ));
            }
            Slot::Acquiring | Slot::Held(_, Ending::Block) => {
                return Err(Error::NestedLock {
                    run: run.run.label(),
                }
                .into());
            }
        }
        *slot = Slot::Acquiring;
        drop(slot);
        Ok(Self {
            run,
            fulfilled: false,
        })
    }

    fn fulfil(mut self, lock: RunLock, ending: Ending) {
        *self.run.write() = Slot::Held(Box::new(lock), ending);
        self.fulfilled = true;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.fulfilled {
            *self.run.write() = Slot::Free;
        }
    }
}

/// Does long work such that Ctrl-C, or whatever a signal handler raises, ends it where it
/// asks.
pub(crate) fn interruptible<T, E>(
    work: impl FnOnce(&(dyn Fn() -> stratalog::Result<()> + Sync)) -> Result<T, E>,
) -> Result<T>
where
    Failure: From<E>,
{
    asking(None, work)
}

/// Whether to go on: nothing was raised by a signal, and somebody still wants it.
fn ask(py: Python<'_>, wanted: Option<&Py<PyAny>>) -> PyResult<()> {
    py.check_signals()?;
    match wanted {
        Some(wanted) if !wanted.call0(py)?.is_truthy(py)? => {
            let message = "nobody waits for this lock any more";
            Err(Failure::named("LockError", message).into())
        }
        _ => Ok(()),
    }
}

/// [`interruptible`], which also ends when nobody wants it any more.
fn asking<T, E>(
    wanted: Option<&Py<PyAny>>,
    work: impl FnOnce(&(dyn Fn() -> stratalog::Result<()> + Sync)) -> Result<T, E>,
) -> Result<T>
where
    Failure: From<E>,
{
    let raised = Mutex::new(None);
    let interrupt = || {
        Python::attach(|py| ask(py, wanted)).map_err(|error| {
            *raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            Error::Interrupted
        })
    };
    let result = work(&interrupt);
    match raised.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(Failure::Python(error)),
        None => Ok(result?),
    }
}

/// Rolls back every block that is still open. Called when the interpreter ends: objects
/// that are alive then are never dropped.
#[pyfunction]
pub(crate) fn _roll_back_open_blocks(py: Python<'_>) {
    py.detach(|| {
        let held = std::mem::take(&mut *all_held());
        for run in held
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|run| !run.session.is_forked())
        {
            let lock = match std::mem::replace(&mut *run.write(), Slot::Free) {
                Slot::Held(lock, _) => lock,
                _ => continue,
            };
            let label = run.run.label();
            let outcome = match lock.rollback() {
                Ok(undone) => {
                    format!("was still locked when Python ended: rolled back ({undone})")
                }
                Err(error) => format!("could not be rolled back: {error}"),
            };
            // A closed stderr must not keep the others from being rolled back.
            let _ = writeln!(std::io::stderr(), "stratalog: run {label} {outcome}");
        }
    });
}
