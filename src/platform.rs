//! The platform: one database, opened by URL.

use std::sync::{Arc, RwLock};

use crate::core::{Core, with_own};
use crate::doctor::DoctorReport;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::history::compact::compact;
use crate::history::redact::redactions;
use crate::history::{
    Chain, ChainHead, CompactOptions, CompactReport, Diff, Keep, LogEntry, LogFilter, Redaction,
    VerifyReport,
};
use crate::iamc::PlatformIamc;
use crate::ixmp4::{self, Ixmp4Options, Ixmp4Report};
use crate::meta::{self, MetaIndicator};
use crate::names::{Kind, Names};
use crate::own_tables::{self, OwnTables};
use crate::run::{Heart, Lease, Locks, Run, RunView, Runs};
use crate::schema::{TableDescription, VersionedTable};
use crate::store::clock::{Clock, SimulatedClock};
use crate::store::{Engine, Location, Roles, Store, migrate};

/// One database. Cheap to clone; clones share the connections.
///
/// ```
/// # fn main() -> stratalog::Result<()> {
/// let platform = stratalog::Platform::open("sqlite://:memory:")?;
/// platform.regions().create_in("World", "common")?;
/// assert_eq!(platform.regions().list()?.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Platform {
    core: Arc<Core>,
}

/// How to open a platform.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until .open(url)"]
pub struct PlatformOptions {
    actor: Option<String>,
    pool_size: u32,
    lease: Lease,
    clock: Option<SimulatedClock>,
    tables: Vec<TableDescription>,
}

impl Default for PlatformOptions {
    fn default() -> Self {
        Self {
            actor: None,
            pool_size: 8,
            lease: Lease::default(),
            clock: None,
            tables: Vec::new(),
        }
    }
}

impl PlatformOptions {
    /// Who writes, as recorded in `transactions`. Default: the operating-system user.
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// How many connections at most (default 8; `:memory:` has one).
    pub fn pool_size(mut self, connections: u32) -> Self {
        self.pool_size = connections.max(1);
        self
    }

    /// How long a holder of a lock that gives no sign keeps it, and how often it gives one (default 30 s and
    /// 10 s). A lock may be taken with another: see [`LockOptions`](crate::LockOptions).
    pub fn lease(mut self, lease: Lease) -> Self {
        self.lease = lease;
        self
    }

    /// Leases run out by this clock. For tests.
    #[doc(hidden)]
    pub fn simulated_clock(mut self, clock: &SimulatedClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// A table of the program's own, described with [`versioned_table!`](crate::versioned_table).
    ///
    /// It is made when the database does not have it yet. The description is kept in the database, so
    /// that every process, the command line included, logs, reverts and verifies the table.
    pub fn table<T: VersionedTable>(mut self) -> Self {
        self.tables.push(T::description());
        self
    }

    /// Opens the database. A new SQLite file is made and migrated.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`], [`Error::Connection`]; [`Error::SchemaOutdated`] and [`Error::SchemaTooNew`]
    /// with what to do; [`Error::InvalidDescription`] for a table that differs from the database's.
    pub fn open(self, url: &str) -> Result<Platform> {
        let lease = self.lease.check()?;
        let location = Location::parse(url)?;
        location.check()?;
        let store = Store::open(location, self.pool_size)?;
        if migrate::is_new(&store)? {
            migrate::migrate(&store, None)?;
        }
        migrate::check(&store)?;
        let tables = with_own(own_tables::make_missing(&store, &self.tables)?);
        let client = uuid::Uuid::new_v4().to_string();
        let clock = Clock::new(store.engine(), self.clock);
        let heart = Heart::new(store.location(), &client, clock.clone());
        Ok(Platform {
            core: Arc::new(Core {
                store,
                actor: self.actor.unwrap_or_else(operating_system_user),
                client,
                clock,
                lease,
                heart,
                tables: RwLock::new(Arc::new(tables)),
            }),
        })
    }
}

/// How to migrate.
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until Platform::migrate_with(url, &options)"]
pub struct MigrateOptions {
    roles: Option<Roles>,
}

impl MigrateOptions {
    /// PostgreSQL: makes two group roles if they are not there. `owner` gets the tables; members of `app`
    /// use the product and cannot change history. It can be repeated, also on a database with data.
    pub fn roles(mut self, owner: impl Into<String>, app: impl Into<String>) -> Self {
        self.roles = Some(Roles {
            owner: owner.into(),
            app: app.into(),
        });
        self
    }
}

pub(crate) fn operating_system_user() -> String {
    whoami::username().unwrap_or_else(|_| "unknown".to_owned())
}

impl Platform {
    /// Opens a database with the default options; see [`PlatformOptions::open`].
    ///
    /// `url`: `scenarios.db`, `sqlite:///scenarios.db`, `sqlite:////absolute/path.db`, `sqlite://:memory:`
    /// or `postgresql://user@host/database`.
    ///
    /// # Errors
    /// As [`PlatformOptions::open`].
    pub fn open(url: &str) -> Result<Self> {
        Self::options().open(url)
    }

    /// Options for opening.
    pub fn options() -> PlatformOptions {
        PlatformOptions::default()
    }

    /// Brings a database to this program's schema, all of it or nothing; returns what was applied.
    /// Two processes that do it at once take turns.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`], [`Error::Connection`], [`Error::Migration`].
    pub fn migrate(url: &str) -> Result<Vec<String>> {
        Self::migrate_with(url, &MigrateOptions::default())
    }

    /// [`migrate`](Self::migrate) with options, in the same transaction.
    ///
    /// # Errors
    /// As [`migrate`](Self::migrate); [`Error::Roles`] with what to do, on SQLite always.
    pub fn migrate_with(url: &str, options: &MigrateOptions) -> Result<Vec<String>> {
        let location = Location::parse(url)?;
        location.check()?;
        migrate::migrate(&Store::open(location, 1)?, options.roles.as_ref())
    }

    /// The SQL of a new platform on an engine, as `make migrations` writes it. For developers.
    #[doc(hidden)]
    pub fn initial_schema(engine: Engine) -> String {
        engine.initial_schema()
    }

    /// Which engine it is on.
    pub fn engine(&self) -> Engine {
        self.core.store.engine()
    }

    /// The database's URL or path, without a password.
    pub fn url(&self) -> String {
        self.core.store.location().to_string()
    }

    /// Who writes.
    pub fn actor(&self) -> &str {
        &self.core.actor
    }

    /// The descriptions of all versioned tables that are known here, parents first.
    pub fn descriptions(&self) -> Vec<TableDescription> {
        self.core.tables().as_ref().clone()
    }

    /// Tables of one's own.
    pub fn tables(&self) -> OwnTables {
        OwnTables::new(Arc::clone(&self.core))
    }

    /// Runs.
    pub fn runs(&self) -> Runs {
        Runs::new(Arc::clone(&self.core))
    }

    /// Regions.
    pub fn regions(&self) -> Names {
        Names::new(Arc::clone(&self.core), Kind::Region)
    }

    /// Units.
    pub fn units(&self) -> Names {
        Names::new(Arc::clone(&self.core), Kind::Unit)
    }

    /// Variables.
    pub fn variables(&self) -> Names {
        Names::new(Arc::clone(&self.core), Kind::Variable)
    }

    /// Models.
    pub fn models(&self) -> Names {
        Names::new(Arc::clone(&self.core), Kind::Model)
    }

    /// Scenarios.
    pub fn scenarios(&self) -> Names {
        Names::new(Arc::clone(&self.core), Kind::Scenario)
    }

    /// The meta indicators that a filter selects, by run and key; of default runs unless its `run` says
    /// `default_only: false`.
    ///
    /// # Errors
    /// [`Error::InvalidFilter`], listing what there is to filter by.
    pub fn meta(&self, filter: &Filter) -> Result<Vec<MetaIndicator>> {
        meta::of_platform(&self.core, filter)
    }

    /// The time series of all runs.
    ///
    /// ```
    /// # fn main() -> stratalog::Result<()> {
    /// # let platform = stratalog::Platform::open("sqlite://:memory:")?;
    /// use stratalog::Filter;
    ///
    /// let any_version = Filter::all().with("default_only", false);
    /// let filter = Filter::all().region(["World"]).with("year__gte", 2030).with("run", any_version);
    /// assert_eq!(platform.iamc().tabulate(&filter)?.num_rows(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn iamc(&self) -> PlatformIamc {
        PlatformIamc::new(Arc::clone(&self.core))
    }

    /// The transactions that a filter selects, newest first.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn log(&self, filter: &LogFilter) -> Result<Vec<LogEntry>> {
        self.core.log(filter)
    }

    /// What differs from one run's state to another's, of two versions of a scenario for instance. Both are
    /// compared whole.
    ///
    /// ```
    /// # fn main() -> stratalog::Result<()> {
    /// # let platform = stratalog::Platform::open("sqlite://:memory:")?;
    /// let first = platform.runs().create("model", "scenario")?;
    /// let second = platform.runs().create("model", "scenario")?;
    /// let diff = platform.diff(&first.as_of_now()?, &second.as_of_now()?)?;
    /// assert!(diff.is_empty()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidFilter`] for a run of another database.
    pub fn diff(&self, before: &RunView, after: &RunView) -> Result<Diff> {
        for view in [before, after] {
            let url = view.run().core.store.location().to_string();
            if url != self.url() {
                return Err(Error::InvalidFilter(format!(
                    "run {} is in {url}, not in {}: only runs of one database are compared",
                    view.run().label(),
                    self.url()
                )));
            }
        }
        let state = |view: &RunView| (view.run().id(), view.transaction_id());
        Ok(Diff::between(&self.core, state(before), state(after)))
    }

    /// Removes the version rows that none of the kept states needs, of these runs or of all; what is kept reads as
    /// before, and the rest is [`Error::StateCompacted`] from then on. It is logged, works in batches under each
    /// run's lock, and can be broken off: the next one goes on.
    ///
    /// The histories of platform tables (regions, runs …) and of deleted runs stay. On SQLite the room is used
    /// again by the same file, on PostgreSQL by the same tables; `VACUUM` (PostgreSQL: `VACUUM FULL`) gives it back
    /// to the disk.
    ///
    /// # Errors
    /// [`Error::InvalidFilter`] for the last 0 checkpoints; errors of the database, on PostgreSQL also for a role that
    /// does not own the tables. Runs that are locked are no error: the report has them.
    pub fn compact(
        &self,
        runs: Option<&[Run]>,
        keep: Keep,
        options: CompactOptions<'_>,
    ) -> Result<CompactReport> {
        let all;
        let runs = match runs {
            Some(runs) => runs,
            None => {
                all = self.runs().list(&Filter::all())?;
                &all
            }
        };
        compact(&self.core, runs, keep, options)
    }

    /// Copies an ixmp4 database (ixmp4 0.14 to 0.17; SQLite or PostgreSQL) into this platform: names, runs with their
    /// version numbers, time series, meta indicators, optimization items, checkpoints, and the history where there is one
    /// (PostgreSQL). Then both sides are compared. The source is only read.
    ///
    /// All of it is looked at before anything is written. Who breaks it off repeats the call, which goes on; runs that
    /// have been copied are not copied again. `source`: a path, or a URL as SQLAlchemy has it.
    ///
    /// ```
    /// # fn main() -> stratalog::Result<()> {
    /// # let platform = stratalog::Platform::open("sqlite://:memory:")?;
    /// use stratalog::Ixmp4Options;
    ///
    /// match platform.import_ixmp4("ixmp4.sqlite3", Ixmp4Options::default()) {
    ///     Ok(report) => assert!(report.is_ok(), "{:?}", report.differences),
    ///     Err(error) => println!("{error}"), // says what is wrong, and what to do
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidUrl`], [`Error::Connection`]; [`Error::Ixmp4`] for what is not such a database or of another
    /// revision, and on PostgreSQL for a role that does not own the tables here; [`Error::Ixmp4Unfit`] for what cannot be
    /// kept here, and runs whose version numbers are taken; [`Error::RunIsLocked`]. Differences between the sides are no
    /// error: see [`Ixmp4Report::differences`].
    pub fn import_ixmp4(&self, source: &str, options: Ixmp4Options<'_>) -> Result<Ixmp4Report> {
        ixmp4::import(&self.core, source, options)
    }

    /// What was redacted, oldest first.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn redactions(&self) -> Result<Vec<Redaction>> {
        self.core
            .store
            .read(|connection| redactions(connection, None))
    }

    /// The hash chains, which show whether history was changed behind the log's back.
    pub fn chain(&self) -> Chain {
        Chain::new(Arc::clone(&self.core))
    }

    /// [`verify_with`](Self::verify_with) that follows the hash chains as well, and compares them with heads that were
    /// kept elsewhere. Without such heads it finds what was changed by somebody who did not compute the chain anew.
    ///
    /// # Errors
    /// [`Error::InvalidFilter`] where chains are not switched on; errors of the database.
    pub fn verify_chain(
        &self,
        heads: &[ChainHead],
        progress: impl FnMut(&str),
    ) -> Result<VerifyReport> {
        // A chain that was switched off by deleting it all is no reason to say that all is well.
        if heads.is_empty() && !self.chain().is_enabled()? {
            return Err(Error::InvalidFilter(format!(
                "{} has no hash chains: switch them on with `stratalog chain enable`",
                self.url()
            )));
        }
        self.core.verify(Some(heads), progress)
    }

    /// Run locks: who holds which, and ending one by hand.
    pub fn locks(&self) -> Locks {
        Locks::new(Arc::clone(&self.core))
    }

    /// One heartbeat. For tests with a simulated clock.
    ///
    /// # Errors
    /// Errors of the database.
    #[doc(hidden)]
    pub fn beat(&self) -> Result<()> {
        self.core
            .store
            .ask(|connection| self.core.heart.beat(connection))
    }

    /// Proves that the log and the live tables agree and that the log is sound.
    ///
    /// # Errors
    /// Errors of the database. What is wrong with the data is in the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.core.verify(None, |_| ())
    }

    /// Looks at what protects the data: the role that is connected, the guards, the server.
    ///
    /// # Errors
    /// Errors of the database. What is wrong with its setup is in the report.
    pub fn doctor(&self) -> Result<DoctorReport> {
        self.core.doctor()
    }

    /// [`verify`](Self::verify) that tells `progress` what it is about to look at.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_with(&self, progress: impl FnMut(&str)) -> Result<VerifyReport> {
        self.core.verify(None, progress)
    }
}
