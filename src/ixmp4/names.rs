//! Regions, units, variables, models, scenarios.
//!
//! They are told apart by their names. What is there stays as it is; what only the history needs is made for it, and
//! deleted again when all runs have been copied.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::check::Found;
use super::source::Source;
use super::steps::follows;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::history::write::{Origin, Subject};
use crate::names::{self, DEFAULT_HIERARCHY, Kind};
use crate::schema::ColumnType;
use crate::store::{doing, quote, sql};

/// All kinds, and their tables there.
pub(super) const KINDS: [(Kind, &str); 5] = [
    (Kind::Region, "region"),
    (Kind::Unit, "unit"),
    (Kind::Variable, "iamc_variable"),
    (Kind::Model, "model"),
    (Kind::Scenario, "scenario"),
];

/// What transactions that copy names say they do.
pub(super) const OPERATION: &str = "import-ixmp4";

/// One of them there.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) hierarchy: Option<String>,
    pub(super) docs: Option<String>,
    origin: Origin,
    /// Whether it was deleted there, and when.
    pub(super) is_gone: bool,
    gone_at: Option<NaiveDateTime>,
}

/// All of them there.
#[derive(Default)]
pub(super) struct Names {
    by_kind: BTreeMap<Kind, Vec<Name>>,
}

impl Names {
    pub(super) fn read(source: &mut Source) -> Result<Self> {
        let mut by_kind = BTreeMap::new();
        for (kind, table) in KINDS {
            let mut found = read(source, kind, table, Gone::No)?;
            if source.has_history {
                found.extend(read(source, kind, table, Gone::Yes)?);
            }
            by_kind.insert(kind, found);
        }
        Ok(Self { by_kind })
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Name> {
        self.by_kind.get(&kind).into_iter().flatten()
    }

    /// Those that are there now.
    pub(super) fn present(&self, kind: Kind) -> impl Iterator<Item = &Name> {
        self.of(kind).filter(|name| !name.is_gone)
    }

    /// What cannot be a name here.
    pub(super) fn problems(&self, needed: &Needed) -> Vec<String> {
        let mut problems = Vec::new();
        for (kind, _) in KINDS {
            for name in self.of(kind).filter(|name| needed.includes(kind, name)) {
                let checked = names::check_docs(kind.word(), name.docs.as_deref())
                    .and_then(|()| names::check_name(kind, &name.name))
                    .and_then(|()| match &name.hierarchy {
                        Some(hierarchy) => names::check_text("hierarchy", hierarchy),
                        None => Ok(()),
                    });
                if let Err(error) = checked {
                    problems.push(format!(
                        "{error}: rename it there (ixmp4 has no command for it: UPDATE {} SET … WHERE id = {})",
                        table_of(kind),
                        name.id
                    ));
                }
            }
        }
        problems
    }
}

pub(super) fn table_of(kind: Kind) -> &'static str {
    KINDS
        .iter()
        .find(|(candidate, _)| *candidate == kind)
        .map_or("", |(_, table)| table)
}

enum Gone {
    No,
    Yes,
}

fn read(source: &mut Source, kind: Kind, table: &str, gone: Gone) -> Result<Vec<Name>> {
    let hierarchy = if kind == Kind::Region {
        "n.hierarchy"
    } else {
        "CAST(NULL AS TEXT)"
    };
    let created = source.db.utc("n.created_at");
    let (from, docs, gone_at) = match gone {
        Gone::No => (
            format!("\"{table}\" n LEFT JOIN \"{table}_docs\" d ON d.dimension__id = n.id"),
            "d.description",
            "CAST(NULL AS timestamp)".to_owned(),
        ),
        // The last state of each, which is the deletion.
        Gone::Yes => (
            format!(
                "\"{table}_version\" n
                 JOIN (SELECT id, max(transaction_id) AS last FROM \"{table}_version\" GROUP BY id) l
                   ON l.id = n.id AND l.last = n.transaction_id
                 LEFT JOIN \"transaction\" t ON t.id = n.transaction_id
                 WHERE NOT EXISTS (SELECT 1 FROM \"{table}\" p WHERE p.id = n.id)"
            ),
            "CAST(NULL AS TEXT)",
            source.db.utc("t.issued_at"),
        ),
    };
    let is_gone = matches!(gone, Gone::Yes);
    source.rows(
        &format!(
            "SELECT CAST(n.id AS bigint) AS id, n.name, {hierarchy} AS hierarchy, {docs} AS docs, {created} AS created_at,
               n.created_by, {gone_at} AS gone_at
             FROM {from} ORDER BY n.id"
        ),
        &[
            ("id", ColumnType::BigInt),
            ("name", ColumnType::Text),
            ("hierarchy", ColumnType::Text),
            ("docs", ColumnType::Text),
            ("created_at", ColumnType::Timestamp),
            ("created_by", ColumnType::Text),
            ("gone_at", ColumnType::Timestamp),
        ],
        |row| {
            Ok(Name {
                id: row.id(0),
                name: row.name(1),
                hierarchy: row.text(2),
                docs: row.text(3),
                origin: Origin {
                    issued_at: row.time(4),
                    actor: row.text(5),
                },
                is_gone,
                gone_at: row.time(6),
            })
        },
    )
}

/// Names that were deleted there and that the history of runs that are to be copied has.
#[derive(Clone, Debug, Default)]
pub(super) struct Needed {
    gone: BTreeSet<(Kind, String)>,
}

impl Needed {
    pub(super) fn add(&mut self, kind: Kind, name: &str) {
        self.gone.insert((kind, name.to_owned()));
    }

    fn includes(&self, kind: Kind, name: &Name) -> bool {
        !name.is_gone || self.gone.contains(&(kind, name.name.clone()))
    }

    /// Adds what the time series of a run ever named.
    pub(super) fn add_series(
        &mut self,
        source: &mut Source,
        names: &Names,
        run: i64,
    ) -> Result<()> {
        let series = source.ever("iamc_timeseries", "run__id, region__id, measurand__id");
        let measurands = source.ever("iamc_measurand", "id, variable__id, unit__id");
        for (kind, column) in [
            (Kind::Region, "s.region__id"),
            (Kind::Variable, "m.variable__id"),
            (Kind::Unit, "m.unit__id"),
        ] {
            let gone: HashMap<_, _> = names
                .of(kind)
                .filter(|name| name.is_gone)
                .map(|name| (name.id, name.name.as_str()))
                .collect();
            if gone.is_empty() {
                continue;
            }
            let used = source.rows(
                &format!(
                    "SELECT DISTINCT CAST({column} AS bigint) AS id FROM {series} s
                     JOIN {measurands} m ON m.id = s.measurand__id WHERE s.run__id = {run}"
                ),
                &[("id", ColumnType::BigInt)],
                |row| Ok(row.id(0)),
            )?;
            for name in used.iter().filter_map(|id| gone.get(id)) {
                self.add(kind, name);
            }
        }
        Ok(())
    }
}

/// Makes what is not there yet, each with the time and the creator that it has there: those that were made one after
/// another by one person as one transaction.
pub(super) fn copy(core: &Core, all: &Names, needed: &Needed) -> Result<()> {
    for (kind, _) in KINDS {
        let there = core
            .store
            .read(|connection| names::ids_by_name(connection, kind))?;
        let mut seen = BTreeSet::new();
        let mut missing: Vec<&Name> = all
            .of(kind)
            .filter(|name| needed.includes(kind, name) && !there.contains_key(&name.name))
            .collect();
        // What was deleted there and made again under its name is one here.
        missing.sort_by_key(|name| (name.is_gone, name.id));
        missing.retain(|name| seen.insert(&name.name));
        missing.sort_by_key(|name| name.id);
        let together = missing.chunk_by(|a, b| {
            a.origin.actor == b.origin.actor
                && a.hierarchy == b.hierarchy
                && follows(a.origin.issued_at, b.origin.issued_at)
        });
        for group in together {
            make(core, kind, group)?;
        }
    }
    Ok(())
}

/// Whether anything is to be made.
pub(super) fn are_missing(core: &Core, all: &Names, needed: &Needed) -> Result<bool> {
    for (kind, _) in KINDS {
        let there = core
            .store
            .read(|connection| names::ids_by_name(connection, kind))?;
        let mut wanted = all.of(kind).filter(|name| needed.includes(kind, name));
        if wanted.any(|name| !there.contains_key(&name.name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Counts what is not there yet.
pub(super) fn count_missing(core: &Core, all: &Names, found: &mut Found) -> Result<()> {
    for (kind, _) in KINDS {
        let there = core
            .store
            .read(|connection| names::ids_by_name(connection, kind))?;
        let missing = all
            .present(kind)
            .filter(|name| !there.contains_key(&name.name));
        found.count(kind.table(), missing.count() as u64);
    }
    Ok(())
}

fn make(core: &Core, kind: Kind, group: &[&Name]) -> Result<()> {
    let Some(last) = group.last() else {
        return Ok(());
    };
    let hierarchy = last.hierarchy.as_deref().unwrap_or(DEFAULT_HIERARCHY);
    let texts: Vec<_> = group.iter().map(|name| name.name.as_str()).collect();
    core.write_from(
        Subject::Platform,
        &format!("{OPERATION}: {}", kind.table()),
        &last.origin,
        |write| {
            names::create_missing(write, kind, &texts, hierarchy)?;
            for name in group.iter().filter(|name| name.docs.is_some()) {
                sql(format!(
                    "UPDATE {} SET docs = $1 WHERE name = $2 AND docs IS NULL",
                    quote(kind.table())
                ))
                .bind::<Nullable<Text>, _>(name.docs.as_deref())
                .bind::<Text, _>(&name.name)
                .execute(write.connection)
                .map_err(doing("describing"))?;
            }
            Ok(())
        },
    )?;
    Ok(())
}

#[derive(QueryableByName)]
struct Made {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
}

/// Deletes what an import made for the history only, unless something here has come to use it.
pub(super) fn delete_gone(core: &Core, all: &Names) -> Result<()> {
    // Children first: none refers to another, but the order is that of all deletions.
    for (kind, _) in KINDS.into_iter().rev() {
        let present: BTreeSet<_> = all.present(kind).map(|name| name.name.as_str()).collect();
        let gone: HashMap<_, _> = all
            .of(kind)
            .filter(|name| name.is_gone && !present.contains(name.name.as_str()))
            .map(|name| (name.name.as_str(), name.gone_at))
            .collect();
        if gone.is_empty() {
            continue;
        }
        core.write_from(
            Subject::Platform,
            &format!("{OPERATION}: {} that were deleted there", kind.table()),
            &Origin {
                issued_at: gone.values().copied().max().flatten(),
                actor: None,
            },
            |write| {
                let made: Vec<Made> = sql(format!(
                    "SELECT v.id, v.name FROM {} v JOIN transactions t ON t.id = v.transaction_id
                     WHERE v.end_transaction_id IS NULL AND v.operation_type <> 2
                       AND t.operation = '{OPERATION}: {1}' ORDER BY v.id",
                    quote(&format!("{}_version", kind.table())),
                    kind.table(),
                ))
                .load(write.connection)
                .map_err(doing("looking for what an import made"))?;
                for row in made
                    .iter()
                    .filter(|row| gone.contains_key(row.name.as_str()))
                {
                    if names::users(write, kind.table(), row.id)?.is_empty() {
                        sql(format!("DELETE FROM {} WHERE id = $1", quote(kind.table())))
                            .bind::<BigInt, _>(row.id)
                            .execute(write.connection)
                            .map_err(doing("deleting a name"))?;
                    }
                }
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// The ids here of what has an id there.
pub(super) struct Ids {
    /// Of the source.
    url: String,
    by_kind: HashMap<Kind, HashMap<i64, i64>>,
    pub(super) units_by_name: HashMap<String, i64>,
}

impl Ids {
    pub(super) fn read(core: &Core, source: &Source, all: &Names) -> Result<Self> {
        core.store.read(|connection| {
            let mut by_kind = HashMap::new();
            let mut units_by_name = HashMap::new();
            for (kind, _) in KINDS {
                let here = names::ids_by_name(connection, kind)?;
                let ids = all
                    .of(kind)
                    .filter_map(|name| Some((name.id, *here.get(&name.name)?)))
                    .collect();
                by_kind.insert(kind, ids);
                if kind == Kind::Unit {
                    units_by_name = here;
                }
            }
            Ok(Self {
                url: source.db.url(),
                by_kind,
                units_by_name,
            })
        })
    }

    pub(super) fn of(&self, kind: Kind, id: i64) -> Result<i64> {
        self.by_kind
            .get(&kind)
            .and_then(|ids| ids.get(&id))
            .copied()
            .ok_or_else(|| Error::Ixmp4 {
                url: self.url.clone(),
                problem: format!(
                    "something in it refers to the {} of id {id}, which is not in the table \"{}\"",
                    kind.word(),
                    table_of(kind)
                ),
            })
    }
}
