//! `Iamc`: the time series of one run.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::RecordBatch;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use stratalog::{AddOptions, PointType, Target};

use crate::changes::ChangeCounts;
use crate::error::{Failure, Result};
use crate::filter::filter;
use crate::frame::{self, Input};
use crate::held::{HeldRun, interruptible};
use crate::input::{AnyTarget, Text};
use crate::progress::Progress;

/// The time series of a run: region, variable, unit, time, value. Reading needs no lock,
/// writing does.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Iamc(Arc<HeldRun>);

impl Iamc {
    pub(crate) fn new(run: &Arc<HeldRun>) -> Self {
        Self(Arc::clone(run))
    }

    fn batch(&self, py: Python<'_>, filter: &stratalog::Filter) -> Result<RecordBatch> {
        let run = self.0.run()?;
        Ok(py.detach(|| run.iamc().tabulate(filter))?)
    }

    fn write(
        &self,
        py: Python<'_>,
        operation: Operation,
        df: &Bound<'_, PyAny>,
        progress: Option<&Bound<'_, PyAny>>,
        options: Options,
    ) -> Result<ChangeCounts> {
        // Without the lock there is no need to look at the data.
        self.0.under_lock(py, |_| Ok(()))?;
        let mut input = frame::take_any(py, df)?;
        let progress = Progress::new(progress, &input, operation.word())?;
        let counts = interruptible(|interrupt| {
            self.0.under_lock(py, |lock| {
                let told = || progress.failed().map_or_else(interrupt, Err);
                let mut advance = |rows| progress.advance(rows);
                let options = AddOptions {
                    point_type: options.point_type,
                    create_missing: options.create_missing,
                    batches_per_transaction: options.batches_per_transaction,
                    progress: Some(&mut advance),
                    interrupt: Some(&told),
                };
                let iamc = lock.iamc();
                let result = match (operation, &mut input) {
                    (Operation::Add, Input::Table(frame)) => iamc.add_with(frame, options),
                    (Operation::Add, Input::Stream(batches)) => iamc.add_batches(batches, options),
                    (Operation::Remove, Input::Table(frame)) => iamc.remove_with(frame, options),
                    (Operation::Remove, Input::Stream(batches)) => {
                        iamc.remove_batches(batches, options)
                    }
                };
                progress.finish(&result);
                result
            })
        });
        // What the caller's own code raised is what he wants to see.
        if let Some(failure) = progress.into_failure() {
            return Err(failure);
        }
        if let Input::Stream(stream) = input
            && let Some(failure) = stream.into_failure()
        {
            return Err(failure);
        }
        Ok(counts?.into())
    }
}

fn point_type(text: Option<Text>) -> Result<Option<PointType>> {
    Ok(text.map(|text| text.0.parse()).transpose()?)
}

fn at_least_one(batches: Option<usize>) -> Result<Option<NonZeroUsize>> {
    match batches.map(NonZeroUsize::new) {
        None => Ok(None),
        Some(Some(batches)) => Ok(Some(batches)),
        Some(None) => {
            let message = "batches_per_transaction=0 cannot be: give 1 or more";
            Err(Failure::named("InvalidInput", message))
        }
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Add,
    Remove,
}

impl Operation {
    fn word(self) -> &'static str {
        match self {
            Self::Add => "adding",
            Self::Remove => "removing",
        }
    }
}

/// What of the library's options a caller may say.
#[derive(Clone, Copy)]
struct Options {
    point_type: Option<PointType>,
    create_missing: bool,
    batches_per_transaction: Option<NonZeroUsize>,
}

#[pymethods]
impl Iamc {
    /// Inserts the points that are new and updates those that differ, by region, variable,
    /// unit and time. Points that stay as they are leave no trace. All or nothing.
    ///
    /// ``df``: a table from pandas, polars, pyarrow, DuckDB or whatever else has
    /// ``__arrow_c_stream__`` or ``__arrow_c_array__``; or a dict of lists. Columns:
    /// ``region``, ``variable``, ``unit`` (text), ``value`` (number), and the time: ``year``
    /// (whole number); ``year`` and ``subannual`` (text); ``datetime`` (without a zone it is
    /// UTC); or ``time`` with a mix of years and datetimes. ``model``, ``scenario`` and
    /// ``version`` may be there if each row names this run. Named index levels of pandas are
    /// columns. Variables are made as needed; regions and units must exist.
    ///
    /// More than fits into memory comes as a stream: an iterator of such tables, a
    /// ``pyarrow.RecordBatchReader``, or the path of a Parquet or CSV file. All of it is read
    /// and checked (what is read waits in a temporary file) before anything is written.
    ///
    /// Args:
    ///     df: the points.
    ///     type: what all rows must be: "yearly" (or "annual"), "categorical",
    ///         "datetime"; default: what their time columns say.
    ///     create_missing: makes regions and units that do not exist.
    ///     progress: ``True`` shows a bar on stderr; a function is called with the number of
    ///         rows that were handed to the database so far.
    ///     batches_per_transaction: writes so many batches of a stream in a transaction;
    ///         default: all. If a later one is refused, the earlier ones stay written until
    ///         the block is rolled back.
    ///
    /// Raises:
    ///     RunLockRequired: outside of ``with run.transact(…)``.
    ///     InvalidFrame: the input is refused, naming columns and rows (counted from 0);
    ///         nothing was written.
    ///     UnknownNames: regions or units do not exist, all of them named; nothing was
    ///         written.
    ///     LockLost: the lock was taken over by somebody else.
    #[pyo3(signature = (df, r#type = None, create_missing = false, progress = None, *, batches_per_transaction = None))]
    #[pyo3(
        text_signature = "($self, df, type=None, create_missing=False, progress=False, *, batches_per_transaction=None)"
    )]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn add(
        &self,
        py: Python<'_>,
        df: &Bound<'_, PyAny>,
        r#type: Option<Text>,
        create_missing: bool,
        progress: Option<&Bound<'_, PyAny>>,
        batches_per_transaction: Option<usize>,
    ) -> Result<ChangeCounts> {
        let options = Options {
            point_type: point_type(r#type)?,
            create_missing,
            batches_per_transaction: at_least_one(batches_per_transaction)?,
        };
        self.write(py, Operation::Add, df, progress, options)
    }

    /// Deletes the points with these keys; a ``value`` column is not needed and not looked
    /// at. Points that are not there are passed over; the counts say how many were deleted.
    /// All or nothing.
    ///
    /// Args and errors: as ``add``, streams too; unknown variables are refused as well.
    #[pyo3(signature = (df, r#type = None, progress = None, *, batches_per_transaction = None))]
    #[pyo3(
        text_signature = "($self, df, type=None, progress=False, *, batches_per_transaction=None)"
    )]
    fn remove(
        &self,
        py: Python<'_>,
        df: &Bound<'_, PyAny>,
        r#type: Option<Text>,
        progress: Option<&Bound<'_, PyAny>>,
        batches_per_transaction: Option<usize>,
    ) -> Result<ChangeCounts> {
        let options = Options {
            point_type: point_type(r#type)?,
            create_missing: false,
            batches_per_transaction: at_least_one(batches_per_transaction)?,
        };
        self.write(py, Operation::Remove, df, progress, options)
    }

    /// The points as a pandas ``DataFrame``, in a stable order: ``region``, ``variable``,
    /// ``unit`` (text), the time columns in use, ``value`` (float64). Time columns: ``year``
    /// (int64; Int64 with gaps where some points are datetimes), ``subannual`` (text),
    /// ``datetime`` (datetime64[us], UTC).
    ///
    /// Args:
    ///     region, variable, unit: a name or several; ``*`` stands for any text. Or a dict of
    ///         filters, such as ``{"name__ilike": "world*"}`` or ``{"hierarchy": "R5"}``.
    ///     year: a year or several; leaves datetime points out.
    ///     filters: ``subannual``, ``datetime``, ``type`` ("yearly", "categorical", "datetime"),
    ///         ``value``. Names may end in ``__in`` (letter by letter), ``__eq``, ``__ne``, for
    ///         text ``__like``, ``__notlike``, ``__ilike``, ``__notilike``, for numbers and times
    ///         ``__gt``, ``__gte``, ``__lt``, ``__lte``: ``year__gte=2030``.
    ///
    /// Raises:
    ///     InvalidFilter: an unknown filter, naming the known ones, or a value that does not fit.
    #[pyo3(signature = (**filters))]
    #[pyo3(
        text_signature = "($self, *, region=None, variable=None, unit=None, year=None, **filters)"
    )]
    fn tabulate(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        let filter = filter(filters)?;
        frame::to_pandas(py, self.batch(py, &filter)?)
    }

    /// The points as a pyarrow ``Table``: as ``tabulate``, with the names as dictionaries.
    #[pyo3(signature = (**filters))]
    #[pyo3(
        text_signature = "($self, *, region=None, variable=None, unit=None, year=None, **filters)"
    )]
    fn arrow(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        let filter = filter(filters)?;
        frame::to_pyarrow(py, self.batch(py, &filter)?)
    }

    /// The points as a polars ``DataFrame`` (polars is not installed with stratalog): as
    /// ``tabulate``, with the names as categoricals.
    #[pyo3(signature = (**filters))]
    #[pyo3(
        text_signature = "($self, *, region=None, variable=None, unit=None, year=None, **filters)"
    )]
    fn polars(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        let filter = filter(filters)?;
        frame::to_polars(py, self.batch(py, &filter)?)
    }

    /// The points as a ``pyarrow.RecordBatchReader``: as ``arrow``, ``size`` rows at a time, for
    /// whatever takes ``__arrow_c_stream__`` and for results that are larger than memory. All
    /// batches are of the moment of this call, whatever is written meanwhile; each is read when it
    /// is asked for, in a transaction of its own. What fails then, pyarrow raises as ``OSError``
    /// or ``ArrowException``.
    #[pyo3(signature = (size = 65_536, **filters))]
    #[pyo3(
        text_signature = "($self, size=65536, *, region=None, variable=None, unit=None, year=None, **filters)"
    )]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn batches(
        &self,
        py: Python<'_>,
        size: usize,
        filters: Option<&Bound<'_, PyDict>>,
    ) -> Result<Py<PyAny>> {
        let filter = filter(filters)?;
        let run = self.0.run()?;
        frame::to_reader(py, &self.0, size, |size| run.iamc().batches(&filter, size))
    }

    /// Every version of the points, by point, oldest first: the columns of ``tabulate``
    /// (``value`` NaN where the point was deleted), then ``operation`` (insert, update, delete),
    /// ``transaction_id`` (int64), ``issued_at`` (datetime64[us, UTC]), ``actor``, ``what`` (what
    /// the transaction did), ``checkpoint`` (text: the one in force, that is the run's last at or
    /// before the transaction; missing before the first).
    ///
    /// Args: as ``tabulate``.
    #[pyo3(signature = (**filters))]
    #[pyo3(
        text_signature = "($self, *, region=None, variable=None, unit=None, year=None, **filters)"
    )]
    fn history(&self, py: Python<'_>, filters: Option<&Bound<'_, PyDict>>) -> Result<Py<PyAny>> {
        let filter = filter(filters)?;
        let run = self.0.run()?;
        let batch = py.detach(|| run.iamc().history(&filter))?;
        frame::to_pandas(py, batch)
    }

    /// What changed from state ``a`` to state ``b`` (default: the present), a row per point;
    /// columns as ``Diff.tabulate``. Costs what changed.
    ///
    /// Args:
    ///     a, b: states, as ``Run.as_of`` takes them.
    ///
    /// Raises:
    ///     CheckpointNotFound, TransactionNotFound: say what there is.
    #[pyo3(signature = (a, b = None))]
    fn difference(&self, py: Python<'_>, a: AnyTarget, b: Option<AnyTarget>) -> Result<Py<PyAny>> {
        let run = self.0.run()?;
        let to: Option<Target> = b.map(|b| b.0);
        let batch = py.detach(|| run.diff(a.0, to)?.points())?;
        frame::to_pandas(py, batch)
    }

    fn __repr__(&self) -> String {
        format!("<time series of run {}>", self.0.describe().label())
    }
}
