//! The heartbeat: renews the leases of all locks that a platform holds, from a thread of its own that needs
//! neither Python nor the pool.
//!
//! **Invariant:** while a holding is registered its lease is renewed; when it is not, it runs out.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use crate::error::Result;
use crate::ids::{LockToken, RunId};
use crate::run::lock::lease::{self, Lease, Renewal};
use crate::run::lock::moment::Moment;
use crate::run::lock::row;
use crate::store::clock::Clock;
use crate::store::presence::Presence;
use crate::store::{AnyConnection, Location};

/// The longest that the thread sleeps while a lock is held: after a suspension it is awake soon.
const NAP: Duration = Duration::from_secs(1);

/// The longest that it waits for other writers in one go, on SQLite.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long closing a platform waits for the thread, which may be waiting for the database.
const FAREWELL: Duration = Duration::from_secs(2);

/// One lock that this platform holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holding {
    run: RunId,
    token: LockToken,
    heartbeat: Duration,
}

#[derive(Default)]
struct State {
    holdings: Vec<Holding>,
    /// Locks whose block has ended and whose rollback failed, not yet marked so in the database.
    given_up: Vec<(RunId, LockToken)>,
    is_stopping: bool,
}

/// What is renewed, and how.
struct Shared {
    clock: Clock,
    location: Location,
    client: String,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One per platform. It begins to beat with the first lock.
pub(crate) struct Heart {
    shared: Arc<Shared>,
    /// Is told when the thread has ended; `None` before it began.
    thread: Mutex<Option<mpsc::Receiver<()>>>,
    pid: u32,
}

impl Heart {
    pub(crate) fn new(location: &Location, client: &str, clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared {
                clock,
                location: location.clone(),
                client: client.to_owned(),
                state: Mutex::default(),
                changed: Condvar::new(),
            }),
            thread: Mutex::new(None),
            pid: std::process::id(),
        }
    }

    /// Shows others that this process is there, and lets the thread begin. Before the first lock is taken.
    pub(super) fn start(&self) -> Result<()> {
        // Only this platform can reach a database in memory; a simulated clock beats when it is told to.
        if self.shared.location.is_memory() || self.shared.clock.is_simulated() {
            return Ok(());
        }
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return Ok(());
        }
        let presence = Presence::announce(&self.shared.location, &self.shared.client, PATIENCE)?;
        let shared = Arc::clone(&self.shared);
        let (ended, has_ended) = mpsc::channel();
        std::thread::Builder::new()
            .name("stratalog-heart".into())
            .spawn(move || {
                beat_on(&shared, presence);
                // Nobody may be listening any more.
                let _ = ended.send(());
            })
            .map_err(|source| crate::error::Error::Connection {
                url: self.shared.location.to_string(),
                source: Box::new(source),
            })?;
        *thread = Some(has_ended);
        Ok(())
    }

    /// Renews the lease of a lock until the guard is dropped.
    pub(super) fn hold(&self, run: RunId, token: LockToken, lease: Lease) -> Beating {
        let holding = Holding {
            run,
            token,
            heartbeat: lease.heartbeat,
        };
        self.shared.state().holdings.push(holding);
        self.shared.changed.notify_all();
        Beating {
            shared: Arc::clone(&self.shared),
            holding,
        }
    }

    /// Marks a lock as given up as soon as the database can be reached: its rollback is left to the next
    /// holder.
    pub(super) fn give_up(&self, run: RunId, token: LockToken) {
        self.shared.state().given_up.push((run, token));
        self.shared.changed.notify_all();
    }

    /// One beat, on a connection of the caller's. For tests with a simulated clock.
    pub(crate) fn beat(&self, connection: &mut AnyConnection) -> Result<()> {
        beat(&self.shared, connection)
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        // In a forked child there is no such thread, and whoever waits for it waits for ever.
        if self.pid != std::process::id() {
            return;
        }
        self.shared.state().is_stopping = true;
        self.shared.changed.notify_all();
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(has_ended) = thread.take() {
            let _ = has_ended.recv_timeout(FAREWELL);
        }
    }
}

/// Keeps a lock's lease renewed. Dropping it stops that.
pub(super) struct Beating {
    shared: Arc<Shared>,
    holding: Holding,
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.shared
            .state()
            .holdings
            .retain(|holding| *holding != self.holding);
    }
}

fn beat_on(shared: &Shared, mut presence: Presence) {
    let mut last = Moment::now();
    loop {
        let mut state = shared.state();
        let every = loop {
            if state.is_stopping {
                return;
            }
            let every = state.holdings.iter().map(|holding| holding.heartbeat).min();
            let every = if state.given_up.is_empty() {
                every
            } else {
                Some(NAP)
            };
            state = match every {
                None => shared
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(every) => {
                    let left = every.saturating_sub(last.age());
                    if left.is_zero() {
                        break every;
                    }
                    shared
                        .changed
                        .wait_timeout(state, left.min(NAP))
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        };
        drop(state);
        // Others' writes are not waited for so long that the next beat would be late.
        let patience = (every / 2).min(PATIENCE);
        let beaten = presence.beat(patience, |connection| beat(shared, connection));
        last = Moment::now();
        if let Err(error) = beaten {
            log::warn!("renewing the leases of run locks, again in {every:?}: {error}");
        }
    }
}

fn beat(shared: &Shared, connection: &mut AnyConnection) -> Result<()> {
    let (holdings, given_up) = {
        let state = shared.state();
        (state.holdings.clone(), state.given_up.clone())
    };
    for (run, token) in given_up {
        row::give_up(connection, (run, token))?;
        shared
            .state()
            .given_up
            .retain(|other| *other != (run, token));
    }
    for holding in holdings {
        crate::store::failpoint::reach("heartbeat", "begun")?;
        let held = (holding.run, holding.token);
        let renewed = lease::renew(connection, &shared.clock, held, Renewal::Heartbeat)?;
        let mut state = shared.state();
        // Not to be said of a lock that was released in the meantime.
        if !renewed && state.holdings.contains(&holding) {
            log::warn!(
                "run {}: its lock (token {}) was taken by another",
                holding.run,
                holding.token
            );
            state.holdings.retain(|other| *other != holding);
        }
    }
    Ok(())
}
