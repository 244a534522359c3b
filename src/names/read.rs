//! Names and ids, read.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt, Text};

use crate::error::{Error, Result};
use crate::names::{Kind, Named, similar};
use crate::store::kept::kept;
use crate::store::rows::Bind;
use crate::store::{AnyConnection, doing, quote, sql};

/// On the connection at hand: a pool of one has no other.
pub(super) fn not_found(connection: &mut AnyConnection, kind: Kind, name: &str) -> Error {
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

/// `FROM` that yields a row for each name of a kind that is there or ever was; it ends with a condition.
pub(crate) fn ever(kind: Kind) -> String {
    format!(
        "{} WHERE end_transaction_id IS NULL",
        quote(&format!("{}_version", kind.table()))
    )
}

/// A query of [`Named`]; `from`: where the rows come from.
pub(crate) fn selected(kind: Kind, from: &str) -> String {
    let hierarchy = if kind.has_hierarchy() {
        "hierarchy"
    } else {
        "CAST(NULL AS TEXT)"
    };
    format!("SELECT id, name, {hierarchy} AS hierarchy, docs FROM {from}")
}

fn selected_live(kind: Kind) -> String {
    selected(kind, &quote(kind.table()))
}

pub(super) fn find(
    connection: &mut AnyConnection,
    kind: Kind,
    name: &str,
) -> Result<Option<Named>> {
    sql(format!("{} WHERE name = $1", selected_live(kind)))
        .bind::<Text, _>(name)
        .get_result(connection)
        .optional()
        .map_err(doing("looking up a name"))
}

pub(super) fn find_by_id(
    connection: &mut AnyConnection,
    kind: Kind,
    id: i64,
) -> Result<Option<Named>> {
    sql(format!("{} WHERE id = $1", selected_live(kind)))
        .bind::<BigInt, _>(id)
        .get_result(connection)
        .optional()
        .map_err(doing("looking up an id"))
}

/// All of a kind, by name.
pub(crate) fn all(connection: &mut AnyConnection, kind: Kind) -> Result<Vec<Named>> {
    kept(&format!("{} ORDER BY name", selected_live(kind)), &[])
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
struct Found {
    /// The place of its kind among those that were asked for.
    #[diesel(sql_type = SmallInt)]
    nth: i16,
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
}

/// The ids of those of the names that are there, for each kind. No others are read, however many there are.
pub(crate) fn ids_of<const N: usize>(
    connection: &mut AnyConnection,
    wanted: [(Kind, &[String]); N],
) -> Result<[HashMap<String, i64>; N]> {
    let engine = connection.engine();
    let selects = wanted.map(|(kind, names)| {
        let from = move |parameter: &str| {
            let is_one = engine.is_in_texts("name", parameter);
            format!("{} WHERE {is_one}", quote(kind.table()))
        };
        (from, Bind::of_texts(names.iter().map(String::as_str)))
    });
    let mut ids = wanted.map(|_| HashMap::new());
    for Found { nth, id, name } in look_up(connection, selects)? {
        ids[nth as usize].insert(name, id);
    }
    Ok(ids)
}

/// The names of those of the ids that are there or ever were, for each kind: history may refer to what was deleted. No others
/// are read, however many there are.
pub(crate) fn of_ids<const N: usize>(
    connection: &mut AnyConnection,
    wanted: [(Kind, &[i64]); N],
) -> Result<[HashMap<i64, String>; N]> {
    let engine = connection.engine();
    let selects = wanted.map(|(kind, ids)| {
        let from = move |parameter: &str| {
            let is_one = engine.is_in_list("id", parameter);
            format!("{} AND {is_one}", ever(kind))
        };
        (from, Bind::Text(engine.list_of(ids)))
    });
    let mut names = wanted.map(|_| HashMap::new());
    for Found { nth, id, name } in look_up(connection, selects)? {
        names[nth as usize].insert(id, name);
    }
    Ok(names)
}

/// Names and ids from some places, in one statement. Each is a `FROM`, given its one parameter's place, and that parameter.
fn look_up<const N: usize>(
    connection: &mut AnyConnection,
    selects: [(impl Fn(&str) -> String, Bind); N],
) -> Result<Vec<Found>> {
    let (texts, binds): (Vec<_>, Vec<_>) = selects
        .into_iter()
        .enumerate()
        .map(|(nth, (from, bind))| {
            let from = from(&format!("${}", nth + 1));
            let text = format!("SELECT CAST({nth} AS SMALLINT) AS nth, id, name FROM {from}");
            (text, bind)
        })
        .unzip();
    kept(&texts.join(" UNION ALL "), &binds)
        .load(connection)
        .map_err(doing("looking up names"))
}

/// The id of a name that is there.
pub(crate) fn id_of(connection: &mut AnyConnection, kind: Kind, name: &str) -> Result<i64> {
    match find(connection, kind, name)? {
        Some(named) => Ok(named.id),
        None => Err(not_found(connection, kind, name)),
    }
}

#[derive(QueryableByName)]
struct IdAndName {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
}

/// The name of each id that there is or ever was: for who reads rows as a stream, and cannot ask in between.
pub(crate) fn by_id(connection: &mut AnyConnection, kind: Kind) -> Result<HashMap<i64, String>> {
    let rows: Vec<IdAndName> = sql(format!("SELECT id, name FROM {}", ever(kind)))
        .load(connection)
        .map_err(doing("reading names"))?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}
