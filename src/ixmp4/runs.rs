//! Runs there, and what has become of them here.
//!
//! **Invariant:** a row in `imported_runs` says which run there became which run here and how far it has been copied; it
//! is written in the commit that copies. So an import that was killed goes on where it was.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use chrono::{NaiveDateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use sha2::{Digest, Sha256};

use super::names::OPERATION;
use super::source::Source;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::history::write::{Origin, Subject};
use crate::ids::{RunId, TransactionId};
use crate::names::{self, Kind};
use crate::run::{RunInfo, insert_run};
use crate::schema::ColumnType;
use crate::schema::tables::{imported_runs, models, runs, scenarios};
use crate::store::{AnyConnection, Outcome, doing, is_unique_violation, sql};

/// A run there.
#[derive(Clone, Debug)]
pub(super) struct SourceRun {
    pub(super) id: i64,
    pub(super) model: String,
    pub(super) scenario: String,
    pub(super) version: i32,
    pub(super) is_default: bool,
    /// Whether somebody holds its lock, or died with it.
    pub(super) is_locked: bool,
    pub(super) created: Origin,
    /// The last change that ixmp4 noted, which is that of the default version.
    updated: Origin,
    /// What tells it apart from all other runs of all ixmp4 databases, wherever they lie.
    pub(super) identity: String,
}

impl SourceRun {
    /// "model / scenario, version 1".
    pub(super) fn label(&self) -> String {
        format!(
            "{} / {}, version {}",
            self.model, self.scenario, self.version
        )
    }

    pub(super) fn last_changed(&self) -> Origin {
        Origin {
            issued_at: self.updated.issued_at.or(self.created.issued_at),
            actor: self
                .updated
                .actor
                .clone()
                .or_else(|| self.created.actor.clone()),
        }
    }
}

/// All runs there, by id.
pub(super) fn read(source: &mut Source) -> Result<Vec<SourceRun>> {
    let created = source.db.utc("r.created_at");
    let updated = source.db.utc("r.updated_at");
    source.rows(
        &format!(
            "SELECT CAST(r.id AS bigint) AS id, m.name AS model, s.name AS scenario, CAST(r.version AS bigint) AS version, r.is_default,
               CAST(r.lock_transaction AS bigint) AS lock_transaction,
               {created} AS created_at, r.created_by, {updated} AS updated_at, r.updated_by,
               r.created_at AS created_there
             FROM run r JOIN model m ON m.id = r.model__id JOIN scenario s ON s.id = r.scenario__id ORDER BY r.id"
        ),
        &[
            ("id", ColumnType::BigInt),
            ("model", ColumnType::Text),
            ("scenario", ColumnType::Text),
            ("version", ColumnType::BigInt),
            ("is_default", ColumnType::Bool),
            ("lock_transaction", ColumnType::BigInt),
            ("created_at", ColumnType::Timestamp),
            ("created_by", ColumnType::Text),
            ("updated_at", ColumnType::Timestamp),
            ("updated_by", ColumnType::Text),
            ("created_there", ColumnType::Timestamp),
        ],
        |row| {
            let (id, model, scenario) = (row.id(0), row.name(1), row.name(2));
            let version = row.id(3) as i32;
            let identity = identity(
                (id, &model, &scenario, version),
                row.time(10),
                row.text(7).as_deref(),
            );
            Ok(SourceRun {
                id,
                model,
                scenario,
                version,
                is_default: row.flag(4).unwrap_or_default(),
                is_locked: row.int(5).is_some(),
                created: Origin {
                    issued_at: row.time(6),
                    actor: row.text(7),
                },
                updated: Origin {
                    issued_at: row.time(8),
                    actor: row.text(9),
                },
                identity,
            })
        },
    )
}

fn identity(
    (id, model, scenario, version): (i64, &str, &str, i32),
    created_at: Option<NaiveDateTime>,
    created_by: Option<&str>,
) -> String {
    let text = serde_json::json!([
        "ixmp4",
        id,
        model,
        scenario,
        version,
        created_at.map(|time| time.and_utc().timestamp_micros()),
        created_by
    ])
    .to_string();
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// How far a run has been copied.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = imported_runs)]
pub(super) struct Record {
    pub(super) run_id: i64,
    pub(super) identity: String,
    pub(super) copied_until: i64,
    pub(super) checkpoints: i64,
    pub(super) transaction_id: i64,
    pub(super) finished_at: Option<NaiveDateTime>,
}

impl Record {
    pub(super) fn state(&self) -> TransactionId {
        TransactionId(self.transaction_id)
    }

    /// The run here.
    pub(super) fn run(&self) -> RunId {
        RunId(self.run_id)
    }
}

/// What is known here of a run there.
pub(super) fn record_of(connection: &mut AnyConnection, identity: &str) -> Result<Option<Record>> {
    imported_runs::table
        .filter(imported_runs::identity.eq(identity))
        .select(Record::as_select())
        .first(connection)
        .optional()
        .map_err(doing("looking for an imported run"))
}

/// What a run there is here.
pub(super) enum Here {
    /// Nothing yet.
    Nothing,
    /// A run of which a part has been copied.
    Begun(Record),
    /// A run of which all has been copied.
    All(Record),
    /// A run that was deleted since.
    Deleted,
    /// Its version number is that of another run, which may be deleted.
    Taken,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Text)]
    model: String,
    #[diesel(sql_type = Text)]
    scenario: String,
    #[diesel(sql_type = Integer)]
    version: i32,
}

/// What is here before an import.
pub(super) struct Before {
    records: HashMap<String, Record>,
    runs: HashSet<i64>,
    /// Model, scenario and version of all runs that there ever were: a number never means two things.
    numbers: HashSet<(String, String, i32)>,
}

impl Before {
    pub(super) fn read(connection: &mut AnyConnection) -> Result<Self> {
        let records: Vec<Record> = imported_runs::table
            .select(Record::as_select())
            .load(connection)
            .map_err(doing("reading what was imported"))?;
        let runs: Vec<i64> = runs::table
            .select(runs::id)
            .load(connection)
            .map_err(doing("listing runs"))?;
        let numbers: Vec<Number> = sql(
            "SELECT DISTINCT m.name AS model, s.name AS scenario, r.version FROM runs_version r
             JOIN models_version m ON m.id = r.model_id AND m.end_transaction_id IS NULL
             JOIN scenarios_version s ON s.id = r.scenario_id AND s.end_transaction_id IS NULL",
        )
        .load(connection)
        .map_err(doing("listing runs"))?;
        Ok(Self {
            records: records
                .into_iter()
                .map(|record| (record.identity.clone(), record))
                .collect(),
            runs: runs.into_iter().collect(),
            numbers: numbers
                .into_iter()
                .map(|run| (run.model, run.scenario, run.version))
                .collect(),
        })
    }

    pub(super) fn of(&self, run: &SourceRun) -> Here {
        match self.records.get(&run.identity) {
            Some(record) if !self.runs.contains(&record.run_id) => Here::Deleted,
            Some(record) if record.finished_at.is_some() => Here::All(record.clone()),
            Some(record) => Here::Begun(record.clone()),
            None => {
                let number = (run.model.clone(), run.scenario.clone(), run.version);
                if self.numbers.contains(&number) {
                    Here::Taken
                } else {
                    Here::Nothing
                }
            }
        }
    }
}

/// Makes a run with the version number that it has there. Its names have been copied.
pub(super) fn make(core: &Core, source: &Source, run: &SourceRun) -> Result<Record> {
    let url = source.db.url();
    let made = core.write_from(
        Subject::Platform,
        &format!("{OPERATION}: run {}", run.id),
        &run.created,
        |write| {
            let model = names::id_of(write.connection, Kind::Model, &run.model)?;
            let scenario = names::id_of(write.connection, Kind::Scenario, &run.scenario)?;
            let id = insert_run(write, (model, scenario), run.version, None)?;
            diesel::insert_into(imported_runs::table)
                .values((
                    imported_runs::run_id.eq(id.0),
                    imported_runs::source.eq(&url),
                    imported_runs::identity.eq(&run.identity),
                    imported_runs::source_run.eq(run.id),
                    imported_runs::copied_until.eq(0),
                    imported_runs::checkpoints.eq(0),
                    imported_runs::transaction_id.eq(0),
                    imported_runs::actor.eq(&core.actor),
                ))
                .execute(write.connection)
                .map_err(doing("noting an imported run"))?;
            Ok(())
        },
    );
    match made {
        Err(error) if is_unique_violation(&error) => Err(source.broken(format!(
            "run {} was made here by somebody else at the same moment. If that is another import, let it end, then import \
             again",
            run.label()
        ))),
        made => made,
    }?;
    core.store.read(|connection| {
        record_of(connection, &run.identity)?.ok_or_else(|| Error::NotFound {
            kind: "run",
            name: run.label(),
            hint: "it was made a moment ago: import again".into(),
        })
    })
}

/// Notes that a run has been copied up to a position; the lock row is locked.
pub(super) fn note(
    connection: &mut AnyConnection,
    record: &Record,
    position: i64,
    checkpoints: i64,
    transaction: Option<TransactionId>,
) -> Result<()> {
    let transaction = transaction.map_or(record.transaction_id, |id| id.0);
    diesel::update(imported_runs::table.find(record.run_id))
        .set((
            imported_runs::copied_until.eq(position),
            imported_runs::checkpoints.eq(checkpoints),
            imported_runs::transaction_id.eq(transaction),
        ))
        .execute(connection)
        .map_err(doing("noting how far a run has been copied"))?;
    Ok(())
}

/// Notes that all of a run has been copied.
pub(super) fn finish(core: &Core, record: &Record) -> Result<()> {
    core.store.transaction("finish import", |connection| {
        diesel::update(
            imported_runs::table
                .find(record.run_id)
                .filter(imported_runs::finished_at.is_null()),
        )
        .set(imported_runs::finished_at.eq(Utc::now().naive_utc()))
        .execute(connection)
        .map_err(doing("noting that a run has been copied"))?;
        Ok(Outcome::Commit(()))
    })
}

/// Makes a run the default version, as it is there; another default that is here stays.
pub(super) fn set_default(core: &Core, run: &SourceRun, info: &RunInfo) -> Result<()> {
    core.write_from(
        Subject::Platform,
        &format!("{OPERATION}: default version"),
        &run.last_changed(),
        |write| {
            let other: i64 = runs::table
                .inner_join(models::table)
                .inner_join(scenarios::table)
                .filter(models::name.eq(&info.model))
                .filter(scenarios::name.eq(&info.scenario))
                .filter(runs::is_default.eq(true))
                .count()
                .get_result(write.connection)
                .map_err(doing("looking for the default version"))?;
            if other == 0 {
                diesel::update(runs::table.find(info.id.0))
                    .set(runs::is_default.eq(true))
                    .execute(write.connection)
                    .map_err(doing("setting the default version"))?;
            }
            Ok(())
        },
    )?;
    Ok(())
}
