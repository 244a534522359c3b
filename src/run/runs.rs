//! Making, finding and deleting runs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::prelude::*;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::filter::{self, Checked, Filter, Resolver};
use crate::history::audit::{self, Audit};
use crate::history::write::{Subject, Write};
use crate::history::{chain, revert};
use crate::ids::{RunId, TransactionId};
use crate::names::{self, DEFAULT_HIERARCHY, Kind};
use crate::run::{ClonedFrom, Run, RunInfo, lock};
use crate::schema::tables::{models, runs, runs_version, scenarios};
use crate::store::{AnyConnection, doing, is_unique_violation};

/// How often a write is tried again because another process took the number or the default.
const ATTEMPTS: u32 = 200;

/// All runs of a platform.
#[derive(Clone)]
pub struct Runs {
    core: Arc<Core>,
}

type Row = (i64, String, String, i32, bool, Option<i64>, Option<i64>);

fn info(row: Row) -> RunInfo {
    let (id, model, scenario, version, is_default, cloned_run, cloned_transaction) = row;
    RunInfo {
        id: RunId(id),
        model,
        scenario,
        version,
        is_default,
        cloned_from: cloned_run
            .zip(cloned_transaction)
            .map(|(run, transaction)| ClonedFrom {
                run: RunId(run),
                transaction: TransactionId(transaction),
            }),
    }
}

macro_rules! named_runs {
    () => {
        runs::table
            .inner_join(models::table)
            .inner_join(scenarios::table)
            .select((
                runs::id,
                models::name,
                scenarios::name,
                runs::version,
                runs::is_default,
                runs::cloned_from_run,
                runs::cloned_from_transaction,
            ))
    };
}

pub(super) fn find_by_id(connection: &mut AnyConnection, id: RunId) -> Result<Option<RunInfo>> {
    let row: Option<Row> = named_runs!()
        .filter(runs::id.eq(id.0))
        .first(connection)
        .optional()
        .map_err(doing("looking for a run"))?;
    Ok(row.map(info))
}

impl Runs {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(super) fn run(&self, info: RunInfo) -> Run {
        Run::new(Arc::clone(&self.core), info)
    }

    /// Makes the next version of a model's scenario; both are made as needed. Versions are numbered from
    /// 1 and never used again. The new run is not the default.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn create(&self, model: &str, scenario: &str) -> Result<Run> {
        let info = self.write("runs.create", |write| create(write, model, scenario, None))?;
        Ok(self.run(info))
    }

    /// Another process may take the number, or set another default, at the same moment: the next attempt
    /// sees what it did.
    pub(super) fn write<T>(
        &self,
        operation: &str,
        mut work: impl FnMut(&mut Write<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.core.write(Subject::Platform, operation, &mut work) {
                Err(error) if attempt < ATTEMPTS && is_unique_violation(&error) => {}
                written => return Ok(written?.value),
            }
        }
    }

    /// The run of that id.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn get_by_id(&self, id: RunId) -> Result<Run> {
        let found = self
            .core
            .store
            .ask(|connection| find_by_id(connection, id))?;
        let info = found.ok_or_else(|| Error::NotFound {
            kind: "run",
            name: format!("with id {id}"),
            hint: "list them with platform.runs.tabulate() or `stratalog runs`".into(),
        })?;
        Ok(self.run(info))
    }

    /// The version of a model's scenario, or its default version.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NoDefaultVersion`], listing the versions there are.
    pub fn get(&self, model: &str, scenario: &str, version: Option<i32>) -> Result<Run> {
        let mut found = self.list(&Filter::all())?;
        found.retain(|run| run.info().model == model && run.info().scenario == scenario);
        let wanted = found.iter().find(|run| match version {
            Some(version) => run.info().version == version,
            None => run.info().is_default,
        });
        if let Some(run) = wanted {
            return Ok(run.clone());
        }
        let versions: Vec<_> = found
            .iter()
            .map(|run| run.info().version.to_string())
            .collect();
        let versions = versions.join(", ");
        match version {
            None if !found.is_empty() => Err(Error::NoDefaultVersion {
                model: model.to_owned(),
                scenario: scenario.to_owned(),
                versions,
            }),
            _ => Err(Error::NotFound {
                kind: "run",
                name: match version {
                    Some(version) => format!("{model} / {scenario}, version {version}"),
                    None => format!("{model} / {scenario}"),
                },
                hint: if found.is_empty() {
                    self.hint(model, scenario)
                } else {
                    format!("versions there: {versions}")
                },
            }),
        }
    }

    fn hint(&self, model: &str, scenario: &str) -> String {
        let all = self.list(&Filter::all()).unwrap_or_default();
        let near = |name: &str, names: Vec<String>| {
            names::similar(name, &names).map(|candidate| format!("\"{candidate}\""))
        };
        let models = all.iter().map(|run| run.info().model.clone()).collect();
        let scenarios = all.iter().map(|run| run.info().scenario.clone()).collect();
        match (near(model, models), near(scenario, scenarios)) {
            (Some(model), Some(scenario)) => format!("did you mean {model} / {scenario}?"),
            _ if all.is_empty() => "there are no runs yet: make one with runs.create()".into(),
            _ => "list them with platform.runs.tabulate() or `stratalog runs`".into(),
        }
    }

    /// The runs that a filter selects, by id; all versions unless it says `default_only`.
    ///
    /// # Errors
    /// [`Error::InvalidFilter`], listing what there is to filter by.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Run>> {
        let checked = Checked::of(filter, filter::Subject::Runs)?;
        self.core.store.read(|connection| {
            let rows: Vec<Row> = named_runs!()
                .order(runs::id)
                .load(connection)
                .map_err(doing("listing runs"))?;
            let passing: Option<HashSet<i64>> = match checked.is_all() {
                true => None,
                false => {
                    let ids = Resolver { connection }.runs(&checked)?;
                    Some(ids.into_iter().collect())
                }
            };
            Ok(rows
                .into_iter()
                .filter(|row| passing.as_ref().is_none_or(|ids| ids.contains(&row.0)))
                .map(|row| self.run(info(row)))
                .collect())
        })
    }

    /// Who made each run and who wrote to it last, and when, by id.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn audits(&self) -> Result<HashMap<i64, Audit>> {
        self.core
            .store
            .read(|connection| audit::of_runs(connection, None))
    }

    /// Makes the run the default version of its model's scenario; another one is so no more.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it was deleted.
    pub fn set_as_default(&self, run: RunId) -> Result<()> {
        self.set_default(run, true)
    }

    /// Makes the run no longer the default version.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it was deleted.
    pub fn unset_as_default(&self, run: RunId) -> Result<()> {
        self.set_default(run, false)
    }

    fn set_default(&self, run: RunId, is_default: bool) -> Result<()> {
        let operation = if is_default {
            "runs.set_as_default"
        } else {
            "runs.unset_as_default"
        };
        self.write(operation, |write| {
            let (model, scenario): (i64, i64) = runs::table
                .find(run.0)
                .select((runs::model_id, runs::scenario_id))
                .first(write.connection)
                .optional()
                .map_err(doing("looking for a run"))?
                .ok_or_else(|| Error::NotFound {
                    kind: "run",
                    name: format!("with id {run}"),
                    hint: "it was deleted".into(),
                })?;
            if is_default {
                diesel::update(
                    runs::table
                        .filter(runs::model_id.eq(model))
                        .filter(runs::scenario_id.eq(scenario))
                        .filter(runs::is_default.eq(true))
                        .filter(runs::id.ne(run.0)),
                )
                .set(runs::is_default.eq(false))
                .execute(write.connection)
                .map_err(doing("changing the default version"))?;
            }
            diesel::update(
                runs::table
                    .find(run.0)
                    .filter(runs::is_default.ne(is_default)),
            )
            .set(runs::is_default.eq(is_default))
            .execute(write.connection)
            .map_err(doing("changing the default version"))?;
            Ok(())
        })
    }

    /// Deletes a run with all its rows, as one logged transaction. Its history stays. Takes the lock itself.
    ///
    /// # Errors
    /// [`Error::RunIsLocked`].
    pub fn delete(&self, run: &Run) -> Result<()> {
        let lock = run.lock("delete the run")?;
        lock.write_and_release("runs.delete", |write| {
            write.core.refresh_tables(write.connection)?;
            // Children first.
            let tables = write.core.tables();
            for table in tables.iter().rev().filter(|table| table.is_run_scoped()) {
                revert::delete_all(write, table, run.id())?.apply(write)?;
            }
            diesel::delete(runs::table.find(run.id().0))
                .execute(write.connection)
                .map_err(doing("deleting a run"))?;
            Ok(())
        })
    }
}

pub(super) fn create(
    write: &mut Write<'_>,
    model: &str,
    scenario: &str,
    cloned_from: Option<ClonedFrom>,
) -> Result<RunInfo> {
    let mut id_of = |kind, name: &str| -> Result<i64> {
        names::create_missing_one(write, kind, name, DEFAULT_HIERARCHY)
    };
    let model_id = id_of(Kind::Model, model)?;
    let scenario_id = id_of(Kind::Scenario, scenario)?;
    // The log knows the versions of deleted runs too: a number never means two things.
    let last: Option<i32> = runs_version::table
        .filter(runs_version::model_id.eq(model_id))
        .filter(runs_version::scenario_id.eq(scenario_id))
        .select(diesel::dsl::max(runs_version::version))
        .get_result(write.connection)
        .map_err(doing("looking for the next version"))?;
    let version = last.unwrap_or(0) + 1;
    let id = insert(write, (model_id, scenario_id), version, cloned_from)?;
    Ok(RunInfo {
        id,
        model: model.to_owned(),
        scenario: scenario.to_owned(),
        version,
        is_default: false,
        cloned_from,
    })
}

/// Makes a run of that version number with what belongs to it: its lock row, its hash chain.
pub(crate) fn insert(
    write: &mut Write<'_>,
    (model_id, scenario_id): (i64, i64),
    version: i32,
    cloned_from: Option<ClonedFrom>,
) -> Result<RunId> {
    let id: i64 = diesel::insert_into(runs::table)
        .values((
            runs::model_id.eq(model_id),
            runs::scenario_id.eq(scenario_id),
            runs::version.eq(version),
            runs::is_default.eq(false),
            runs::cloned_from_run.eq(cloned_from.map(|from| from.run.0)),
            runs::cloned_from_transaction.eq(cloned_from.map(|from| from.transaction.0)),
        ))
        .returning(runs::id)
        .get_result(write.connection)
        .map_err(doing("making a run"))?;
    lock::create_row(write.connection, RunId(id))?;
    chain::begin_own(write.connection, RunId(id))?;
    Ok(RunId(id))
}

/// The label of a run, of a deleted one its id.
pub(crate) fn label_of(connection: &mut AnyConnection, run: RunId) -> Result<String> {
    Ok(match find_by_id(connection, run)? {
        Some(info) => info.label(),
        None => format!("{run} (deleted)"),
    })
}
