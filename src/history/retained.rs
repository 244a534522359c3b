//! Which states of a run can still be had.
//!
//! **Invariant:** a state that a compaction did not keep is an error, never a wrong answer: whoever reads one asks
//! here, on the snapshot that it reads.

use std::collections::BTreeSet;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::error::{Error, Result};
use crate::ids::{RunId, TransactionId};
use crate::run::label_of;
use crate::schema::tables::{compactions, retained_states, transactions};
use crate::store::{AnyConnection, doing};

/// The last compaction of a run.
#[derive(Queryable, Selectable)]
#[diesel(table_name = compactions)]
pub(super) struct Compacted {
    id: i64,
    pub(super) horizon: i64,
    started_at: NaiveDateTime,
    pub(super) finished_at: Option<NaiveDateTime>,
    actor: String,
    policy: String,
}

/// The last compaction of a run, if there was one.
pub(super) fn last(connection: &mut AnyConnection, run: RunId) -> Result<Option<Compacted>> {
    compactions::table
        .filter(compactions::run_id.eq(run.0))
        .order(compactions::id.desc())
        .select(Compacted::as_select())
        .first(connection)
        .optional()
        .map_err(doing("looking for a run's last compaction"))
}

/// From which transaction of a run on every state is left; 0 where nothing was compacted.
pub(super) fn horizon(connection: &mut AnyConnection, run: RunId) -> Result<i64> {
    Ok(last(connection, run)?.map_or(0, |compacted| compacted.horizon))
}

/// The states before its horizon that a compaction kept.
pub(super) fn states(
    connection: &mut AnyConnection,
    compacted: &Compacted,
) -> Result<BTreeSet<i64>> {
    let states: Vec<i64> = retained_states::table
        .filter(retained_states::compaction_id.eq(compacted.id))
        .select(retained_states::transaction_id)
        .load(connection)
        .map_err(doing("reading the states that a compaction kept"))?;
    Ok(states.into_iter().collect())
}

/// Refuses a state that was compacted away.
pub(crate) fn check(connection: &mut AnyConnection, run: RunId, at: TransactionId) -> Result<()> {
    let Some(compacted) = last(connection, run)? else {
        return Ok(());
    };
    if at.0 >= compacted.horizon {
        return Ok(());
    }
    // Between two transactions of the run its state is that after the first of them.
    let state: Option<i64> = transactions::table
        .filter(transactions::run_id.eq(run.0))
        .filter(transactions::id.le(at.0))
        .select(diesel::dsl::max(transactions::id))
        .get_result(connection)
        .map_err(doing("looking for the transaction of a state"))?;
    let Some(state) = state else {
        return Ok(());
    };
    let kept = states(connection, &compacted)?;
    if kept.contains(&state) {
        return Ok(());
    }
    let before = kept.range(..state).next_back();
    let after = kept.range(state..).next();
    let left: Vec<_> = before
        .into_iter()
        .chain(after)
        .map(|state| format!("transaction {state}, "))
        .collect();
    Err(Error::StateCompacted {
        run: label_of(connection, run)?,
        at,
        how: format!(
            "{} compacted the history on {} UTC, keeping {}",
            compacted.actor,
            compacted.started_at.format("%Y-%m-%d %H:%M:%S"),
            compacted.policy
        ),
        left: format!(
            "{}transaction {} and any later one",
            left.concat(),
            compacted.horizon
        ),
    })
}
