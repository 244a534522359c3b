//! `Platform`.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use stratalog::progress::Ixmp4Bar;
use stratalog::{
    CompactOptions, CompactProgress, Engine, Ixmp4Options, Ixmp4Step, Keep, Lease, LogFilter,
    MigrateOptions,
};

use crate::chain;
use crate::diff::Diff;
use crate::doctor::DoctorReport;
use crate::error::{Failure, Result};
use crate::input::{LeaseTime, Moment, Text, Url, repr};
use crate::ixmp4::Ixmp4Report;
use crate::locks::Locks;
use crate::log;
use crate::meta::PlatformMeta;
use crate::names::{Names, Regions};
use crate::platform_iamc::PlatformIamc;
use crate::retention::{self, CompactReport};
use crate::run::log_filter;
use crate::runs::{Runs, id_of};
use crate::session::Session;
use crate::tables::OwnTables;
use crate::verify::VerifyReport;
use crate::view::{self, AnyState};

/// One database with runs, regions, units, and the log of all that was written.
///
/// Args:
///     url: a path (``"scenarios.db"``), ``"sqlite:///scenarios.db"``,
///         ``"sqlite://:memory:"`` or ``"postgresql://user@host/database"``. A new SQLite
///         file is made and migrated.
///     actor: who writes, as recorded with every transaction; default: the
///         operating-system user.
///     lease: seconds after which others may take a run's lock from a holder that gives no
///         sign of life; from a second to a day.
///     heartbeat: seconds between its signs, which a thread gives by itself; default: a
///         third of the lease.
///     pool_size: how many connections its calls open at most, as they are needed. A call needs
///         one, and who finds all in use waits. Locks have one more for their heartbeat.
///
/// Raises:
///     InvalidUrl: not a database's URL, or a place where it cannot live.
///     InvalidLease: the lease or the heartbeat cannot work; says why.
///     InvalidInput: a pool of no connections.
///     ConnectionFailed: it cannot be reached.
///     SchemaOutdated, SchemaTooNew: with both revisions and what to do.
///
/// May be shared by threads. After a fork open it again: connections and locks do not go
/// along. While a SQLite file is open here, look at it with Python's own ``sqlite3`` from
/// another process: two SQLite libraries in one process take each other's file locks away.
#[pyclass(frozen, module = "stratalog")]
pub(crate) struct Platform(Arc<Session>);

#[pymethods]
impl Platform {
    #[new]
    #[pyo3(signature = (url, actor = None, lease = LeaseTime(Duration::from_secs(30)), heartbeat = None, *, pool_size = 8))]
    #[pyo3(text_signature = "(url, actor=None, lease=30.0, heartbeat=None, *, pool_size=8)")]
    fn new(
        py: Python<'_>,
        url: Url,
        actor: Option<Text>,
        lease: LeaseTime,
        heartbeat: Option<LeaseTime>,
        pool_size: u32,
    ) -> Result<Self> {
        if pool_size == 0 {
            let message = "pool_size=0 cannot be: give 1 or more connections";
            return Err(Failure::named("InvalidInput", message));
        }
        let mut lease = Lease::of(lease.0);
        if let Some(heartbeat) = heartbeat {
            lease = lease.renewed_every(heartbeat.0);
        }
        let mut options = stratalog::Platform::options()
            .lease(lease)
            .pool_size(pool_size);
        if let Some(actor) = actor {
            options = options.actor(actor.0);
        }
        let platform = py.detach(|| options.open(&url.0))?;
        Ok(Self(Session::new(platform)))
    }

    /// Brings a database to this version's schema, all of it or nothing; gives the revisions
    /// that were applied, none when it was there already.
    ///
    /// Args:
    ///     owner_role, app_role: on PostgreSQL, both or neither: two group roles, made if they
    ///         are not there. The owner gets the tables; members of the app role use the
    ///         product and cannot change history. May be repeated, also with data there.
    ///
    /// Raises:
    ///     InvalidUrl, ConnectionFailed.
    ///     MigrationFailed: the database is as it was. On SQLite always, if roles are given.
    ///     InvalidInput: one role without the other.
    #[staticmethod]
    #[pyo3(signature = (url, owner_role = None, app_role = None))]
    fn migrate(
        py: Python<'_>,
        url: Url,
        owner_role: Option<Text>,
        app_role: Option<Text>,
    ) -> Result<Vec<String>> {
        let options = MigrateOptions::default();
        let options = match (owner_role, app_role) {
            (None, None) => options,
            (Some(owner), Some(app)) => options.roles(owner.0, app.0),
            _ => {
                return Err(Failure::named(
                    "InvalidInput",
                    "owner_role and app_role go together: give both, or neither",
                ));
            }
        };
        Ok(py.detach(|| stratalog::Platform::migrate_with(&url.0, &options))?)
    }

    /// The database's path or URL, without a password.
    #[getter]
    fn url(&self) -> String {
        self.0.describe().url()
    }

    /// "sqlite" or "postgres".
    #[getter]
    fn engine(&self) -> &'static str {
        match self.0.describe().engine() {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }

    /// Who writes.
    #[getter]
    fn actor(&self) -> &str {
        self.0.describe().actor()
    }

    /// Runs.
    #[getter]
    fn runs(&self) -> Runs {
        Runs::new(&self.0)
    }

    /// The time series of all its runs, to be read.
    #[getter]
    fn iamc(&self) -> PlatformIamc {
        PlatformIamc::new(&self.0)
    }

    /// Meta indicators of its runs.
    #[getter]
    fn meta(&self) -> PlatformMeta {
        PlatformMeta::new(&self.0)
    }

    /// Regions.
    #[getter]
    fn regions(&self) -> Regions {
        Regions::new(&self.0)
    }

    /// Units.
    #[getter]
    fn units(&self) -> Names {
        Names::new(&self.0, stratalog::Platform::units)
    }

    /// Variables. Adding points makes them as needed.
    #[getter]
    fn variables(&self) -> Names {
        Names::new(&self.0, stratalog::Platform::variables)
    }

    /// Models. Creating runs makes them as needed.
    #[getter]
    fn models(&self) -> Names {
        Names::new(&self.0, stratalog::Platform::models)
    }

    /// Scenarios. Creating runs makes them as needed.
    #[getter]
    fn scenarios(&self) -> Names {
        Names::new(&self.0, stratalog::Platform::scenarios)
    }

    /// Tables of one's own, whose rows belong to runs.
    #[getter]
    fn tables(&self) -> OwnTables {
        OwnTables::new(&self.0)
    }

    /// Run locks.
    #[getter]
    fn locks(&self) -> Locks {
        Locks::new(&self.0)
    }

    /// What differs from one run to another, of two versions of a scenario for instance.
    /// Both are compared whole.
    ///
    /// Args:
    ///     a, b: runs, as they are now, or what their ``as_of`` gives.
    ///
    /// Raises:
    ///     InvalidFilter: a run of another database.
    fn diff(&self, py: Python<'_>, a: AnyState, b: AnyState) -> Result<Diff> {
        let platform = self.0.platform()?;
        py.detach(|| view::compare(platform, &a, &b))
    }

    /// Transactions, newest first: ``id`` (int64), ``issued_at`` (datetime64[us, UTC]),
    /// ``run_id`` (int64; Int64 with gaps where some wrote to the platform's own tables
    /// only), ``actor``, ``operation`` (text), ``inserted``, ``updated``, ``deleted`` (rows,
    /// int64), ``tables`` (those written to), ``checkpoints`` (messages of those that name
    /// it), ``reverted`` (of one that set rows back: revert, rollback or undo), ``target_id``
    /// (the transaction whose state came back; of an undo the one that was taken back).
    ///
    /// Args:
    ///     run: only of this run, given as such or by its id.
    ///     limit: at most so many; ``None``: all.
    ///     before: only ids below this one: the last of the page before.
    ///     since, until: only those that began in this time (``datetime``, without a zone UTC).
    ///     actor: only those of this actor.
    #[pyo3(signature = (run = None, limit = Some(50), before = None, *, since = None, until = None, actor = None))]
    #[pyo3(
        text_signature = "($self, run=None, limit=50, before=None, *, since=None, until=None, actor=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn log(
        &self,
        py: Python<'_>,
        run: Option<&Bound<'_, PyAny>>,
        limit: Option<i64>,
        before: Option<i64>,
        since: Option<Moment>,
        until: Option<Moment>,
        actor: Option<Text>,
    ) -> Result<Py<PyAny>> {
        let filter = LogFilter {
            since: since.map(|since| since.0),
            until: until.map(|until| until.0),
            actor: actor.map(|actor| actor.0),
            ..log_filter(run.map(id_of).transpose()?, limit, before)?
        };
        let platform = self.0.platform()?;
        let entries = py.detach(|| platform.log(&filter))?;
        log::tabulate(py, &entries)
    }

    /// Removes the version rows that none of the kept states needs, of one run or of all. What
    /// is kept reads as before; any other state is gone for good: looking at it is
    /// ``StateCompacted``. The present state always stays. It is logged, works in batches under
    /// each run's lock, and can be broken off: the next one goes on. Give one of ``keep``,
    /// ``before`` and ``last``.
    ///
    /// Args:
    ///     keep: ``"checkpoints"``: the states that checkpoints name.
    ///     before: what is older than this time (``datetime``, without a zone UTC) goes,
    ///         checkpoints too.
    ///     last: everything from the last so many checkpoints of each run on stays.
    ///     run: only this run.
    ///     dry_run: removes nothing, and reports what would be removed.
    ///     progress: says on stderr how far it is.
    ///
    /// Runs that are locked are passed over: see ``CompactReport.locked``. The room is used
    /// again by the database; ``VACUUM`` (PostgreSQL: ``VACUUM FULL``) gives it back to the disk.
    ///
    /// Raises:
    ///     InvalidFilter: not exactly one of ``keep``, ``before`` and ``last``.
    #[pyo3(signature = (keep = None, *, before = None, last = None, run = None, dry_run = false, progress = false))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn compact(
        &self,
        py: Python<'_>,
        keep: Option<Text>,
        before: Option<Moment>,
        last: Option<u32>,
        run: Option<&Bound<'_, PyAny>>,
        dry_run: bool,
        progress: bool,
    ) -> Result<CompactReport> {
        let keep = match (keep, before, last) {
            (Some(keep), None, None) if keep.0 == "checkpoints" => Keep::Checkpoints,
            (None, Some(before), None) => Keep::Since(before.0),
            (None, None, Some(last)) => Keep::LastCheckpoints(last),
            _ => {
                return Err(Failure::filter(
                    "say what to keep: one of keep=\"checkpoints\", before=<datetime>, last=<number>",
                ));
            }
        };
        let platform = self.0.platform()?;
        let run = run.map(id_of).transpose()?;
        let mut tell = |so_far: CompactProgress| {
            if progress {
                // A closed stderr is no reason to fail.
                let _ = writeln!(
                    std::io::stderr(),
                    "run {}: {} of {} version rows",
                    so_far.run_id,
                    so_far.looked_at,
                    so_far.total
                );
            }
            Python::attach(|py| py.check_signals()).map_err(|_| stratalog::Error::Interrupted)
        };
        let report = py.detach(|| {
            let run = run.map(|id| platform.runs().get_by_id(id)).transpose()?;
            let options = CompactOptions {
                dry_run,
                progress: Some(&mut tell),
            };
            platform.compact(run.as_ref().map(std::slice::from_ref), keep, options)
        })?;
        Ok(CompactReport(report))
    }

    /// Copies an ixmp4 database (ixmp4 0.14 to 0.17; SQLite or PostgreSQL) into this platform:
    /// names, runs with their version numbers, time series, meta indicators, optimization items,
    /// checkpoints, and the history where there is one (PostgreSQL). Then both sides are compared.
    /// The source is only read. Close ixmp4's own platform in this process first.
    ///
    /// All of it is looked at before anything is written. An import that was broken off goes on
    /// when it is called again; runs that have been copied are not copied again.
    ///
    /// Args:
    ///     source: a path, or a URL as ixmp4 has it (``postgresql+psycopg://…``).
    ///     dry_run: writes nothing, and reports what would be copied.
    ///     history: ``False`` copies the present state only.
    ///     progress: draws a bar on stderr.
    ///
    /// Raises:
    ///     ImportRefused: it is not such a database or of another revision, something in it
    ///         cannot be kept here, or version numbers are taken. The message has all of it.
    #[pyo3(signature = (source, *, dry_run = false, history = true, progress = false))]
    fn import_ixmp4(
        &self,
        py: Python<'_>,
        source: &str,
        dry_run: bool,
        history: bool,
        progress: bool,
    ) -> Result<Ixmp4Report> {
        let platform = self.0.platform()?;
        let report = py.detach(|| {
            let bar = progress.then(Ixmp4Bar::default);
            let mut tell = |step: Ixmp4Step<'_>| {
                if let Some(bar) = &bar {
                    bar.step(step);
                }
            };
            let interrupt = || {
                Python::attach(|py| py.check_signals()).map_err(|_| stratalog::Error::Interrupted)
            };
            let report = platform.import_ixmp4(
                source,
                Ixmp4Options {
                    dry_run,
                    without_history: !history,
                    progress: Some(&mut tell),
                    interrupt: Some(&interrupt),
                },
            );
            if let Some(bar) = &bar {
                bar.clear();
            }
            report
        })?;
        Ok(Ixmp4Report(report))
    }

    /// What was redacted, oldest first. Columns: ``id``, ``run_id``, ``redacted_at`` (UTC),
    /// ``actor``, ``reason``, ``rows``.
    fn redactions(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let platform = self.0.platform()?;
        retention::tabulate(py, &py.detach(|| platform.redactions())?)
    }

    /// Switches hash chains on, for good, and links what was written so far: every transaction
    /// of a run to the one before, by SHA-256, with the version rows that it wrote.
    /// ``verify(chain=True)`` follows them. Returns how many transactions were linked; repeated,
    /// it links what other programs wrote.
    fn enable_chain(&self, py: Python<'_>) -> Result<u64> {
        let platform = self.0.platform()?;
        Ok(py.detach(|| platform.chain().enable())?)
    }

    /// Where each chain ends, to be kept where nobody who can write to the database can write.
    /// Columns: ``run_id`` (0: the platform's own tables), ``position`` (links), ``transaction_id``
    /// (int64), ``head`` (64 hexadecimal digits). Empty where chains are not switched on.
    fn chain_heads(&self, py: Python<'_>) -> Result<Py<PyAny>> {
        let platform = self.0.platform()?;
        chain::tabulate(py, &py.detach(|| platform.chain().heads())?)
    }

    /// Proves that the live tables and the change log agree and that the log is sound.
    ///
    /// Args:
    ///     progress: says on stderr which table it is looking at.
    ///     chain: follows the hash chains too.
    ///     heads: heads that were kept elsewhere, as ``chain_heads`` gave them: a table with
    ///         the same columns, a list of dictionaries, or the JSON of
    ///         ``stratalog chain heads --json`` read by ``json.load``.
    ///
    /// Raises:
    ///     InvalidFilter: ``chain=True`` where chains are not switched on.
    #[pyo3(signature = (progress = false, *, chain = false, heads = None))]
    fn verify(
        &self,
        py: Python<'_>,
        progress: bool,
        chain: bool,
        heads: Option<&Bound<'_, PyAny>>,
    ) -> Result<VerifyReport> {
        let platform = self.0.platform()?;
        let heads = heads.map(chain::heads).transpose()?;
        let report = py.detach(|| {
            let tell = |table: &str| {
                if progress {
                    // A closed stderr is no reason to fail.
                    let _ = writeln!(std::io::stderr(), "verifying {table}");
                }
            };
            match heads {
                Some(heads) => platform.verify_chain(&heads, tell),
                None if chain => platform.verify_chain(&[], tell),
                None => platform.verify_with(tell),
            }
        })?;
        Ok(VerifyReport(report))
    }

    /// Looks at what protects the data: the role that is connected, the triggers, the server.
    /// On SQLite history is tamper-evident at best, and it says so.
    fn doctor(&self, py: Python<'_>) -> Result<DoctorReport> {
        let platform = self.0.platform()?;
        Ok(DoctorReport(py.detach(|| platform.doctor())?))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!(
            "Platform({}, actor={})",
            repr(py, &self.url()),
            repr(py, self.actor())
        )
    }
}
