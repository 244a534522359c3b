//! The change log: what is written, what was, what differs, how to go back, and the proof.
//!
//! **Invariant:** live table == version rows that have no end and are not deletions. All SQL here is
//! generated from the table descriptions and common to both engines.

pub(crate) mod as_of;
pub(crate) mod audit;
pub(crate) mod chain;
pub(crate) mod changes;
pub(crate) mod compact;
mod compare;
pub(crate) mod counts;
pub(crate) mod diff;
mod extent;
mod log;
pub(crate) mod redact;
pub(crate) mod retained;
pub(crate) mod revert;
pub(crate) mod rows;
mod source;
mod verify;
pub(crate) mod versions;
mod whole;
pub(crate) mod write;

pub use audit::Audit;
pub use chain::{Chain, ChainHead, ChainReport};
pub use compact::{CompactOptions, CompactProgress, CompactReport, CompactedRun, Keep, LockedRun};
pub use counts::ChangeCounts;
pub use diff::{Diff, DiffSummary, Difference, SeriesDifference};
pub use log::{LogEntry, LogFilter, Reverted};
pub use redact::{RedactOptions, Redaction};
pub use revert::Kind as RevertKind;
pub use verify::{Problem, VerifyReport};
