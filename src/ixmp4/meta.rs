//! Meta indicators of a run.

use std::collections::BTreeMap;

use arrow::array::AsArray;

use super::source::{Cells, Source, Span};
use super::staged::Staged;
use super::target::Target;
use crate::error::Result;
use crate::meta::{self, MetaValue};
use crate::schema::tables::meta_indicators;
use crate::schema::{ColumnType, VersionedTable};

const COLUMNS: &str = "m.\"key\", m.dtype, m.value_bool, CAST(m.value_int AS bigint) AS value_int, m.value_float, m.value_str";

const TYPES: [(&str, ColumnType); 6] = [
    ("key", ColumnType::Text),
    ("dtype", ColumnType::Text),
    ("value_bool", ColumnType::Bool),
    ("value_int", ColumnType::BigInt),
    ("value_float", ColumnType::Double),
    ("value_str", ColumnType::Text),
];

/// The value in a row that begins with [`COLUMNS`]; `None`: there is none of its type.
fn value(row: Cells<'_>) -> Option<MetaValue> {
    match row.name(1).as_str() {
        "BOOL" => row.flag(2).map(MetaValue::Bool),
        "INT" => row.int(3).map(MetaValue::Int),
        "FLOAT" => row.float(4).map(MetaValue::Float),
        "STR" => row.text(5).map(MetaValue::Text),
        _ => None,
    }
}

/// An indicator there.
pub(super) type Indicator = (String, Option<MetaValue>);

/// The indicators of a run that a span brought, in the order in which they were made.
pub(super) fn came(source: &mut Source, run: i64, span: Span) -> Result<Vec<Indicator>> {
    let rows = source.came("runmetaentry", span);
    read(source, run, &rows)
}

/// The indicators that a run has and, where there is a history, had.
pub(super) fn ever(source: &mut Source, run: i64) -> Result<Vec<Indicator>> {
    let mut all = came(source, run, Span::Present)?;
    if source.has_history {
        let rows = "(SELECT * FROM runmetaentry_version WHERE operation_type <> 2)";
        all.extend(read(source, run, rows)?);
    }
    Ok(all)
}

fn read(source: &mut Source, run: i64, rows: &str) -> Result<Vec<Indicator>> {
    source.rows(
        &format!("SELECT {COLUMNS} FROM {rows} m WHERE m.run__id = {run} ORDER BY m.id"),
        &TYPES,
        |row| Ok((row.name(0), value(row))),
    )
}

/// Reads what a span did to the indicators of a run.
pub(super) fn stage(
    source: &mut Source,
    target: &Target<'_>,
    run: i64,
    span: Span,
    staged: &mut Staged,
) -> Result<()> {
    let table = meta_indicators::table::description();
    let came: BTreeMap<_, _> = self::came(source, run, span)?.into_iter().collect();
    let went: Vec<String> = match source.went("runmetaentry", span) {
        Some(went) => {
            let went = read(source, run, &went)?;
            went.into_iter().map(|(key, _)| key).collect()
        }
        // Whatever is here and not there. The key: run, key.
        None => {
            let keys = target.keys(&table, &[])?;
            let keys = keys.column(1).as_string::<i32>().iter();
            keys.flatten().map(str::to_owned).collect()
        }
    };
    let gone: BTreeMap<_, _> = went
        .into_iter()
        .filter(|key| !came.contains_key(key))
        .map(|key| (key, None))
        .collect();
    let changes = staged.table(table.clone());
    for (entries, chunks) in [(gone, &mut changes.removed), (came, &mut changes.added)] {
        if !entries.is_empty() {
            let entries: Vec<_> = entries.into_iter().collect();
            chunks.push(meta::batch(&table, target.run, &entries)?)?;
        }
    }
    Ok(())
}
