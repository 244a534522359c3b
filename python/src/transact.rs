//! `with run.transact("message") as lock:`.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pyo3::prelude::*;
use stratalog::LockToken;

use crate::error::{Failure, Result};
use crate::held::HeldRun;
use crate::input::repr;

const NEW: u8 = 0;
const ENTERED: u8 = 1;
const LEFT: u8 = 2;

/// A block that writes to a run; made by ``Run.transact``, used once in a ``with``
/// statement.
///
/// Entering takes the run's lock. Leaving normally makes the checkpoint ``message`` and
/// releases, in one commit. Leaving by any exception, ``KeyboardInterrupt`` and
/// ``SystemExit`` included, sets the run back to the last checkpoint made in the block,
/// or to the state in which it was locked, and releases; the exception goes on. If
/// setting back fails, the exception goes on with a note that says so, and whoever locks
/// the run next finishes it first.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Transact {
    run: Arc<HeldRun>,
    message: String,
    timeout: Option<Duration>,
    state: AtomicU8,
    token: OnceLock<LockToken>,
}

impl Transact {
    pub(crate) fn new(run: &Arc<HeldRun>, message: String, timeout: Option<Duration>) -> Self {
        Self {
            run: Arc::clone(run),
            message,
            timeout,
            state: AtomicU8::new(NEW),
            token: OnceLock::new(),
        }
    }
}

#[pymethods]
impl Transact {
    /// Takes the lock.
    ///
    /// Raises:
    ///     RunIsLocked: somebody else holds it, still after ``timeout`` seconds.
    ///     NestedTransact: this very ``Run`` object holds it.
    ///     LockError: this block was used already.
    fn __enter__(&self, py: Python<'_>) -> Result<RunLock> {
        let first = self
            .state
            .compare_exchange(NEW, ENTERED, Ordering::AcqRel, Ordering::Acquire);
        if first.is_err() {
            return Err(Failure::named(
                "LockError",
                "this transact block was used already: call run.transact(…) for each",
            ));
        }
        let token = self.run.acquire(py, &self.message, self.timeout)?;
        // Set once: only the first entering comes here.
        let _ = self.token.set(token);
        Ok(RunLock {
            run: Arc::clone(&self.run),
            message: self.message.clone(),
            token,
        })
    }

    /// Commits, or rolls back when an exception is on its way. Never swallows one.
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        exc: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> Result<bool> {
        let _ = (exc_type, traceback);
        let entered = self.state.swap(LEFT, Ordering::AcqRel) == ENTERED;
        let lock = match self.token.get() {
            Some(token) if entered => self.run.release(py, *token),
            _ => None,
        };
        match lock {
            Some(lock) if exc.is_none() => {
                py.detach(|| lock.commit())?;
            }
            Some(lock) => {
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
                return Err(stratalog::Error::RunLockRequired { run }.into());
            }
            None => {}
        }
        Ok(false)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "<transact {} on run {}>",
            repr(py, &self.message),
            self.run.describe().label()
        )
    }
}

impl Drop for Transact {
    /// The net for a block that was entered and never left: CPython may skip `__exit__` when
    /// a signal lands right after `__enter__`.
    fn drop(&mut self) {
        let entered = *self.state.get_mut() == ENTERED;
        let Some(token) = self.token.get().filter(|_| entered) else {
            return;
        };
        // A thread that writes under this lock may be waiting for the interpreter. When that is
        // ending there is no such thread any more.
        let roll_back = || drop(self.run.take_out(*token));
        if Python::try_attach(|py| py.detach(roll_back)).is_none() {
            roll_back();
        }
    }
}

/// A run's lock, as ``with run.transact(…) as lock:`` gives it. Writing goes through the
/// run itself.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct RunLock {
    run: Arc<HeldRun>,
    message: String,
    token: LockToken,
}

#[pymethods]
impl RunLock {
    /// The fencing number of this holding; it grows with every time the run is locked.
    #[getter]
    fn token(&self) -> i64 {
        self.token.0
    }

    /// Why it was taken, and the checkpoint that leaving the block makes.
    #[getter]
    fn message(&self) -> &str {
        &self.message
    }

    /// The id of the run.
    #[getter]
    fn run_id(&self) -> i64 {
        self.run.describe().id().0
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "RunLock(run_id={}, message={}, token={})",
            self.run_id(),
            repr(py, &self.message),
            self.token
        )
    }
}
