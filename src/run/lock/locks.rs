//! All locks of a platform, for people: who holds what, and ending it by hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::core::Core;
use crate::error::{Error, LockHolder, Result};
use crate::history::ChangeCounts;
use crate::ids::{LockToken, RunId, TransactionId};
use crate::run::Run;
use crate::run::lock::claim::{self, Holder, Takeover};
use crate::run::lock::events::{self, LockEvent};
use crate::run::lock::{ACQUIRE_PATIENCE, RunLock, SLICE, row};

/// The run locks of a platform.
pub struct Locks {
    core: Arc<Core>,
}

/// A run's lock as it is now.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LockRow {
    /// The run.
    pub run_id: RunId,
    /// The run as "model / scenario, version".
    pub run: String,
    /// "held"; "recovering": a rollback is to be done first; "expired": its lease ran out; "dead": its process
    /// ended. Of the last two, and of a rollback that failed, the next to ask gets the lock.
    pub state: String,
    /// Who, where, since when, until when and why.
    #[serde(flatten)]
    pub holder: LockHolder,
    /// The run's last transaction when the lock was taken.
    pub lock_transaction: TransactionId,
}

impl Locks {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Every lock that is not free, by run.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn list(&self) -> Result<Vec<LockRow>> {
        let rows = self.core.store.read(|connection| {
            row::taken(connection, &self.core)?
                .into_iter()
                .map(|row| {
                    let id = RunId(row.run_id);
                    let run = crate::run::runs::find_by_id(connection, id)?
                        .map_or_else(|| format!("run {id}"), |info| info.label());
                    Ok((row, run))
                })
                .collect::<Result<Vec<_>>>()
        })?;
        rows.into_iter()
            .map(|(row, run)| {
                let state = match claim::sign(&self.core, &row)? {
                    Holder::Alive | Holder::GaveUp => row.state.clone(),
                    Holder::Lapsed => "expired".to_owned(),
                    Holder::Gone => "dead".to_owned(),
                };
                Ok(LockRow {
                    run_id: RunId(row.run_id),
                    run,
                    state,
                    holder: row.holder(),
                    lock_transaction: TransactionId(row.lock_transaction),
                })
            })
            .collect()
    }

    /// What became of locks other than by their holders, newest first: takeovers, locks ended by hand,
    /// rollbacks that failed.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn events(&self, run: Option<RunId>, limit: i64) -> Result<Vec<LockEvent>> {
        self.core
            .store
            .read(|connection| events::list(connection, run, limit))
    }

    /// Takes the lock from its holder, whoever that is, rolls the run back to its last checkpoint and leaves it
    /// free; returns what was undone. The holder gets [`Error::LockLost`] at its next write. Kept in
    /// [`events`](Self::events) with `reason`.
    ///
    /// `token` is that of the holding to be ended: between looking and ending it may have passed to somebody
    /// who is at work.
    ///
    /// # Errors
    /// [`Error::LockTokenMismatch`] when the run is free or held under another token;
    /// [`Error::RevertNeedsMissing`], and the run stays marked.
    pub fn force_unlock(&self, run: &Run, token: LockToken, reason: &str) -> Result<ChangeCounts> {
        if reason.trim().is_empty() || reason.contains('\0') {
            return Err(Error::InvalidName {
                kind: "reason",
                name: reason.to_owned(),
                problem: "say why the lock is taken from its holder: it is kept for others to read",
            });
        }
        let started = Instant::now();
        self.core.heart.start()?;
        loop {
            let seen = claim::look(run)?;
            if seen.is_free() || seen.token() != token {
                return Err(Error::LockTokenMismatch {
                    run: run.label(),
                    asked: token,
                    found: (!seen.is_free()).then(|| Box::new(seen.holder())),
                });
            }
            let message = format!("unlock: {reason}");
            let taken = claim::take_over(
                run,
                &message,
                self.core.lease,
                SLICE,
                &seen,
                &Takeover::Forced(reason),
            );
            match taken {
                Ok(Some(claim)) => {
                    return RunLock::recover_and_release(run.clone(), &message, claim);
                }
                // Renewals do not matter here: something else has changed, so look again.
                Ok(None) => {}
                Err(Error::Busy(_)) if started.elapsed() < ACQUIRE_PATIENCE => {}
                Err(error) => return Err(error),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
