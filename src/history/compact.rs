//! Compaction: version rows that no kept state of a run needs are removed, which is logged.
//!
//! ```text
//!   under the run's lock
//!     commit: a row in `compactions` with the horizon, and the states before it that stay ── the plan
//!     commit: a batch of version rows that the plan does not need is gone                 ── again and again
//!     commit: the row in `compactions` is finished
//! ```
//!
//! **Invariant:** from the commit of the plan on, states that it does not keep are errors, and no kept state reads
//! otherwise than before. One that is broken off leaves rows that nobody needs; the next one removes them. The
//! triggers of the version tables let nothing else go.

use std::collections::BTreeSet;

use chrono::{NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde::Serialize;

use crate::core::Core;
use crate::error::{Error, LockHolder, Result};
use crate::history::retained;
use crate::ids::RunId;
use crate::run::{Checkpoint, Run, RunLock, checkpoints_of, last_transaction, last_until};
use crate::schema::TableDescription;
use crate::schema::tables::{compactions, retained_states};
use crate::store::rows::{Bind, query};
use crate::store::{AnyConnection, Outcome, doing, failpoint, quote, removal};

/// Which states stay. The present one always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Those that checkpoints name.
    Checkpoints,
    /// All from this time (UTC) on: the state at that time, and every later one.
    Since(NaiveDateTime),
    /// All from the last so many checkpoints on: the state of the oldest of them, and every later one.
    LastCheckpoints(u32),
}

impl std::fmt::Display for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Checkpoints => write!(f, "the checkpoints"),
            Self::Since(time) => write!(
                f,
                "everything since {} UTC",
                time.format("%Y-%m-%d %H:%M:%S%.f")
            ),
            Self::LastCheckpoints(1) => write!(f, "everything since the last checkpoint"),
            Self::LastCheckpoints(n) => {
                write!(f, "everything since the oldest of the last {n} checkpoints")
            }
        }
    }
}

/// How far a compaction has come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CompactProgress {
    /// The run.
    pub run_id: RunId,
    /// Version rows of it that were looked at.
    pub looked_at: u64,
    /// Version rows of it up to the horizon.
    pub total: u64,
}

/// What compacting came to.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct CompactReport {
    /// The runs, one by one.
    pub runs: Vec<CompactedRun>,
    /// Runs that were passed over, because somebody holds their lock.
    pub locked: Vec<LockedRun>,
    /// Bytes of the database's pages in use (SQLite), or of the version tables with their indexes (PostgreSQL).
    pub bytes_before: u64,
    /// The same afterwards.
    pub bytes_after: u64,
}

/// A run that was compacted.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CompactedRun {
    /// Its id.
    pub run_id: RunId,
    /// "model / scenario, version 1".
    pub run: String,
    /// Its version rows before.
    pub rows_before: u64,
    /// Its version rows afterwards.
    pub rows_after: u64,
}

/// A run that was not compacted.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LockedRun {
    /// Its id.
    pub run_id: RunId,
    /// "model / scenario, version 1".
    pub run: String,
    /// Who holds its lock.
    pub holder: LockHolder,
}

/// How to compact.
#[derive(Default)]
pub struct CompactOptions<'a> {
    /// Nothing is removed, and the report says what would be. Bytes stay as they are.
    pub dry_run: bool,
    /// Told after every batch; an error stops the compaction, to be gone on with by the next one.
    pub progress: Option<&'a mut dyn FnMut(CompactProgress) -> Result<()>>,
}

/// How many version rows a batch looks at, and always those of one transaction at least: nothing is larger than
/// what was written at once.
const BATCH: i64 = 20_000;

/// Compacts the histories of runs.
pub(crate) fn compact(
    core: &Core,
    runs: &[Run],
    keep: Keep,
    mut options: CompactOptions<'_>,
) -> Result<CompactReport> {
    if keep == Keep::LastCheckpoints(0) {
        return Err(Error::InvalidFilter(
            "the last 0 checkpoints keep nothing to go back to: give 1 or more".into(),
        ));
    }
    let mut report = CompactReport {
        bytes_before: core.store.history_bytes(&core.tables())?,
        ..CompactReport::default()
    };
    for run in runs {
        match compact_run(run, keep, &mut options) {
            Ok(Some(compacted)) => report.runs.push(compacted),
            Ok(None) => {}
            Err(Error::RunIsLocked {
                run_id,
                run,
                holder,
                ..
            }) => report.locked.push(LockedRun {
                run_id,
                run,
                holder: *holder,
            }),
            Err(error) => return Err(error),
        }
    }
    if !options.dry_run {
        core.store.give_back_space(&core.tables())?;
    }
    report.bytes_after = core.store.history_bytes(&core.tables())?;
    Ok(report)
}

/// Which states of a run stay: those from `horizon` on, and the retained ones.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    horizon: i64,
    retained: BTreeSet<i64>,
}

impl Plan {
    /// What a policy keeps of what can still be had.
    fn of(
        keep: Keep,
        checkpoints: &[Checkpoint],
        now: i64,
        since: i64,
        earlier: Option<Self>,
    ) -> Self {
        let states: BTreeSet<i64> = checkpoints.iter().map(|c| c.transaction_id.0).collect();
        let (wanted, retained) = match keep {
            Keep::Checkpoints => (now, states),
            Keep::Since(_) => (since, BTreeSet::new()),
            Keep::LastCheckpoints(n) => {
                let oldest = checkpoints.len().checked_sub(n as usize);
                let state = oldest.map_or(0, |oldest| {
                    checkpoints.get(oldest).map_or(now, |c| c.transaction_id.0)
                });
                (state, BTreeSet::new())
            }
        };
        let earlier = earlier.unwrap_or(Self {
            horizon: 0,
            retained: BTreeSet::new(),
        });
        let horizon = wanted.max(earlier.horizon);
        let still_there =
            |state: &i64| *state >= earlier.horizon || earlier.retained.contains(state);
        let retained = retained
            .into_iter()
            .chain(earlier.retained.range(wanted..).copied())
            .filter(|state| *state < horizon && still_there(state))
            .collect();
        Self { horizon, retained }
    }
}

/// A plan that was committed.
struct Begun {
    id: i64,
    plan: Plan,
    rows_before: u64,
}

/// `None`: there is nothing to do. The plan is committed, or all is rolled back in a dry run.
fn compact_run(
    run: &Run,
    keep: Keep,
    options: &mut CompactOptions<'_>,
) -> Result<Option<CompactedRun>> {
    let lock = run.lock("compaction")?;
    // Nobody else can write to the run under this lock, to tables that are added meanwhile neither.
    run.core
        .store
        .read(|connection| run.core.refresh_tables(connection))?;
    let all = run.core.tables();
    let tables: Vec<_> = all.iter().filter(|table| table.is_run_scoped()).collect();
    let begun = lock.proved("compact", |connection| {
        let begun = begin(connection, &lock, keep, &tables)?;
        Ok(match begun {
            Some(begun) if !options.dry_run => Outcome::Commit(Ok(Some(begun))),
            Some(begun) => {
                let mut removed = 0;
                for table in &tables {
                    // The records of deletions count when what they deleted is gone.
                    removed +=
                        remove(connection, run.id(), table, &begun, (0, begun.plan.horizon))?;
                }
                Outcome::Nothing(Err((begun.rows_before, removed)))
            }
            None => Outcome::Nothing(Ok(None)),
        })
    })?;
    let compacted = |rows_before: u64, removed: u64| CompactedRun {
        run_id: run.id(),
        run: run.label(),
        rows_before,
        rows_after: rows_before - removed,
    };
    let begun = match begun {
        Ok(Some(begun)) => begun,
        Ok(None) => {
            lock.release()?;
            return Ok(None);
        }
        Err((rows_before, removed)) => {
            lock.release()?;
            return Ok(Some(compacted(rows_before, removed)));
        }
    };
    let mut removed = 0;
    let mut progress = CompactProgress {
        run_id: run.id(),
        looked_at: 0,
        total: 0,
    };
    let mut batches = Vec::new();
    for table in &tables {
        for batch in batches_of(&lock, table, &begun)? {
            progress.total += batch.rows;
            batches.push((*table, batch));
        }
    }
    for (table, batch) in batches {
        removed += lock.proved("compact", |connection| {
            let removed = remove(connection, run.id(), table, &begun, batch.transactions)?;
            Ok(Outcome::Commit(removed))
        })?;
        failpoint::reach("compact", "batch")?;
        progress.looked_at += batch.rows;
        if let Some(tell) = &mut options.progress {
            tell(progress)?;
        }
    }
    let rows_after = begun.rows_before - removed;
    lock.proved("compact", |connection| {
        diesel::update(compactions::table.filter(compactions::id.eq(begun.id)))
            .set((
                compactions::finished_at.eq(Utc::now().naive_utc()),
                compactions::rows_after.eq(rows_after as i64),
            ))
            .execute(connection)
            .map_err(doing("finishing a compaction"))?;
        Ok(Outcome::Commit(()))
    })?;
    lock.release()?;
    Ok(Some(compacted(begun.rows_before, removed)))
}

/// Writes the plan down; `None` when all of it was done before.
fn begin(
    connection: &mut AnyConnection,
    lock: &RunLock,
    keep: Keep,
    tables: &[&TableDescription],
) -> Result<Option<Begun>> {
    let run = lock.run();
    let last = retained::last(connection, run.id())?;
    let (earlier, is_finished) = match &last {
        Some(last) => (
            Some(Plan {
                horizon: last.horizon,
                retained: retained::states(connection, last)?,
            }),
            last.finished_at.is_some(),
        ),
        None => (None, true),
    };
    let now = last_transaction(connection, run.id())?.0;
    let since = match keep {
        Keep::Since(time) => last_until(connection, run.id(), time)?.0,
        Keep::Checkpoints | Keep::LastCheckpoints(_) => 0,
    };
    let checkpoints = checkpoints_of(connection, run.id())?;
    let is_new = earlier.is_none();
    let before = earlier
        .as_ref()
        .map(|plan| (plan.horizon, plan.retained.clone()));
    let plan = Plan::of(keep, &checkpoints, now, since, earlier);
    let is_same = before
        .as_ref()
        .is_some_and(|(horizon, retained)| *horizon == plan.horizon && *retained == plan.retained);
    if (is_same && is_finished) || (is_new && plan.horizon == 0) {
        return Ok(None);
    }
    let mut rows_before = 0;
    for table in tables {
        rows_before += count(
            connection,
            &format!("{} v WHERE v.run_id = $1", quote(&table.version_name())),
            &[Bind::BigInt(run.id().0)],
        )?;
    }
    let id: i64 = diesel::insert_into(compactions::table)
        .values((
            compactions::run_id.eq(run.id().0),
            compactions::actor.eq(&run.core.actor),
            compactions::policy.eq(keep.to_string()),
            compactions::lock_token.eq(lock.token().0),
            compactions::horizon.eq(plan.horizon),
            compactions::rows_before.eq(rows_before as i64),
        ))
        .returning(compactions::id)
        .get_result(connection)
        .map_err(doing("beginning a compaction"))?;
    for state in &plan.retained {
        diesel::insert_into(retained_states::table)
            .values((
                retained_states::compaction_id.eq(id),
                retained_states::transaction_id.eq(state),
            ))
            .execute(connection)
            .map_err(doing("saying what a compaction keeps"))?;
    }
    failpoint::reach("compact", "planned")?;
    Ok(Some(Begun {
        id,
        plan,
        rows_before,
    }))
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

fn count(connection: &mut AnyConnection, from: &str, binds: &[Bind]) -> Result<u64> {
    let count: Count = query(&format!("SELECT count(*) AS rows FROM {from}"), binds)
        .get_result(connection)
        .map_err(doing("counting version rows"))?;
    Ok(count.rows.unsigned_abs())
}

/// Version rows that one database transaction looks at.
struct Batch {
    /// Of transactions in `(after, until]`.
    transactions: (i64, i64),
    rows: u64,
}

#[derive(QueryableByName)]
struct OfTransaction {
    #[diesel(sql_type = BigInt)]
    transaction_id: i64,
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

/// The version rows up to the horizon, oldest first: what was deleted goes before the record of its deletion.
fn batches_of(lock: &RunLock, table: &TableDescription, begun: &Begun) -> Result<Vec<Batch>> {
    let core = &lock.run().core;
    let transactions: Vec<OfTransaction> = core.store.read(|connection| {
        query(
            &format!(
                "SELECT v.transaction_id, count(*) AS rows FROM {} v {}
                 WHERE v.run_id = $1 AND v.transaction_id <= $2
                 GROUP BY v.transaction_id ORDER BY v.transaction_id",
                quote(&table.version_name()),
                core.store.engine().by_transaction(table),
            ),
            &[
                Bind::BigInt(lock.run().id().0),
                Bind::BigInt(begun.plan.horizon),
            ],
        )
        .load(connection)
        .map_err(doing("counting version rows"))
    })?;
    let mut batches: Vec<Batch> = Vec::new();
    for next in transactions {
        match batches.last_mut() {
            Some(batch) if batch.rows as i64 + next.rows <= BATCH => {
                batch.transactions.1 = next.transaction_id;
                batch.rows += next.rows.unsigned_abs();
            }
            _ => batches.push(Batch {
                transactions: (next.transaction_id - 1, next.transaction_id),
                rows: next.rows.unsigned_abs(),
            }),
        }
    }
    Ok(batches)
}

/// Removes what the plan does not need of transactions in `(after, until]`.
fn remove(
    connection: &mut AnyConnection,
    run: RunId,
    table: &TableDescription,
    begun: &Begun,
    (after, until): (i64, i64),
) -> Result<u64> {
    let version = quote(&table.version_name());
    let mut removed = 0;
    for unneeded in [
        removal::is_over(&version, "c"),
        removal::deletes_nothing(table, &version, "c"),
    ] {
        let rows = query(
            &format!(
                "DELETE FROM {version} WHERE {version}.run_id = $1
                 AND {version}.transaction_id > $2 AND {version}.transaction_id <= $3
                 AND EXISTS (SELECT 1 FROM compactions c WHERE c.id = $4 AND {unneeded})"
            ),
            &[run.0, after, until, begun.id].map(Bind::BigInt),
        )
        .execute(connection)
        .map_err(doing("removing version rows"))?;
        removed += rows as u64;
    }
    Ok(removed)
}
