//! Making names that are not there; what was deleted comes back with its old id.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::error::{Error, Result};
use crate::history::write::Write;
use crate::names::Kind;
use crate::names::kind::check_name;
use crate::names::read::find;
use crate::store::{doing, quote, sql};

/// Names in one `INSERT`: far below SQLite's 32,766 parameters.
const NAMES_PER_INSERT: usize = 500;

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
