//! The threads that open connections for all pools of this process.
//!
//! They wait in `parking_lot`, whose one table of waiting threads a forked child inherits together with the
//! entries of threads that it has not got: their memory is used again, and the child hangs or worse (measured).
//! So they are one set of threads, called together before a fork to wait where nothing is kept per process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use scheduled_thread_pool::ScheduledThreadPool;

const COUNT: usize = 3;

/// A thread that is just reaching for a server that does not answer is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(2);

type Slot = Option<Arc<ScheduledThreadPool>>;

static WORKERS: Mutex<Slot> = Mutex::new(None);

fn slot() -> MutexGuard<'static, Slot> {
    WORKERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads, for a pool to use.
pub(super) fn shared() -> Arc<ScheduledThreadPool> {
    let new = || {
        Arc::new(
            ScheduledThreadPool::builder()
                .num_threads(COUNT)
                .thread_name_pattern("stratalog-pool-{}")
                .build(),
        )
    };
    Arc::clone(slot().get_or_insert_with(new))
}

#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: usize,
    is_open: bool,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self) {
        let mut state = self.state();
        state.waiting += 1;
        self.changed.notify_all();
        while !state.is_open {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The threads, held from before a fork until after it.
pub(super) struct Held {
    slot: MutexGuard<'static, Slot>,
    gate: Arc<Gate>,
}

/// Calls the threads together. Nothing is done for pools until [`Held::let_go`].
pub(super) fn hold() -> Held {
    let slot = slot();
    let gate = Arc::<Gate>::default();
    if let Some(workers) = &*slot {
        for _ in 0..COUNT {
            let gate = Arc::clone(&gate);
            workers.execute(move || gate.wait());
        }
        // Each is in one job, and so all are in it.
        let (_state, _) = gate
            .changed
            .wait_timeout_while(gate.state(), PATIENCE, |state| state.waiting < COUNT)
            .unwrap_or_else(PoisonError::into_inner);
    }
    Held { slot, gate }
}

impl Held {
    /// In the parent: they go on.
    pub(super) fn let_go(self) {
        self.gate.state().is_open = true;
        self.gate.changed.notify_all();
    }

    /// In a child, which has none of the threads: the next pool begins with its own.
    pub(super) fn forget(mut self) {
        std::mem::forget(self.slot.take());
    }
}
