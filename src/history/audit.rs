//! Who made a row and who changed it last, and when: as the change log has it. No table keeps it a second time.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt, Text, Timestamp};
use serde::Serialize;

use crate::error::Result;
use crate::ids::RunId;
use crate::schema::VersionedTable;
use crate::schema::tables::{optimization_items, runs};
use crate::store::rows::{Bind, query};
use crate::store::{AnyConnection, doing, quote};

/// Who made something and who changed it last. What a compaction took out of the log is not known any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// When it was made (UTC).
    pub created_at: Option<NaiveDateTime>,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was last changed (UTC); `None`: not since it was made.
    pub updated_at: Option<NaiveDateTime>,
    /// Who changed it last.
    pub updated_by: Option<String>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    row_key: String,
    #[diesel(sql_type = SmallInt)]
    operation_type: i16,
    #[diesel(sql_type = Timestamp)]
    issued_at: NaiveDateTime,
    #[diesel(sql_type = Text)]
    actor: String,
}

impl Audit {
    fn take(&mut self, row: Row) {
        match row.operation_type {
            0 => {
                *self = Self {
                    created_at: Some(row.issued_at),
                    created_by: Some(row.actor),
                    ..Self::default()
                };
            }
            1 => {
                self.updated_at = Some(row.issued_at);
                self.updated_by = Some(row.actor);
            }
            _ => *self = Self::default(),
        }
    }
}

/// Of the rows of a table by a key, which is an expression on its version rows `v`.
fn of_rows(
    connection: &mut AnyConnection,
    table: &str,
    key: &str,
    condition: &str,
    binds: &[Bind],
) -> Result<HashMap<String, Audit>> {
    let rows: Vec<Row> = query(
        &format!(
            "SELECT {key} AS row_key, v.operation_type, t.issued_at, t.actor
             FROM {} v JOIN transactions t ON t.id = v.transaction_id
             WHERE {condition} ORDER BY v.transaction_id",
            quote(&format!("{table}_version"))
        ),
        binds,
    )
    .load(connection)
    .map_err(doing("reading who made and changed rows"))?;
    let mut audits: HashMap<String, Audit> = HashMap::new();
    for mut row in rows {
        let key = std::mem::take(&mut row.row_key);
        audits.entry(key).or_default().take(row);
    }
    Ok(audits)
}

/// Of the rows of a table with ids, of all of them or of one.
pub(crate) fn of_ids(
    connection: &mut AnyConnection,
    table: &str,
    id: Option<i64>,
) -> Result<HashMap<i64, Audit>> {
    let (condition, binds) = match id {
        Some(id) => ("v.id = $1", vec![Bind::BigInt(id)]),
        None => ("1 = 1", Vec::new()),
    };
    let found = of_rows(connection, table, "CAST(v.id AS TEXT)", condition, &binds)?;
    Ok(found
        .into_iter()
        .filter_map(|(id, audit)| Some((id.parse().ok()?, audit)))
        .collect())
}

#[derive(QueryableByName)]
struct LastWrite {
    #[diesel(sql_type = BigInt)]
    run_id: i64,
    #[diesel(sql_type = Timestamp)]
    issued_at: NaiveDateTime,
    #[diesel(sql_type = Text)]
    actor: String,
}

/// Of runs: what was written to their rows changes them too.
pub(crate) fn of_runs(
    connection: &mut AnyConnection,
    run: Option<RunId>,
) -> Result<HashMap<i64, Audit>> {
    let mut audits = of_ids(
        connection,
        &runs::table::description().name,
        run.map(|run| run.0),
    )?;
    let (condition, binds) = match run {
        Some(run) => ("run_id = $1", vec![Bind::BigInt(run.0)]),
        None => ("run_id IS NOT NULL", Vec::new()),
    };
    let last: Vec<LastWrite> = query(
        &format!(
            "SELECT t.run_id, t.issued_at, t.actor FROM transactions t
             WHERE t.id IN (SELECT max(id) FROM transactions WHERE {condition} GROUP BY run_id)"
        ),
        &binds,
    )
    .load(connection)
    .map_err(doing("looking for the last writes to runs"))?;
    for write in last {
        let audit = audits.entry(write.run_id).or_default();
        if audit.updated_at.is_none_or(|at| at <= write.issued_at) {
            audit.updated_at = Some(write.issued_at);
            audit.updated_by = Some(write.actor);
        }
    }
    Ok(audits)
}

/// Of the optimization items of a run, by kind and name.
pub(crate) fn of_items(
    connection: &mut AnyConnection,
    run: RunId,
) -> Result<HashMap<(i16, String), Audit>> {
    let table = optimization_items::table::description().name;
    let found = of_rows(
        connection,
        &table,
        "CAST(v.kind AS TEXT) || ' ' || v.name",
        "v.run_id = $1",
        &[Bind::BigInt(run.0)],
    )?;
    Ok(found
        .into_iter()
        .filter_map(|(key, audit)| {
            let (kind, name) = key.split_once(' ')?;
            Some(((kind.parse().ok()?, name.to_owned()), audit))
        })
        .collect())
}
