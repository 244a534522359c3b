//! `stratalog log`

use std::collections::BTreeMap;

use chrono::NaiveDateTime;

use super::failure::Failure;
use super::output::count;
use super::run_and_target::{RunArgument, time_utc};
use super::run_labels::RunLabels;
use super::session::Session;
use super::table::{Look, Table, number, seconds, text, time};
use crate::history::{ChangeCounts, LogEntry, LogFilter, RevertKind, Reverted};
use crate::ids::{RunId, TransactionId};

/// Show the transactions, newest first
#[derive(clap::Args)]
#[command(after_help = "\
Changes are counted in rows per table: + inserted, ~ updated, - deleted. What a revert went back to is the state after \
the transaction behind the @.

Examples:
  stratalog log
  stratalog log MESSAGEix/SSP2-1.5C --limit 10
  stratalog log --before 120
  stratalog log --since 2026-03-01 --until 2026-03-31T18:00 --by anna
  stratalog log 12 --json | jq '.[0].changes'")]
pub(super) struct Log {
    /// Only this run: an id, model/scenario or model/scenario/version
    run: Option<RunArgument>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
    /// Only those that began at this time (UTC) or later
    #[arg(long, value_name = "TIME", value_parser = time_utc)]
    since: Option<NaiveDateTime>,
    /// Only those that began at this time (UTC) or earlier
    #[arg(long, value_name = "TIME", value_parser = time_utc)]
    until: Option<NaiveDateTime>,
    /// Only this actor's (--actor says who writes)
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only those before this transaction
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    id: TransactionId,
    issued_at: chrono::NaiveDateTime,
    run_id: Option<RunId>,
    run: Option<String>,
    actor: &'a str,
    operation: &'a str,
    changes: BTreeMap<&'a str, ChangeCounts>,
    checkpoints: &'a [String],
    reverted: Option<Reverted>,
}

impl Log {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        let run = self
            .run
            .as_ref()
            .map(|run| run.find(&platform))
            .transpose()?;
        let entries = platform.log(&LogFilter {
            run: run.as_ref().map(|run| run.id()),
            before: self.before.map(TransactionId),
            since: self.since,
            until: self.until,
            actor: self.by.clone(),
            limit: self.limit,
        })?;
        let labels = RunLabels::read(&platform)?;
        if session.out.is_json() {
            return session.out.json(
                &entries
                    .iter()
                    .map(|entry| document(entry, &labels))
                    .collect::<Vec<_>>(),
            );
        }
        if entries.is_empty() {
            return session.out.line("no such transactions");
        }
        let mut columns = vec![number("id"), time("time (UTC)")];
        columns.extend(run.is_none().then(|| text("run")));
        columns.extend([
            text("who"),
            text("what"),
            text("changes"),
            text("checkpoint"),
        ]);
        let mut table = Table::new(columns);
        for entry in &entries {
            let plain = |cell: String| (cell, Look::Plain);
            let mut cells = vec![plain(entry.id.to_string()), plain(seconds(entry.issued_at))];
            if run.is_none() {
                cells.push(plain(
                    entry.run_id.map(|run| labels.of(run)).unwrap_or_default(),
                ));
            }
            let look = match entry.reverted {
                Some(_) => Look::Updated,
                None => Look::Plain,
            };
            cells.extend([
                plain(entry.actor.clone()),
                (what(entry), look),
                plain(changes(entry)),
                (entry.checkpoints.join(", "), Look::Strong),
            ]);
            table.looking(cells);
        }
        session.out.table(&table)?;
        match entries.last() {
            Some(last) if entries.len() as i64 == self.limit => session.out.line(&format!(
                "\nThere may be earlier ones: --before {}",
                last.id
            )),
            _ => Ok(()),
        }
    }
}

/// What the caller did; of one that went back, to which transaction.
fn what(entry: &LogEntry) -> String {
    match entry.reverted {
        Some(reverted) if reverted.kind != RevertKind::Undo => {
            format!("{} (@{})", entry.operation, reverted.target)
        }
        _ => entry.operation.clone(),
    }
}

fn document<'a>(entry: &'a LogEntry, labels: &RunLabels) -> Document<'a> {
    Document {
        id: entry.id,
        issued_at: entry.issued_at,
        run_id: entry.run_id,
        run: entry.run_id.map(|run| labels.of(run)),
        actor: &entry.actor,
        operation: &entry.operation,
        changes: entry
            .changes
            .iter()
            .map(|(table, counts)| (table.as_str(), *counts))
            .collect(),
        checkpoints: &entry.checkpoints,
        reverted: entry.reverted,
    }
}

/// "datapoints +5,112 ~3".
fn changes(entry: &LogEntry) -> String {
    let tables = entry.changes.iter().map(|(table, changes)| {
        let counts = [
            ('+', changes.inserted),
            ('~', changes.updated),
            ('-', changes.deleted),
        ]
        .into_iter()
        .filter(|(_, rows)| *rows > 0)
        .map(|(sign, rows)| format!(" {sign}{}", count(rows)));
        std::iter::once(table.clone())
            .chain(counts)
            .collect::<String>()
    });
    tables.collect::<Vec<_>>().join(", ")
}
