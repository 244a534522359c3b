//! `lock = run.lock("message")`, and what `with run.transact("message") as lock:` gives.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyResourceWarning;
use pyo3::prelude::*;

use crate::changes::ChangeCounts;
use crate::checkpoint::Checkpoint;
use crate::error::{Failure, Result};
use crate::guard::Guard;
use crate::input::repr;

/// A run's lock, held from when it was taken until ``commit()`` or ``rollback()``.
/// Writing goes through the run itself.
///
/// ``run.lock("message")`` gives one for work that no ``with`` block can hold, in a
/// notebook over several cells. One that is dropped without being ended sets the run back
/// and warns. It may be used in a ``with`` statement too, as ``run.transact`` is.
///
/// ``with run.transact("message") as lock:`` gives the one of its block. Ending it there
/// ends the block's holding; leaving the block then does nothing more.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct RunLock {
    guard: Arc<Guard>,
    /// Whether it is a block, and not this object, whose end is the end of the holding.
    of_a_block: bool,
    entered: AtomicBool,
}

impl RunLock {
    pub(crate) fn of_a_block(guard: Arc<Guard>) -> Self {
        Self {
            guard,
            of_a_block: true,
            entered: AtomicBool::new(false),
        }
    }

    pub(crate) fn of_its_own(guard: Arc<Guard>) -> Self {
        Self {
            guard,
            of_a_block: false,
            entered: AtomicBool::new(false),
        }
    }
}

#[pymethods]
impl RunLock {
    /// The fencing number of this holding; it grows with every time the run is locked.
    #[getter]
    fn token(&self) -> i64 {
        self.guard.token.0
    }

    /// Why it was taken, and the checkpoint that committing makes.
    #[getter]
    fn message(&self) -> &str {
        &self.guard.message
    }

    /// The id of the run.
    #[getter]
    fn run_id(&self) -> i64 {
        self.guard.run.describe().id().0
    }

    /// Whether it is still open: neither committed nor rolled back. That somebody took it
    /// away shows at the next write, as ``LockLost``.
    #[getter]
    fn is_held(&self, py: Python<'_>) -> bool {
        self.guard.is_open(py)
    }

    /// Makes the checkpoint ``message`` and releases, in one commit.
    ///
    /// Raises:
    ///     LockLost: somebody took the lock away; the run is as they left it.
    ///     LockError: it was ended already.
    fn commit(&self, py: Python<'_>) -> Result<Checkpoint> {
        let checkpoint = self.guard.commit(py)?;
        Ok(Checkpoint::new(&self.guard.run, checkpoint))
    }

    /// Sets the run back to the last checkpoint made under this lock, or to the state in which
    /// it was locked, and releases. Says what was undone.
    ///
    /// Raises:
    ///     LockLost: somebody took the lock away; the run is as they left it.
    ///     LockError: it was ended already.
    fn rollback(&self, py: Python<'_>) -> Result<ChangeCounts> {
        Ok(self.guard.rollback(py)?.into())
    }

    /// Nothing: the lock is taken already.
    ///
    /// Raises:
    ///     LockError: it was ended, or is in a ``with`` statement already.
    fn __enter__(slf: Bound<'_, Self>) -> Result<Bound<'_, Self>> {
        let lock = slf.get();
        if !lock.guard.is_open(slf.py()) {
            // In a forked child that is the reason.
            lock.guard.run.run()?;
            return Err(Failure::named(
                "LockError",
                "this lock was committed or rolled back already: take it again with run.lock(…)",
            ));
        }
        if lock.of_a_block || lock.entered.swap(true, Ordering::AcqRel) {
            return Err(Failure::named(
                "LockError",
                "this lock is in a with statement already: write in that block",
            ));
        }
        Ok(slf)
    }

    /// Commits, or rolls back when an exception is on its way. Never swallows one. Does
    /// nothing when ``commit()`` or ``rollback()`` was called in the block.
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        exc: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> Result<bool> {
        let _ = (exc_type, traceback);
        self.guard.leave(py, exc)?;
        Ok(false)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "RunLock(run_id={}, message={}, token={}, is_held={})",
            self.run_id(),
            repr(py, self.message()),
            self.guard.token,
            if self.is_held(py) { "True" } else { "False" }
        )
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if self.of_a_block {
            return;
        }
        let Some(outcome) = self.guard.abandon() else {
            return;
        };
        let outcome = match outcome {
            Ok(undone) => format!("was rolled back ({undone})"),
            Err(error) => format!("could not be rolled back: {error}"),
        };
        let message = format!(
            "stratalog: the lock of run {} for {:?} was dropped unfinished, and the run {outcome}; end a \
             lock with .commit() or .rollback()",
            self.guard.run.describe().label(),
            self.guard.message
        );
        Python::try_attach(|py| warn(py, message));
    }
}

/// A warning from where nothing can be raised, and where something may be on its way already.
fn warn(py: Python<'_>, message: String) {
    let Ok(message) = CString::new(message) else {
        return;
    };
    let on_its_way = PyErr::take(py);
    let category = py.get_type::<PyResourceWarning>();
    if let Err(error) = PyErr::warn(py, &category, &message, 1) {
        error.write_unraisable(py, None);
    }
    if let Some(error) = on_its_way {
        error.restore(py);
    }
}
