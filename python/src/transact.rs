//! `with run.transact("message") as lock:`.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pyo3::prelude::*;
use stratalog::Lease;

use crate::error::{Failure, Result};
use crate::guard::Guard;
use crate::held::{Ending, HeldRun, Wish};
use crate::input::repr;
use crate::run_lock::RunLock;

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
    lease: Option<Lease>,
    state: AtomicU8,
    guard: OnceLock<Arc<Guard>>,
}

impl Transact {
    pub(crate) fn new(
        run: &Arc<HeldRun>,
        message: String,
        timeout: Option<Duration>,
        lease: Option<Lease>,
    ) -> Self {
        Self {
            run: Arc::clone(run),
            message,
            timeout,
            lease,
            state: AtomicU8::new(NEW),
            guard: OnceLock::new(),
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
        self._enter_while(py, None)
    }

    /// Takes the lock, waiting for it only while ``wanted()`` is true. It is asked in the
    /// waiting thread, at least every 100 ms, and once more when the lock is there.
    #[pyo3(signature = (wanted))]
    fn _enter_while(&self, py: Python<'_>, wanted: Option<Py<PyAny>>) -> Result<RunLock> {
        let first = self
            .state
            .compare_exchange(NEW, ENTERED, Ordering::AcqRel, Ordering::Acquire);
        if first.is_err() {
            return Err(Failure::named(
                "LockError",
                "this transact block was used already: call run.transact(…) for each",
            ));
        }
        let wish = Wish {
            message: &self.message,
            timeout: self.timeout,
            lease: self.lease,
            ending: Ending::Block,
            wanted: wanted.as_ref(),
        };
        let guard = Guard::take(py, &self.run, wish)?;
        // Set once: only the first entering comes here.
        let _ = self.guard.set(Arc::clone(&guard));
        Ok(RunLock::of_a_block(guard))
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
        match self.guard.get() {
            Some(guard) if entered => guard.leave(py, exc)?,
            _ if exc.is_none() => {
                // In a forked child that is the reason.
                self.run.run()?;
                let run = self.run.describe().label();
                return Err(stratalog::Error::RunLockRequired { run }.into());
            }
            _ => {}
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
        if let Some(guard) = self.guard.get()
            && *self.state.get_mut() == ENTERED
        {
            // The library logs what becomes of it; here nobody could be told.
            let _ = guard.abandon();
        }
    }
}
