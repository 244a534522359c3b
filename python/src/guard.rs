//! One holding of a run's lock, from its taking to its commit or rollback: what `with run.transact(…)` and
//! `run.lock(…)` have in common.
//!
//! **Invariant:** of all who end a holding one does; the others are told, or find nothing to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use stratalog::{ChangeCounts, Checkpoint, Error, LockToken};

use crate::error::{Failure, Result};
use crate::held::{HeldRun, Wish};

pub(crate) struct Guard {
    pub(crate) run: Arc<HeldRun>,
    pub(crate) message: String,
    pub(crate) token: LockToken,
    /// Whether commit or rollback was called. A holding may also be over without: when the interpreter ends.
    ended: AtomicBool,
}

impl Guard {
    pub(crate) fn take(py: Python<'_>, run: &Arc<HeldRun>, wish: Wish<'_>) -> Result<Arc<Self>> {
        let token = run.acquire(py, wish)?;
        Ok(Arc::new(Self {
            run: Arc::clone(run),
            message: wish.message.to_owned(),
            token,
            ended: AtomicBool::new(false),
        }))
    }

    /// Whether it is neither committed nor rolled back.
    pub(crate) fn is_open(&self, py: Python<'_>) -> bool {
        py.detach(|| self.run.holds(self.token))
    }

    pub(crate) fn commit(&self, py: Python<'_>) -> Result<Checkpoint> {
        let lock = self.end(py)?;
        Ok(py.detach(|| lock.commit())?)
    }

    pub(crate) fn rollback(&self, py: Python<'_>) -> Result<ChangeCounts> {
        let lock = self.end(py)?;
        Ok(py.detach(|| lock.rollback())?)
    }

    fn end(&self, py: Python<'_>) -> Result<stratalog::RunLock> {
        // In a forked child it is its parent's.
        self.run.run()?;
        let lock = py.detach(|| self.run.take_out(self.token));
        self.ended.store(true, Ordering::Release);
        lock.ok_or_else(|| {
            Failure::named(
                "LockError",
                format!(
                    "this lock of run {} (token {}) was committed or rolled back already: take it \
                     again with run.lock(…) to go on writing",
                    self.run.describe().label(),
                    self.token
                ),
            )
        })
    }

    /// Leaves a `with` block: commits, or rolls back when an exception is on its way.
    pub(crate) fn leave(&self, py: Python<'_>, exc: &Bound<'_, PyAny>) -> Result<()> {
        if self.ended.load(Ordering::Acquire) {
            return Ok(());
        }
        let lock = py.detach(|| self.run.take_out(self.token));
        match lock {
            Some(lock) if exc.is_none() => {
                self.ended.store(true, Ordering::Release);
                py.detach(|| lock.commit())?;
            }
            Some(lock) => {
                self.ended.store(true, Ordering::Release);
                if let Err(error) = py.detach(|| lock.rollback()) {
                    let note = format!(
                        "stratalog: and setting run {} back failed: {error}",
                        self.run.describe().label()
                    );
                    // The user's exception is more important than a note that cannot be added.
                    let _ = exc.call_method1("add_note", (note,));
                }
            }
            None if exc.is_none() => {
                // After a fork, or when the interpreter is ending.
                self.run.run()?;
                let run = self.run.describe().label();
                return Err(Error::RunLockRequired { run }.into());
            }
            None => {}
        }
        Ok(())
    }

    /// Rolls back what nobody ended, from where nothing can be raised. `None`: there was nothing to do.
    pub(crate) fn abandon(&self) -> Option<stratalog::Result<ChangeCounts>> {
        let roll_back = || Some(self.run.take_out(self.token)?.rollback());
        // A thread that writes under this lock may be waiting for the interpreter. When that is
        // ending there is no such thread any more.
        match Python::try_attach(|py| py.detach(roll_back)) {
            Some(outcome) => outcome,
            None => roll_back(),
        }
    }
}
