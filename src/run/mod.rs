//! Runs: what a user opens, locks, checkpoints and reverts.

mod checkpoint;
mod copy;
mod lock;
mod runs;
mod table;
mod view;

use std::sync::Arc;

use serde::Serialize;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::filter::{Checked, Filter, Subject};
use crate::history::audit::{self, Audit};
use crate::history::compact::compact;
use crate::history::redact::{self, redact};
use crate::history::revert;
use crate::history::{
    ChangeCounts, CompactOptions, CompactReport, Diff, Keep, LogEntry, LogFilter, RedactOptions,
    Redaction,
};
use crate::iamc::Iamc;
use crate::ids::{RunId, TransactionId};
use crate::meta::Meta;
use crate::optimization::Optimization;

pub use checkpoint::{Checkpoint, LAST_CHECKPOINT, Target};
pub(crate) use checkpoint::{
    create_at as create_checkpoint_at, last_transaction, last_until, list as checkpoints_of,
};
pub use copy::{CloneOptions, ClonedFrom};
pub(crate) use lock::{Heart, Renewal, check_message, renew};
pub use lock::{Lease, LockEvent, LockOptions, LockRow, Locks, RunLock};
pub use runs::Runs;
pub(crate) use runs::{insert as insert_run, label_of};
pub use table::RunTable;
pub use view::RunView;

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
    /// What it was cloned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloned_from: Option<ClonedFrom>,
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

/// What may be done with the rows of a run, through [`Iamc`] or [`RunTable`].
#[derive(Clone, Copy)]
pub(crate) enum Access<'a> {
    /// Reading the present state.
    Read(&'a Run),
    /// Reading and writing.
    Write(&'a RunLock),
    /// Reading an earlier state.
    AsOf(&'a RunView),
}

impl<'a> Access<'a> {
    pub(crate) fn run(self) -> &'a Run {
        match self {
            Self::Read(run) => run,
            Self::Write(lock) => lock.run(),
            Self::AsOf(view) => view.run(),
        }
    }

    /// The state that is read; `None`: the present one.
    pub(crate) fn at(self) -> Option<TransactionId> {
        match self {
            Self::Read(_) | Self::Write(_) => None,
            Self::AsOf(view) => Some(view.transaction_id()),
        }
    }

    /// What one writes under.
    pub(crate) fn lock(self) -> Result<&'a RunLock> {
        match self {
            Self::Write(lock) => Ok(lock),
            Self::Read(run) => Err(Error::RunLockRequired { run: run.label() }),
            Self::AsOf(view) => Err(Error::ReadOnlyView {
                run: view.run().label(),
                at: view.transaction_id(),
            }),
        }
    }
}

/// How to revert.
#[derive(Default)]
pub struct RevertOptions<'a> {
    /// Only the points that it selects; other rows, those of other tables included, stay as they are.
    /// Default: everything.
    pub only: Filter,
    /// How to take the lock.
    pub lock: LockOptions<'a>,
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
        Iamc::new(Access::Read(self))
    }

    /// Its meta indicators, to be read.
    pub fn meta(&self) -> Meta<'_> {
        Meta::new(Access::Read(self))
    }

    /// Its optimization items, to be read.
    pub fn optimization(&self) -> Optimization<'_> {
        Optimization::new(Access::Read(self))
    }

    /// Its rows in a table of the program's own, to be read.
    ///
    /// # Errors
    /// [`Error::InvalidDescription`] when there is no such run-scoped table.
    pub fn table(&self, name: &str) -> Result<RunTable<'_>> {
        RunTable::new(Access::Read(self), name)
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

    /// Who made it and who wrote to it last, and when.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn audit(&self) -> Result<Audit> {
        let mut found = self
            .core
            .store
            .read(|connection| audit::of_runs(connection, Some(self.id())))?;
        Ok(found.remove(&self.id().0).unwrap_or_default())
    }

    /// The run as it was, to be read: at a checkpoint, after one of its transactions, or at a time.
    ///
    /// ```
    /// # fn main() -> stratalog::Result<()> {
    /// # let platform = stratalog::Platform::open("sqlite://:memory:")?;
    /// # let run = platform.runs().create("model", "scenario")?;
    /// run.lock("first")?.commit()?;
    /// let view = run.as_of("checkpoint")?; // its last one
    /// assert_eq!(view.iamc().tabulate(&stratalog::Filter::all())?.num_rows(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::CheckpointNotFound`], [`Error::TransactionNotFound`].
    pub fn as_of(&self, target: impl Into<Target>) -> Result<RunView> {
        let at = self.resolve(&target.into())?;
        Ok(RunView::new(self.clone(), at))
    }

    /// The run as it is now, to be read; later writes do not show in it.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn as_of_now(&self) -> Result<RunView> {
        Ok(RunView::new(self.clone(), self.last_transaction()?))
    }

    /// The transaction whose state a target means. Without a snapshot: who reads that state, or goes back to it, asks again
    /// whether it is still there.
    fn resolve(&self, target: &Target) -> Result<TransactionId> {
        self.core
            .store
            .ask(|connection| checkpoint::resolve(connection, &self.info, target))
    }

    /// What differs from one state to another; `to = None` is the present one. Costs what changed in between.
    ///
    /// # Errors
    /// [`Error::CheckpointNotFound`], [`Error::TransactionNotFound`].
    pub fn diff(&self, from: impl Into<Target>, to: Option<Target>) -> Result<Diff> {
        let from = self.resolve(&from.into())?;
        let to = match &to {
            Some(to) => self.resolve(to)?,
            None => self.last_transaction()?,
        };
        Ok(Diff::between(
            &self.core,
            (self.id(), from),
            (self.id(), to),
        ))
    }

    /// What changed from the checkpoint before to this one.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn diff_of(&self, checkpoint: &Checkpoint) -> Result<Diff> {
        let (run, at) = (self.id(), checkpoint.transaction_id);
        let before = self
            .core
            .store
            .read(|connection| checkpoint::before(connection, run, at, Some(checkpoint.id)))?;
        Ok(Diff::between(&self.core, (run, before), (run, at)))
    }

    /// What [`revert_to`](Self::revert_to) would change now: from the present state to the target's. Nothing is
    /// written, and no lock is needed.
    ///
    /// # Errors
    /// [`Error::CheckpointNotFound`], [`Error::TransactionNotFound`].
    pub fn diff_of_revert(&self, target: impl Into<Target>) -> Result<Diff> {
        let to = self.resolve(&target.into())?;
        let now = self.last_transaction()?;
        Ok(Diff::between(&self.core, (self.id(), now), (self.id(), to)))
    }

    /// What [`undo`](Self::undo) would change now. Nothing is written, and no lock is needed.
    ///
    /// # Errors
    /// As [`undo`](Self::undo), but for the lock.
    pub fn diff_of_undo(&self, transaction: TransactionId) -> Result<Diff> {
        self.core.store.read(|connection| {
            checkpoint::resolve(connection, &self.info, &transaction.into())?;
            revert::check_undo(connection, &self.core, &self.info, transaction)
        })?;
        let now = self.last_transaction()?;
        Ok(Diff::undoing(&self.core, self.id(), now, transaction))
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
        self.revert_with(target, RevertOptions::default())
    }

    /// [`revert_to`](Self::revert_to) of a selection, or that may wait for the lock.
    ///
    /// # Errors
    /// As [`revert_to`](Self::revert_to), and [`Error::Interrupted`].
    pub fn revert_with(
        &self,
        target: impl Into<Target>,
        options: RevertOptions<'_>,
    ) -> Result<ChangeCounts> {
        let target = target.into();
        // What is not there, or cannot be asked, is an error before anybody is kept waiting for the lock.
        self.resolve(&target)?;
        Checked::of(&options.only, Subject::Keys)?;
        let message = revert::description(&target, &options.only);
        let lock = self.lock_with(&message, options.lock)?;
        let counts = lock.revert_only(target, &options.only)?;
        lock.commit()?;
        Ok(counts)
    }

    /// Takes back what one of its transactions changed, and nothing of what was changed since: one logged
    /// transaction. Rows that are by now as they were before it stay as they are, so doing it twice does no harm.
    ///
    /// Takes the lock itself and leaves a checkpoint that says what it did. Under a lock that is held
    /// already use [`RunLock::undo`].
    ///
    /// # Errors
    /// [`Error::UndoOverlaps`], naming rows that were changed again since and not back: nothing changed then.
    /// [`Error::RunIsLocked`], [`Error::TransactionNotFound`], [`Error::RevertNeedsMissing`].
    pub fn undo(&self, transaction: TransactionId) -> Result<ChangeCounts> {
        self.undo_with(transaction, LockOptions::default())
    }

    /// [`undo`](Self::undo) that may wait for the lock.
    ///
    /// # Errors
    /// As [`undo`](Self::undo), and [`Error::Interrupted`].
    pub fn undo_with(
        &self,
        transaction: TransactionId,
        options: LockOptions<'_>,
    ) -> Result<ChangeCounts> {
        self.diff_of_undo(transaction)?;
        let lock = self.lock_with(&format!("undo of transaction {transaction}"), options)?;
        let counts = lock.undo(transaction)?;
        lock.commit()?;
        Ok(counts)
    }

    /// Removes the version rows that none of the kept states needs; what is kept reads as before. See
    /// [`Platform::compact`](crate::Platform::compact).
    ///
    /// # Errors
    /// As [`Platform::compact`](crate::Platform::compact).
    pub fn compact(&self, keep: Keep, options: CompactOptions<'_>) -> Result<CompactReport> {
        compact(&self.core, std::slice::from_ref(self), keep, options)
    }

    /// Takes values out of the history for good, because they must not be kept: all but the present ones of the
    /// points that are selected. Who did it, when and why stays, and which version rows it were; `verify` says it.
    /// `None`: there was nothing to take out.
    ///
    /// Views of earlier states then have no value there, and reverting to them is
    /// [`Error::RevertNeedsRedacted`]. To get rid of a present value change or remove it first. Takes the lock.
    ///
    /// # Errors
    /// [`Error::InvalidFilter`] without a reason or a selection, [`Error::RunIsLocked`].
    pub fn redact(&self, reason: &str, options: &RedactOptions) -> Result<Option<Redaction>> {
        redact(self, reason, options)
    }

    /// What was redacted of it, oldest first.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn redactions(&self) -> Result<Vec<Redaction>> {
        self.core
            .store
            .read(|connection| redact::redactions(connection, Some(self.id())))
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run(id {}, {})", self.id(), self.label())
    }
}
