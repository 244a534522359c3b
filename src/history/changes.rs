//! Change sets: add, remove and revert all end in the same two steps.
//!
//! A change set holds `operation_type` and the row, as it will be (insert, update) or as it was (delete): in a
//! temporary table beside the versioned one or, of few rows on PostgreSQL, in memory. It holds true changes only: rows
//! that stay as they are never get in, so they are neither written nor logged.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int16Type;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt};

use crate::error::Result;
use crate::history::as_of;
use crate::history::counts::ChangeCounts;
use crate::history::extent::{Extent, binds_of, of_this_run};
use crate::history::source::Source;
use crate::history::whole;
use crate::history::write::Write;
use crate::schema::{
    Column, ColumnType, END_TRANSACTION_ID, OPERATION_TYPE, TRANSACTION_ID, TableDescription,
};
use crate::store::bulk::{SetBased, Staging};
use crate::store::kept::kept;
use crate::store::rows::{Bind, Plan};
use crate::store::{
    BulkRecording, Engine, column_list, doing, failpoint, keys_equal, or_update, quote, removal,
    values_from,
};

/// The changes to one table that a write is about to make.
pub(crate) struct ChangeSet<'t> {
    table: &'t TableDescription,
    /// The changed rows; where they are recorded by set, they are staged.
    source: Source,
    counts: ChangeCounts,
    lacks_values: bool,
    extent: Extent,
}

/// Deletes are written apart: children before their parents.
#[derive(Clone, Copy)]
enum Part {
    Deletes,
    InsertsAndUpdates,
}

impl Part {
    fn condition(self) -> &'static str {
        match self {
            Self::Deletes => "operation_type = 2",
            Self::InsertsAndUpdates => "operation_type < 2",
        }
    }
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    inserted: i64,
    #[diesel(sql_type = BigInt)]
    updated: i64,
    #[diesel(sql_type = BigInt)]
    deleted: i64,
    #[diesel(sql_type = BigInt)]
    lacking: i64,
}

/// Counts staged changes.
fn counted(write: &mut Write<'_>, table: &TableDescription, staging: &Staging) -> Result<Counted> {
    let how_many = |which: &str| format!("coalesce(sum(CASE WHEN {which} THEN 1 ELSE 0 END), 0)");
    let lacking = match removal::lacks_values(table, "c") {
        Some(lacks) => how_many(&format!("c.operation_type < 2 AND {lacks}")),
        None => "CAST(0 AS BIGINT)".to_owned(),
    };
    let text = format!(
        "SELECT {} AS inserted, {} AS updated, {} AS deleted, {lacking} AS lacking FROM {} c",
        how_many("c.operation_type = 0"),
        how_many("c.operation_type = 1"),
        how_many("c.operation_type = 2"),
        staging.name
    );
    // There is one way to read a staging table, however many rows it has.
    kept(&text, &[])
        .get_result(write.connection)
        .map_err(doing("counting changes"))
}

/// `select`: transaction, operation type and source of the rows of the alias.
pub(super) fn add_version_rows(
    engine: Engine,
    table: &TableDescription,
    row: &str,
    select: &str,
) -> String {
    format!(
        "INSERT{} INTO {} ({}, \"{TRANSACTION_ID}\", \"{OPERATION_TYPE}\") SELECT {}, {select}",
        engine.or_fail(),
        quote(&table.version_name()),
        column_list("", table.columns.iter()),
        column_list(row, table.columns.iter()),
    )
}

impl<'t> ChangeSet<'t> {
    /// Fills a change set with `select`, which yields `operation_type` and then the table's columns, named so. `about`: how
    /// many rows it looks at; `None`: nobody knows, or the text will hardly come again.
    pub(crate) fn fill(
        write: &mut Write<'_>,
        table: &'t TableDescription,
        select: &str,
        binds: &[Bind],
        about: Option<usize>,
    ) -> Result<Self> {
        match about {
            Some(rows) => write.plan_for(rows)?,
            None => write.plan_for_any()?,
        }
        let few = about.is_some_and(|rows| rows <= Plan::FEW);
        if few && write.engine().bulk_recording() == BulkRecording::Triggers {
            return Self::given(write, table, select, binds);
        }
        let staging = Staging::create(write.connection, table)?;
        let insert = format!("INSERT INTO {} {select}", staging.name);
        write
            .execute(&insert, binds)
            .map_err(doing("working out what changes"))?;
        Self::staged(write, table, &staging, None)
    }

    /// [`fill`](Self::fill) without staging: few rows come here, and go into the statements that write them.
    fn given(
        write: &mut Write<'_>,
        table: &'t TableDescription,
        select: &str,
        binds: &[Bind],
    ) -> Result<Self> {
        let mut columns = vec![Column::of_result(OPERATION_TYPE, ColumnType::SmallInt)];
        columns.extend(as_of::columns(table));
        let text = format!(
            "SELECT CAST(d.operation_type AS SMALLINT) AS operation_type, {} FROM ({select}) d",
            column_list("d", table.columns.iter())
        );
        let rows = write.select(&text, binds, &columns)?;
        let mut counts = ChangeCounts::default();
        for operation_type in rows.column(0).as_primitive::<Int16Type>().values() {
            counts.count(*operation_type, 1);
        }
        let lacks_values = table
            .columns
            .iter()
            .zip(&rows.columns()[1..])
            .any(|(column, values)| !column.nullable && values.null_count() > 0);
        failpoint::reach("changes", "known")?;
        Ok(Self {
            table,
            source: Source::given(&columns, &[rows])?,
            counts,
            lacks_values,
            extent: Extent::Some,
        })
    }

    /// As [`fill`](Self::fill), with rows of a run that has none yet and no history.
    pub(crate) fn fill_new_run(
        write: &mut Write<'_>,
        table: &'t TableDescription,
        select: &str,
        binds: &[Bind],
    ) -> Result<Self> {
        let mut changes = Self::fill(write, table, select, binds, None)?;
        changes.extent = Extent::First;
        Ok(changes)
    }

    /// Rows of a run that were staged; `known`: what they change, if that need not be looked up.
    pub(super) fn staged(
        write: &mut Write<'_>,
        table: &'t TableDescription,
        staging: &Staging,
        known: Option<(ChangeCounts, Extent)>,
    ) -> Result<Self> {
        let (counts, extent, lacks_values) = match known {
            Some((counts, extent)) => (counts, extent, false),
            None => {
                let found = counted(write, table, staging)?;
                let counts = ChangeCounts {
                    inserted: found.inserted as u64,
                    updated: found.updated as u64,
                    deleted: found.deleted as u64,
                };
                let extent = Extent::of(write, table, counts)?;
                (counts, extent, found.lacking > 0)
            }
        };
        failpoint::reach("changes", "known")?;
        Ok(Self {
            table,
            source: Source::staged(staging),
            counts,
            lacks_values,
            extent,
        })
    }

    pub(crate) fn counts(&self) -> ChangeCounts {
        self.counts
    }

    pub(crate) fn table(&self) -> &'t TableDescription {
        self.table
    }

    /// The changes, with `operation_type`.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// Whether rows that would be written lack a value that the table demands.
    pub(super) fn lacks_values(&self) -> bool {
        self.lacks_values
    }

    /// Writes the changes and their version rows; `order`: the clause that sorts the changes (alias c) by their key,
    /// if they are not.
    pub(crate) fn apply_in_order(&self, write: &mut Write<'_>, order: &str) -> Result<()> {
        self.write_deletes(write, order)?;
        self.write_inserts_and_updates(write, order)
    }

    /// Writes changes to a table that no other refers to.
    pub(crate) fn apply(&self, write: &mut Write<'_>) -> Result<()> {
        self.apply_in_order(write, "")
    }

    /// Deletes what is to be deleted. Children come before their parents.
    pub(crate) fn apply_deletes(&self, write: &mut Write<'_>) -> Result<()> {
        self.write_deletes(write, "")
    }

    fn write_deletes(&self, write: &mut Write<'_>, order: &str) -> Result<()> {
        if self.counts.deleted == 0 {
            return Ok(());
        }
        if self.extent == Extent::All {
            return whole::delete(write, self.table, self.counts.deleted as usize);
        }
        let delete = format!(
            "DELETE FROM {} WHERE ({keys}) IN (SELECT {keys} FROM {} WHERE c.operation_type = 2)",
            quote(&self.table.name),
            self.source.relation,
            keys = column_list("", self.table.key_columns()),
        );
        self.recorded(write, Part::Deletes, order, &delete)
    }

    /// Inserts and updates. Parents come before their children.
    pub(crate) fn apply_inserts_and_updates(&self, write: &mut Write<'_>) -> Result<()> {
        self.write_inserts_and_updates(write, "")
    }

    fn write_inserts_and_updates(&self, write: &mut Write<'_>, order: &str) -> Result<()> {
        let table = self.table;
        if self.counts.updated + self.counts.inserted == 0 {
            return Ok(());
        }
        let columns = column_list("", table.columns.iter());
        let live = quote(&table.name);
        let changes = &self.source.relation;
        let insert = |which: &str| {
            format!(
                "INSERT INTO {live} ({columns}) SELECT {columns} FROM {changes} WHERE c.operation_type {which}{order}"
            )
        };
        let engine = write.engine();
        let update = || {
            format!(
                "UPDATE{} {live} AS l SET {} FROM {changes} WHERE {} AND c.operation_type = 1",
                engine.or_fail(),
                values_from(table, "c"),
                keys_equal(table, "l", "c")
            )
        };
        let statements = match engine.bulk_recording() {
            _ if self.counts.updated == 0 => vec![insert("= 0")],
            _ if self.counts.inserted == 0 => vec![update()],
            // One statement, so that version rows are recorded once for both.
            BulkRecording::SetBased => vec![insert("< 2") + &or_update(table)],
            // An upsert tries to insert each row first.
            BulkRecording::Triggers => vec![update(), insert("= 0")],
        };
        if self.extent == Extent::All {
            return whole::update(write, table, self.counts.updated as usize, |write| {
                statements
                    .iter()
                    .try_for_each(|statement| self.write_rows(write, statement))
            });
        }
        for statement in statements {
            self.recorded(write, Part::InsertsAndUpdates, order, &statement)?;
        }
        Ok(())
    }

    /// Runs a statement that writes a part of the changes to the live table, with their version rows.
    fn recorded(
        &self,
        write: &mut Write<'_>,
        part: Part,
        order: &str,
        statement: &str,
    ) -> Result<()> {
        write.plan_for(self.counts.total() as usize)?;
        // Set-based recording knows nothing of what this transaction wrote to these rows before; the
        // triggers do. A change set is the first to touch its rows in every write of this library.
        let set_based = write.engine().bulk_recording() == BulkRecording::SetBased
            && (self.extent == Extent::First || !self.touched_before(write, part)?);
        let recording = if set_based {
            let rows = self.counts.total() as usize;
            let recording = SetBased::begin(write.connection, self.table, rows)?;
            self.record(write, part, order)?;
            failpoint::reach("changes", "recorded")?;
            Some(recording)
        } else {
            None
        };
        self.write_rows(write, statement)?;
        failpoint::reach("changes", "written")?;
        recording.map_or(Ok(()), |recording| recording.end(write.connection))
    }

    /// Ends the open version rows of the changed rows and adds the new ones.
    fn record(&self, write: &mut Write<'_>, part: Part, order: &str) -> Result<()> {
        let table = self.table;
        let which = part.condition();
        let binds = binds_of(write);
        let version = quote(&table.version_name());
        let changes = &self.source.relation;
        let end = match self.extent {
            Extent::First => None,
            Extent::Some | Extent::All => Some(format!(
                "UPDATE {version} SET \"{END_TRANSACTION_ID}\" = $1 FROM {changes}
                 WHERE {} AND {version}.\"{END_TRANSACTION_ID}\" IS NULL AND c.{which}{}",
                keys_equal(table, &version, "c"),
                self.is_last_version(&version)
            )),
        };
        if let Some(end) = end {
            write
                .execute(&end, &binds)
                .map_err(doing("ending version rows"))?;
        }
        // What is deleted may have come in as keys only: a deletion is recorded with what was there.
        let live = quote(&table.name);
        let (row, select) = match part {
            Part::Deletes => (
                "l",
                format!(
                    "$1, 2 FROM {changes} JOIN {live} l ON {} WHERE c.{which}{order}",
                    keys_equal(table, "l", "c")
                ),
            ),
            Part::InsertsAndUpdates => (
                "c",
                format!("$1, c.operation_type FROM {changes} WHERE c.{which}{order}"),
            ),
        };
        write
            .execute(
                &add_version_rows(write.engine(), table, row, &select),
                &binds,
            )
            .map_err(doing("adding version rows"))?;
        Ok(())
    }

    /// What is open is the last version of its row. Few rows may be those that change again and again, and have had any
    /// number of versions: the last one is looked up, and no other is read. For many, which seldom have had more than a few,
    /// that would take half as long again (measured).
    fn is_last_version(&self, version: &str) -> String {
        if self.counts.total() as usize > Plan::FEW {
            return String::new();
        }
        format!(
            " AND {version}.\"{TRANSACTION_ID}\" = (SELECT max(w.\"{TRANSACTION_ID}\") FROM {version} w WHERE {})",
            keys_equal(self.table, "w", "c")
        )
    }

    /// Whether this transaction has version rows for any of the changed rows already.
    fn touched_before(&self, write: &mut Write<'_>, part: Part) -> Result<bool> {
        let version = quote(&self.table.version_name());
        let in_run = if self.table.is_run_scoped() {
            format!(" AND {}", of_this_run(&version))
        } else {
            String::new()
        };
        // CROSS JOIN: what this transaction wrote, mostly nothing, is looked at first.
        let text = format!(
            "SELECT 1 AS one FROM {version} CROSS JOIN {}
             WHERE {version}.\"{TRANSACTION_ID}\" = $1{in_run} AND {} AND c.{which} LIMIT 1",
            self.source.relation,
            keys_equal(self.table, &version, "c"),
            which = part.condition(),
        );
        let touched: Option<One> = write
            .get(&text, &binds_of(write))
            .optional()
            .map_err(doing("looking for rows written before"))?;
        Ok(touched.is_some())
    }

    /// Runs a statement that writes the changes to the live table.
    fn write_rows(&self, write: &mut Write<'_>, statement: &str) -> Result<()> {
        write
            .execute(statement, &self.source.binds)
            .map_err(doing("writing rows"))?;
        Ok(())
    }
}

#[derive(QueryableByName)]
struct One {
    #[allow(dead_code, reason = "only its presence counts")]
    #[diesel(sql_type = SmallInt)]
    one: i16,
}
