//! Change sets: add, remove and revert all end in the same two steps.
//!
//! A change set is a temporary table beside the versioned one: `operation_type` and the row, as it
//! will be (insert, update) or as it was (delete). It holds true changes only: rows that stay as they
//! are never get in, so they are neither written nor logged.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt};
use serde::Serialize;

use crate::error::Result;
use crate::history::write::Write;
use crate::schema::{END_TRANSACTION_ID, OPERATION_TYPE, TRANSACTION_ID, TableDescription};
use crate::store::bulk::{Purpose, Staging, begin_recording, end_recording};
use crate::store::rows::{Bind, query};
use crate::store::{BulkRecording, batch, column_list, doing, failpoint, keys_equal, quote, sql};

/// How many rows a write inserted, updated and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChangeCounts {
    /// Rows that were not there before.
    pub inserted: u64,
    /// Rows that have other values now.
    pub updated: u64,
    /// Rows that are no longer there.
    pub deleted: u64,
}

impl ChangeCounts {
    /// Counts rows of an operation type.
    pub(crate) fn count(&mut self, operation_type: i16, rows: i64) {
        let rows = rows.unsigned_abs();
        match operation_type {
            0 => self.inserted += rows,
            1 => self.updated += rows,
            _ => self.deleted += rows,
        }
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

impl std::ops::AddAssign for ChangeCounts {
    fn add_assign(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
    }
}

impl std::fmt::Display for ChangeCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} inserted, {} updated, {} deleted",
            self.inserted, self.updated, self.deleted
        )
    }
}

/// A row of `SELECT operation_type, count(*) AS rows … GROUP BY operation_type`.
#[derive(QueryableByName)]
pub(crate) struct OperationCount {
    #[diesel(sql_type = SmallInt)]
    operation_type: i16,
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

impl FromIterator<OperationCount> for ChangeCounts {
    fn from_iter<I: IntoIterator<Item = OperationCount>>(rows: I) -> Self {
        let mut counts = Self::default();
        for row in rows {
            counts.count(row.operation_type, row.rows);
        }
        counts
    }
}

/// The changes to one table that a write is about to make.
pub(crate) struct ChangeSet<'t> {
    table: &'t TableDescription,
    pub(crate) staging: Staging,
    counts: ChangeCounts,
}

impl<'t> ChangeSet<'t> {
    /// Fills a change set with `select`, which yields `operation_type` and then the table's columns.
    pub(crate) fn fill(
        write: &mut Write<'_>,
        table: &'t TableDescription,
        select: &str,
        binds: &[Bind],
    ) -> Result<Self> {
        let staging = Staging::create(write.connection, table, Purpose::Changes)?;
        query(&format!("INSERT INTO {} {select}", staging.name), binds)
            .execute(write.connection)
            .map_err(doing("working out what changes"))?;
        let mut set = Self {
            table,
            staging,
            counts: ChangeCounts::default(),
        };
        set.counts = set.count(write)?;
        failpoint::reach("changes", "known")?;
        Ok(set)
    }

    /// The rows of `incoming` that are new or differ from the live ones.
    pub(crate) fn upsert(
        write: &mut Write<'_>,
        table: &'t TableDescription,
        incoming: &Staging,
    ) -> Result<Self> {
        let sql = format!(
            "SELECT CASE WHEN l.{key} IS NULL THEN 0 ELSE 1 END, {columns}
             FROM {incoming} s LEFT JOIN {live} l ON {same_key}
             WHERE l.{key} IS NULL OR {differs}",
            key = quote(&table.key[0]),
            columns = column_list("s", table.columns.iter()),
            incoming = incoming.name,
            live = quote(&table.name),
            same_key = keys_equal(table, "l", "s"),
            differs = write.engine().any_differs(table.value_columns(), "l", "s"),
        );
        Self::fill(write, table, &sql, &[])
    }

    /// The live rows that have a key of `incoming`.
    pub(crate) fn removal(
        write: &mut Write<'_>,
        table: &'t TableDescription,
        incoming: &Staging,
    ) -> Result<Self> {
        let sql = format!(
            "SELECT 2, {columns} FROM {incoming} s JOIN {live} l ON {same_key}",
            columns = column_list("l", table.columns.iter()),
            incoming = incoming.name,
            live = quote(&table.name),
            same_key = keys_equal(table, "l", "s"),
        );
        Self::fill(write, table, &sql, &[])
    }

    pub(crate) fn counts(&self) -> ChangeCounts {
        self.counts
    }

    pub(crate) fn table(&self) -> &'t TableDescription {
        self.table
    }

    fn count(&self, write: &mut Write<'_>) -> Result<ChangeCounts> {
        let rows: Vec<OperationCount> = sql(format!(
            "SELECT operation_type, count(*) AS rows FROM {} GROUP BY operation_type",
            self.staging.name
        ))
        .load(write.connection)
        .map_err(doing("counting changes"))?;
        Ok(rows.into_iter().collect())
    }

    /// Writes the changes and their version rows.
    pub(crate) fn apply(&self, write: &mut Write<'_>) -> Result<()> {
        self.apply_deletes(write)?;
        self.apply_inserts_and_updates(write)
    }

    /// Deletes what is to be deleted. Children come before their parents.
    pub(crate) fn apply_deletes(&self, write: &mut Write<'_>) -> Result<()> {
        if self.counts.deleted == 0 {
            return Ok(());
        }
        let keys = column_list("", self.table.key_columns());
        self.recorded(
            write,
            "operation_type = 2",
            &[format!(
                "DELETE FROM {} WHERE ({keys}) IN (SELECT {keys} FROM {} WHERE operation_type = 2)",
                quote(&self.table.name),
                self.staging.name
            )],
        )
    }

    /// Inserts and updates. Parents come before their children.
    pub(crate) fn apply_inserts_and_updates(&self, write: &mut Write<'_>) -> Result<()> {
        let table = self.table;
        let (live, changes) = (quote(&table.name), &self.staging.name);
        let mut statements = Vec::new();
        if self.counts.updated > 0 {
            let set: Vec<_> = table
                .value_columns()
                .map(|column| format!("{0} = c.{0}", quote(&column.name)))
                .collect();
            statements.push(format!(
                "UPDATE {live} SET {} FROM {changes} c WHERE {} AND c.operation_type = 1",
                set.join(", "),
                keys_equal(table, &live, "c")
            ));
        }
        if self.counts.inserted > 0 {
            let columns = column_list("", table.columns.iter());
            statements.push(format!(
                "INSERT INTO {live} ({columns}) SELECT {columns} FROM {changes} WHERE operation_type = 0"
            ));
        }
        if statements.is_empty() {
            return Ok(());
        }
        self.recorded(write, "operation_type < 2", &statements)
    }

    /// Runs statements that write `which` of the changes to the live table, with their version rows.
    fn recorded(&self, write: &mut Write<'_>, which: &str, statements: &[String]) -> Result<()> {
        // Set-based recording knows nothing of what this transaction wrote to these rows before; the
        // triggers do. A change set is the first to touch its rows in every write of this library.
        let set_based = write.engine().bulk_recording() == BulkRecording::SetBased
            && !self.touched_before(write, which)?;
        if set_based {
            self.record(write, which)?;
            failpoint::reach("changes", "recorded")?;
            begin_recording(write.connection)?;
        }
        for statement in statements {
            batch(write.connection, statement)?;
            failpoint::reach("changes", "written")?;
        }
        if set_based {
            end_recording(write.connection)?;
        }
        Ok(())
    }

    /// Ends the open version rows of the changed rows and adds the new ones.
    fn record(&self, write: &mut Write<'_>, which: &str) -> Result<()> {
        let table = self.table;
        let version = quote(&table.version_name());
        let changes = &self.staging.name;
        sql(format!(
            "UPDATE {version} SET \"{END_TRANSACTION_ID}\" = $1 FROM {changes} c
             WHERE {} AND {version}.\"{END_TRANSACTION_ID}\" IS NULL AND c.{which}",
            keys_equal(table, &version, "c")
        ))
        .bind::<BigInt, _>(write.id.0)
        .execute(write.connection)
        .map_err(doing("ending version rows"))?;
        let columns = column_list("", table.columns.iter());
        sql(format!(
            "INSERT INTO {version} ({columns}, \"{TRANSACTION_ID}\", \"{OPERATION_TYPE}\")
             SELECT {columns}, $1, operation_type FROM {changes} WHERE {which}"
        ))
        .bind::<BigInt, _>(write.id.0)
        .execute(write.connection)
        .map_err(doing("adding version rows"))?;
        Ok(())
    }

    /// Whether this transaction has version rows for any of the changed rows already.
    fn touched_before(&self, write: &mut Write<'_>, which: &str) -> Result<bool> {
        let version = quote(&self.table.version_name());
        let in_run = if self.table.is_run_scoped() {
            format!(" AND {version}.run_id = (SELECT run_id FROM transactions WHERE id = $1)")
        } else {
            String::new()
        };
        // CROSS JOIN: what this transaction wrote, mostly nothing, is looked at first.
        let touched: Option<One> = sql(format!(
            "SELECT 1 AS one FROM {version} CROSS JOIN {} c
             WHERE {version}.\"{TRANSACTION_ID}\" = $1{in_run} AND {} AND c.{which} LIMIT 1",
            self.staging.name,
            keys_equal(self.table, &version, "c"),
        ))
        .bind::<BigInt, _>(write.id.0)
        .get_result(write.connection)
        .optional()
        .map_err(doing("looking for rows written before"))?;
        Ok(touched.is_some())
    }
}

#[derive(QueryableByName)]
struct One {
    #[allow(dead_code, reason = "only its presence counts")]
    #[diesel(sql_type = SmallInt)]
    one: i16,
}
