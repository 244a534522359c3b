//! Versioned run data: an append-only change log with checkpoints and run locks, on SQLite and PostgreSQL.
//!
//! A *run* is a set of rows that belong together and change together. Every write is logged in the
//! database itself; a run is written under its lock, checkpointed with a message, looked at as it was,
//! compared, and reverted. The same on both engines.
//!
//! ```
//! use stratalog::{Filter, Frame, Platform};
//!
//! # fn main() -> stratalog::Result<()> {
//! let platform = Platform::open("sqlite://:memory:")?; // or "scenarios.db", "postgresql://…"
//! platform.regions().create("World")?;
//! platform.units().create("EJ/yr")?;
//!
//! let run = platform.runs().create("MESSAGEix", "SSP2-1.5C")?;
//! let lock = run.lock("Baseline")?;
//! lock.iamc().add(&Frame::yearly([("World", "Primary Energy", "EJ/yr", 2030, 580.0)]))?;
//! lock.checkpoint("raw data")?;
//! lock.iamc().add(&Frame::yearly([("World", "Primary Energy", "EJ/yr", 2030, 575.5)]))?;
//! lock.commit()?; // dropping `lock` instead rolls the run back to "raw data"
//!
//! run.revert_to("raw data")?;
//! let points = run.iamc().tabulate(&Filter::all().region(["World"]))?;
//! assert_eq!(points.num_rows(), 1);
//! assert!(platform.verify()?.is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! - [`Platform`] is one database, [`Run`] a run, [`RunLock`] the guard under which one writes.
//! - [`versioned_table!`] describes a table of one's own; it gets the log, locks, checkpoints and revert.
//! - [`Error`] says what failed, on which run, and what to do; its predicates (`is_locked()` …) tell cases apart.
//!
//! Words are used in one sense only: a *checkpoint* is a message tied to a run and a transaction, what one
//! reverts to; *revert* sets a run back as a new, logged transaction; *rollback* is the revert that happens
//! when a block fails. A *version row* is a row of a `…_version` table; it has nothing to do with a run's
//! version number.

#[cfg(feature = "cli")]
pub mod cli;
mod core;
mod doctor;
mod error;
#[cfg(feature = "cli")]
pub mod files;
mod filter;
mod history;
mod iamc;
mod ids;
mod input;
mod ixmp4;
mod meta;
mod names;
mod optimization;
mod own_tables;
mod platform;
#[cfg(feature = "cli")]
pub mod progress;
mod run;
pub mod schema;
mod store;

pub use arrow;
pub use doctor::{DoctorReport, Finding, Severity};
pub use error::{Error, LockHolder, Result};
pub use filter::{Filter, FilterValue};
pub use history::{
    Audit, Chain, ChainHead, ChainReport, ChangeCounts, CompactOptions, CompactProgress,
    CompactReport, CompactedRun, Diff, DiffSummary, Difference, Keep, LockedRun, LogEntry,
    LogFilter, Problem, RedactOptions, Redaction, RevertKind, Reverted, SeriesDifference,
    VerifyReport,
};
pub use iamc::{AddOptions, Frame, Iamc, PlatformIamc, PointBatches, PointType};
pub use ids::{CheckpointId, LockToken, RunId, TransactionId};
pub use ixmp4::{Ixmp4Count, Ixmp4Options, Ixmp4Report, Ixmp4Run, Ixmp4RunState, Ixmp4Step};
pub use meta::{Meta, MetaIndicator, MetaValue, RESERVED_KEYS};
pub use names::{Named, Names};
pub use optimization::{Element, Item, ItemColumn, ItemKind, Optimization};
pub use own_tables::OwnTables;
pub use platform::{MigrateOptions, Platform, PlatformOptions};
pub use run::{
    Checkpoint, CloneOptions, ClonedFrom, LAST_CHECKPOINT, Lease, LockEvent, LockOptions, LockRow,
    Locks, RevertOptions, Run, RunInfo, RunLock, RunTable, RunView, Runs, Target,
};
pub use schema::{TableDescription, VersionedTable};
pub use store::Engine;
#[doc(hidden)]
pub use store::clock::SimulatedClock;
#[doc(hidden)]
pub use store::fork::{let_go_after_fork, prepare_fork, resume_after_fork};

/// For the macros.
#[doc(hidden)]
pub mod __private {
    pub use diesel;
    pub use pastey::paste;
}

/// The examples of the README and of the pages in docs/ run as tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/rust.md")]
    mod rust {}
}
