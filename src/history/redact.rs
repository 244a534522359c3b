//! Redaction: values are taken out of a run's history for good, which is recorded.
//!
//! **Invariant:** a value goes only with a row in `redacted_rows` that names its version row, in one commit; the
//! triggers of the version tables see to it. What is present is never redacted: it is changed or removed first.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamp};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::ids::{RunId, TransactionId};
use crate::run::Run;
use crate::schema::TableDescription;
use crate::schema::tables::redactions;
use crate::store::rows::{Bind, query};
use crate::store::{AnyConnection, Outcome, doing, quote, removal};

/// A request by which values were taken out of a run's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Redaction {
    /// Its id.
    pub id: i64,
    /// The run.
    pub run_id: RunId,
    /// When (UTC).
    pub redacted_at: NaiveDateTime,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// How many version rows lost their values.
    pub rows: u64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    run_id: i64,
    #[diesel(sql_type = Timestamp)]
    redacted_at: NaiveDateTime,
    #[diesel(sql_type = Text)]
    actor: String,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

impl From<Row> for Redaction {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            run_id: RunId(row.run_id),
            redacted_at: row.redacted_at,
            actor: row.actor,
            reason: row.reason,
            rows: row.rows.unsigned_abs(),
        }
    }
}

/// What is redacted.
#[derive(Clone, Debug, Default)]
pub struct RedactOptions {
    /// The points; everything when there is no condition, and a transaction is given.
    pub only: Filter,
    /// Only what this transaction wrote.
    pub transaction: Option<TransactionId>,
    /// Nothing is taken out, and the answer says how many version rows would lose their values.
    pub dry_run: bool,
}

/// Takes the values out of the version rows that are selected; present values stay.
pub(crate) fn redact(
    run: &Run,
    reason: &str,
    options: &RedactOptions,
) -> Result<Option<Redaction>> {
    if reason.trim().is_empty() {
        return Err(Error::InvalidFilter(
            "a redaction needs a reason: it is what remains to be read".into(),
        ));
    }
    if options.only.is_all() && options.transaction.is_none() {
        return Err(Error::InvalidFilter(
            "say what to redact: points (region, variable, unit, year …), a transaction, or both"
                .into(),
        ));
    }
    let lock = run.lock("redaction")?;
    let redaction = lock.proved("redact", |connection| {
        run.core.refresh_tables(connection)?;
        run.core.store.erase_for_good(connection)?;
        let (redacted_at, id): (NaiveDateTime, i64) = diesel::insert_into(redactions::table)
            .values((
                redactions::run_id.eq(run.id().0),
                redactions::actor.eq(&run.core.actor),
                redactions::reason.eq(reason),
            ))
            .returning((redactions::redacted_at, redactions::id))
            .get_result(connection)
            .map_err(doing("recording a redaction"))?;
        let mut rows = 0;
        for table in run
            .core
            .tables()
            .iter()
            .filter(|table| table.is_run_scoped())
        {
            rows += redact_in(connection, run, table, id, options)?;
        }
        let redaction = Redaction {
            id,
            run_id: run.id(),
            redacted_at,
            actor: run.core.actor.clone(),
            reason: reason.to_owned(),
            rows,
        };
        Ok(if rows == 0 {
            Outcome::Nothing(None)
        } else if options.dry_run {
            Outcome::Nothing(Some(redaction))
        } else {
            Outcome::Commit(Some(redaction))
        })
    })?;
    lock.release()?;
    if redaction.is_some() && !options.dry_run {
        run.core.store.give_back_space(&run.core.tables())?;
    }
    Ok(redaction)
}

fn redact_in(
    connection: &mut AnyConnection,
    run: &Run,
    table: &TableDescription,
    redaction: i64,
    options: &RedactOptions,
) -> Result<u64> {
    let values: Vec<_> = table
        .value_columns()
        .map(|column| quote(&column.name))
        .collect();
    if values.is_empty() {
        return Ok(0);
    }
    let (first, last) = match options.transaction {
        Some(id) => (id.0, id.0),
        None => (0, i64::MAX),
    };
    let there: Vec<_> = values
        .iter()
        .map(|value| format!("v.{value} IS NOT NULL"))
        .collect();
    let engine = run.core.store.engine();
    let selected = |connection: &mut AnyConnection, binds: &mut Vec<Bind>| {
        let first_parameter = binds.len() + 1;
        binds.extend([run.id().0, first, last].map(Bind::BigInt));
        let conditions = options
            .only
            .conditions_on(table, "v", connection, engine, binds)?;
        Ok::<_, Error>(conditions.map(|conditions| {
            format!(
                "v.run_id = ${} AND v.transaction_id >= ${} AND v.transaction_id <= ${} AND {} AND ({}){conditions}",
                first_parameter,
                first_parameter + 1,
                first_parameter + 2,
                removal::is_past("v"),
                there.join(" OR "),
            )
        }))
    };
    let version = quote(&table.version_name());
    let mut binds = vec![Bind::BigInt(redaction)];
    let Some(condition) = selected(connection, &mut binds)? else {
        return Ok(0);
    };
    query(
        &format!(
            "INSERT INTO redacted_rows (redaction_id, run_id, transaction_id, table_name, row_key)
             SELECT $1, v.run_id, v.transaction_id, '{}', {} FROM {version} v WHERE {condition}",
            table.name,
            removal::key_label(table, "v"),
        ),
        &binds,
    )
    .execute(connection)
    .map_err(doing("naming what is redacted"))?;
    let mut binds = Vec::new();
    let Some(condition) = selected(connection, &mut binds)? else {
        return Ok(0);
    };
    let nothing: Vec<_> = values
        .iter()
        .map(|value| format!("{value} = NULL"))
        .collect();
    let rows = query(
        &format!(
            "UPDATE {version} AS v SET {} WHERE {condition}",
            nothing.join(", ")
        ),
        &binds,
    )
    .execute(connection)
    .map_err(doing("redacting values"))?;
    Ok(rows as u64)
}

/// All redactions, or those of a run, oldest first.
pub(crate) fn redactions(
    connection: &mut AnyConnection,
    run: Option<RunId>,
) -> Result<Vec<Redaction>> {
    let (of_run, binds) = match run {
        Some(run) => ("WHERE x.run_id = $1 ", vec![Bind::BigInt(run.0)]),
        None => ("", Vec::new()),
    };
    let rows: Vec<Row> = query(
        &format!(
            "SELECT x.id, x.run_id, x.redacted_at, x.actor, x.reason,
                    (SELECT count(*) FROM redacted_rows r WHERE r.run_id = x.run_id AND r.redaction_id = x.id) AS rows
             FROM redactions x {of_run}ORDER BY x.id"
        ),
        &binds,
    )
    .load(connection)
    .map_err(doing("reading redactions"))?;
    Ok(rows.into_iter().map(Redaction::from).collect())
}
