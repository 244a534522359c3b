//! Names and ids, read.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt, Text};

use crate::error::{Error, Result};
use crate::names::{Kind, Named, similar};
use crate::store::kept::kept;
use crate::store::rows::Bind;
use crate::store::{AnyConnection, Engine, doing, quote, sql};

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

fn selected(kind: Kind) -> String {
    let hierarchy = if kind.has_hierarchy() {
        "hierarchy"
    } else {
        "CAST(NULL AS TEXT)"
    };
    format!(
        "SELECT id, name, {hierarchy} AS hierarchy, docs FROM {}",
        quote(kind.table())
    )
}

pub(super) fn find(
    connection: &mut AnyConnection,
    kind: Kind,
    name: &str,
) -> Result<Option<Named>> {
    sql(format!("{} WHERE name = $1", selected(kind)))
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
    sql(format!("{} WHERE id = $1", selected(kind)))
        .bind::<BigInt, _>(id)
        .get_result(connection)
        .optional()
        .map_err(doing("looking up an id"))
}

/// All of a kind, by name.
pub(crate) fn all(connection: &mut AnyConnection, kind: Kind) -> Result<Vec<Named>> {
    kept(&format!("{} ORDER BY name", selected(kind)), &[])
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
    engine: Engine,
    wanted: [(Kind, &[String]); N],
) -> Result<[HashMap<String, i64>; N]> {
    let mut ids = wanted.map(|_| HashMap::new());
    let select = |(nth, (kind, _)): (usize, &(Kind, &[String]))| {
        format!(
            "SELECT CAST({nth} AS SMALLINT) AS nth, id, name FROM {} WHERE {}",
            quote(kind.table()),
            engine.is_in_texts("name", &format!("${}", nth + 1))
        )
    };
    let selects: Vec<_> = wanted.iter().enumerate().map(select).collect();
    let binds: Vec<_> = wanted
        .iter()
        .map(|(_, names)| {
            // No name has a NUL in it, and PostgreSQL's JSON neither.
            let names = names.iter().filter(|name| !name.contains('\0'));
            Bind::Text(serde_json::Value::from_iter(names.map(String::as_str)).to_string())
        })
        .collect();
    let found: Vec<Found> = kept(&selects.join(" UNION ALL "), &binds)
        .load(connection)
        .map_err(doing("looking up names"))?;
    for Found { nth, id, name } in found {
        ids[nth as usize].insert(name, id);
    }
    Ok(ids)
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
