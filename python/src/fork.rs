//! `os.fork`, and what builds on it (`multiprocessing`): hooks that Python runs around it.
//!
//! **Invariant:** who forks holds every lock of this module and of the library that belongs to the whole process,
//! so that the child finds none that a thread holds which it has not got. Other hooks may run between ours, and
//! other threads with them: so whoever waits for one of those locks is detached from the interpreter, and whoever
//! holds one does not need it.

use std::cell::RefCell;
use std::sync::{MutexGuard, Weak};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::held::{self, HeldRun};

thread_local! {
    static HELD: RefCell<Option<MutexGuard<'static, Vec<Weak<HeldRun>>>>> =
        const { RefCell::new(None) };
}

#[pyfunction]
fn before(py: Python<'_>) {
    // Another thread may be forking too, and need the interpreter to go on.
    py.detach(|| {
        HELD.set(Some(held::all_held()));
        stratalog::prepare_fork();
    });
}

#[pyfunction]
fn after_in_parent() {
    stratalog::resume_after_fork();
    HELD.set(None);
}

#[pyfunction]
fn after_in_child() {
    stratalog::let_go_after_fork();
    if let Some(mut held) = HELD.take() {
        // The parent's.
        held.clear();
    }
}

/// Has Python call these around each fork, where it can fork.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let os = py.import("os")?;
    if !os.hasattr("register_at_fork")? {
        return Ok(());
    }
    let hooks = PyDict::new(py);
    hooks.set_item("before", wrap_pyfunction!(before, module)?)?;
    hooks.set_item(
        "after_in_parent",
        wrap_pyfunction!(after_in_parent, module)?,
    )?;
    hooks.set_item("after_in_child", wrap_pyfunction!(after_in_child, module)?)?;
    os.call_method("register_at_fork", (), Some(&hooks))?;
    Ok(())
}
