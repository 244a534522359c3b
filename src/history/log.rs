//! Reading the log: which transactions there were.

use std::collections::{BTreeMap, HashMap};

use chrono::{NaiveDateTime, TimeDelta};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text, Timestamp};
use serde::Serialize;

use crate::core::Core;
use crate::error::Result;
use crate::history::counts::ChangeCounts;
use crate::history::revert::Kind;
use crate::ids::{RunId, TransactionId};
use crate::schema::TableDescription;
use crate::schema::tables::reverts;
use crate::store::rows::{Bind, query};
use crate::store::{AnyConnection, Engine, doing, quote};

/// One transaction and what it changed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LogEntry {
    /// The transaction.
    pub id: TransactionId,
    /// When it began (UTC). Shown and searched by; the order is by id.
    pub issued_at: NaiveDateTime,
    /// The run whose rows it could write; none where only platform tables were written.
    pub run_id: Option<RunId>,
    /// Who.
    pub actor: String,
    /// What the caller did.
    pub operation: String,
    /// Rows per table, in the order of the tables.
    pub changes: Vec<(String, ChangeCounts)>,
    /// The messages of the checkpoints that name it.
    pub checkpoints: Vec<String>,
    /// What it went back to, if it did.
    pub reverted: Option<Reverted>,
}

/// What a transaction went back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reverted {
    /// Why.
    pub kind: Kind,
    /// The transaction whose state came back; of an undo the transaction that was taken back.
    pub target: TransactionId,
}

/// Which transactions to show: all conditions that are given hold.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// Only transactions of this run.
    pub run: Option<RunId>,
    /// Only ids below this one: the last of the page before.
    pub before: Option<TransactionId>,
    /// Only those that began at or after this time (UTC).
    pub since: Option<NaiveDateTime>,
    /// Only those that began at or before this time (UTC).
    pub until: Option<NaiveDateTime>,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// At most so many.
    pub limit: i64,
}

impl Default for LogFilter {
    fn default() -> Self {
        Self {
            run: None,
            before: None,
            since: None,
            until: None,
            actor: None,
            limit: 50,
        }
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Timestamp)]
    issued_at: NaiveDateTime,
    #[diesel(sql_type = Nullable<BigInt>)]
    run_id: Option<i64>,
    #[diesel(sql_type = Text)]
    actor: String,
    #[diesel(sql_type = Text)]
    operation: String,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    transaction_id: i64,
    #[diesel(sql_type = SmallInt)]
    operation_type: i16,
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

#[derive(QueryableByName)]
struct Message {
    #[diesel(sql_type = BigInt)]
    run_id: i64,
    #[diesel(sql_type = BigInt)]
    transaction_id: i64,
    #[diesel(sql_type = Text)]
    message: String,
}

impl Core {
    /// The transactions that a filter selects, newest first: a handful of queries, however many there are.
    pub(crate) fn log(&self, filter: &LogFilter) -> Result<Vec<LogEntry>> {
        self.store.read(|connection| {
            let rows = selected(connection, filter)?;
            self.refresh_tables(connection)?;
            let engine = self.store.engine();
            let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
            let ids = Bind::Text(engine.list_of(&ids));
            let mut runs: Vec<_> = rows.iter().filter_map(|row| row.run_id).collect();
            runs.sort_unstable();
            runs.dedup();
            let runs = Bind::Text(engine.list_of(&runs));
            let mut changes: HashMap<i64, Vec<(String, ChangeCounts)>> = HashMap::new();
            for table in self.tables().iter() {
                for (transaction, counts) in counted(connection, engine, table, &runs, &ids)? {
                    changes
                        .entry(transaction)
                        .or_default()
                        .push((table.name.clone(), counts));
                }
            }
            let mut checkpoints = messages(connection, engine, &runs, &ids)?;
            let reverted = reverted(connection, &rows)?;
            Ok(rows
                .into_iter()
                .map(|row| LogEntry {
                    id: TransactionId(row.id),
                    issued_at: row.issued_at,
                    run_id: row.run_id.map(RunId),
                    actor: row.actor,
                    operation: row.operation,
                    changes: changes.remove(&row.id).unwrap_or_default(),
                    reverted: reverted.get(&row.id).copied(),
                    checkpoints: row
                        .run_id
                        .and_then(|run| checkpoints.remove(&(run, row.id)))
                        .unwrap_or_default(),
                })
                .collect())
        })
    }
}

fn selected(connection: &mut AnyConnection, filter: &LogFilter) -> Result<Vec<Row>> {
    let mut binds = Vec::new();
    let mut conditions = vec!["1 = 1".to_owned()];
    let mut add = |condition: &str, bind| {
        binds.push(bind);
        conditions.push(format!("{condition} ${}", binds.len()));
    };
    if let Some(run) = filter.run {
        add("run_id =", Bind::BigInt(run.0));
    }
    if let Some(before) = filter.before {
        add("id <", Bind::BigInt(before.0));
    }
    if let Some(since) = filter.since {
        add("issued_at >=", Bind::Timestamp(since));
    }
    if let Some(until) = filter.until {
        // SQLite compares times as text, in which ".5" comes before ".500".
        let end = until.checked_add_signed(TimeDelta::microseconds(1));
        add("issued_at <", Bind::Timestamp(end.unwrap_or(until)));
    }
    if let Some(actor) = &filter.actor {
        add("actor =", Bind::Text(actor.clone()));
    }
    binds.push(Bind::BigInt(filter.limit));
    query(
        &format!(
            "SELECT id, issued_at, run_id, actor, operation FROM transactions
             WHERE {} ORDER BY id DESC LIMIT ${}",
            conditions.join(" AND "),
            binds.len()
        ),
        &binds,
    )
    .load(connection)
    .map_err(doing("reading the log"))
}

/// What transactions changed in a table.
fn counted(
    connection: &mut AnyConnection,
    engine: Engine,
    table: &TableDescription,
    runs: &Bind,
    ids: &Bind,
) -> Result<BTreeMap<i64, ChangeCounts>> {
    // Rows of a run's table are found by run and transaction, as the index has them.
    let (condition, binds) = if table.is_run_scoped() {
        (
            format!(
                "{} AND {}",
                engine.is_in_list("v.run_id", "$1"),
                engine.is_in_list("v.transaction_id", "$2")
            ),
            vec![runs.clone(), ids.clone()],
        )
    } else {
        (
            engine.is_in_list("v.transaction_id", "$1"),
            vec![ids.clone()],
        )
    };
    let rows: Vec<Counted> = query(
        &format!(
            "SELECT v.transaction_id, v.operation_type, count(*) AS rows FROM {} v {}
             WHERE {condition} GROUP BY v.transaction_id, v.operation_type",
            quote(&table.version_name()),
            engine.by_transaction(table),
        ),
        &binds,
    )
    .load(connection)
    .map_err(doing("counting what transactions changed"))?;
    let mut counts: BTreeMap<i64, ChangeCounts> = BTreeMap::new();
    for row in rows {
        counts
            .entry(row.transaction_id)
            .or_default()
            .count(row.operation_type, row.rows);
    }
    Ok(counts)
}

/// What transactions went back to.
fn reverted(connection: &mut AnyConnection, rows: &[Row]) -> Result<HashMap<i64, Reverted>> {
    let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else {
        return Ok(HashMap::new());
    };
    let found: Vec<(i64, String, i64)> = reverts::table
        .filter(reverts::transaction_id.between(oldest.id, newest.id))
        .select((reverts::transaction_id, reverts::kind, reverts::target_id))
        .load(connection)
        .map_err(doing("reading reverts"))?;
    Ok(found
        .into_iter()
        .filter_map(|(id, kind, target)| {
            let kind = Kind::from_text(&kind)?;
            let target = TransactionId(target);
            Some((id, Reverted { kind, target }))
        })
        .collect())
}

/// The messages of the checkpoints that name transactions, by run and transaction.
fn messages(
    connection: &mut AnyConnection,
    engine: Engine,
    runs: &Bind,
    ids: &Bind,
) -> Result<HashMap<(i64, i64), Vec<String>>> {
    let found: Vec<Message> = query(
        &format!(
            "SELECT run_id, transaction_id, message FROM checkpoints
             WHERE {} AND {} ORDER BY id",
            engine.is_in_list("run_id", "$1"),
            engine.is_in_list("transaction_id", "$2"),
        ),
        &[runs.clone(), ids.clone()],
    )
    .load(connection)
    .map_err(doing("reading checkpoints"))?;
    let mut messages: HashMap<_, Vec<String>> = HashMap::new();
    for checkpoint in found {
        messages
            .entry((checkpoint.run_id, checkpoint.transaction_id))
            .or_default()
            .push(checkpoint.message);
    }
    Ok(messages)
}
