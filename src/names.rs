//! Regions, units, variables, models, scenarios: named things of the platform.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde::Serialize;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::history::write::{Subject, Write};
use crate::schema::TableDescription;
use crate::store::{AnyConnection, doing, is_unique_violation, quote, sql};

/// The hierarchy of a region for which none was given.
pub const DEFAULT_HIERARCHY: &str = "common";

/// Names in one `INSERT`: far below SQLite's 32,766 parameters.
const NAMES_PER_INSERT: usize = 500;

/// Which kind of named thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Region,
    Unit,
    Variable,
    Model,
    Scenario,
}

impl Kind {
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::Region => "regions",
            Self::Unit => "units",
            Self::Variable => "variables",
            Self::Model => "models",
            Self::Scenario => "scenarios",
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Unit => "unit",
            Self::Variable => "variable",
            Self::Model => "model",
            Self::Scenario => "scenario",
        }
    }

    fn has_hierarchy(self) -> bool {
        self == Self::Region
    }
}

/// A named thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, QueryableByName)]
pub struct Named {
    /// Its id.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Its name, unique among its kind.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// A region's hierarchy; none for the others.
    #[diesel(sql_type = Nullable<Text>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hierarchy: Option<String>,
}

/// All regions, units, variables, models or scenarios of a platform.
#[derive(Clone)]
pub struct Names {
    core: Arc<Core>,
    kind: Kind,
}

impl Names {
    pub(crate) fn new(core: Arc<Core>, kind: Kind) -> Self {
        Self { core, kind }
    }

    /// Makes a new one (a region in the hierarchy "common").
    ///
    /// A name that was deleted before gets its old id back, so that history that refers to it holds.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], [`Error::InvalidName`].
    pub fn create(&self, name: &str) -> Result<Named> {
        self.create_in(name, DEFAULT_HIERARCHY)
    }

    /// Makes a new region in a hierarchy; other kinds have none and ignore it.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_in(&self, name: &str, hierarchy: &str) -> Result<Named> {
        check_name(self.kind, name)?;
        if self.kind.has_hierarchy() {
            check_text("hierarchy", hierarchy)?;
        }
        let created = self.core.write(
            Subject::Platform,
            &format!("{}.create", self.kind.table()),
            |write| {
                if let Some(taken) = find(write.connection, self.kind, name)? {
                    return Err(self.already_exists(taken));
                }
                create_missing(write, self.kind, &[name], hierarchy)?;
                self.find(write.connection, name)
            },
        );
        match created {
            // Somebody else was faster: it is there, but not made here.
            Ok(written) if written.transaction.is_none() => Err(self.already_exists(written.value)),
            Ok(written) => Ok(written.value),
            Err(error) if is_unique_violation(&error) => match self.get(name) {
                Ok(taken) => Err(self.already_exists(taken)),
                Err(_) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// The one of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with similar names.
    pub fn get(&self, name: &str) -> Result<Named> {
        let mut connection = self.core.store.connection()?;
        self.find(&mut connection, name)
    }

    /// All of them by name.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn list(&self) -> Result<Vec<Named>> {
        let mut connection = self.core.store.connection()?;
        all(&mut connection, self.kind)
    }

    /// Deletes the one of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::InUse`] naming what uses it.
    pub fn delete(&self, name: &str) -> Result<()> {
        let operation = format!("{}.delete", self.kind.table());
        self.core.write(Subject::Platform, &operation, |write| {
            let named = self.find(write.connection, name)?;
            let used_by = users(write, self.kind.table(), named.id)?;
            if !used_by.is_empty() {
                return Err(Error::InUse {
                    kind: self.kind.word(),
                    name: format!("\"{name}\""),
                    used_by,
                });
            }
            sql(format!(
                "DELETE FROM {} WHERE id = $1",
                quote(self.kind.table())
            ))
            .bind::<BigInt, _>(named.id)
            .execute(write.connection)
            .map_err(doing("deleting"))?;
            Ok(())
        })?;
        Ok(())
    }

    fn already_exists(&self, taken: Named) -> Error {
        Error::AlreadyExists {
            kind: self.kind.word(),
            name: format!("\"{}\"", taken.name),
            id: Some(taken.id),
        }
    }

    fn find(&self, connection: &mut AnyConnection, name: &str) -> Result<Named> {
        match find(connection, self.kind, name)? {
            Some(named) => Ok(named),
            None => Err(not_found(connection, self.kind, name)),
        }
    }
}

/// On the connection at hand: a pool of one has no other.
fn not_found(connection: &mut AnyConnection, kind: Kind, name: &str) -> Error {
    let names: Vec<_> = all(connection, kind)
        .unwrap_or_default()
        .into_iter()
        .map(|named| named.name)
        .collect();
    let hint = match similar(name, &names) {
        Some(candidate) => format!("did you mean \"{candidate}\"?"),
        None if names.is_empty() => format!("there are no {} yet", kind.table()),
        None => format!("list them with platform.{}.tabulate()", kind.table()),
    };
    Error::NotFound {
        kind: kind.word(),
        name: format!("\"{name}\""),
        hint,
    }
}

pub(crate) fn check_name(kind: Kind, name: &str) -> Result<()> {
    // What has no unit (a share, a count) has the unit "".
    if name.is_empty() && kind == Kind::Unit {
        return Ok(());
    }
    check_text(kind.word(), name)
}

pub(crate) fn check_text(kind: &'static str, name: &str) -> Result<()> {
    let refuse = |problem| {
        Err(Error::InvalidName {
            kind,
            name: name.to_owned(),
            problem,
        })
    };
    if name.contains('\0') {
        return refuse("there is a NUL in it");
    }
    if name.trim() != name {
        return refuse("it begins or ends with a blank");
    }
    if name.is_empty() {
        return refuse("it is empty");
    }
    Ok(())
}

/// The name that differs least: in letter case only, or in one or two letters.
pub(crate) fn similar<'a>(name: &str, names: &'a [String]) -> Option<&'a str> {
    names
        .iter()
        .map(|candidate| {
            (
                distance(&name.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().min(6) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.as_str())
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != *y))
                .min(above + 1)
                .min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

fn selected(kind: Kind) -> String {
    let hierarchy = if kind.has_hierarchy() {
        "hierarchy"
    } else {
        "CAST(NULL AS TEXT)"
    };
    format!(
        "SELECT id, name, {hierarchy} AS hierarchy FROM {}",
        quote(kind.table())
    )
}

fn find(connection: &mut AnyConnection, kind: Kind, name: &str) -> Result<Option<Named>> {
    sql(format!("{} WHERE name = $1", selected(kind)))
        .bind::<Text, _>(name)
        .get_result(connection)
        .optional()
        .map_err(doing("looking up a name"))
}

/// All of a kind, by name.
pub(crate) fn all(connection: &mut AnyConnection, kind: Kind) -> Result<Vec<Named>> {
    sql(format!("{} ORDER BY name", selected(kind)))
        .load(connection)
        .map_err(doing("reading names"))
}

/// The id of each name of a kind.
pub(crate) fn ids_by_name(
    connection: &mut AnyConnection,
    kind: Kind,
) -> Result<HashMap<String, i64>> {
    Ok(all(connection, kind)?
        .into_iter()
        .map(|named| (named.name, named.id))
        .collect())
}

#[derive(QueryableByName)]
struct Deleted {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
}

/// Makes those of the names that are not there. What was deleted before comes back with its old id.
pub(crate) fn create_missing(
    write: &mut Write<'_>,
    kind: Kind,
    names: &[&str],
    hierarchy: &str,
) -> Result<()> {
    let table = kind.table();
    let deleted: Vec<Deleted> = sql(format!(
        "SELECT id, name FROM {} WHERE operation_type = 2 AND end_transaction_id IS NULL ORDER BY id",
        quote(&format!("{table}_version"))
    ))
    .load(write.connection)
    .map_err(doing("looking for deleted names"))?;
    let deleted: HashMap<_, _> = deleted.into_iter().map(|row| (row.name, row.id)).collect();
    // Sorted: two writers that make the same names do not wait for each other crosswise.
    let names: BTreeSet<_> = names.iter().copied().collect();
    let (known, new): (Vec<&str>, Vec<&str>) = names
        .into_iter()
        .partition(|name| deleted.contains_key(*name));
    for (names, with_id) in [(known, true), (new, false)] {
        for chunk in names.chunks(NAMES_PER_INSERT) {
            insert(write, kind, chunk, with_id.then_some(&deleted), hierarchy)?;
        }
    }
    Ok(())
}

fn insert(
    write: &mut Write<'_>,
    kind: Kind,
    names: &[&str],
    ids: Option<&HashMap<String, i64>>,
    hierarchy: &str,
) -> Result<()> {
    let mut columns = vec!["name"];
    if kind.has_hierarchy() {
        columns.push("hierarchy");
    }
    if ids.is_some() {
        columns.push("id");
    }
    let row = |first: usize| {
        let parameters: Vec<_> = (first..first + columns.len())
            .map(|n| format!("${n}"))
            .collect();
        format!("({})", parameters.join(", "))
    };
    let rows: Vec<_> = (0..names.len())
        .map(|n| row(n * columns.len() + 1))
        .collect();
    let mut query = sql(format!(
        "INSERT INTO {} ({}) VALUES {} ON CONFLICT (name) DO NOTHING",
        quote(kind.table()),
        columns.join(", "),
        rows.join(", ")
    ))
    .into_boxed();
    for name in names {
        check_name(kind, name)?;
        query = query.bind::<Text, _>((*name).to_owned());
        if kind.has_hierarchy() {
            query = query.bind::<Text, _>(hierarchy.to_owned());
        }
        if let Some(id) = ids.and_then(|ids| ids.get(*name)) {
            query = query.bind::<BigInt, _>(*id);
        }
    }
    query
        .execute(write.connection)
        .map_err(doing("making names"))?;
    Ok(())
}

#[derive(QueryableByName)]
struct User {
    #[diesel(sql_type = Text)]
    label: String,
}

/// What refers to a row, as text: the runs whose rows do, or the rows themselves.
pub(crate) fn users(write: &mut Write<'_>, table: &str, id: i64) -> Result<String> {
    const SHOWN: usize = 5;
    let core = write.core;
    let mut users = Vec::new();
    for child in &core.tables {
        for column in child
            .columns
            .iter()
            .filter(|c| child.parent_of(c) == Some(table))
        {
            let rows: Vec<User> = sql(users_query(child, &column.name))
                .bind::<BigInt, _>(id)
                .load(write.connection)
                .map_err(doing("looking for what uses it"))?;
            if rows.is_empty() {
                continue;
            }
            let mut shown: Vec<_> = rows
                .iter()
                .take(SHOWN)
                .map(|row| row.label.clone())
                .collect();
            if rows.len() > SHOWN {
                shown.push(format!("{} more", rows.len() - SHOWN));
            }
            users.push(format!("{} of {}", child.name, shown.join("; ")));
        }
    }
    Ok(users.join(", and "))
}

fn users_query(child: &TableDescription, column: &str) -> String {
    let run = if child.is_run_scoped() {
        "run_id"
    } else {
        "id"
    };
    if child.is_run_scoped() || child.name == "runs" {
        format!(
            "SELECT m.name || ' / ' || s.name || ', version ' || CAST(r.version AS TEXT) AS label
             FROM runs r JOIN models m ON m.id = r.model_id JOIN scenarios s ON s.id = r.scenario_id
             WHERE r.id IN (SELECT {run} FROM {} WHERE {} = $1) ORDER BY r.id",
            quote(&child.name),
            quote(column)
        )
    } else {
        format!(
            "SELECT 'row ' || CAST({} AS TEXT) AS label FROM {} WHERE {} = $1 ORDER BY 1",
            quote(&child.key[0]),
            quote(&child.name),
            quote(column)
        )
    }
}

/// The id of a name that is there.
pub(crate) fn id_of(connection: &mut AnyConnection, kind: Kind, name: &str) -> Result<i64> {
    match find(connection, kind, name)? {
        Some(named) => Ok(named.id),
        None => Err(not_found(connection, kind, name)),
    }
}

/// The id of a name, made if it is not there.
pub(crate) fn create_missing_one(
    write: &mut Write<'_>,
    kind: Kind,
    name: &str,
    hierarchy: &str,
) -> Result<i64> {
    check_name(kind, name)?;
    if let Some(named) = find(write.connection, kind, name)? {
        return Ok(named.id);
    }
    create_missing(write, kind, &[name], hierarchy)?;
    let named = find(write.connection, kind, name)?;
    named.map(|named| named.id).ok_or_else(|| Error::NotFound {
        kind: kind.word(),
        name: format!("\"{name}\""),
        hint: "it was deleted at the same moment: try again".into(),
    })
}

#[derive(QueryableByName)]
struct IdAndName {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
}

/// The name of each id that there is or ever was: history may refer to what was deleted.
pub(crate) fn by_id(connection: &mut AnyConnection, kind: Kind) -> Result<HashMap<i64, String>> {
    let rows: Vec<IdAndName> = sql(format!(
        "SELECT id, name FROM {} WHERE end_transaction_id IS NULL",
        quote(&format!("{}_version", kind.table()))
    ))
    .load(connection)
    .map_err(doing("reading names"))?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}
