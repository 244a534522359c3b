//! Claiming a lock: a free one, or one whose holder does not matter any more.
//!
//! ```text
//!   look at the row (no lock, no waiting for writers)
//!     free ───────────────────────────► take it: held
//!     its process has ended ──────────┐
//!     its lease has run out ──────────┼► take it: recovering, with an event. Then roll back, and only then held
//!     its token was named by a person ┘
//!     otherwise ──────────────────────► locked
//! ```
//!
//! **Invariant:** a lock is taken as it was seen or not at all: the statement that takes it asks for the
//! token that was seen. Until its rollback is done, a lock that was taken over stays "recovering", whatever
//! becomes of the one who took it.

use std::time::Duration;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::ids::LockToken;
use crate::run::Run;
use crate::run::lock::events;
use crate::run::lock::lease::{self, Lease, Replace};
use crate::run::lock::row::{self, Row, Taker};
use crate::store::presence::{self, Sign};
use crate::store::{Outcome, Patience, failpoint};

/// A lock that was claimed.
pub(super) struct Claim {
    pub(super) token: LockToken,
    /// What the last holder left to be rolled back, and why it holds the lock no more.
    pub(super) left: Option<Left>,
}

/// What a holder left behind.
pub(super) struct Left {
    pub(super) reason: String,
    pub(super) why: String,
}

/// Why a lock is taken from its holder.
pub(super) enum Takeover<'a> {
    /// It gave the lock up; its process ended.
    Gone(&'static str),
    /// Its lease ran out, and still has when the lock is taken.
    Lapsed,
    /// A person says so.
    Forced(&'a str),
}

impl Takeover<'_> {
    fn event(&self) -> &'static str {
        match self {
            Self::Gone(_) | Self::Lapsed => events::TAKEN_OVER,
            Self::Forced(_) => events::FORCED,
        }
    }

    fn why(&self) -> &str {
        match self {
            Self::Gone(why) => why,
            Self::Lapsed => "its lease ran out",
            Self::Forced(reason) => reason,
        }
    }
}

/// Claims the lock of a run if it can be had now; [`Error::RunIsLocked`] otherwise, [`Error::Busy`] when
/// other writers were in the way for longer than `patience`.
pub(super) fn claim(run: &Run, message: &str, lease: Lease, patience: Duration) -> Result<Claim> {
    // Whoever was faster leaves another row to be looked at.
    loop {
        let seen = look(run)?;
        let claim = if seen.is_free() {
            take_free(run, message, lease, patience, &seen)?
        } else if let Some(takeover) = takeover(&run.core, &seen)? {
            failpoint::reach("take over", "seen")?;
            take_over(run, message, lease, patience, &seen, &takeover)?
        } else {
            return Err(locked(run, &seen));
        };
        if let Some(claim) = claim {
            return Ok(claim);
        }
    }
}

/// The lock of a run as it is now.
pub(super) fn look(run: &Run) -> Result<Row> {
    let core = &run.core;
    let found = core
        .store
        .ask(|connection| row::read(connection, core, run.id()))?;
    found.ok_or_else(|| deleted(run))
}

/// Why a lock that is not free may be taken now, if it may.
fn takeover(core: &Core, seen: &Row) -> Result<Option<Takeover<'static>>> {
    Ok(match sign(core, seen)? {
        Holder::GaveUp => Some(Takeover::Gone("its rollback failed")),
        Holder::Gone => Some(Takeover::Gone("its process ended")),
        Holder::Lapsed => Some(Takeover::Lapsed),
        Holder::Alive => None,
    })
}

/// What is known of a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Alive,
    Lapsed,
    Gone,
    GaveUp,
}

pub(super) fn sign(core: &Core, seen: &Row) -> Result<Holder> {
    let sign = match &seen.holder_client {
        None if seen.state == row::RECOVERING => return Ok(Holder::GaveUp),
        // Locked by hand: there is no process to look for.
        None => Sign::None,
        Some(_) if core.clock.is_simulated() => Sign::None,
        Some(client) => core.store.ask(|connection| {
            presence::look_for(
                core.store.location(),
                connection,
                client,
                seen.holder_host.as_deref() == Some(row::host().as_str()),
                seen.renewed_at,
                Duration::from_secs_f64(seen.lease_seconds.max(0.0)),
            )
        })?,
    };
    Ok(match sign {
        Sign::Gone => Holder::Gone,
        Sign::None if seen.has_lapsed => Holder::Lapsed,
        Sign::None | Sign::Beating => Holder::Alive,
    })
}

fn take_free(
    run: &Run,
    message: &str,
    lease: Lease,
    patience: Duration,
    seen: &Row,
) -> Result<Option<Claim>> {
    let core = &run.core;
    let taker = Taker { core, message };
    core.store
        .transaction_within(Patience::Short(patience), "acquire", |connection| {
            let Some(token) = row::take(connection, &taker, seen, row::HELD)? else {
                return Ok(Outcome::Nothing(None));
            };
            // The lock row outlives its run, so that tokens never begin again.
            if crate::run::runs::find_by_id(connection, run.id())?.is_none() {
                return Err(deleted(run));
            }
            failpoint::reach("acquire", "taken")?;
            row::hold(connection, run.id())?;
            lease::pass_on(connection, core, run.id(), token, lease, Replace::Any)?;
            Ok(Outcome::Commit(Some(Claim { token, left: None })))
        })
}

/// Takes a lock from its holder, to be rolled back. `None`: it was released, renewed or taken meanwhile.
pub(super) fn take_over(
    run: &Run,
    message: &str,
    lease: Lease,
    patience: Duration,
    seen: &Row,
    takeover: &Takeover<'_>,
) -> Result<Option<Claim>> {
    let core = &run.core;
    let taker = Taker { core, message };
    let taken =
        core.store
            .transaction_within(Patience::Short(patience), "take over", |connection| {
                let Some(token) = row::take(connection, &taker, seen, row::RECOVERING)? else {
                    return Ok(Outcome::Nothing(None));
                };
                let replace = match takeover {
                    Takeover::Lapsed => Replace::Lapsed,
                    Takeover::Gone(_) | Takeover::Forced(_) => Replace::Any,
                };
                if !lease::pass_on(connection, core, run.id(), token, lease, replace)? {
                    return Ok(Outcome::Nothing(None));
                }
                failpoint::reach("take over", "taken")?;
                events::record(connection, core, seen, takeover.event(), takeover.why())?;
                Ok(Outcome::Commit(Some(token)))
            });
    match taken {
        Ok(Some(token)) => {
            if let (Takeover::Gone(_), Some(client)) = (takeover, &seen.holder_client) {
                presence::forget(core.store.location(), client);
            }
            Ok(Some(Claim {
                token,
                left: Some(Left {
                    reason: seen.reason.clone().unwrap_or_default(),
                    why: takeover.why().to_owned(),
                }),
            }))
        }
        Err(error @ Error::Busy(_)) => {
            // A silent holder may have stopped in the middle of a write, and keep the row locked.
            core.store.end_silent_writer(run.id().0)?;
            Err(error)
        }
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    }
}

fn locked(run: &Run, seen: &Row) -> Error {
    Error::RunIsLocked {
        run: run.label(),
        run_id: run.id(),
        holder: Box::new(seen.holder()),
        waited_seconds: 0.0,
    }
}

fn deleted(run: &Run) -> Error {
    Error::NotFound {
        kind: "run",
        name: run.label(),
        hint: "it was deleted".into(),
    }
}
