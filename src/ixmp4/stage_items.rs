//! Optimization items of a run with their data: what a span did to them.
//!
//! Items and columns are few: all of them are compared with what is here. Elements and data are read of the items that
//! the span touched, and compared item by item.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray,
    UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int16Type;
use arrow::row::{RowConverter, SortField};

use super::data::{self, Data};
use super::items::{self, ElementType, SourceItem};
use super::source::{Source, Span};
use super::staged::{Staged, batch};
use super::target::Target;
use crate::error::{Error, Result};
use crate::ids::RunId;
use crate::names::Kind;
use crate::optimization::ItemKind;
use crate::schema::tables::{
    indexset_elements, optimization_columns, optimization_items, optimization_rows,
};
use crate::schema::{TableDescription, VersionedTable};
use crate::store::rows::Bind;

/// The state of a run's items at the end of a span.
pub(super) struct State {
    /// In the order of kinds and names, which is that of the tables' keys.
    pub(super) items: Vec<SourceItem>,
    types: HashMap<i64, ElementType>,
    /// Indexsets whose elements' type is a guess.
    pub(super) guessed: Vec<String>,
}

impl State {
    pub(super) fn read(source: &mut Source, run: i64, span: Span) -> Result<Self> {
        let mut items = items::there(source, run, span)?;
        items.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        let mut types = HashMap::new();
        let mut guessed = Vec::new();
        for indexset in items.iter().filter(|item| item.kind == ItemKind::IndexSet) {
            let known = match indexset.element_type {
                None => items::type_ever(source, indexset.id)?,
                known => known,
            };
            if let Some(of) = known {
                types.insert(indexset.id, of);
            } else if let Some(of) = guess(source, &items, indexset, span)? {
                types.insert(indexset.id, of);
                guessed.push(indexset.name.clone());
            }
        }
        Ok(Self {
            items,
            types,
            guessed,
        })
    }

    /// The elements of an indexset with their ids there; what is wrong with them is said in words.
    pub(super) fn elements(
        &self,
        source: &mut Source,
        indexset: &SourceItem,
        span: Span,
    ) -> Result<Result<Vec<(i64, String)>, String>> {
        let elements = items::elements(source, indexset.id, span)?;
        let of = self.types.get(&indexset.id).copied();
        let mut seen = HashSet::new();
        let mut encoded = Vec::with_capacity(elements.len());
        for (id, text) in elements {
            let element = of.and_then(|of| data::element(&text, of));
            let Some(element) = element.filter(|_| !text.contains('\0')) else {
                return Ok(Err(format!(
                    "it has the element {text:?}, which is none of its type"
                )));
            };
            let json = element.json();
            if !seen.insert(json.clone()) {
                return Ok(Err(format!("it has the element {json} more than once")));
            }
            encoded.push((id, json));
        }
        Ok(Ok(encoded))
    }

    /// The data of an item; what is wrong with them is said in words.
    pub(super) fn data(
        &self,
        source: &mut Source,
        item: &SourceItem,
        span: Span,
    ) -> Result<Result<Data, String>> {
        let types: Vec<_> = item
            .columns
            .iter()
            .map(|column| self.types.get(&column.indexset_id).copied())
            .collect();
        Ok(match items::data(source, item, span)? {
            Some(json) => data::parse(item, &json, &types),
            None => Ok(Data::default()),
        })
    }
}

/// An upgrade of ixmp4 0.14 to 0.15 loses the types of elements. What the data of items say, or else the form of all
/// elements, brings it back. `None`: there are no elements.
fn guess(
    source: &mut Source,
    all: &[SourceItem],
    indexset: &SourceItem,
    span: Span,
) -> Result<Option<ElementType>> {
    let elements = items::elements(source, indexset.id, span)?;
    if elements.is_empty() {
        return Ok(None);
    }
    for item in all {
        let columns = item.columns.iter();
        for column in columns.filter(|column| column.indexset_id == indexset.id) {
            let json = items::data(source, item, span)?;
            if let Some(of) = json.and_then(|json| data::type_in(&json, &column.name)) {
                return Ok(Some(of));
            }
        }
    }
    let all_are = |of| {
        elements
            .iter()
            .all(|(_, text)| data::element(text, of).is_some())
    };
    Ok(Some(
        [ElementType::Int, ElementType::Float]
            .into_iter()
            .find(|of| all_are(*of))
            .unwrap_or(ElementType::Text),
    ))
}

/// Reads what a span did to the items of a run.
pub(super) fn stage(
    source: &mut Source,
    target: &Target<'_>,
    run: i64,
    span: Span,
    staged: &mut Staged,
) -> Result<()> {
    let touched = items::touched(source, run, span)?;
    if touched.values().all(HashSet::is_empty) && span != Span::Present {
        return Ok(());
    }
    let state = State::read(source, run, span)?;
    let here = items_here(target)?;
    let mut sync = Sync {
        target,
        staged,
        is_empty: here.is_empty(),
    };
    let items = optimization_items::table::description();
    sync.table(&items, &items_batch(&items, &state.items, target)?, &[])?;
    let columns = optimization_columns::table::description();
    let rows = columns_batch(&columns, &state.items, target.run)?;
    sync.table(&columns, &rows, &[])?;
    // In the order of the keys, those that are gone among the others.
    let mut all: BTreeMap<(ItemKind, &str), Option<&SourceItem>> = here
        .iter()
        .map(|(kind, name)| ((*kind, name.as_str()), None))
        .collect();
    for item in &state.items {
        let key = (item.kind, item.name.as_str());
        if touched
            .get(&item.kind)
            .is_some_and(|ids| ids.contains(&item.id))
        {
            all.insert(key, Some(item));
        } else {
            all.remove(&key);
        }
    }
    let url = source.db.url();
    let refuse = |(kind, name): (ItemKind, &str), problem: String| Error::Ixmp4Unfit {
        url: url.clone(),
        problems: vec![format!("{} \"{name}\": {problem}", kind.word())],
    };
    let elements = indexset_elements::table::description();
    let data = optimization_rows::table::description();
    for (key, item) in all {
        let (kind, name) = key;
        match kind {
            ItemKind::IndexSet => {
                let found = match item {
                    Some(item) => state
                        .elements(source, item, span)?
                        .map_err(|problem| refuse(key, problem))?,
                    None => Vec::new(),
                };
                let rows = elements_batch(&elements, name, found, target.run)?;
                let scope = [("indexset", Bind::Text(name.to_owned()))];
                sync.table(&elements, &rows, &scope)?;
            }
            ItemKind::Scalar => {}
            ItemKind::Table | ItemKind::Parameter | ItemKind::Variable | ItemKind::Equation => {
                let rows = match item {
                    Some(item) => state
                        .data(source, item, span)?
                        .map_err(|problem| refuse(key, problem))?
                        .rows(item, target.run, &target.ids.units_by_name)?,
                    None => batch(&data, 0, Vec::new())?,
                };
                let scope = [
                    ("kind", Bind::BigInt(kind as i64)),
                    ("item", Bind::Text(name.to_owned())),
                ];
                sync.table(&data, &rows, &scope)?;
            }
        }
    }
    Ok(())
}

/// The items that the run has here.
fn items_here(target: &Target<'_>) -> Result<BTreeSet<(ItemKind, String)>> {
    let keys = target.keys(&optimization_items::table::description(), &[])?;
    // The key: run, kind, name.
    let kinds = keys.column(1).as_primitive::<Int16Type>();
    let names = keys.column(2).as_string::<i32>();
    Ok((0..keys.num_rows())
        .filter_map(|row| {
            let kind = ItemKind::of(kinds.value(row))?;
            Some((kind, names.value(row).to_owned()))
        })
        .collect())
}

/// Makes what is here what is there.
struct Sync<'a> {
    target: &'a Target<'a>,
    staged: &'a mut Staged,
    /// Whether the run has no items here yet.
    is_empty: bool,
}

impl Sync<'_> {
    /// All rows of a table, or those that have the values of `scope`, are to be these, which are in the order of the key.
    fn table(
        &mut self,
        table: &TableDescription,
        rows: &RecordBatch,
        scope: &[(&str, Bind)],
    ) -> Result<()> {
        if !self.is_empty {
            let here = self.target.keys(table, scope)?;
            let gone = without(table, &here, rows)?;
            if gone.num_rows() > 0 {
                let columns = table
                    .key
                    .iter()
                    .filter_map(|key| Some((key.as_str(), gone.column_by_name(key)?.clone())));
                let gone = batch(table, gone.num_rows(), columns.collect())?;
                self.staged.table(table.clone()).removed.push(gone)?;
            }
        }
        if rows.num_rows() > 0 {
            self.staged.table(table.clone()).added.push(rows.clone())?;
        }
        Ok(())
    }
}

/// The rows whose keys are not among those of others; both are in the order of the key.
fn without(
    table: &TableDescription,
    rows: &RecordBatch,
    others: &RecordBatch,
) -> Result<RecordBatch> {
    let keys = |rows: &RecordBatch| -> Vec<ArrayRef> {
        table
            .key
            .iter()
            .filter_map(|key| rows.column_by_name(key).cloned())
            .collect()
    };
    let (own, others) = (keys(rows), keys(others));
    let fields = own
        .iter()
        .map(|key| SortField::new(key.data_type().clone()));
    let converter = RowConverter::new(fields.collect())?;
    let (own, others) = (
        converter.convert_columns(&own)?,
        converter.convert_columns(&others)?,
    );
    let mut others = others.iter().peekable();
    let left = own.iter().enumerate().filter(|(_, key)| {
        while others.next_if(|other| other < key).is_some() {}
        others.peek() != Some(key)
    });
    let left = UInt32Array::from_iter_values(left.map(|(row, _)| row as u32));
    Ok(take_record_batch(rows, &left)?)
}

fn items_batch(
    table: &TableDescription,
    items: &[SourceItem],
    target: &Target<'_>,
) -> Result<RecordBatch> {
    let units = items
        .iter()
        .map(|item| match item.unit {
            Some(unit) => target.ids.of(Kind::Unit, unit).map(Some),
            None => Ok(None),
        })
        .collect::<Result<Int64Array>>()?;
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "run_id",
            Arc::new(Int64Array::from(vec![target.run.0; items.len()])),
        ),
        (
            "kind",
            Arc::new(Int16Array::from_iter_values(
                items.iter().map(|item| item.kind as i16),
            )),
        ),
        (
            "name",
            Arc::new(StringArray::from_iter_values(
                items.iter().map(|item| &item.name),
            )),
        ),
        (
            "number",
            Arc::new(Int64Array::from_iter_values(
                items.iter().map(|item| item.number),
            )),
        ),
        (
            "docs",
            Arc::new(
                items
                    .iter()
                    .map(|item| item.docs.as_deref())
                    .collect::<StringArray>(),
            ),
        ),
        (
            "value",
            Arc::new(
                items
                    .iter()
                    .map(|item| item.value)
                    .collect::<Float64Array>(),
            ),
        ),
        ("unit_id", Arc::new(units)),
    ];
    batch(table, items.len(), columns)
}

fn columns_batch(
    table: &TableDescription,
    items: &[SourceItem],
    run: RunId,
) -> Result<RecordBatch> {
    let all: Vec<_> = items
        .iter()
        .flat_map(|item| {
            let columns = (0..).zip(&item.columns);
            columns.map(move |(position, column)| (item, position, column))
        })
        .collect();
    let texts = |of: fn(&(&SourceItem, i32, &super::items::SourceColumn)) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(all.iter().map(of)))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("run_id", Arc::new(Int64Array::from(vec![run.0; all.len()]))),
        (
            "kind",
            Arc::new(Int16Array::from_iter_values(
                all.iter().map(|(item, ..)| item.kind as i16),
            )),
        ),
        ("item", texts(|(item, ..)| item.name.clone())),
        (
            "position",
            Arc::new(Int32Array::from_iter_values(
                all.iter().map(|(_, position, _)| *position),
            )),
        ),
        ("name", texts(|(.., column)| column.name.clone())),
        ("indexset", texts(|(.., column)| column.indexset.clone())),
    ];
    batch(table, all.len(), columns)
}

fn elements_batch(
    table: &TableDescription,
    indexset: &str,
    mut elements: Vec<(i64, String)>,
    run: RunId,
) -> Result<RecordBatch> {
    elements.sort_by(|(_, a), (_, b)| a.cmp(b));
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "run_id",
            Arc::new(Int64Array::from(vec![run.0; elements.len()])),
        ),
        (
            "indexset",
            Arc::new(StringArray::from(vec![indexset; elements.len()])),
        ),
        (
            "element",
            Arc::new(StringArray::from_iter_values(
                elements.iter().map(|(_, json)| json),
            )),
        ),
        // Ids grow as positions do, and stay when others go.
        (
            "position",
            Arc::new(Int64Array::from_iter_values(
                elements.iter().map(|(id, _)| *id),
            )),
        ),
    ];
    batch(table, elements.len(), columns)
}
