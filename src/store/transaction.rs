//! Short database transactions, each of which lands exactly once.
//!
//! **Invariant:** `Ok` means that the work was committed, once; an error means that nothing of it was, except
//! [`Error::CommitUnknown`], which says so.
//!
//! ```text
//!   begin ── work ── COMMIT sent ── answer ──► Ok
//!     │        │           │
//!     └────────┤           │ connection lost: the server is asked what became of it
//!              │           ├── committed ────► Ok, with the value computed before COMMIT
//!              │           ├── aborted ──────► the whole again
//!              │           └── nobody answers ► Error::CommitUnknown
//!              │
//!              └ connection lost: nothing landed, the whole again
//! ```
//!
//! The transaction's id (`pg_current_xact_id()`) is learnt when it begins, so this holds for transactions
//! without a row in `transactions` too (taking a lock, a checkpoint). Where there is such a row, its
//! `client_uuid` is the same in every attempt and unique: even a wrong answer cannot let a write land twice.
//!
//! SQLite has no connection to lose: there a COMMIT that fails has not landed, with one exception. When the disk
//! fails after the whole of it was written to the log, this process does not see it, but one that opens the
//! database after a crash does: that, too, is [`Error::CommitUnknown`]. A repeat in this process overwrites it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::store::connection::{self, AnyConnection, PooledConnection, Usable};
use crate::store::postgres::fate::{self, CommitWas, Fate};
use crate::store::rows::Plan;
use crate::store::{Store, doing, error, failpoint};

/// How often a write that collided with another is repeated before the error is shown.
const ATTEMPTS: u32 = 50;

/// How often, and for how long, a write whose connection was lost is repeated.
const LOSSES: u32 = 10;
const KEEP_TRYING: Duration = Duration::from_secs(30);

/// The longest pause between two attempts to reach the server again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long a transaction waits for others that write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as the engine lets it.
    Long,
    /// So long at most.
    Short(Duration),
}

/// What becomes of a database transaction.
pub(crate) enum Outcome<T> {
    /// Keep it.
    Commit(T),
    /// Nothing changed: leave no trace.
    Nothing(T),
}

/// What is the same in every attempt at a transaction.
#[derive(Clone, Copy)]
struct Logical<'a> {
    patience: Patience,
    step: &'a str,
    /// Of its row in `transactions`, if it has one.
    client_uuid: Option<&'a str>,
    /// With which it begins.
    plan: Plan,
}

/// What one attempt came to.
enum Attempt<T> {
    Done(T),
    Failed(Error),
    /// The connection was lost before COMMIT was sent.
    Lost(Option<Xid>, Error),
    /// The connection was lost after COMMIT was sent: perhaps it landed.
    Unanswered(Xid, T, Error),
}

/// PostgreSQL's id of a transaction.
pub(super) type Xid = i64;

impl Store {
    /// Runs `work` in a short database transaction that is committed when it returns `Ok`. `step` names it
    /// to the tests.
    ///
    /// A collision with another writer (serialisation failure, deadlock) and a lost connection repeat the
    /// whole of it, so `work` must not keep anything from an earlier attempt.
    pub(crate) fn transaction<T>(
        &self,
        step: &str,
        work: impl FnMut(&mut AnyConnection) -> Result<Outcome<T>>,
    ) -> Result<T> {
        self.transaction_within(Patience::Long, step, work)
    }

    /// [`transaction`](Self::transaction) that waits for other writers only so long, and is
    /// [`Error::Busy`] then.
    pub(crate) fn transaction_within<T>(
        &self,
        patience: Patience,
        step: &str,
        work: impl FnMut(&mut AnyConnection) -> Result<Outcome<T>>,
    ) -> Result<T> {
        let logical = Logical {
            patience,
            step,
            client_uuid: None,
            plan: Plan::Anew,
        };
        self.land_once(logical, work)
    }

    /// [`transaction`](Self::transaction) that writes a row with this `client_uuid` into `transactions`.
    pub(crate) fn transaction_of<T>(
        &self,
        client_uuid: &str,
        plan: Plan,
        step: &str,
        work: impl FnMut(&mut AnyConnection) -> Result<Outcome<T>>,
    ) -> Result<T> {
        let logical = Logical {
            patience: Patience::Long,
            step,
            client_uuid: Some(client_uuid),
            plan,
        };
        self.land_once(logical, work)
    }

    fn land_once<T>(
        &self,
        logical: Logical<'_>,
        mut work: impl FnMut(&mut AnyConnection) -> Result<Outcome<T>>,
    ) -> Result<T> {
        let mut collisions = 0;
        let mut losses = Losses::default();
        // What the attempt came to whose COMMIT got no answer, and that the server then called aborted.
        let mut unanswered = None;
        loop {
            let mut connection = match self.connection() {
                Err(error) if losses.count > 0 => {
                    return Err(error::lost(self.location(), &error, "nothing was written"));
                }
                connection => connection?,
            };
            match self.attempt(&mut connection, logical, &mut work) {
                Attempt::Done(value) => return Ok(value),
                Attempt::Failed(error) => {
                    if error::is_client_uuid_taken(&error)
                        && let Some(value) = unanswered.take()
                    {
                        return Ok(value);
                    }
                    collisions += 1;
                    if collisions >= ATTEMPTS || !error::is_transient(&error) {
                        return Err(error);
                    }
                    // Jitter from the process id and the attempt: the others that collided wait differently.
                    let spread = (std::process::id() + collisions * 7) % 13;
                    std::thread::sleep(Duration::from_millis(u64::from(
                        collisions.min(10) + spread,
                    )));
                }
                Attempt::Lost(xid, error) => {
                    // The pool throws it away before another is asked for, of which there may be one only.
                    drop(connection);
                    losses.note(self, logical.step, error)?;
                    if let Some(xid) = xid {
                        // Its end lets go of the rows that it locked, for which the repeat would wait.
                        self.fate(xid, logical, CommitWas::NotSent);
                    }
                }
                Attempt::Unanswered(xid, value, error) => {
                    drop(connection);
                    log::warn!("{}: no answer to COMMIT: {error}", logical.step);
                    match self.fate(xid, logical, CommitWas::Sent) {
                        Fate::Committed => return Ok(value),
                        Fate::Aborted => {
                            unanswered = Some(value);
                            losses.note(self, logical.step, error)?;
                        }
                        Fate::Unknown(why) => return Err(self.unknown(Some(xid), logical, &why)),
                    }
                }
            }
        }
    }

    fn attempt<T>(
        &self,
        connection: &mut PooledConnection,
        logical: Logical<'_>,
        work: &mut impl FnMut(&mut AnyConnection) -> Result<Outcome<T>>,
    ) -> Attempt<T> {
        let step = logical.step;
        let xid = match connection::begin(connection, logical.patience, logical.plan) {
            Ok(xid) => xid,
            Err(source) => {
                let error = doing("beginning a transaction")(source);
                return match connection.answers() {
                    Usable::Yes => self.failed(connection, None, error),
                    Usable::No => Attempt::Lost(None, error),
                };
            }
        };
        let outcome = failpoint::reach(step, "begun")
            .and_then(|()| work(connection))
            .and_then(|outcome| failpoint::reach(step, "done").map(|()| outcome));
        let value = match outcome {
            Ok(Outcome::Commit(value)) => value,
            Ok(Outcome::Nothing(value)) => {
                let asked = Instant::now();
                if connection::roll_back(connection) == Usable::Yes {
                    connection.answered(asked);
                }
                return Attempt::Done(value);
            }
            Err(error) => return self.failed(connection, xid, error),
        };
        if let Err(source) = connection::leave_transaction(connection) {
            let error = doing("leaving a transaction")(source);
            return self.failed(connection, xid, error);
        }
        let asked = Instant::now();
        if let Err(source) = connection::commit(connection) {
            let error = doing("committing")(source);
            return match (xid, connection::roll_back(connection)) {
                (Some(xid), Usable::No) => Attempt::Unanswered(xid, value, error),
                (None, _) if matches!(error, Error::Storage { .. }) => {
                    Attempt::Failed(self.unknown(xid, logical, &error.to_string()))
                }
                _ => Attempt::Failed(error),
            };
        }
        connection.answered(asked);
        match failpoint::reach(step, "committed")
            .and_then(|()| connection::check_kept(self.location(), connection))
        {
            Ok(()) => Attempt::Done(value),
            Err(error) => Attempt::Failed(error),
        }
    }

    /// Before COMMIT was sent: rolls back, and tells an error of the work from a lost connection.
    fn failed<T>(
        &self,
        connection: &mut PooledConnection,
        xid: Option<Xid>,
        error: Error,
    ) -> Attempt<T> {
        let usable = connection::roll_back(connection);
        if usable == Usable::No && error::may_be_a_lost_connection(&error) {
            Attempt::Lost(xid, error)
        } else {
            Attempt::Failed(error)
        }
    }

    fn fate(&self, xid: Xid, logical: Logical<'_>, commit_was: CommitWas) -> Fate {
        // Who found the server gone a moment ago does not wait for it all over again.
        let patience = if self.away.load(Ordering::Relaxed) {
            LONGEST_PAUSE
        } else {
            KEEP_TRYING
        };
        let fate = fate::of(
            self.location(),
            xid,
            logical.client_uuid,
            commit_was,
            patience,
        );
        let unknown = matches!(fate, Fate::Unknown(_));
        self.away.store(unknown, Ordering::Relaxed);
        fate
    }

    fn unknown(&self, xid: Option<Xid>, logical: Logical<'_>, why: &str) -> Error {
        let find_out = match (logical.client_uuid, xid) {
            (Some(client_uuid), _) => {
                format!("SELECT * FROM transactions WHERE client_uuid = '{client_uuid}'")
            }
            (None, Some(xid)) => format!("SELECT pg_xact_status('{xid}')"),
            (None, None) => "`stratalog locks` and `stratalog checkpoints`".to_owned(),
        };
        Error::CommitUnknown {
            url: self.location().to_string(),
            why: why.to_owned(),
            find_out,
        }
    }

    /// Runs `work` on a consistent snapshot of the database that sees no later commits. A lost connection
    /// repeats it once.
    pub(crate) fn read<T>(
        &self,
        mut work: impl FnMut(&mut AnyConnection) -> Result<T>,
    ) -> Result<T> {
        self.answered(|connection| {
            let result = connection::begin_snapshot(connection)
                .map_err(doing("beginning to read"))
                .and_then(|()| work(connection));
            match (connection::roll_back(connection), result) {
                // Without a transaction there is nothing to roll back.
                (Usable::Yes, Err(error)) => (connection.answers(), Err(error)),
                ended => ended,
            }
        })
    }

    /// Runs what may be done twice, outside a transaction. A lost connection repeats it once.
    pub(crate) fn ask<T>(
        &self,
        mut question: impl FnMut(&mut AnyConnection) -> Result<T>,
    ) -> Result<T> {
        self.answered(|connection| match question(connection) {
            Ok(answer) => (Usable::Yes, Ok(answer)),
            Err(error) => (connection.answers(), Err(error)),
        })
    }

    /// What `work` comes to, which says whether its connection is usable afterwards.
    fn answered<T>(
        &self,
        mut work: impl FnMut(&mut PooledConnection) -> (Usable, Result<T>),
    ) -> Result<T> {
        let mut repeated = false;
        loop {
            let mut connection = self.connection()?;
            let asked = Instant::now();
            match work(&mut connection) {
                (Usable::No, Err(error)) if error::may_be_a_lost_connection(&error) => {
                    if repeated {
                        return Err(error::lost(
                            self.location(),
                            &error,
                            "nothing was to be written",
                        ));
                    }
                    repeated = true;
                }
                (usable, result) => {
                    if usable == Usable::Yes {
                        connection.answered(asked);
                    }
                    return result;
                }
            }
        }
    }
}

/// How often and since when a logical write has lost its connection.
#[derive(Default)]
struct Losses {
    count: u32,
    first: Option<Instant>,
}

impl Losses {
    /// Waits a little before the next attempt; an error when there were enough.
    fn note(&mut self, store: &Store, step: &str, error: Error) -> Result<()> {
        self.count += 1;
        let first = *self.first.get_or_insert_with(Instant::now);
        log::warn!("{step}: {error}; attempt {}", self.count);
        if self.count >= LOSSES || first.elapsed() >= KEEP_TRYING {
            let tried = format!(
                "nothing was written, after {} attempts in {:.0} s",
                self.count,
                first.elapsed().as_secs_f64()
            );
            return Err(error::lost(store.location(), &error, &tried));
        }
        std::thread::sleep(pause(self.count - 1));
        Ok(())
    }
}

/// None before the first repeat, then 50 ms, 100 ms, …
pub(super) fn pause(repeat: u32) -> Duration {
    match repeat {
        0 => Duration::ZERO,
        repeat => Duration::from_millis(25 << repeat.min(10)).min(LONGEST_PAUSE),
    }
}
