//! Revert: set a run's rows back to an earlier state, as a new transaction.
//!
//! **Invariant:** what is read and written is what changed since the target, whatever the size of the
//! run. Only rows with a version row after the target can differ from it, and the index on
//! `(run_id, transaction_id)` finds those.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde::Serialize;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::history::as_of::{self, was_state};
use crate::history::changes::ChangeSet;
use crate::history::counts::ChangeCounts;
use crate::history::diff::{Candidates, LookUp, State, changed_row, select_difference};
use crate::history::retained;
use crate::history::write::Write;
use crate::ids::{RunId, TransactionId};
use crate::run::{RunInfo, Target};
use crate::schema::tables::reverts;
use crate::schema::{Column, RUN_ID, TableDescription};
use crate::store::rows::{Bind, query};
use crate::store::{AnyConnection, Engine, column_list, doing, keys_equal, quote, removal};

/// What a revert is called in the log.
pub(crate) fn description(target: &Target, only: &Filter) -> String {
    if only.is_all() {
        format!("revert to {target}")
    } else {
        format!("revert to {target} of {only}")
    }
}

/// Why rows are set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Somebody asked for an earlier state.
    Revert,
    /// A block failed, or its holder died.
    Rollback,
    /// Somebody took one transaction back.
    Undo,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Revert, Self::Rollback, Self::Undo];

    /// As it is written in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revert => "revert",
            Self::Rollback => "rollback",
            Self::Undo => "undo",
        }
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Records what this transaction goes back to, for the log.
fn record(
    write: &mut Write<'_>,
    run: &RunInfo,
    kind: Kind,
    target: TransactionId,
    counts: ChangeCounts,
) -> Result<()> {
    if counts.total() == 0 {
        return Ok(());
    }
    diesel::insert_into(reverts::table)
        .values((
            reverts::transaction_id.eq(write.id.0),
            reverts::run_id.eq(run.id.0),
            reverts::kind.eq(kind.as_str()),
            reverts::target_id.eq(target.0),
        ))
        .execute(write.connection)
        .map_err(doing("recording a revert"))?;
    Ok(())
}

/// Sets the rows of the run that a filter selects back to their state after `target`, which is retained.
pub(crate) fn revert(
    write: &mut Write<'_>,
    run: &RunInfo,
    kind: Kind,
    target: TransactionId,
    only: &Filter,
) -> Result<ChangeCounts> {
    let touched = Touched {
        after: target,
        until: None,
    };
    let counts = set_back(write, run, touched, only)?;
    record(write, run, kind, target, counts)?;
    Ok(counts)
}

/// Takes back what one transaction changed.
pub(crate) fn undo(
    write: &mut Write<'_>,
    run: &RunInfo,
    transaction: TransactionId,
) -> Result<ChangeCounts> {
    write.plan_for_any()?;
    check_undo(write.connection, write.core, run, transaction)?;
    let counts = set_back(write, run, Touched::by(transaction), &Filter::all())?;
    record(write, run, Kind::Undo, transaction, counts)?;
    Ok(counts)
}

/// Rows that transactions in `(after, until]` touched; they are set back to their state after `after`.
#[derive(Clone, Copy)]
struct Touched {
    after: TransactionId,
    /// `None`: now.
    until: Option<TransactionId>,
}

impl Touched {
    fn by(transaction: TransactionId) -> Self {
        Self {
            after: TransactionId(transaction.0 - 1),
            until: Some(transaction),
        }
    }

    fn binds(self, run: &RunInfo) -> Vec<Bind> {
        let until = self.until.map(|until| until.0);
        let numbers = [run.id.0, self.after.0].into_iter().chain(until);
        numbers.map(Bind::BigInt).collect()
    }

    /// As SQL with these parameters.
    fn as_sql(self) -> as_of::Touched<'static> {
        as_of::Touched {
            run: "$1",
            after: "$2",
            until: self.until.map(|_| "$3"),
        }
    }
}

/// Up to so many version rows after the target, what was before is looked up row by row. They may be many of each row,
/// which has many before it then; of rows that have a few, to read them side by side takes less.
const LOOKED_UP: usize = 10_000;

/// What has to change in the live table.
fn select_changes(
    engine: Engine,
    table: &TableDescription,
    touched: Touched,
    by: LookUp,
    columns: &str,
    conditions: &str,
) -> String {
    let touched = Candidates::Touched(touched.as_sql());
    let state = |at| State { run: "$1", at, by };
    let states = (state(None), state(Some("$2")));
    select_difference(engine, table, &touched, states, columns, conditions)
}

fn set_back(
    write: &mut Write<'_>,
    run: &RunInfo,
    touched: Touched,
    only: &Filter,
) -> Result<ChangeCounts> {
    let engine = write.engine();
    let mut sets = Vec::new();
    let tables = touched_tables(write, run, touched)?;
    for (table, rows) in &tables {
        let mut binds = touched.binds(run);
        let conditions = only.conditions_on(table, "k", write.connection, engine, &mut binds)?;
        let Some(conditions) = conditions else {
            continue;
        };
        let by = if *rows <= LOOKED_UP {
            LookUp::LastVersion
        } else {
            LookUp::Any
        };
        let select = select_changes(engine, table, touched, by, &changed_row(table), &conditions);
        // Texts with conditions are many: not worth keeping.
        let about = only.is_all().then_some(*rows);
        let set = ChangeSet::fill(write, table, &select, &binds, about)?;
        if set.counts().total() > 0 {
            sets.push(set);
        }
    }
    let changes: u64 = sets.iter().map(|set| set.counts().total()).sum();
    write.plan_for(changes as usize)?;
    for set in &sets {
        check_parents(write, set, &run.label())?;
        check_redacted(write, set, &run.label())?;
    }
    // `tables` is in the order of ranks: parents first. Children go first, parents come first.
    for set in sets.iter().rev() {
        set.apply_deletes(write)?;
    }
    let mut counts = ChangeCounts::default();
    for set in &sets {
        set.apply_inserts_and_updates(write)?;
        counts += set.counts();
    }
    Ok(counts)
}

#[derive(QueryableByName)]
struct TouchedTable {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

/// The run's tables in which the transactions touched any rows, parents first, mostly one of many; and how many version
/// rows of them count, as far as it matters for planning.
fn touched_tables(
    write: &mut Write<'_>,
    run: &RunInfo,
    touched: Touched,
) -> Result<Vec<(TableDescription, usize)>> {
    let (tables, engine) = (write.core.tables(), write.engine());
    let counts: Vec<_> = tables
        .iter()
        .filter(|table| table.is_run_scoped())
        .map(|table| {
            format!(
                "SELECT '{}' AS name, count(*) AS rows FROM (SELECT 1 FROM {} v WHERE {} LIMIT {}) r",
                table.name,
                quote(&table.version_name()),
                touched.as_sql().condition(engine),
                LOOKED_UP + 1
            )
        })
        .collect();
    write.plan_for(tables.len())?;
    let found: Vec<TouchedTable> = write
        .load(&counts.join(" UNION ALL "), &touched.binds(run))
        .map_err(doing("looking for what was changed"))?;
    Ok(tables
        .iter()
        .filter_map(|table| {
            let found = found.iter().find(|found| found.name == table.name)?;
            (found.rows > 0).then(|| (table.clone(), found.rows as usize))
        })
        .collect())
}

/// How many rows an error names.
const NAMED_ROWS: usize = 10;

#[derive(QueryableByName)]
struct Label {
    #[diesel(sql_type = Text)]
    label: String,
}

/// Refuses to undo a transaction some of whose rows are by now neither as it left them nor as they were before it.
pub(crate) fn check_undo(
    connection: &mut AnyConnection,
    core: &Core,
    run: &RunInfo,
    transaction: TransactionId,
) -> Result<()> {
    for state in [TransactionId(transaction.0 - 1), transaction] {
        retained::check(connection, run.id, state)?;
    }
    let touched = Touched::by(transaction);
    let mut count = 0;
    let mut named = Vec::new();
    for table in core.tables().iter().filter(|table| table.is_run_scoped()) {
        // The state that the transaction left, `w`, is the present one, `a`: nothing came in between, or it was
        // taken back.
        let left = format!(
            "SELECT 1 FROM {} w WHERE {} AND {}",
            quote(&table.version_name()),
            keys_equal(table, "w", "k"),
            was_state("w", "$3")
        );
        let changed_since = format!(
            " AND CASE WHEN a.{} IS NULL THEN EXISTS ({left}) ELSE NOT EXISTS ({left} AND NOT {}) END",
            quote(&table.key[0]),
            core.store
                .engine()
                .any_differs(table.value_columns(), "w", "a")
        );
        let label = format!(", {} AS label", key_label(core, table));
        let select = select_changes(
            core.store.engine(),
            table,
            touched,
            LookUp::Any,
            &label,
            &changed_since,
        );
        let rows: Vec<Label> = query(
            &format!("SELECT label FROM ({select}) d ORDER BY label"),
            &touched.binds(run),
        )
        .load(connection)
        .map_err(doing("looking for later changes"))?;
        count += rows.len() as u64;
        named.extend(
            rows.into_iter()
                .take(NAMED_ROWS - named.len())
                .map(|row| row.label),
        );
    }
    if count == 0 {
        return Ok(());
    }
    let more = count - named.len() as u64;
    let more = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    Err(Error::UndoOverlaps {
        run: run.label(),
        transaction,
        count,
        rows: format!("{}{more}", named.join("; ")),
    })
}

/// "region World, variable Coal, …" for the key `k`, names as the log knows them.
pub(crate) fn key_label(core: &Core, table: &TableDescription) -> String {
    let part = |column: &Column| {
        let id = format!("k.{}", quote(&column.name));
        let parent = table
            .parent_of(column)
            .and_then(|name| core.table(name))
            .filter(|parent| parent.column("name").is_some());
        let (name, value) = match parent {
            Some(parent) => (
                column.name.trim_end_matches("_id"),
                format!(
                    "coalesce((SELECT p.name FROM {} p WHERE p.id = {id} ORDER BY p.transaction_id DESC LIMIT 1), '')",
                    quote(&parent.version_name())
                ),
            ),
            None => (column.name.as_str(), format!("CAST({id} AS TEXT)")),
        };
        format!("'{name} ' || {value}")
    };
    table
        .key_columns()
        .filter(|column| column.name != RUN_ID)
        .map(part)
        .collect::<Vec<_>>()
        .join(" || ', ' || ")
}

#[derive(QueryableByName)]
struct Missing {
    /// The parent's place among those of the table.
    #[diesel(sql_type = BigInt)]
    nth: i64,
    #[diesel(sql_type = Text)]
    name: String,
}

/// Rows that come back need their parents (regions, units …), which a revert never touches. The log
/// still knows the names of those that were deleted.
fn check_parents(write: &mut Write<'_>, set: &ChangeSet<'_>, label: &str) -> Result<()> {
    let (table, counts) = (set.table(), set.counts());
    // A row that is there has what its key refers to.
    let may_be_missing = |column: &&Column| match counts {
        ChangeCounts { inserted: 1.., .. } => true,
        ChangeCounts { updated: 1.., .. } => !table.key.contains(&column.name),
        _ => false,
    };
    let parents: Vec<_> = table
        .columns
        .iter()
        .filter(may_be_missing)
        .filter_map(|column| Some((column, write.core.table(table.parent_of(column)?)?)))
        .collect();
    let missing_of = |(nth, (column, parent)): (usize, &(&Column, TableDescription))| {
        // A parent without a name of its own is shown by its id.
        let name = match parent.column("name") {
            Some(_) => "v.name",
            None => "CAST(v.id AS TEXT)",
        };
        // CROSS JOIN: SQLite would rather read all versions of all parents than look some up.
        format!(
            "SELECT CAST({nth} AS BIGINT) AS nth, {name} AS name FROM needed n CROSS JOIN {version} v
             WHERE v.id = n.{column} AND v.operation_type = 2 AND v.end_transaction_id IS NULL
               AND NOT EXISTS (SELECT 1 FROM {live} p WHERE p.id = n.{column})",
            version = quote(&parent.version_name()),
            live = quote(&parent.name),
            column = quote(&column.name),
        )
    };
    let selects: Vec<_> = parents.iter().enumerate().map(missing_of).collect();
    if selects.is_empty() {
        return Ok(());
    }
    let source = set.source();
    let text = format!(
        "WITH needed AS (SELECT DISTINCT {} FROM {} WHERE c.operation_type < 2)
         SELECT DISTINCT nth, name FROM ({}) m ORDER BY nth, name",
        column_list("c", parents.iter().map(|(column, _)| *column)),
        source.relation,
        selects.join(" UNION ALL ")
    );
    let rows: Vec<Missing> = write
        .load(&text, &source.binds)
        .map_err(doing("looking for what the earlier state needs"))?;
    if rows.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = rows
        .chunk_by(|a, b| a.nth == b.nth)
        .map(|rows| {
            let names: Vec<_> = rows.iter().map(|row| format!("\"{}\"", row.name)).collect();
            format!(
                "{} {}",
                parents[rows[0].nth as usize].1.name,
                names.join(", ")
            )
        })
        .collect();
    Err(Error::RevertNeedsMissing {
        run: label.to_owned(),
        missing: missing.join("; "),
    })
}

/// Refuses an earlier state whose values were taken out of the history.
fn check_redacted(write: &mut Write<'_>, set: &ChangeSet<'_>, label: &str) -> Result<()> {
    if !set.lacks_values() {
        return Ok(());
    }
    let Some(lacks) = removal::lacks_values(set.table(), "k") else {
        return Ok(());
    };
    let source = set.source();
    let text = format!(
        "SELECT {} AS label FROM (SELECT * FROM {}) k WHERE k.operation_type < 2 AND {lacks} ORDER BY 1",
        key_label(write.core, set.table()),
        source.relation,
    );
    let rows: Vec<Label> = write
        .load(&text, &source.binds)
        .map_err(doing("looking for redacted values"))?;
    if rows.is_empty() {
        return Ok(());
    }
    let named: Vec<_> = rows
        .iter()
        .take(NAMED_ROWS)
        .map(|row| row.label.as_str())
        .collect();
    let more = match rows.len() - named.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Err(Error::RevertNeedsRedacted {
        run: label.to_owned(),
        count: rows.len() as u64,
        rows: format!("{}{more}", named.join("; ")),
    })
}

/// The live rows of a run in one table, as a change set that deletes them.
pub(crate) fn delete_all<'t>(
    write: &mut Write<'_>,
    table: &'t TableDescription,
    run: RunId,
) -> Result<ChangeSet<'t>> {
    let select = format!(
        "SELECT 2, {} FROM {} l WHERE l.run_id = $1",
        column_list("l", table.columns.iter()),
        quote(&table.name)
    );
    ChangeSet::fill(write, table, &select, &[Bind::BigInt(run.0)], None)
}
