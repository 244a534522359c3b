//! Cloning a run, and bringing a deleted one back.

use serde::Serialize;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use crate::error::{Error, Result};
use crate::history::as_of;
use crate::history::changes::ChangeSet;
use crate::history::write::Write;
use crate::ids::{RunId, TransactionId};
use crate::names::{self, DEFAULT_HIERARCHY, Kind};
use crate::run::runs::{Runs, create};
use crate::run::{Run, RunInfo};
use crate::schema::tables::{runs, runs_version, transactions};
use crate::schema::{RUN_ID, TableDescription};
use crate::store::rows::Bind;
use crate::store::{AnyConnection, doing, quote, sql};

/// What a run was cloned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClonedFrom {
    /// The run.
    pub run: RunId,
    /// The transaction of it whose state was copied; 0: it was empty.
    pub transaction: TransactionId,
}

/// How to clone a run.
#[derive(Clone, Copy, Debug)]
pub struct CloneOptions<'a> {
    /// The model of the clone; default: the same.
    pub model: Option<&'a str>,
    /// The scenario of the clone; default: the same.
    pub scenario: Option<&'a str>,
    /// Whether the data of variables and equations come along. Default: yes.
    pub keep_solution: bool,
}

impl Default for CloneOptions<'_> {
    fn default() -> Self {
        Self {
            model: None,
            scenario: None,
            keep_solution: true,
        }
    }
}

#[derive(QueryableByName)]
struct Deleted {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    model: String,
    #[diesel(sql_type = Text)]
    scenario: String,
    #[diesel(sql_type = Integer)]
    version: i32,
}

/// The runs that were deleted, with the names that their model and scenario have or had.
fn deleted(connection: &mut AnyConnection) -> Result<Vec<RunInfo>> {
    let rows: Vec<Deleted> = sql(
        "SELECT r.id, m.name AS model, s.name AS scenario, r.version FROM runs_version r
         JOIN models_version m ON m.id = r.model_id AND m.end_transaction_id IS NULL
         JOIN scenarios_version s ON s.id = r.scenario_id AND s.end_transaction_id IS NULL
         WHERE r.operation_type = 2 AND r.end_transaction_id IS NULL ORDER BY r.id",
    )
    .load(connection)
    .map_err(doing("looking for deleted runs"))?;
    Ok(rows
        .into_iter()
        .map(|row| RunInfo {
            id: RunId(row.id),
            model: row.model,
            scenario: row.scenario,
            version: row.version,
            is_default: false,
            cloned_from: None,
        })
        .collect())
}

impl Runs {
    /// A new run with all that a run has now: the next version of its model's scenario, or of the ones that the
    /// options name, which are made as needed. The rows are copied within the database. The clone knows what it was
    /// cloned from ([`RunInfo::cloned_from`]) and begins with a checkpoint that says so; it is not the default. A
    /// writer's unfinished block is copied as far as it has come.
    ///
    /// If the copying fails the new run is deleted again; if the process is killed meanwhile, an empty run is left.
    ///
    /// # Errors
    /// [`Error::InvalidName`], [`Error::NotFound`] when the run was deleted.
    pub fn clone_run(&self, source: &Run, options: &CloneOptions<'_>) -> Result<Run> {
        let info = source.info();
        let transaction = self.get_by_id(source.id())?.last_transaction()?;
        let cloned_from = ClonedFrom {
            run: source.id(),
            transaction,
        };
        let (model, scenario) = (
            options.model.unwrap_or(&info.model),
            options.scenario.unwrap_or(&info.scenario),
        );
        let made = self.write("runs.clone", |write| {
            create(write, model, scenario, Some(cloned_from))
        })?;
        let clone = self.run(made);
        let copied = clone
            .lock(&format!(
                "clone of {} at transaction {transaction}",
                source.label()
            ))
            .and_then(|lock| {
                lock.write("runs.clone", |write| {
                    write.core.refresh_tables(write.connection)?;
                    let core = write.core;
                    for table in core.tables().iter().filter(|table| table.is_run_scoped()) {
                        copy(write, table, clone.id(), cloned_from, options.keep_solution)?;
                    }
                    Ok(())
                })?;
                lock.commit()
            });
        match copied {
            Ok(_) => Ok(clone),
            Err(error) => {
                // What failed matters more than what then stays behind.
                let _ = self.delete(&clone);
                Err(error)
            }
        }
    }

    /// The runs that were deleted and not brought back. They can be looked at with [`Run::as_of`], and
    /// [`restore`](Self::restore)d.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn deleted(&self) -> Result<Vec<Run>> {
        let found = self.core().store.read(deleted)?;
        Ok(found.into_iter().map(|info| self.run(info)).collect())
    }

    /// Brings a deleted run back as it was, under its old id and version number, with all its history. It is not the
    /// default. Regions and units that it needs must exist.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no run of that id was deleted; [`Error::RevertNeedsMissing`], [`Error::RunIsLocked`]:
    /// the run is there then, but empty: revert it to the transaction before its deletion.
    pub fn restore(&self, id: RunId) -> Result<Run> {
        let before = self.write("runs.restore", |write| {
            let info = deleted(write.connection)?
                .into_iter()
                .find(|run| run.id == id)
                .ok_or_else(|| Error::NotFound {
                    kind: "run",
                    name: format!("with id {id} among the deleted ones"),
                    hint: "list them with platform.runs.deleted()".into(),
                })?;
            put_back(write, &info)?;
            // The run's last transaction is the deletion.
            let ids: Vec<i64> = transactions::table
                .filter(transactions::run_id.eq(id.0))
                .order(transactions::id.desc())
                .select(transactions::id)
                .limit(2)
                .load(write.connection)
                .map_err(doing("looking for the state before the deletion"))?;
            Ok(TransactionId(ids.get(1).copied().unwrap_or(0)))
        })?;
        let run = self.get_by_id(id)?;
        let lock = run.lock("restore the run")?;
        lock.revert_to(before)?;
        lock.commit()?;
        Ok(run)
    }
}

fn put_back(write: &mut Write<'_>, info: &RunInfo) -> Result<()> {
    let model = names::create_missing_one(write, Kind::Model, &info.model, DEFAULT_HIERARCHY)?;
    let scenario =
        names::create_missing_one(write, Kind::Scenario, &info.scenario, DEFAULT_HIERARCHY)?;
    let (cloned_run, cloned_transaction): (Option<i64>, Option<i64>) = runs_version::table
        .filter(runs_version::id.eq(info.id.0))
        .filter(runs_version::end_transaction_id.is_null())
        .select((
            runs_version::cloned_from_run,
            runs_version::cloned_from_transaction,
        ))
        .first(write.connection)
        .map_err(doing("looking for a deleted run"))?;
    diesel::insert_into(runs::table)
        .values((
            runs::id.eq(info.id.0),
            runs::model_id.eq(model),
            runs::scenario_id.eq(scenario),
            runs::version.eq(info.version),
            runs::is_default.eq(false),
            runs::cloned_from_run.eq(cloned_run),
            runs::cloned_from_transaction.eq(cloned_transaction),
        ))
        .execute(write.connection)
        .map_err(doing("bringing a run back"))?;
    // Its lock row, its checkpoints and its hash chain have stayed.
    Ok(())
}

fn copy(
    write: &mut Write<'_>,
    table: &TableDescription,
    clone: RunId,
    source: ClonedFrom,
    keep_solution: bool,
) -> Result<()> {
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|column| match column.name.as_str() {
            RUN_ID => "CAST($1 AS BIGINT)".to_owned(),
            name => format!("s.{}", quote(name)),
        })
        .collect();
    let solution = if !keep_solution && table.name == "optimization_rows" {
        " WHERE s.kind < 4"
    } else {
        ""
    };
    let select = format!(
        "SELECT 0, {} FROM {} s{solution}",
        columns.join(", "),
        as_of::relation(write.engine(), table, "$2", "$3"),
    );
    let binds = [clone.0, source.run.0, source.transaction.0].map(Bind::BigInt);
    ChangeSet::fill_new_run(write, table, &select, &binds)?.apply(write)
}
