//! Reading the log: which transactions there were.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamp};
use serde::Serialize;

use crate::core::Core;
use crate::error::Result;
use crate::history::changes::{ChangeCounts, OperationCount};
use crate::ids::{RunId, TransactionId};
use crate::store::{doing, quote, sql};

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
}

/// Which transactions to show.
#[derive(Clone, Copy, Debug)]
pub struct LogFilter {
    /// Only transactions of this run.
    pub run: Option<RunId>,
    /// Only ids below this one: the last of the page before.
    pub before: Option<TransactionId>,
    /// At most so many.
    pub limit: i64,
}

impl Default for LogFilter {
    fn default() -> Self {
        Self {
            run: None,
            before: None,
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
struct Message {
    #[diesel(sql_type = Text)]
    message: String,
}

impl Core {
    /// The transactions that a filter selects, newest first.
    pub(crate) fn log(&self, filter: &LogFilter) -> Result<Vec<LogEntry>> {
        self.store.read(|connection| {
            let run = if filter.run.is_some() { "run_id = $1 AND " } else { "$1 = $1 AND " };
            let rows: Vec<Row> = sql(format!(
                "SELECT id, issued_at, run_id, actor, operation FROM transactions
                 WHERE {run}id < $2 ORDER BY id DESC LIMIT $3"
            ))
            .bind::<BigInt, _>(filter.run.map_or(0, |run| run.0))
            .bind::<BigInt, _>(filter.before.map_or(i64::MAX, |before| before.0))
            .bind::<BigInt, _>(filter.limit)
            .load(connection)
            .map_err(doing("reading the log"))?;
            let mut entries = Vec::with_capacity(rows.len());
            for row in rows {
                let mut changes = Vec::new();
                for table in &self.tables {
                    // Rows of a run's table are found by run and transaction, as the index has them.
                    let run = match (table.is_run_scoped(), row.run_id) {
                        (true, None) => continue,
                        (true, Some(_)) => "run_id = $1 AND ",
                        (false, _) => "$1 = $1 AND ",
                    };
                    let counts: Vec<OperationCount> = sql(format!(
                        "SELECT operation_type, count(*) AS rows FROM {}
                         WHERE {run}transaction_id = $2 GROUP BY operation_type",
                        quote(&table.version_name())
                    ))
                    .bind::<BigInt, _>(row.run_id.unwrap_or_default())
                    .bind::<BigInt, _>(row.id)
                    .load(connection)
                    .map_err(doing("counting a transaction's changes"))?;
                    let total: ChangeCounts = counts.into_iter().collect();
                    if total.total() > 0 {
                        changes.push((table.name.clone(), total));
                    }
                }
                let messages: Vec<Message> = sql(
                    "SELECT message FROM checkpoints WHERE run_id = $1 AND transaction_id = $2 ORDER BY id",
                )
                .bind::<BigInt, _>(row.run_id.unwrap_or_default())
                .bind::<BigInt, _>(row.id)
                .load(connection)
                .map_err(doing("reading checkpoints"))?;
                entries.push(LogEntry {
                    id: TransactionId(row.id),
                    issued_at: row.issued_at,
                    run_id: row.run_id.map(RunId),
                    actor: row.actor,
                    operation: row.operation,
                    changes,
                    checkpoints: messages.into_iter().map(|m| m.message).collect(),
                });
            }
            Ok(entries)
        })
    }
}
