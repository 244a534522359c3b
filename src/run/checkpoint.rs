//! Checkpoints: messages tied to a run and its last transaction.
//!
//! **Invariant:** a checkpoint names its run's last transaction, read while the lock row is locked, so no
//! later write can land at or before it. Triggers refuse any other.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::history::retained;
use crate::ids::{CheckpointId, RunId, TransactionId};
use crate::run::RunInfo;
use crate::schema::tables::{checkpoints, transactions};
use crate::store::kept::kept;
use crate::store::rows::Bind;
use crate::store::{AnyConnection, doing};

/// A message tied to a state of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Its id.
    pub id: CheckpointId,
    /// The run.
    pub run_id: RunId,
    /// The run's last transaction then; 0 before its first.
    pub transaction_id: TransactionId,
    /// The message. Messages may repeat.
    pub message: String,
    /// Who made it.
    pub actor: String,
    /// When (UTC).
    pub created_at: NaiveDateTime,
}

/// What to go back to or look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The latest checkpoint of that name.
    Name(String),
    /// A checkpoint.
    Checkpoint(CheckpointId),
    /// The run's last checkpoint, whatever a writer has done since. As text: [`LAST_CHECKPOINT`].
    LastCheckpoint,
    /// The state after a transaction of the run; [`TransactionId::BEFORE_FIRST`] is the empty run.
    Transaction(TransactionId),
    /// The state after the run's last transaction that began at or before this time (UTC); the empty run
    /// when there is none.
    Time(NaiveDateTime),
}

/// What stands for a run's last checkpoint where a name is asked for. No checkpoint is called so.
pub const LAST_CHECKPOINT: &str = "checkpoint";

impl From<&str> for Target {
    fn from(name: &str) -> Self {
        Self::from(name.to_owned())
    }
}

impl From<String> for Target {
    fn from(name: String) -> Self {
        if name == LAST_CHECKPOINT {
            Self::LastCheckpoint
        } else {
            Self::Name(name)
        }
    }
}

impl From<DateTime<Utc>> for Target {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Time(time.naive_utc())
    }
}

impl From<&Checkpoint> for Target {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self::Checkpoint(checkpoint.id)
    }
}

impl From<CheckpointId> for Target {
    fn from(id: CheckpointId) -> Self {
        Self::Checkpoint(id)
    }
}

impl From<TransactionId> for Target {
    fn from(id: TransactionId) -> Self {
        Self::Transaction(id)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "\"{name}\""),
            Self::Checkpoint(id) => write!(f, "checkpoint {id}"),
            Self::LastCheckpoint => write!(f, "the last checkpoint"),
            Self::Transaction(id) => write!(f, "transaction {id}"),
            Self::Time(time) => write!(f, "{} UTC", time.format("%Y-%m-%d %H:%M:%S%.f")),
        }
    }
}

#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = checkpoints)]
struct CheckpointRow {
    id: i64,
    run_id: i64,
    transaction_id: i64,
    message: String,
    actor: String,
    created_at: NaiveDateTime,
}

impl From<CheckpointRow> for Checkpoint {
    fn from(row: CheckpointRow) -> Self {
        Self {
            id: CheckpointId(row.id),
            run_id: RunId(row.run_id),
            transaction_id: TransactionId(row.transaction_id),
            message: row.message,
            actor: row.actor,
            created_at: row.created_at,
        }
    }
}

/// The run's last transaction, 0 before its first.
pub(crate) fn last_transaction(
    connection: &mut AnyConnection,
    run: RunId,
) -> Result<TransactionId> {
    let last: Option<i64> = transactions::table
        .filter(transactions::run_id.eq(run.0))
        .select(diesel::dsl::max(transactions::id))
        .get_result(connection)
        .map_err(doing("looking for a run's last transaction"))?;
    Ok(last.map_or(TransactionId::BEFORE_FIRST, TransactionId))
}

/// Makes a checkpoint. The caller has locked the lock row in this database transaction.
pub(super) fn create(
    connection: &mut AnyConnection,
    run: RunId,
    message: &str,
    actor: &str,
) -> Result<Checkpoint> {
    create_at(connection, run, message, actor, None)
}

/// [`create`] of one that was made elsewhere. On PostgreSQL only the owner of the tables may say when; `None`: now.
pub(crate) fn create_at(
    connection: &mut AnyConnection,
    run: RunId,
    message: &str,
    actor: &str,
    created_at: Option<NaiveDateTime>,
) -> Result<Checkpoint> {
    let mut columns = vec!["run_id", "message", "actor"];
    let mut binds = vec![
        Bind::BigInt(run.0),
        Bind::Text(message.to_owned()),
        Bind::Text(actor.to_owned()),
    ];
    // Otherwise the column is not named: naming it takes a right.
    if let Some(time) = created_at {
        columns.push("created_at");
        binds.push(Bind::Timestamp(time));
    }
    let values: Vec<_> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let text = format!(
        "INSERT INTO checkpoints ({}, transaction_id)
         SELECT {}, coalesce(max(t.id), 0) FROM transactions t WHERE t.run_id = $1
         RETURNING id, run_id, transaction_id, message, actor, created_at",
        columns.join(", "),
        values.join(", "),
    );
    let row: CheckpointRow = kept(&text, &binds)
        .get_result(connection)
        .map_err(doing("making a checkpoint"))?;
    Ok(row.into())
}

/// All checkpoints of a run, oldest first.
pub(crate) fn list(connection: &mut AnyConnection, run: RunId) -> Result<Vec<Checkpoint>> {
    let rows: Vec<CheckpointRow> = checkpoints::table
        .filter(checkpoints::run_id.eq(run.0))
        .order(checkpoints::id)
        .select(CheckpointRow::as_select())
        .load(connection)
        .map_err(doing("reading checkpoints"))?;
    Ok(rows.into_iter().map(Checkpoint::from).collect())
}

/// The newest transaction that a checkpoint of the run names.
pub(super) fn last_checkpointed(
    connection: &mut AnyConnection,
    run: RunId,
) -> Result<TransactionId> {
    let last: Option<i64> = checkpoints::table
        .filter(checkpoints::run_id.eq(run.0))
        .order(checkpoints::id.desc())
        .select(checkpoints::transaction_id)
        .first(connection)
        .optional()
        .map_err(doing("looking for a run's last checkpoint"))?;
    Ok(last.map_or(TransactionId::BEFORE_FIRST, TransactionId))
}

/// The transaction of the newest checkpoint before a state; the empty run when there is none. `older_than`:
/// of checkpoints that name the same state only those before this one count.
pub(super) fn before(
    connection: &mut AnyConnection,
    run: RunId,
    at: TransactionId,
    older_than: Option<CheckpointId>,
) -> Result<TransactionId> {
    let of_run = checkpoints::table.filter(checkpoints::run_id.eq(run.0));
    let earlier = match older_than {
        Some(id) => of_run.filter(checkpoints::id.lt(id.0)).into_boxed(),
        None => of_run
            .filter(checkpoints::transaction_id.lt(at.0))
            .into_boxed(),
    };
    let found: Option<i64> = earlier
        .order(checkpoints::id.desc())
        .select(checkpoints::transaction_id)
        .first(connection)
        .optional()
        .map_err(doing("looking for the checkpoint before"))?;
    Ok(found.map_or(TransactionId::BEFORE_FIRST, TransactionId))
}

/// The checkpoint that a target names; `None` for a transaction or a time, which are none.
pub(super) fn find(
    connection: &mut AnyConnection,
    run: &RunInfo,
    target: &Target,
) -> Result<Option<Checkpoint>> {
    let of_run = checkpoints::table.filter(checkpoints::run_id.eq(run.id.0));
    let row: Option<CheckpointRow> = match target {
        Target::Transaction(_) | Target::Time(_) => return Ok(None),
        Target::LastCheckpoint => of_run
            .order(checkpoints::id.desc())
            .select(CheckpointRow::as_select())
            .first(connection),
        Target::Name(name) => of_run
            .filter(checkpoints::message.eq(name))
            .order(checkpoints::id.desc())
            .select(CheckpointRow::as_select())
            .first(connection),
        Target::Checkpoint(id) => of_run
            .filter(checkpoints::id.eq(id.0))
            .select(CheckpointRow::as_select())
            .first(connection),
    }
    .optional()
    .map_err(doing("looking for a checkpoint"))?;
    match row {
        Some(row) => Ok(Some(row.into())),
        None if *target == Target::LastCheckpoint => Err(Error::CheckpointNotFound {
            run: run.label(),
            target: "yet".into(),
            known: "look at the run itself, or at transaction 0 for the empty run".into(),
        }),
        None => Err(Error::CheckpointNotFound {
            run: run.label(),
            target: target.to_string(),
            known: known(&list(connection, run.id)?),
        }),
    }
}

/// The checkpoints there are, newest first, for an error.
fn known(checkpoints: &[Checkpoint]) -> String {
    const SHOWN: usize = 10;
    if checkpoints.is_empty() {
        return "it has none yet".into();
    }
    let shown: Vec<_> = checkpoints
        .iter()
        .rev()
        .take(SHOWN)
        .map(|checkpoint| format!("\"{}\" (id {})", checkpoint.message, checkpoint.id))
        .collect();
    let more = match checkpoints.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} older ones"),
    };
    format!("it has {}{more}", shown.join(", "))
}

/// The transaction whose state a target means.
///
/// # Errors
/// [`Error::StateCompacted`] for one that is gone.
pub(crate) fn resolve(
    connection: &mut AnyConnection,
    run: &RunInfo,
    target: &Target,
) -> Result<TransactionId> {
    let state = state_of(connection, run, target)?;
    retained::check(connection, run.id, state)?;
    Ok(state)
}

fn state_of(
    connection: &mut AnyConnection,
    run: &RunInfo,
    target: &Target,
) -> Result<TransactionId> {
    let id = match *target {
        Target::Transaction(id) => id,
        Target::Time(time) => return last_until(connection, run.id, time),
        _ => {
            return match find(connection, run, target)? {
                Some(checkpoint) => Ok(checkpoint.transaction_id),
                None => Ok(TransactionId::BEFORE_FIRST),
            };
        }
    };
    if id == TransactionId::BEFORE_FIRST {
        return Ok(id);
    }
    let of_run = transactions::table.filter(transactions::run_id.eq(run.id.0));
    let nearest: Option<i64> = of_run
        .filter(transactions::id.le(id.0))
        .select(diesel::dsl::max(transactions::id))
        .get_result(connection)
        .map_err(doing("looking for a transaction"))?;
    if nearest == Some(id.0) {
        return Ok(id);
    }
    Err(Error::TransactionNotFound {
        run: run.label(),
        target: id,
        nearest: match nearest {
            Some(nearest) => format!("its last one before is {nearest}; see `stratalog log`"),
            None => "it has none before; see `stratalog log`, or use 0 for the empty run".into(),
        },
    })
}

/// The run's last transaction that began at or before a time; 0 when there is none.
pub(crate) fn last_until(
    connection: &mut AnyConnection,
    run: RunId,
    time: NaiveDateTime,
) -> Result<TransactionId> {
    // "Before the next microsecond": SQLite compares times as text, in which ".5" comes before ".500".
    let end = time
        .checked_add_signed(TimeDelta::microseconds(1))
        .unwrap_or(time);
    let last: Option<i64> = transactions::table
        .filter(transactions::run_id.eq(run.0))
        .filter(transactions::issued_at.lt(end))
        .order(transactions::id.desc())
        .select(transactions::id)
        .first(connection)
        .optional()
        .map_err(doing("looking for the last transaction before a time"))?;
    Ok(last.map_or(TransactionId::BEFORE_FIRST, TransactionId))
}
