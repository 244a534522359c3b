//! Runs: what a user opens, locks, checkpoints and reverts.

mod checkpoint;
mod lock;
mod runs;
mod table;

use std::sync::Arc;

use serde::Serialize;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::history::{ChangeCounts, DiffSummary, LogEntry, LogFilter};
use crate::iamc::Iamc;
use crate::ids::{RunId, TransactionId};

pub use checkpoint::{Checkpoint, Target};
pub(crate) use checkpoint::{last_transaction, resolve};
pub(crate) use lock::{Heart, Renewal, renew};
pub use lock::{Lease, LockEvent, LockOptions, LockRow, Locks, RunLock};
pub use runs::{RunFilter, Runs};
pub use table::RunTable;

/// What identifies a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunInfo {
    /// Its id.
    pub id: RunId,
    /// The model's name.
    pub model: String,
    /// The scenario's name.
    pub scenario: String,
    /// 1, 2, 3 … of the same model and scenario. Not to be confused with version rows.
    pub version: i32,
    /// Whether it is what one gets without naming a version.
    pub is_default: bool,
}

impl RunInfo {
    /// "model / scenario, version 1": how errors name it.
    pub fn label(&self) -> String {
        format!(
            "{} / {}, version {}",
            self.model, self.scenario, self.version
        )
    }
}

/// A run. Reading needs no lock; writing does: see [`lock`](Self::lock).
#[derive(Clone)]
pub struct Run {
    pub(crate) core: Arc<Core>,
    info: RunInfo,
}

impl Run {
    pub(crate) fn new(core: Arc<Core>, info: RunInfo) -> Self {
        Self { core, info }
    }

    /// Its id.
    pub fn id(&self) -> RunId {
        self.info.id
    }

    /// Model, scenario, version, as they were when it was looked up.
    pub fn info(&self) -> &RunInfo {
        &self.info
    }

    /// "model / scenario, version 1".
    pub fn label(&self) -> String {
        self.info.label()
    }

    /// Its time series, to be read.
    pub fn iamc(&self) -> Iamc<'_> {
        Iamc::reader(self)
    }

    /// Its rows in a table of the program's own, to be read.
    ///
    /// # Errors
    /// [`Error::InvalidDescription`] when there is no such run-scoped table.
    pub fn table(&self, name: &str) -> Result<RunTable<'_>> {
        RunTable::reader(self, name)
    }

    /// Takes the lock at once or fails with who holds it. `message` is the reason that others see, and
    /// the checkpoint that [`RunLock::commit`] makes.
    ///
    /// # Errors
    /// [`Error::RunIsLocked`].
    pub fn lock(&self, message: &str) -> Result<RunLock> {
        self.lock_with(message, LockOptions::default())
    }

    /// Takes the lock, waiting for it if the options say so.
    ///
    /// # Errors
    /// [`Error::RunIsLocked`] when it was not to be had in time, [`Error::Interrupted`].
    pub fn lock_with(&self, message: &str, options: LockOptions<'_>) -> Result<RunLock> {
        RunLock::acquire(self.clone(), message, options)
    }

    /// Its checkpoints, oldest first.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>> {
        self.core
            .store
            .read(|connection| checkpoint::list(connection, self.id()))
    }

    /// The checkpoint of that id or name. A name means its latest checkpoint.
    ///
    /// # Errors
    /// [`Error::CheckpointNotFound`], listing the ones there are.
    pub fn checkpoint(&self, target: impl Into<Target>) -> Result<Checkpoint> {
        let target = target.into();
        self.core.store.read(|connection| {
            checkpoint::find(connection, &self.info, &target)?.ok_or_else(|| {
                Error::CheckpointNotFound {
                    run: self.label(),
                    target: target.to_string(),
                    known: "a transaction is not a checkpoint".into(),
                }
            })
        })
    }

    /// Its transactions, newest first.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn log(&self) -> Result<Vec<LogEntry>> {
        self.core.log(&LogFilter {
            run: Some(self.id()),
            limit: i64::MAX,
            ..LogFilter::default()
        })
    }

    /// The last transaction that wrote to it; [`TransactionId::BEFORE_FIRST`] before any did.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn last_transaction(&self) -> Result<TransactionId> {
        self.core
            .store
            .read(|connection| checkpoint::last_transaction(connection, self.id()))
    }

    /// Counts per table of what changed from one state to another; `to = None` is the present one.
    ///
    /// # Errors
    /// [`Error::CheckpointNotFound`], [`Error::TransactionNotFound`].
    pub fn diff_summary(&self, from: impl Into<Target>, to: Option<Target>) -> Result<DiffSummary> {
        let from = from.into();
        self.core.store.read(|connection| {
            let from = checkpoint::resolve(connection, &self.info, &from)?;
            let to = match &to {
                Some(to) => checkpoint::resolve(connection, &self.info, to)?,
                None => checkpoint::last_transaction(connection, self.id())?,
            };
            self.core.diff_summary(connection, self.id(), from, to)
        })
    }

    /// Sets the run back to an earlier state: a checkpoint, its name (the latest of that name) or id, or
    /// one of the run's transactions. One logged transaction that costs what changed since; reverting it
    /// brings the later state back.
    ///
    /// Takes the lock itself and leaves a checkpoint that says what it did. Under a lock that is held
    /// already use [`RunLock::revert_to`].
    ///
    /// # Errors
    /// [`Error::RunIsLocked`], [`Error::CheckpointNotFound`], [`Error::TransactionNotFound`],
    /// [`Error::RevertNeedsMissing`].
    pub fn revert_to(&self, target: impl Into<Target>) -> Result<ChangeCounts> {
        self.revert_with(target, LockOptions::default())
    }

    /// [`revert_to`](Self::revert_to) that may wait for the lock.
    ///
    /// # Errors
    /// As [`revert_to`](Self::revert_to), and [`Error::Interrupted`].
    pub fn revert_with(
        &self,
        target: impl Into<Target>,
        options: LockOptions<'_>,
    ) -> Result<ChangeCounts> {
        let target = target.into();
        // A target that is not there is an error before anybody is kept waiting for the lock.
        self.core
            .store
            .read(|connection| checkpoint::resolve(connection, &self.info, &target))?;
        let message = format!("revert to {target}");
        let lock = self.lock_with(&message, options)?;
        let counts = lock.revert_to(target)?;
        lock.commit()?;
        Ok(counts)
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run(id {}, {})", self.id(), self.label())
    }
}
