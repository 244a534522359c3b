//! `Locks`: who is writing, and ending it by hand.

use std::sync::Arc;

use pyo3::prelude::*;
use stratalog::LockToken;

use crate::changes::ChangeCounts;
use crate::error::Result;
use crate::frame::Columns;
use crate::input::Text;
use crate::run::log_filter;
use crate::runs::id_of;
use crate::session::Session;

/// The run locks of a platform.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Locks(Arc<Session>);

impl Locks {
    pub(crate) fn new(session: &Arc<Session>) -> Self {
        Self(Arc::clone(session))
    }
}

#[pymethods]
impl Locks {
    /// Every run that is locked now: ``run_id`` (int64), ``run`` (its label), ``token``
    /// (int64), ``holder``, ``host`` (text), ``pid`` (int64), ``reason`` (text),
    /// ``acquired_at``, ``expires_at``, ``last_write_at`` (datetime64[us, UTC], NaT before
    /// the first write), ``state`` (text), ``lock_transaction`` (int64: the run's last
    /// transaction when it was taken).
    ///
    /// States: "held"; "recovering": a rollback is to be done first; "expired": its lease ran
    /// out; "dead": its process has ended. An expired or dead one is taken over by whoever
    /// locks the run next.
    fn tabulate(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let platform = self.0.platform()?;
        let rows = py.detach(|| platform.locks().list())?;
        let holders = || rows.iter().map(|row| &row.holder);
        Columns::default()
            .integers("run_id", rows.iter().map(|row| row.run_id.0))
            .text("run", rows.iter().map(|row| row.run.clone()))
            .integers("token", holders().map(|holder| holder.token.0))
            .text("holder", holders().map(|holder| holder.user.clone()))
            .text("host", holders().map(|holder| holder.host.clone()))
            .integers("pid", holders().map(|holder| holder.pid))
            .text("reason", holders().map(|holder| holder.reason.clone()))
            .moments(
                "acquired_at",
                holders().map(|holder| holder.acquired_at.and_utc().timestamp_micros()),
            )
            .moments(
                "expires_at",
                holders().map(|holder| holder.expires_at.and_utc().timestamp_micros()),
            )
            .moments(
                "last_write_at",
                holders().map(|holder| {
                    holder
                        .last_write_at
                        .map(|at| at.and_utc().timestamp_micros())
                }),
            )
            .text("state", rows.iter().map(|row| row.state.clone()))
            .integers(
                "lock_transaction",
                rows.iter().map(|row| row.lock_transaction.0),
            )
            .into_pandas(py)
    }

    /// What became of locks other than by their holders, newest first: ``id`` (int64),
    /// ``occurred_at`` (datetime64[us, UTC]), ``run_id`` (int64), ``event`` ("taken over":
    /// its holder was dead or silent for too long; "forced": somebody unlocked it by hand;
    /// "rollback failed": the next holder tries again), ``token`` (int64), ``holder``,
    /// ``host`` (text), ``pid`` (int64), ``holder_reason`` (text: what it was held for),
    /// ``actor``, ``reason`` (text: who took it, and why).
    ///
    /// Args:
    ///     run: only of this run, given as such or by its id.
    ///     limit: at most so many; ``None``: all.
    #[pyo3(signature = (run = None, limit = Some(50)))]
    #[pyo3(text_signature = "($self, run=None, limit=50)")]
    fn events(
        &self,
        py: Python<'_>,
        run: Option<&Bound<'_, PyAny>>,
        limit: Option<i64>,
    ) -> Result<Py<PyAny>> {
        let filter = log_filter(run.map(id_of).transpose()?, limit, None)?;
        let platform = self.0.platform()?;
        let rows = py.detach(|| platform.locks().events(filter.run, filter.limit))?;
        Columns::default()
            .integers("id", rows.iter().map(|row| row.id))
            .moments(
                "occurred_at",
                rows.iter()
                    .map(|row| row.occurred_at.and_utc().timestamp_micros()),
            )
            .integers("run_id", rows.iter().map(|row| row.run_id.0))
            .text("event", rows.iter().map(|row| row.event.clone()))
            .integers("token", rows.iter().map(|row| row.token.0))
            .text("holder", rows.iter().map(|row| row.holder.clone()))
            .text("host", rows.iter().map(|row| row.host.clone()))
            .integers("pid", rows.iter().map(|row| row.pid))
            .text(
                "holder_reason",
                rows.iter().map(|row| row.holder_reason.clone()),
            )
            .text("actor", rows.iter().map(|row| row.actor.clone()))
            .text("reason", rows.iter().map(|row| row.reason.clone()))
            .into_pandas(py)
    }

    /// Takes the lock from its holder, whoever that is, sets the run back to its last
    /// checkpoint, and leaves it free. Says what was undone. The holder gets ``LockLost`` at
    /// its next write. Kept in ``events``.
    ///
    /// For a holder that is known to be dead on a machine that cannot be asked, or alive and
    /// in the way. One whose process ended on this machine, or whose lease ran out, is taken
    /// over by whoever locks the run next.
    ///
    /// Args:
    ///     run: the run, given as such or by its id.
    ///     token: that of the holding that is to end, from ``tabulate`` or ``RunIsLocked``:
    ///         the lock may have passed to somebody else meanwhile.
    ///     reason: why, for others to read.
    ///
    /// Raises:
    ///     RunNotFound: there is no such run.
    ///     LockTokenMismatch: it is free, or held under another token.
    ///     InvalidName: the reason is empty.
    ///     RevertNeedsMissing: it cannot be set back; it stays marked.
    #[pyo3(signature = (run, *, token, reason))]
    fn force_unlock(
        &self,
        py: Python<'_>,
        run: &Bound<'_, PyAny>,
        token: i64,
        reason: Text,
    ) -> Result<ChangeCounts> {
        let id = id_of(run)?;
        let platform = self.0.platform()?;
        let undone = py.detach(|| {
            let run = platform.runs().get_by_id(id)?;
            platform
                .locks()
                .force_unlock(&run, LockToken(token), &reason.0)
        })?;
        Ok(undone.into())
    }
}
