//! `Run`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use stratalog::{CloneOptions, LogFilter, RedactOptions, TransactionId};

use crate::changes::ChangeCounts;
use crate::checkpoints::Checkpoints;
use crate::diff::Diff;
use crate::error::{Failure, Result};
use crate::filter::filter;
use crate::guard::Guard;
use crate::held::{Ending, HeldRun, Wish};
use crate::iamc::Iamc;
use crate::input::{self, AnyTarget, LeaseTime, Moment, Text, Timeout, repr};
use crate::log;
use crate::meta::MetaIndicators;
use crate::optimization::OptimizationItems;
use crate::run_lock::RunLock;
use crate::session::Session;
use crate::tables::RunTables;
use crate::transact::Transact;
use crate::view::RunView;

/// A run: one version of a model's scenario, with the rows that belong to it and change
/// together.
///
/// Reading needs no lock; writing goes on inside ``with run.transact("message"):``, or
/// between ``run.lock("message")`` and its ``commit()``. The lock belongs to this ``Run``
/// object. Threads and tasks may share it: they then write in one block, and while one is
/// in a block, ``transact`` of another is a ``NestedTransact`` error. For blocks of their
/// own, let each get its own ``Run``.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Run(Arc<HeldRun>);

impl Run {
    pub(crate) fn new(session: &Arc<Session>, run: stratalog::Run) -> Self {
        Self(HeldRun::new(session, run))
    }

    pub(crate) fn core(&self) -> &stratalog::Run {
        self.0.describe()
    }

    fn audit(&self, py: Python<'_>) -> Result<stratalog::Audit> {
        let run = self.0.run()?;
        Ok(py.detach(|| run.audit())?)
    }

    /// The run as it is now.
    pub(crate) fn as_of_now(&self, py: Python<'_>) -> Result<stratalog::RunView> {
        let run = self.0.run()?;
        Ok(py.detach(|| run.as_of_now())?)
    }

    fn set_default(
        &self,
        py: Python<'_>,
        change: fn(&stratalog::Runs, stratalog::RunId) -> stratalog::Result<()>,
    ) -> Result<()> {
        let runs = self.0.session.platform()?.runs();
        Ok(py.detach(|| change(&runs, self.core().id()))?)
    }
}

#[pymethods]
impl Run {
    /// Its id.
    #[getter]
    fn id(&self) -> i64 {
        self.core().id().0
    }

    /// The model's name.
    #[getter]
    fn model(&self) -> &str {
        &self.core().info().model
    }

    /// The scenario's name.
    #[getter]
    fn scenario(&self) -> &str {
        &self.core().info().scenario
    }

    /// 1, 2, 3 … of the same model and scenario.
    #[getter]
    fn version(&self) -> i32 {
        self.core().info().version
    }

    /// "model / scenario, version 1".
    #[getter]
    fn label(&self) -> String {
        self.core().label()
    }

    /// Whether it is what ``runs.get(model, scenario)`` gives; asked from the database each
    /// time.
    #[getter]
    fn is_default(&self, py: Python<'_>) -> Result<bool> {
        let runs = self.0.session.platform()?.runs();
        Ok(py
            .detach(|| runs.get_by_id(self.core().id()))?
            .info()
            .is_default)
    }

    /// The id of the run that it was cloned from and the transaction of that run whose state was
    /// copied; ``None`` for a run that was not cloned.
    #[getter]
    fn cloned_from(&self) -> Option<(i64, i64)> {
        let from = self.core().info().cloned_from?;
        Some((from.run.0, from.transaction.0))
    }

    /// When it was made (UTC).
    #[getter]
    fn created_at(&self, py: Python<'_>) -> Result<Option<DateTime<Utc>>> {
        Ok(self.audit(py)?.created_at.map(|time| time.and_utc()))
    }

    /// Who made it.
    #[getter]
    fn created_by(&self, py: Python<'_>) -> Result<Option<String>> {
        Ok(self.audit(py)?.created_by)
    }

    /// When it was last written to (UTC), be it its data, or whether it is the default;
    /// ``None``: not since it was made.
    #[getter]
    fn updated_at(&self, py: Python<'_>) -> Result<Option<DateTime<Utc>>> {
        Ok(self.audit(py)?.updated_at.map(|time| time.and_utc()))
    }

    /// Who wrote to it last.
    #[getter]
    fn updated_by(&self, py: Python<'_>) -> Result<Option<String>> {
        Ok(self.audit(py)?.updated_by)
    }

    /// A new run with all that it has now: the next version of its model's scenario, or of the
    /// ones given, which are made as needed. The rows are copied within the database, so a
    /// million points take seconds. The clone begins with a checkpoint that says what it was
    /// cloned from; it is not the default. What an unfinished block of somebody has written so
    /// far is copied too.
    ///
    /// Args:
    ///     model, scenario: those of the clone; default: the same.
    ///     keep_solution: ``False``: without the data of optimization variables and equations.
    ///
    /// Raises:
    ///     InvalidName: a name is empty, begins or ends with a blank, or holds a NUL.
    ///     RunNotFound: the run was deleted.
    #[pyo3(signature = (model = None, scenario = None, keep_solution = true))]
    fn clone(
        &self,
        py: Python<'_>,
        model: Option<Text>,
        scenario: Option<Text>,
        keep_solution: bool,
    ) -> Result<Self> {
        let source = self.0.run()?;
        let runs = self.0.session.platform()?.runs();
        let clone = py.detach(|| {
            let options = CloneOptions {
                model: model.as_ref().map(|model| model.0.as_str()),
                scenario: scenario.as_ref().map(|scenario| scenario.0.as_str()),
                keep_solution,
            };
            runs.clone_run(source, &options)
        })?;
        Ok(Self::new(&self.0.session, clone))
    }

    /// Makes it the default version of its model's scenario; another one is so no more.
    fn set_as_default(&self, py: Python<'_>) -> Result<()> {
        self.set_default(py, stratalog::Runs::set_as_default)
    }

    /// Makes it no longer the default version.
    fn unset_as_default(&self, py: Python<'_>) -> Result<()> {
        self.set_default(py, stratalog::Runs::unset_as_default)
    }

    /// Whether this very object holds the run's lock.
    #[getter]
    fn owns_lock(&self, py: Python<'_>) -> Result<bool> {
        self.0.owns_lock(py)
    }

    /// The id of the last transaction that wrote to it; 0 before any did.
    #[getter]
    fn last_transaction(&self, py: Python<'_>) -> Result<i64> {
        let run = self.0.run()?;
        Ok(py.detach(|| run.last_transaction())?.0)
    }

    /// A block that writes to the run: ``with run.transact("message"):``.
    ///
    /// Entering takes the run's lock; leaving makes the checkpoint ``message`` and releases.
    /// An exception, whichever, sets the run back to the last checkpoint made in the block,
    /// or to the state in which it was locked, and goes on.
    ///
    /// Args:
    ///     message: why; others see it while they are refused, and it names the
    ///         checkpoint.
    ///     timeout: seconds to wait for the lock; ``None``: not at all. Ctrl-C ends the
    ///         waiting.
    ///     lease: seconds after which others may take the lock if this process gives no sign
    ///         of life; default: the platform's.
    ///
    /// Raises, on entering:
    ///     RunIsLocked: with who holds it, since when and why.
    ///     NestedTransact: this very object holds it.
    #[pyo3(signature = (message, timeout = None, lease = None))]
    fn transact(
        &self,
        message: Text,
        timeout: Option<Timeout>,
        lease: Option<LeaseTime>,
    ) -> Transact {
        let timeout = timeout.map(|timeout| timeout.0);
        Transact::new(&self.0, message.0, timeout, input::lease(lease))
    }

    /// As ``transact``, for asyncio: ``async with run.transact_async("message"):``. The lock
    /// is waited for and released in a thread, so the event loop goes on. Cancelling the
    /// waiting task ends the waiting; cancelling the block rolls it back.
    ///
    /// Calls inside the block block as they do elsewhere. ``await
    /// asyncio.to_thread(run.iamc.add, df)`` lets the loop go on meanwhile.
    #[pyo3(signature = (message, timeout = None, lease = None))]
    fn transact_async(
        &self,
        py: Python<'_>,
        message: Text,
        timeout: Option<Timeout>,
        lease: Option<LeaseTime>,
    ) -> Result<Py<PyAny>> {
        let block = self.transact(message, timeout, lease);
        let asynchronous = py.import(intern!(py, "stratalog._async"))?;
        Ok(asynchronous
            .getattr(intern!(py, "TransactAsync"))?
            .call1((block,))?
            .unbind())
    }

    /// Takes the run's lock now, for work that no ``with`` block can hold, in a notebook over
    /// several cells. End it with ``lock.commit()``, which makes the checkpoint ``message``,
    /// or ``lock.rollback()``. One that is dropped without (deleted, or its name given to
    /// something else) sets the run back, with a ``ResourceWarning``; so does the end of the
    /// program.
    ///
    /// Args: as ``transact``.
    ///
    /// Raises:
    ///     RunIsLocked: with who holds it, since when and why.
    ///     NestedTransact: this very object holds it: end that lock first. So it is when a
    ///         cell is run again while ``lock`` is still the one of its first run.
    #[pyo3(signature = (message, timeout = None, lease = None))]
    fn lock(
        &self,
        py: Python<'_>,
        message: Text,
        timeout: Option<Timeout>,
        lease: Option<LeaseTime>,
    ) -> Result<RunLock> {
        let wish = Wish {
            message: &message.0,
            timeout: timeout.map(|timeout| timeout.0),
            lease: input::lease(lease),
            ending: Ending::Caller,
            wanted: None,
        };
        Ok(RunLock::of_its_own(Guard::take(py, &self.0, wish)?))
    }

    /// Its time series.
    #[getter]
    fn iamc(&self) -> Iamc {
        Iamc::new(&self.0)
    }

    /// Its meta indicators, as a dict. Assigning a dict replaces all of them, as one
    /// transaction.
    #[getter]
    fn meta<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        MetaIndicators::mapping(py, &self.0, None)
    }

    #[setter]
    fn set_meta(&self, py: Python<'_>, entries: &Bound<'_, PyAny>) -> Result<()> {
        MetaIndicators::replace_all(py, &self.0, entries)
    }

    /// Its optimization items: indexsets, scalars, tables, parameters, variables, equations.
    #[getter]
    fn optimization<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        OptimizationItems::facade(py, &self.0, None)
    }

    /// Its rows in the tables of one's own, by table: see ``Platform.tables``.
    #[getter]
    fn tables(&self) -> RunTables {
        RunTables::new(&self.0, None)
    }

    /// Its checkpoints.
    #[getter]
    fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(&self.0)
    }

    /// The run as it was, to be read: ``run.as_of("raw data").iamc.tabulate()``. Later writes
    /// do not show in it.
    ///
    /// Args:
    ///     target: a ``Checkpoint``; a checkpoint's name (its latest one); ``"checkpoint"``: the
    ///         run's last checkpoint, without what a writer has done since; as a number, the id
    ///         of one of the run's transactions (not of a checkpoint), 0 being the empty run;
    ///         or a ``datetime`` (without a zone it is UTC): the state after the run's last
    ///         transaction that began at or before it.
    ///
    /// Raises:
    ///     CheckpointNotFound, TransactionNotFound: say what there is.
    fn as_of(&self, py: Python<'_>, target: AnyTarget) -> Result<RunView> {
        let run = self.0.run()?;
        let view = py.detach(|| run.as_of(target.0))?;
        Ok(RunView::new(&self.0, view.transaction_id()))
    }

    /// Sets the run back to an earlier state, as one new, logged transaction that costs what
    /// changed since. Reverting it brings the later state back: nothing is lost.
    ///
    /// Inside a ``transact`` block of this object it works under the block's lock. Outside it
    /// takes the lock itself and leaves a checkpoint that says what it did.
    ///
    /// Args:
    ///     target: the state, as ``as_of`` takes it.
    ///     timeout: seconds to wait for the lock; ``None``: not at all.
    ///     region, variable, unit, year …: only these points, as ``Iamc.tabulate`` selects
    ///         them, but not by their values; all other rows stay as they are.
    ///     dry_run: changes nothing, needs no lock, and gives the ``Diff`` that it would apply.
    ///
    /// Raises:
    ///     RunIsLocked, CheckpointNotFound, TransactionNotFound.
    ///     RevertNeedsMissing: the earlier state needs what has been deleted since, all
    ///         of it named; nothing changed.
    #[pyo3(signature = (target, timeout = None, *, dry_run = false, **filters))]
    #[pyo3(
        text_signature = "($self, target, timeout=None, *, region=None, variable=None, unit=None, year=None, dry_run=False, **filters)"
    )]
    fn revert_to<'py>(
        &self,
        py: Python<'py>,
        target: AnyTarget,
        timeout: Option<Timeout>,
        dry_run: bool,
        filters: Option<&Bound<'py, PyDict>>,
    ) -> Result<Bound<'py, PyAny>> {
        let only = filter(filters)?;
        if dry_run {
            let run = self.0.run()?;
            let diff = py.detach(|| run.diff_of_revert(target.0))?;
            return Ok(Bound::new(py, Diff::new(diff.only(only)))?.into_any());
        }
        let counts = self
            .0
            .revert_to(py, target.0, only, timeout.map(|timeout| timeout.0))?;
        Ok(Bound::new(py, ChangeCounts::from(counts))?.into_any())
    }

    /// Takes back what one of the run's transactions changed, as one new, logged transaction,
    /// and nothing of what was changed since. Rows that are by now as they were before it stay
    /// as they are, so doing it twice does no harm. Lock and checkpoint: as ``revert_to``.
    ///
    /// Args:
    ///     transaction_id: the transaction, as ``log`` shows it.
    ///     timeout: seconds to wait for the lock; ``None``: not at all.
    ///     dry_run: changes nothing, needs no lock, and gives the ``Diff`` that it would apply.
    ///
    /// Raises:
    ///     UndoOverlaps: rows of it were changed again since, and are named; nothing changed.
    ///     RunIsLocked, TransactionNotFound, RevertNeedsMissing.
    #[pyo3(signature = (transaction_id, timeout = None, *, dry_run = false))]
    fn undo<'py>(
        &self,
        py: Python<'py>,
        transaction_id: i64,
        timeout: Option<Timeout>,
        dry_run: bool,
    ) -> Result<Bound<'py, PyAny>> {
        let transaction = TransactionId(transaction_id);
        if dry_run {
            let run = self.0.run()?;
            let diff = py.detach(|| run.diff_of_undo(transaction))?;
            return Ok(Bound::new(py, Diff::new(diff))?.into_any());
        }
        let counts = self
            .0
            .undo(py, transaction, timeout.map(|timeout| timeout.0))?;
        Ok(Bound::new(py, ChangeCounts::from(counts))?.into_any())
    }

    /// Takes values out of the history for good, because they must not be kept: all but the
    /// present ones of the points that are selected. Who did it, when and why stays, and
    /// ``Platform.verify`` says it. Earlier states have no value there any more (NaN), and
    /// reverting to them is ``RevertNeedsRedacted``. To get rid of a present value change or
    /// remove it first. Takes the run's lock. Backups and exports are not reached.
    ///
    /// Args:
    ///     reason: why; it is what remains to be read.
    ///     transaction_id: only what this transaction wrote.
    ///     region, variable, unit, year …: the points, as ``Iamc.tabulate`` selects them, but not
    ///         by their values. At least one of these, or a transaction.
    ///     dry_run: changes nothing.
    ///
    /// Returns:
    ///     How many version rows lost their values, or would.
    ///
    /// Raises:
    ///     InvalidFilter: without a reason or a selection.
    ///     RunIsLocked.
    #[pyo3(signature = (reason, transaction_id = None, *, dry_run = false, **filters))]
    #[pyo3(
        text_signature = "($self, reason, transaction_id=None, *, region=None, variable=None, unit=None, year=None, dry_run=False, **filters)"
    )]
    fn redact(
        &self,
        py: Python<'_>,
        reason: Text,
        transaction_id: Option<i64>,
        dry_run: bool,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<u64> {
        let run = self.0.run()?;
        let options = RedactOptions {
            only: filter(filters)?,
            transaction: transaction_id.map(TransactionId),
            dry_run,
        };
        let redaction = py.detach(|| run.redact(&reason.0, &options))?;
        Ok(redaction.map_or(0, |redaction| redaction.rows))
    }

    /// Its transactions, newest first; columns as ``Platform.log``.
    ///
    /// Args:
    ///     limit: at most so many; ``None``: all.
    ///     before: only ids below this one.
    ///     since, until: only those that began in this time (``datetime``, without a zone UTC).
    ///     actor: only those of this actor.
    #[pyo3(signature = (limit = None, before = None, *, since = None, until = None, actor = None))]
    fn log(
        &self,
        py: Python<'_>,
        limit: Option<i64>,
        before: Option<i64>,
        since: Option<Moment>,
        until: Option<Moment>,
        actor: Option<Text>,
    ) -> Result<Py<PyAny>> {
        let platform = self.0.session.platform()?;
        let filter = LogFilter {
            since: since.map(|since| since.0),
            until: until.map(|until| until.0),
            actor: actor.map(|actor| actor.0),
            ..log_filter(Some(self.core().id()), limit, before)?
        };
        let entries = py.detach(|| platform.log(&filter))?;
        log::tabulate(py, &entries)
    }

    /// What differs from state ``a`` to state ``b`` (default: the present). Costs what changed
    /// in between.
    ///
    /// Args:
    ///     a, b: states, as ``as_of`` takes them.
    ///
    /// Raises:
    ///     CheckpointNotFound, TransactionNotFound: say what there is.
    #[pyo3(signature = (a, b = None))]
    fn diff(&self, py: Python<'_>, a: AnyTarget, b: Option<AnyTarget>) -> Result<Diff> {
        let run = self.0.run()?;
        let diff = py.detach(|| run.diff(a.0, b.map(|b| b.0)))?;
        Ok(Diff::new(diff))
    }

    /// Draws what was written when, with matplotlib (``pip install 'stratalog[plot]'``): rows
    /// inserted, updated and deleted by each transaction, in their order; checkpoints; and
    /// what reverts, rollbacks and undos went back to.
    ///
    /// Args:
    ///     ax: where to draw; default: a figure of its own.
    ///     limit: only the newest so many transactions; ``None``: all.
    ///
    /// Returns:
    ///     The matplotlib ``Axes``.
    ///
    /// Raises:
    ///     ValueError: nothing was written yet.
    ///     ImportError: matplotlib is missing; says what to install.
    #[pyo3(signature = (ax = None, limit = Some(100)))]
    #[pyo3(text_signature = "($self, ax=None, limit=100)")]
    fn plot_timeline<'py>(
        slf: &Bound<'py, Self>,
        ax: Option<&Bound<'py, PyAny>>,
        limit: Option<i64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.py()
            .import(intern!(slf.py(), "stratalog._plot"))?
            .call_method1(intern!(slf.py(), "timeline"), (slf, ax, limit))
    }

    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py()
            .import(intern!(slf.py(), "stratalog._display"))?
            .call_method1(intern!(slf.py(), "run"), (slf,))
    }

    /// The same run of the same database.
    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| {
            other.get().core().id() == self.core().id()
                && other.get().0.session.describe().url() == self.0.session.describe().url()
        })
    }

    fn __hash__(&self) -> i64 {
        self.core().id().0
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "Run(id={}, model={}, scenario={}, version={})",
            self.id(),
            repr(py, self.model()),
            repr(py, self.scenario()),
            self.version()
        )
    }
}

pub(crate) fn log_filter(
    run: Option<stratalog::RunId>,
    limit: Option<i64>,
    before: Option<i64>,
) -> Result<LogFilter> {
    if let Some(limit) = limit.filter(|limit| *limit < 0) {
        return Err(Failure::filter(format!(
            "limit={limit} cannot be used: give 0 or more, or None"
        )));
    }
    Ok(LogFilter {
        run,
        before: before.map(TransactionId),
        limit: limit.unwrap_or(i64::MAX),
        ..LogFilter::default()
    })
}
