//! The one error type. Every message says what failed, on what, and what to do about it.

use chrono::NaiveDateTime;

use crate::ids::{LockToken, RunId, TransactionId};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who holds a run's lock, since when and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LockHolder {
    /// Operating-system user, or the `actor` given to the platform.
    pub user: String,
    /// Host name.
    pub host: String,
    /// Process id on that host.
    pub pid: i64,
    /// One UUID per opened platform.
    pub client: String,
    /// Why the lock was taken: the message of the block.
    pub reason: String,
    /// When it was taken (UTC).
    pub acquired_at: NaiveDateTime,
    /// When others may take it, unless its holder renews it before (UTC).
    pub expires_at: NaiveDateTime,
    /// The last write under it (UTC); `None` before the first.
    pub last_write_at: Option<NaiveDateTime>,
    /// The fencing number of this holding.
    pub token: LockToken,
}

impl std::fmt::Display for LockHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} on {} (process {}) since {} UTC for \"{}\"",
            self.user,
            self.host,
            self.pid,
            self.acquired_at.format("%Y-%m-%d %H:%M:%S"),
            self.reason
        )
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No region, unit, model, scenario, variable or run of that name or id.
    #[error("no {kind} {name}: {hint}")]
    NotFound {
        /// "region", "run", …
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What to do.
        hint: String,
    },
    /// A unique name is taken.
    #[error(
        "{kind} {name} exists already{}: use it with .get(), or choose another name",
        in_brackets(id)
    )]
    AlreadyExists {
        /// "region", "unit", …
        kind: &'static str,
        /// The name that is taken.
        name: String,
        /// The id of the one that has it, where it has one.
        id: Option<i64>,
    },
    /// Deleting something that other rows refer to.
    #[error(
        "{kind} {name} cannot be deleted: it is used by {used_by}; delete or change those first"
    )]
    InUse {
        /// "region", "unit", …
        kind: &'static str,
        /// What was to be deleted.
        name: String,
        /// What uses it.
        used_by: String,
    },
    /// A name that cannot be used.
    #[error("{kind} name {name:?} cannot be used: {problem}")]
    InvalidName {
        /// "region", "unit", …
        kind: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An optimization item that cannot be so.
    #[error("{kind} \"{name}\": {problem}")]
    InvalidItem {
        /// "indexset", "parameter", …
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A model's scenario has runs but none of them is the default.
    #[error(
        "{model} / {scenario} has no default version; versions there: {versions}. \
         Pass a version, or make one the default with set_as_default()"
    )]
    NoDefaultVersion {
        /// Model name.
        model: String,
        /// Scenario name.
        scenario: String,
        /// The versions there are, as text.
        versions: String,
    },
    /// Somebody holds the run's lock.
    #[error("run {run} (id {run_id}) is locked by {holder}{}", waited(*.waited_seconds))]
    RunIsLocked {
        /// The run as "model / scenario, version".
        run: String,
        /// The run's id.
        run_id: RunId,
        /// Who holds it.
        holder: Box<LockHolder>,
        /// How long this call waited for it.
        waited_seconds: f64,
    },
    /// A write to a run without its lock.
    #[error(
        "run {run} is not locked by you: write inside `with run.transact(\"message\"):` (Rust: `run.lock(\"message\")?`)"
    )]
    RunLockRequired {
        /// The run.
        run: String,
    },
    /// A write through a view of an earlier state.
    #[error(
        "this is run {run} as it was after transaction {at}, it can only be read: write to the run itself, or make this its present state with `run.revert_to({at})`"
    )]
    ReadOnlyView {
        /// The run.
        run: String,
        /// The state.
        at: TransactionId,
    },
    /// The lock was this holder's, but is no longer.
    #[error(
        "the lock of run {run} (token {token}) was lost: nothing more can be written with it; take the lock again and look at the run's state first"
    )]
    LockLost {
        /// The run.
        run: String,
        /// The token that is no longer valid.
        token: LockToken,
    },
    /// A lock that was to be ended by hand is not the one that was looked at.
    #[error("run {run} is not locked under token {asked}{}", found_instead(.found.as_deref()))]
    LockTokenMismatch {
        /// The run.
        run: String,
        /// The token that was given.
        asked: LockToken,
        /// Who holds it; `None`: nobody.
        found: Option<Box<LockHolder>>,
    },
    /// A lease that cannot work.
    #[error("this lease cannot be used: {0}")]
    InvalidLease(String),
    /// `transact` inside `transact` on the same run object.
    #[error(
        "run {run} is locked by this very object already: transact blocks do not nest; write in the outer block and make checkpoints there"
    )]
    NestedLock {
        /// The run.
        run: String,
    },
    /// No such checkpoint.
    #[error("run {run} has no checkpoint {target}; {known}")]
    CheckpointNotFound {
        /// The run.
        run: String,
        /// What was asked for.
        target: String,
        /// The ones there are, as text.
        known: String,
    },
    /// Not a transaction of this run.
    #[error("transaction {target} is not one of run {run}; {nearest}")]
    TransactionNotFound {
        /// The run.
        run: String,
        /// What was asked for.
        target: TransactionId,
        /// Where to look.
        nearest: String,
    },
    /// A state that was removed from the history by a compaction.
    #[error(
        "the state of run {run} after transaction {at} is gone: {how}; what is left is the state after {left}"
    )]
    StateCompacted {
        /// The run.
        run: String,
        /// The state that was asked for.
        at: TransactionId,
        /// Who compacted it last, when, and what was kept.
        how: String,
        /// The nearest states that are left.
        left: String,
    },
    /// Input that is refused; nothing was written.
    #[error("the data cannot be taken, nothing was written: {problem}")]
    InvalidFrame {
        /// What is wrong, with the rows or names.
        problem: String,
    },
    /// Regions or units in the input that do not exist; nothing was written.
    #[error("the data names what does not exist, nothing was written: {missing}")]
    UnknownNames {
        /// All of them, with how to create them.
        missing: String,
    },
    /// A filter that cannot be used.
    #[error("{0}")]
    InvalidFilter(String),
    /// A revert needs rows that have since been deleted; nothing changed.
    #[error(
        "run {run} cannot be reverted, nothing changed: the earlier state needs {missing}, deleted since; create it again under the same name (it gets its old id back) and repeat"
    )]
    RevertNeedsMissing {
        /// The run.
        run: String,
        /// Names with their tables.
        missing: String,
    },
    /// A revert needs values that were redacted; nothing changed.
    #[error(
        "run {run} cannot be reverted, nothing changed: {count} values of the earlier state were redacted ({rows}); revert a selection without them, or write what they should be"
    )]
    RevertNeedsRedacted {
        /// The run.
        run: String,
        /// How many rows.
        count: u64,
        /// The first of them by their keys.
        rows: String,
    },
    /// Rows of a transaction that is to be undone were changed again since; nothing changed.
    #[error(
        "transaction {transaction} of run {run} cannot be undone, nothing changed: {count} of its rows changed again since ({rows}); undo the later transactions first, newest first (`stratalog log` shows them), or set back a selection with revert_to"
    )]
    UndoOverlaps {
        /// The run.
        run: String,
        /// The transaction that was to be undone.
        transaction: TransactionId,
        /// How many rows.
        count: u64,
        /// The first of them by their keys.
        rows: String,
    },
    /// The database is at an older schema than this program.
    #[error(
        "{url} has schema {found}, this program needs {expected}: run `stratalog migrate {url}` (a backup first is wise)"
    )]
    SchemaOutdated {
        /// The database.
        url: String,
        /// Its revision.
        found: String,
        /// The revision that this program needs.
        expected: String,
    },
    /// The database is at a newer schema than this program.
    #[error("{url} has schema {found}, newer than this program's {expected}: upgrade stratalog")]
    SchemaTooNew {
        /// The database.
        url: String,
        /// Its revision.
        found: String,
        /// This program's revision.
        expected: String,
    },
    /// Not a database URL, or a place where the database cannot live.
    #[error("{url}: {problem}")]
    InvalidUrl {
        /// The URL, without its password.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// A table description that cannot work, or that differs from the database's.
    #[error("table {table}: {problem}")]
    InvalidDescription {
        /// The table.
        table: String,
        /// What is wrong.
        problem: String,
    },
    /// The database refused a write that would have bypassed the change log.
    #[error("refused by the change log: {0}")]
    ChangeLogRefused(String),
    /// Another process kept the database busy for too long.
    #[error(
        "{0} was busy for too long with another process's write: try again, or look who is writing with `stratalog locks`"
    )]
    Busy(String),
    /// Waiting was interrupted.
    #[error("interrupted")]
    Interrupted,
    /// No connection could be had.
    #[error("no connection to {url}: {source}")]
    Connection {
        /// The database, without its password.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection or the disk failed at COMMIT, and nobody could be asked what became of it.
    #[error(
        "it is unknown whether this write landed: {url} failed while it was being committed ({why}). Before you repeat it, find out as soon as it can be reached again: {find_out}"
    )]
    CommitUnknown {
        /// The database, without its password.
        url: String,
        /// What failed.
        why: String,
        /// What tells: a query that yields a row, or `committed`, when it landed; or commands.
        find_out: String,
    },
    /// The database's disk is full; nothing of the call was kept.
    #[error(
        "{doing}: the disk that holds the database is full, nothing of this call was kept: free space on it, then repeat the call ({source})"
    )]
    DiskFull {
        /// What was being done.
        doing: String,
        /// The database's own error.
        source: diesel::result::Error,
    },
    /// The database's file could not be read or written; nothing of the call was kept.
    #[error(
        "{doing}: the database's file could not be read or written, nothing of this call was kept: look after the disk (does it fail? is it read-only, or gone?), then open the platform again, run `stratalog verify`, and repeat the call ({source})"
    )]
    Storage {
        /// What was being done.
        doing: String,
        /// The database's own error.
        source: diesel::result::Error,
    },
    /// Any other error of the database.
    #[error("{doing}: {source}")]
    Database {
        /// What was being done.
        doing: String,
        /// The database's own error.
        source: diesel::result::Error,
    },
    /// Migrating failed; the database is as it was.
    #[error("migrating {url} failed, it is as it was: {source}")]
    Migration {
        /// The database.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Roles that cannot be set up; the database is as it was.
    #[error("{url}: the roles cannot be set up, nothing was changed: {problem}")]
    Roles {
        /// The database.
        url: String,
        /// What is wrong, and who must do what.
        problem: String,
    },
    /// Reading or writing a file.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// What is not a database that `import-ixmp4` understands, or a platform that it cannot be copied to; nothing was
    /// written.
    #[error("{url} cannot be imported: {problem}")]
    Ixmp4 {
        /// The source, without its password.
        url: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Things in an ixmp4 database that cannot be kept here as they are; nothing was written.
    #[error(
        "{url} cannot be imported as it is, nothing was written:{}",
        list(problems)
    )]
    Ixmp4Unfit {
        /// The source, without its password.
        url: String,
        /// All of them, each with what to do.
        problems: Vec<String>,
    },
    /// A conversion to or from Arrow.
    #[error("converting the data: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

fn waited(seconds: f64) -> String {
    if seconds > 0.0 {
        format!("; waited {seconds:.1} s for it, try again later or with a longer timeout")
    } else {
        "; wait for it with timeout=seconds, or try again later".to_owned()
    }
}

fn found_instead(holder: Option<&LockHolder>) -> String {
    match holder {
        Some(holder) => format!(
            " any more, but under token {} by {holder}; nothing was done. Look at `stratalog locks` before you \
             end that one too",
            holder.token
        ),
        None => ", nor under another: it is free, there is nothing to do".to_owned(),
    }
}

fn list(problems: &[String]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n  - {problem}"))
        .collect()
}

fn in_brackets(id: &Option<i64>) -> String {
    id.map_or(String::new(), |id| format!(" (id {id})"))
}

impl Error {
    /// Somebody else holds the run's lock.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::RunIsLocked { .. })
    }

    /// A write without the run's lock.
    pub fn is_lock_required(&self) -> bool {
        matches!(self, Self::RunLockRequired { .. })
    }

    /// A write through a view of an earlier state.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::ReadOnlyView { .. })
    }

    /// The lock was taken over or released behind this holder's back.
    pub fn is_lock_lost(&self) -> bool {
        matches!(self, Self::LockLost { .. })
    }

    /// A run, region, unit, model, scenario, checkpoint or transaction that is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. }
                | Self::CheckpointNotFound { .. }
                | Self::TransactionNotFound { .. }
                | Self::StateCompacted { .. }
                | Self::NoDefaultVersion { .. }
        )
    }

    /// A checkpoint that is not there.
    pub fn is_checkpoint_not_found(&self) -> bool {
        matches!(self, Self::CheckpointNotFound { .. })
    }

    /// A state that a compaction removed.
    pub fn is_compacted(&self) -> bool {
        matches!(self, Self::StateCompacted { .. })
    }

    /// A unique name that is taken.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::AlreadyExists { .. })
    }

    /// Deleting what is in use.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse { .. })
    }

    /// Input that was refused before anything was written.
    pub fn is_invalid_input(&self) -> bool {
        matches!(
            self,
            Self::InvalidFrame { .. }
                | Self::UnknownNames { .. }
                | Self::InvalidFilter(_)
                | Self::InvalidName { .. }
                | Self::InvalidItem { .. }
                | Self::Ixmp4Unfit { .. }
        )
    }

    /// A database whose schema is older or newer than this program's.
    pub fn is_schema_mismatch(&self) -> bool {
        matches!(
            self,
            Self::SchemaOutdated { .. } | Self::SchemaTooNew { .. }
        )
    }

    /// A write that the database refused because it would have bypassed the change log.
    pub fn is_refused_by_change_log(&self) -> bool {
        matches!(self, Self::ChangeLogRefused(_))
    }

    /// A connection that could not be had, or was lost for good; nothing was written.
    pub fn is_connection(&self) -> bool {
        matches!(self, Self::Connection { .. })
    }

    /// A write of which nobody could tell whether it landed: look before repeating it.
    pub fn is_commit_unknown(&self) -> bool {
        matches!(self, Self::CommitUnknown { .. })
    }

    /// A disk that is full or fails; nothing was written.
    pub fn is_storage(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::Storage { .. })
    }

    /// Short-hand for refused input.
    pub(crate) fn frame(problem: impl Into<String>) -> Self {
        Self::InvalidFrame {
            problem: problem.into(),
        }
    }
}
