//! A run as it was.

use crate::error::Result;
use crate::history::Diff;
use crate::iamc::Iamc;
use crate::ids::TransactionId;
use crate::meta::Meta;
use crate::optimization::Optimization;
use crate::run::{Access, Run, RunTable, checkpoint};

/// A run as it was after one of its transactions, to be read. It stays as it is, whatever is written to the run:
/// who reads the state of the last checkpoint sees nothing of another writer's unfinished block.
#[derive(Clone)]
pub struct RunView {
    run: Run,
    at: TransactionId,
}

impl RunView {
    pub(crate) fn new(run: Run, at: TransactionId) -> Self {
        Self { run, at }
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The transaction after which it was so; [`TransactionId::BEFORE_FIRST`]: before any.
    pub fn transaction_id(&self) -> TransactionId {
        self.at
    }

    /// Its time series then. Writing through them is [`Error::ReadOnlyView`](crate::Error::ReadOnlyView).
    pub fn iamc(&self) -> Iamc<'_> {
        Iamc::new(Access::AsOf(self))
    }

    /// Its meta indicators then.
    pub fn meta(&self) -> Meta<'_> {
        Meta::new(Access::AsOf(self))
    }

    /// Its optimization items then.
    pub fn optimization(&self) -> Optimization<'_> {
        Optimization::new(Access::AsOf(self))
    }

    /// Its rows in a table of the program's own then.
    ///
    /// # Errors
    /// [`Error::InvalidDescription`](crate::Error::InvalidDescription) when there is no such run-scoped table.
    pub fn table(&self, name: &str) -> Result<RunTable<'_>> {
        RunTable::new(Access::AsOf(self), name)
    }

    /// What changed from the run's checkpoint before this state to this state.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn diff_to_checkpoint_before(&self) -> Result<Diff> {
        let run = self.run.id();
        let before = self
            .run
            .core
            .store
            .read(|connection| checkpoint::before(connection, run, self.at, None))?;
        Ok(Diff::between(&self.run.core, (run, before), (run, self.at)))
    }
}

impl std::fmt::Debug for RunView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunView({:?}, after transaction {})", self.run, self.at)
    }
}
