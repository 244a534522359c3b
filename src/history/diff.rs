//! What differs between two states. Between two states of one run the cost follows what changed between
//! them; two runs have no history in common and are compared whole.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt};
use serde::Serialize;

use crate::core::Core;
use crate::error::Result;
use crate::filter::Filter;
use crate::history::as_of::{Touched, was_state};
use crate::history::counts::{ChangeCounts, OperationCount};
use crate::history::{retained, versions};
use crate::iamc;
use crate::ids::{RunId, TransactionId};
use crate::run::{RunView, Runs};
use crate::schema::tables::datapoints;
use crate::schema::{Column, ColumnType, OPERATION_TYPE, RUN_ID, TableDescription, VersionedTable};
use crate::store::rows::{Bind, query};
use crate::store::{AnyConnection, Engine, column_list, doing, quote};

/// How one table differs between two states.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// Rows inserted, updated and deleted on the way from the first state to the second.
    pub changes: ChangeCounts,
}

/// How two states differ, per table; only tables that differ.
pub type DiffSummary = Vec<Difference>;

/// How the series of one region and variable differ; of other tables all rows together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeriesDifference {
    /// The table.
    pub table: String,
    /// The region; `None` for other tables.
    pub region: Option<String>,
    /// The variable; `None` for other tables.
    pub variable: Option<String>,
    /// Rows inserted, updated and deleted on the way from the first state to the second.
    pub changes: ChangeCounts,
}

/// A state that is compared, as SQL parameters; `at: None` is the live one.
#[derive(Clone, Copy)]
pub(crate) struct State<'p> {
    pub(crate) run: &'p str,
    pub(crate) at: Option<&'p str>,
    pub(crate) by: LookUp,
}

/// How the rows of a state are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookUp {
    /// As the engine likes it: it may read all versions of a row, or of many rows side by side.
    Any,
    /// Row by row, in the run of the key, and of each only the version that counts. For few: they may be those that change
    /// again and again.
    LastVersion,
}

impl State<'_> {
    /// The state's row of the key `k`, if there is one, as `alias`.
    fn join(self, engine: Engine, table: &TableDescription, alias: &str) -> String {
        if let (Some(at), LookUp::LastVersion) = (self.at, self.by) {
            return engine.join_last_version(table, alias, at, |alias| was_state(alias, at));
        }
        // A subquery: PostgreSQL plans for any run, not for this one, of which its statistics may not know yet. It would
        // take the run for one row, and read all of it for each key.
        let mut on = vec![format!("{alias}.\"{RUN_ID}\" = (SELECT {})", self.run)];
        for key in keys_in_run(table) {
            on.push(format!("{alias}.{0} = k.{0}", quote(key)));
        }
        let relation = match self.at {
            Some(at) => {
                on.push(was_state(alias, at));
                quote(&table.version_name())
            }
            None => quote(&table.name),
        };
        format!("LEFT JOIN {relation} {alias} ON {}", on.join(" AND "))
    }
}

/// The columns of the key that tell the rows of a run apart.
fn keys_in_run(table: &TableDescription) -> impl Iterator<Item = &String> {
    table.key.iter().filter(|key| *key != RUN_ID)
}

/// Which keys are looked at, as a relation.
pub(crate) enum Candidates<'p> {
    /// Those that transactions touched.
    Touched(Touched<'p>),
    /// Those that either state has.
    Both(State<'p>, State<'p>),
}

impl Candidates<'_> {
    fn relation(&self, engine: Engine, table: &TableDescription) -> String {
        match self {
            Self::Touched(touched) => touched.keys(engine, table),
            Self::Both(a, b) => {
                let keys: Vec<_> = keys_in_run(table)
                    .map(|key| format!("v.{}", quote(key)))
                    .collect();
                let of = |state: &State<'_>| {
                    let (relation, was) = match state.at {
                        Some(at) => (
                            quote(&table.version_name()),
                            format!(" AND {}", was_state("v", at)),
                        ),
                        None => (quote(&table.name), String::new()),
                    };
                    format!(
                        "SELECT {} FROM {relation} v WHERE v.\"{RUN_ID}\" = {}{was}",
                        keys.join(", "),
                        state.run
                    )
                };
                format!("({} UNION {})", of(a), of(b))
            }
        }
    }
}

/// The candidates whose rows differ between `before` (alias `a`) and `after` (alias `b`): `operation_type` on
/// the way from the one to the other, and `columns`, which may name `k`, the key, too. `conditions` begin with AND.
pub(crate) fn select_difference(
    engine: Engine,
    table: &TableDescription,
    candidates: &Candidates<'_>,
    (before, after): (State<'_>, State<'_>),
    columns: &str,
    conditions: &str,
) -> String {
    let key = quote(&table.key[0]);
    format!(
        "SELECT CASE WHEN b.{key} IS NULL THEN 2 WHEN a.{key} IS NULL THEN 0 ELSE 1 END AS operation_type{columns}
         FROM {candidates} k {a} {b}
         WHERE ((a.{key} IS NULL) <> (b.{key} IS NULL) OR {differs}){conditions}",
        candidates = candidates.relation(engine, table),
        a = before.join(engine, table, "a"),
        b = after.join(engine, table, "b"),
        differs = engine.any_differs(table.compared_columns(), "a", "b"),
    )
}

/// What a change set or a reader takes: a row as it will be, or as it was if it goes.
pub(crate) fn changed_row(table: &TableDescription) -> String {
    let key = quote(&table.key[0]);
    table
        .columns
        .iter()
        .map(|column| {
            let name = quote(&column.name);
            format!(", CASE WHEN b.{key} IS NULL THEN a.{name} ELSE b.{name} END AS {name}")
        })
        .collect()
}

/// The transactions between which the two states of one run lie.
#[derive(Clone, Copy, Debug)]
struct Span {
    after: TransactionId,
    until: TransactionId,
}

/// What differs between two states: counted, summed up, or row by row. States that are past do not change,
/// so all of it fits together, whenever it is asked.
#[derive(Clone)]
pub struct Diff {
    core: Arc<Core>,
    before: (RunId, TransactionId),
    after: (RunId, TransactionId),
    /// `None`: of two runs.
    span: Option<Span>,
    filter: Filter,
}

impl Diff {
    /// Between two states, of one run or of two.
    pub(crate) fn between(
        core: &Arc<Core>,
        before: (RunId, TransactionId),
        after: (RunId, TransactionId),
    ) -> Self {
        let span = (before.0 == after.0).then(|| Span {
            after: before.1.min(after.1),
            until: before.1.max(after.1),
        });
        Self {
            core: Arc::clone(core),
            before,
            after,
            span,
            filter: Filter::all(),
        }
    }

    /// Of the rows that one transaction changed: from their state `now` to that before it.
    pub(crate) fn undoing(
        core: &Arc<Core>,
        run: RunId,
        now: TransactionId,
        transaction: TransactionId,
    ) -> Self {
        let before = TransactionId(transaction.0 - 1);
        Self {
            span: Some(Span {
                after: before,
                until: transaction,
            }),
            ..Self::between(core, (run, now), (run, before))
        }
    }

    /// Only of the points that a filter selects; of other tables nothing then.
    pub fn only(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// The transaction after which the first state was.
    pub fn before(&self) -> TransactionId {
        self.before.1
    }

    /// The transaction after which the second state was.
    pub fn after(&self) -> TransactionId {
        self.after.1
    }

    /// The first state, to be read.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when its run was deleted since.
    pub fn view_before(&self) -> Result<RunView> {
        self.view(self.before)
    }

    /// The second state, to be read.
    ///
    /// # Errors
    /// As [`view_before`](Self::view_before).
    pub fn view_after(&self) -> Result<RunView> {
        self.view(self.after)
    }

    fn view(&self, (run, at): (RunId, TransactionId)) -> Result<RunView> {
        let run = Runs::new(Arc::clone(&self.core)).get_by_id(run)?;
        Ok(RunView::new(run, at))
    }

    /// Rows per table; only tables that differ.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn counts(&self) -> Result<DiffSummary> {
        self.core.store.read(|connection| {
            let mut summary = Vec::new();
            self.core.refresh_tables(connection)?;
            let tables = self.core.tables();
            for table in tables.iter().filter(|table| table.is_run_scoped()) {
                let Some((select, binds)) = self.select(connection, table, "")? else {
                    continue;
                };
                let rows: Vec<OperationCount> = query(
                    &format!(
                        "SELECT CAST(operation_type AS SMALLINT) AS operation_type, count(*) AS rows
                         FROM ({select}) d GROUP BY operation_type"
                    ),
                    &binds,
                )
                .load(connection)
                .map_err(doing("comparing two states"))?;
                let changes: ChangeCounts = rows.into_iter().collect();
                if changes.total() > 0 {
                    summary.push(Difference {
                        table: table.name.clone(),
                        changes,
                    });
                }
            }
            Ok(summary)
        })
    }

    /// Whether the states are equal.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.counts()?.is_empty())
    }

    /// Rows per table, region and variable, in this order; only what differs.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn summary(&self) -> Result<Vec<SeriesDifference>> {
        let points = datapoints::table::description();
        let mut summary = self.core.store.read(|connection| {
            let Some((select, binds)) =
                self.select(connection, &points, ", k.region_id, k.variable_id")?
            else {
                return Ok(Vec::new());
            };
            let rows: Vec<SeriesCount> = query(
                &format!(
                    "SELECT region_id, variable_id, CAST(operation_type AS SMALLINT) AS operation_type, count(*) AS rows
                     FROM ({select}) d GROUP BY region_id, variable_id, operation_type"
                ),
                &binds,
            )
            .load(connection)
            .map_err(doing("summing up what differs"))?;
            iamc::named_series(connection, &points.name, &rows)
        })?;
        for other in self.counts()? {
            if other.table != points.name {
                summary.push(SeriesDifference {
                    table: other.table,
                    region: None,
                    variable: None,
                    changes: other.changes,
                });
            }
        }
        Ok(summary)
    }

    /// Every point that differs, by region, variable, unit and time: `operation` (insert, update, delete), the
    /// columns of [`Iamc::tabulate`](crate::Iamc::tabulate) but `value`, then `value_before` and `value_after`
    /// (float64, null where there is none).
    ///
    /// # Errors
    /// Errors of the database.
    pub fn points(&self) -> Result<RecordBatch> {
        self.first_points(None)
    }

    /// The first so many of [`points`](Self::points).
    ///
    /// # Errors
    /// Errors of the database.
    pub fn first_points(&self, limit: Option<u64>) -> Result<RecordBatch> {
        let table = datapoints::table::description();
        self.core.store.read(|connection| {
            let columns = format!(
                ", {}, a.value AS value_before, b.value AS value_after",
                column_list("k", key_in_run(&table))
            );
            let found = self.select(connection, &table, &columns)?;
            iamc::changed_points(connection, &table, found, limit)
        })
    }

    /// Every row of another table that differs, by its key: `operation` (text: insert, update, delete), the key without
    /// the run's id, then each other column twice, as `…_before` and `…_after`.
    ///
    /// # Errors
    /// [`Error::InvalidDescription`](crate::Error::InvalidDescription) when there is no such run-scoped table.
    pub fn table(&self, name: &str) -> Result<RecordBatch> {
        let table = &self.core.run_scoped(name)?;
        let mut columns = format!(", {}", column_list("k", key_in_run(table)));
        let mut read = vec![Column::of_result(OPERATION_TYPE, ColumnType::SmallInt)];
        read.extend(key_in_run(table).cloned());
        for column in table.value_columns() {
            for (alias, suffix) in [("a", "before"), ("b", "after")] {
                let name = format!("{}_{suffix}", column.name);
                columns += &format!(", {alias}.{} AS {}", quote(&column.name), quote(&name));
                read.push(Column {
                    name,
                    nullable: true,
                    ..column.clone()
                });
            }
        }
        self.core.store.read(|connection| {
            let Some((select, binds)) = self.select(connection, table, &columns)? else {
                let nothing = RecordBatch::new_empty(crate::store::rows::schema_of(&read));
                return with_operation(&nothing);
            };
            let order = column_list("d", key_in_run(table));
            let text = format!(
                "SELECT CAST(operation_type AS SMALLINT) AS operation_type, {} FROM ({select}) d ORDER BY {order}",
                column_list("d", read[1..].iter())
            );
            with_operation(&crate::store::rows::select(connection, &text, &binds, &read)?)
        })
    }

    /// The rows of a table that differ, as SQL with its parameters; `None`: it has none by the filter.
    fn select(
        &self,
        connection: &mut AnyConnection,
        table: &TableDescription,
        columns: &str,
    ) -> Result<Option<(String, Vec<Bind>)>> {
        let ((run, before), (other, after)) = (self.before, self.after);
        retained::check(connection, run, before)?;
        retained::check(connection, other, after)?;
        if let Some(span) = self.span {
            retained::check(connection, run, span.until)?;
        }
        let (candidates, states, numbers) = match self.span {
            Some(span) => {
                let state = |at| State {
                    run: "$1",
                    at: Some(at),
                    by: LookUp::Any,
                };
                (
                    Candidates::Touched(Touched {
                        run: "$1",
                        after: "$2",
                        until: Some("$3"),
                    }),
                    (state("$4"), state("$5")),
                    vec![run.0, span.after.0, span.until.0, before.0, after.0],
                )
            }
            None => {
                let a = State {
                    run: "$1",
                    at: Some("$2"),
                    by: LookUp::Any,
                };
                let b = State {
                    run: "$3",
                    at: Some("$4"),
                    by: LookUp::Any,
                };
                (
                    Candidates::Both(a, b),
                    (a, b),
                    vec![run.0, before.0, other.0, after.0],
                )
            }
        };
        let engine = self.core.store.engine();
        let mut binds: Vec<_> = numbers.into_iter().map(Bind::BigInt).collect();
        let conditions = self
            .filter
            .conditions_on(table, "k", connection, engine, &mut binds)?;
        Ok(conditions.map(|conditions| {
            let select =
                select_difference(engine, table, &candidates, states, columns, &conditions);
            (select, binds)
        }))
    }
}

impl std::fmt::Debug for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Diff")
            .field("before", &self.before)
            .field("after", &self.after)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

/// The operation types of the first column as words.
fn with_operation(rows: &RecordBatch) -> Result<RecordBatch> {
    let (schema, mut arrays, _) = rows.clone().into_parts();
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    arrays[0] = versions::operations(&arrays[0]);
    fields[0] = Arc::new(Field::new("operation", DataType::Utf8, false));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn key_in_run(table: &TableDescription) -> impl Iterator<Item = &Column> {
    table.key_columns().filter(|column| column.name != RUN_ID)
}

/// How many points of a region and variable differ in one way.
#[derive(QueryableByName)]
pub(crate) struct SeriesCount {
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(crate) region_id: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(crate) variable_id: Option<i64>,
    #[diesel(sql_type = SmallInt)]
    pub(crate) operation_type: i16,
    #[diesel(sql_type = BigInt)]
    pub(crate) rows: i64,
}
