//! Optimization items of a run, as they are there: what they are, not their data.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::source::{Source, Span};
use crate::error::Result;
use crate::optimization::ItemKind;
use crate::schema::ColumnType;

/// The type of an indexset's elements there, which are kept as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementType {
    Text,
    Int,
    Float,
}

impl ElementType {
    fn of_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "str" => Some(Self::Text),
            "int" => Some(Self::Int),
            "float" => Some(Self::Float),
            _ => None,
        }
    }
}

/// An item.
#[derive(Clone, Debug)]
pub(super) struct SourceItem {
    pub(super) kind: ItemKind,
    pub(super) id: i64,
    pub(super) name: String,
    /// 1, 2, 3 … of the names that items of its kind have and had in the run.
    pub(super) number: i64,
    /// Of a scalar.
    pub(super) value: Option<f64>,
    /// Of a scalar: the id of its unit.
    pub(super) unit: Option<i64>,
    pub(super) columns: Vec<SourceColumn>,
    /// Of an indexset that has elements.
    pub(super) element_type: Option<ElementType>,
    pub(super) docs: Option<String>,
}

/// A column of an item.
#[derive(Clone, Debug)]
pub(super) struct SourceColumn {
    pub(super) name: String,
    pub(super) indexset: String,
    pub(super) indexset_id: i64,
}

/// The table of each kind.
pub(super) fn table(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::IndexSet => "opt_idx",
        ItemKind::Scalar => "opt_sca",
        ItemKind::Table => "opt_tab",
        ItemKind::Parameter => "opt_par",
        ItemKind::Variable => "opt_var",
        ItemKind::Equation => "opt_equ",
    }
}

/// The table of an item's columns, and the one in it that says whose they are.
fn associations(kind: ItemKind) -> Option<(&'static str, &'static str)> {
    match kind {
        ItemKind::IndexSet | ItemKind::Scalar => None,
        ItemKind::Table => Some(("opt_tab_idx_association", "table__id")),
        ItemKind::Parameter => Some(("opt_par_idx_association", "parameter__id")),
        ItemKind::Variable => Some(("opt_var_idx_association", "variable__id")),
        ItemKind::Equation => Some(("opt_equ_idx_association", "equation__id")),
    }
}

/// The items of a run at the end of a span, of each kind in the order in which they were made.
pub(super) fn there(source: &mut Source, run: i64, span: Span) -> Result<Vec<SourceItem>> {
    let mut items = Vec::new();
    let mut indexsets = HashMap::new();
    for kind in ItemKind::ALL {
        let found = of_kind(source, run, span, kind, &indexsets)?;
        if kind == ItemKind::IndexSet {
            indexsets = found
                .iter()
                .map(|item| (item.id, item.name.clone()))
                .collect();
        }
        items.extend(found);
    }
    Ok(items)
}

fn of_kind(
    source: &mut Source,
    run: i64,
    span: Span,
    kind: ItemKind,
    indexsets: &HashMap<i64, String>,
) -> Result<Vec<SourceItem>> {
    let (value, unit, element_type) = match kind {
        ItemKind::Scalar => (
            "i.value".into(),
            "CAST(i.unit__id AS bigint)",
            "CAST(NULL AS TEXT)".into(),
        ),
        ItemKind::IndexSet => (
            "CAST(NULL AS double precision)".to_owned(),
            "CAST(NULL AS bigint)",
            format!("i.\"{}\"", source.type_column()),
        ),
        _ => (
            "CAST(NULL AS double precision)".to_owned(),
            "CAST(NULL AS bigint)",
            "CAST(NULL AS TEXT)".to_owned(),
        ),
    };
    let table = table(kind);
    let mut columns = columns(source, run, span, kind, indexsets)?;
    let numbers = numbers(source, run, table)?;
    source.rows(
        &format!(
            "SELECT CAST(i.id AS bigint) AS id, i.name, {value} AS value, {unit} AS unit, {element_type} AS element_type, d.description
             FROM {} i LEFT JOIN \"{table}_docs\" d ON d.dimension__id = i.id WHERE i.run__id = {run} ORDER BY i.id",
            source.there(table, span)
        ),
        &[
            ("id", ColumnType::BigInt),
            ("name", ColumnType::Text),
            ("value", ColumnType::Double),
            ("unit", ColumnType::BigInt),
            ("element_type", ColumnType::Text),
            ("description", ColumnType::Text),
        ],
        |row| {
            Ok(SourceItem {
                kind,
                id: row.id(0),
                name: row.name(1),
                number: numbers.get(&row.name(1)).copied().unwrap_or_default(),
                value: row.float(2),
                unit: row.int(3),
                columns: columns.remove(&row.id(0)).unwrap_or_default(),
                element_type: row.text(4).and_then(|word| ElementType::of_word(&word)),
                docs: row.text(5),
            })
        },
    )
}

/// The names that items of a kind have and had in a run, numbered as they were first made.
fn numbers(source: &mut Source, run: i64, table: &str) -> Result<HashMap<String, i64>> {
    let ever = source.ever(table, "id, run__id, name");
    let names = source.rows(
        &format!(
            "SELECT e.name, CAST(min(e.id) AS bigint) AS first FROM {ever} e WHERE e.run__id = {run}
             GROUP BY e.name ORDER BY 2"
        ),
        &[("name", ColumnType::Text)],
        |row| Ok(row.name(0)),
    )?;
    Ok(names.into_iter().zip(1..).collect())
}

fn columns(
    source: &mut Source,
    run: i64,
    span: Span,
    kind: ItemKind,
    indexsets: &HashMap<i64, String>,
) -> Result<HashMap<i64, Vec<SourceColumn>>> {
    let mut columns: HashMap<i64, Vec<SourceColumn>> = HashMap::new();
    let Some((associations, item)) = associations(kind) else {
        return Ok(columns);
    };
    let of_run = source.ever(table(kind), "id, run__id");
    let found = source.rows(
        &format!(
            "SELECT CAST(a.{item} AS bigint) AS item, CAST(a.indexset__id AS bigint) AS indexset__id, a.column_name FROM {} a
             JOIN {of_run} i ON i.id = a.{item} WHERE i.run__id = {run} ORDER BY a.id",
            source.there(associations, span)
        ),
        &[
            ("item", ColumnType::BigInt),
            ("indexset__id", ColumnType::BigInt),
            ("column_name", ColumnType::Text),
        ],
        |row| Ok((row.id(0), row.id(1), row.text(2))),
    )?;
    for (item, indexset_id, name) in found {
        let indexset = indexsets.get(&indexset_id).cloned().unwrap_or_default();
        columns.entry(item).or_default().push(SourceColumn {
            name: name.unwrap_or_else(|| indexset.clone()),
            indexset,
            indexset_id,
        });
    }
    Ok(columns)
}

/// The ids of items, by kind, whose rows a span touched: the item itself, its columns, its elements or its data.
pub(super) fn touched(
    source: &mut Source,
    run: i64,
    span: Span,
) -> Result<BTreeMap<ItemKind, HashSet<i64>>> {
    let mut touched = BTreeMap::new();
    for kind in ItemKind::ALL {
        let table = table(kind);
        let mut queries = vec![format!(
            "SELECT CAST(v.id AS bigint) AS id FROM {} v WHERE v.run__id = {run}",
            versions(table, span)
        )];
        let of_run = source.ever(table, "id, run__id");
        let parts = match kind {
            ItemKind::IndexSet => Some(("opt_idx_data", "indexset__id")),
            kind => associations(kind),
        };
        if let Some((part, item)) = parts {
            queries.push(format!(
                "SELECT CAST(i.id AS bigint) AS id FROM {} v JOIN {of_run} i ON i.id = v.{item} WHERE i.run__id = {run}",
                versions(part, span)
            ));
        }
        let ids = source.rows(
            &queries.join(" UNION "),
            &[("id", ColumnType::BigInt)],
            |row| Ok(row.id(0)),
        )?;
        touched.insert(kind, ids.into_iter().collect());
    }
    Ok(touched)
}

fn versions(table: &str, span: Span) -> String {
    match span {
        Span::Present => format!("(SELECT * FROM \"{table}\")"),
        Span::Between { after, until } => format!(
            "(SELECT * FROM \"{table}_version\" WHERE transaction_id > {after} AND transaction_id <= {until})"
        ),
    }
}

/// An indexset's elements at the end of a span, with their ids there, in their order.
pub(super) fn elements(
    source: &mut Source,
    indexset: i64,
    span: Span,
) -> Result<Vec<(i64, String)>> {
    source.rows(
        &format!(
            "SELECT CAST(e.id AS bigint) AS id, e.value FROM {} e WHERE e.indexset__id = {indexset} ORDER BY e.id",
            source.there("opt_idx_data", span)
        ),
        &[("id", ColumnType::BigInt), ("value", ColumnType::Text)],
        |row| Ok((row.id(0), row.name(1))),
    )
}

/// The type of an indexset's elements that is known now or was known last: adding elements there comes a statement before
/// the type is set.
pub(super) fn type_ever(source: &mut Source, indexset: i64) -> Result<Option<ElementType>> {
    let column = source.type_column();
    let mut queries = vec![format!(
        "SELECT \"{column}\" AS word, 0 AS age FROM opt_idx WHERE id = {indexset}"
    )];
    if source.has_history {
        queries.push(format!(
            "SELECT \"{column}\" AS word, -transaction_id AS age FROM opt_idx_version WHERE id = {indexset}"
        ));
    }
    let words = source.rows(
        &format!(
            "SELECT word FROM ({}) w WHERE word IS NOT NULL ORDER BY CASE age WHEN 0 THEN 0 ELSE 1 END, age",
            queries.join(" UNION ALL ")
        ),
        &[("word", ColumnType::Text)],
        |row| Ok(row.name(0)),
    )?;
    Ok(words.iter().find_map(|word| ElementType::of_word(word)))
}

/// An item's data at the end of a span, as JSON.
pub(super) fn data(source: &mut Source, item: &SourceItem, span: Span) -> Result<Option<String>> {
    let found = source.rows(
        &format!(
            "SELECT CAST(i.data AS TEXT) AS data FROM {} i WHERE i.id = {}",
            source.there(table(item.kind), span),
            item.id
        ),
        &[("data", ColumnType::Text)],
        |row| Ok(row.text(0)),
    )?;
    Ok(found.into_iter().flatten().next())
}
