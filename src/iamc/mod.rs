//! Time series of a run in the IAMC's terms: region, variable, unit, time, value.
//!
//! Input is checked as a whole before anything is written, and a call is all or nothing.

mod batches;
pub(crate) mod checked;
pub(crate) mod columns;
mod frame;
mod history;
mod named;
mod platform;
mod points;
mod tabulate;
mod times;

use std::num::NonZeroUsize;

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::filter::Filter;
use crate::history::ChangeCounts;
use crate::run::Access;

pub use batches::PointBatches;
pub use frame::Frame;
pub use platform::PlatformIamc;
#[cfg(feature = "cli")]
pub(crate) use points::missing_names;
pub use points::{AddOptions, PointType};
pub(crate) use tabulate::{changed_points, named_series};
pub(crate) use times::Moment;

use crate::history::rows::RowOperation;

/// The time series of a run. From a [`Run`](crate::Run) they can be read, from a [`RunLock`](crate::RunLock)
/// written as well, from a [`RunView`](crate::RunView) read as they were.
pub struct Iamc<'a> {
    access: Access<'a>,
}

impl<'a> Iamc<'a> {
    pub(crate) fn new(access: Access<'a>) -> Self {
        Self { access }
    }

    /// Inserts points that are new and updates those that differ, by (region, variable, unit, time).
    /// Points that stay as they are leave no trace.
    ///
    /// Columns: `region`, `variable`, `unit`, `value`, and the time: `year`; `year` and `subannual`;
    /// `datetime`; or `time` holding a mix of years and times. `model`, `scenario` and `version` may be
    /// there if each row names this run. Variables are made as needed; regions and units must exist.
    ///
    /// # Errors
    /// [`Error::RunLockRequired`](crate::Error::RunLockRequired), [`Error::InvalidFrame`](crate::Error::InvalidFrame), [`Error::UnknownNames`](crate::Error::UnknownNames), [`Error::LockLost`](crate::Error::LockLost).
    pub fn add(&self, frame: &Frame) -> Result<ChangeCounts> {
        self.add_with(frame, AddOptions::default())
    }

    /// [`add`](Self::add) with options.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_with(&self, frame: &Frame, options: AddOptions<'_>) -> Result<ChangeCounts> {
        let batch = frame.batch().clone();
        points::write(self.access.lock(), [Ok(batch)], RowOperation::Add, options)
    }

    /// [`add_with`](Self::add_with) for more points than memory holds: batches are read and checked one by one, and
    /// wait (beyond a million rows in a temporary file) until the last one has come; only then a transaction begins.
    /// All are written or none, unless [`AddOptions::batches_per_transaction`] says otherwise. A point may come once
    /// in a transaction, in whatever batch; row numbers in errors are counted in their batch.
    ///
    /// # Errors
    /// As [`add`](Self::add), and those of the batches.
    ///
    /// ```
    /// # fn main() -> stratalog::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let platform = stratalog::Platform::open(folder.path().join("scenarios.db").to_str().unwrap())?;
    /// # platform.regions().create("World")?;
    /// # platform.units().create("EJ/yr")?;
    /// # let run = platform.runs().create("model", "scenario")?;
    /// use stratalog::{AddOptions, Frame};
    ///
    /// let lock = run.lock("Baseline")?;
    /// let batches = (2020..2030).map(|year| {
    ///     let frame = Frame::yearly([("World", "Primary Energy", "EJ/yr", year, 600.0)]);
    ///     Ok(frame.batch().clone())
    /// });
    /// let counts = lock.iamc().add_batches(batches, AddOptions::default())?;
    /// assert_eq!(counts.inserted, 10);
    /// lock.commit()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_batches(
        &self,
        batches: impl IntoIterator<Item = Result<RecordBatch>>,
        options: AddOptions<'_>,
    ) -> Result<ChangeCounts> {
        points::write(self.access.lock(), batches, RowOperation::Add, options)
    }

    /// Deletes the points with these keys; a `value` column is not needed and not looked at. Points that
    /// are not there are passed over; the counts say how many were deleted.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn remove(&self, frame: &Frame) -> Result<ChangeCounts> {
        self.remove_with(frame, AddOptions::default())
    }

    /// [`remove`](Self::remove) with options.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn remove_with(&self, frame: &Frame, options: AddOptions<'_>) -> Result<ChangeCounts> {
        let batch = frame.batch().clone();
        points::write(
            self.access.lock(),
            [Ok(batch)],
            RowOperation::Remove,
            options,
        )
    }

    /// [`remove_with`](Self::remove_with) for more keys than memory holds, as [`add_batches`](Self::add_batches).
    ///
    /// # Errors
    /// As [`add_batches`](Self::add_batches).
    pub fn remove_batches(
        &self,
        batches: impl IntoIterator<Item = Result<RecordBatch>>,
        options: AddOptions<'_>,
    ) -> Result<ChangeCounts> {
        points::write(self.access.lock(), batches, RowOperation::Remove, options)
    }

    /// The points that a filter selects, in a stable order. Columns: `region`, `variable`, `unit` (text, as
    /// dictionaries), then the time columns in use (`year` int64, `subannual` text, `datetime`
    /// timestamp\[us\] in UTC), then `value` (float64).
    ///
    /// # Errors
    /// Errors of the database.
    pub fn tabulate(&self, filter: &Filter) -> Result<RecordBatch> {
        tabulate::points(self.access.run(), filter, self.access.at())
    }

    /// What [`tabulate`](Self::tabulate) yields, in batches of `size` points each (the last one may have fewer): for
    /// results that are larger than memory. All are of the present moment, whatever is written meanwhile; no database
    /// transaction stays open, so whoever takes the batches may take his time.
    ///
    /// # Errors
    /// Errors of the database, now and with each batch. [`Error::StateCompacted`](crate::Error::StateCompacted) when the
    /// history of this moment is compacted away meanwhile.
    ///
    /// ```
    /// # fn main() -> stratalog::Result<()> {
    /// # let platform = stratalog::Platform::open("sqlite://:memory:")?;
    /// # let run = platform.runs().create("model", "scenario")?;
    /// use std::num::NonZeroUsize;
    /// use stratalog::Filter;
    ///
    /// let mut rows = 0;
    /// for batch in run.iamc().batches(&Filter::all(), NonZeroUsize::new(10_000).unwrap())? {
    ///     rows += batch?.num_rows();
    /// }
    /// assert_eq!(rows, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn batches(&self, filter: &Filter, size: NonZeroUsize) -> Result<PointBatches> {
        PointBatches::begin(self.access, filter, size)
    }

    /// Every version of the points that a filter selects, by point, oldest first: the columns of
    /// [`tabulate`](Self::tabulate) (`value` null where the point was deleted), then `operation` (insert, update,
    /// delete), `transaction_id` (int64), `issued_at` (timestamp\[us, UTC\]), `actor`, `what` (what the transaction
    /// did), `checkpoint` (text: the one in force, that is the run's last at or before the transaction).
    ///
    /// # Errors
    /// Errors of the database.
    pub fn history(&self, filter: &Filter) -> Result<RecordBatch> {
        history::history(self.access.run(), filter, self.access.at())
    }
}
