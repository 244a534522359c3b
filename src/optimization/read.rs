//! Items and elements, read now or as they were.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int16Array, Int32Array, Int64Array};
use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int16Type, Int64Type, Schema};
use diesel::prelude::*;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::filter::{Checked, Resolver, Scalar, What, Which};
use crate::history::rows::RowOperation;
use crate::history::write::Write;
use crate::history::{ChangeCounts, as_of, retained};
use crate::ids::{RunId, TransactionId};
use crate::names::{self, Kind, similar};
use crate::optimization::{Element, Item, ItemColumn, ItemKind, NUMBERS, data};
use crate::run::Run;
use crate::schema::tables::{
    indexset_elements, optimization_columns, optimization_items, optimization_items_version,
    optimization_rows,
};
use crate::schema::{TableDescription, VersionedTable};
use crate::store::rows::{Bind, schema_of, select};
use crate::store::{AnyConnection, Engine, column_list, doing, quote};

/// A batch of all columns of a table.
pub(super) fn rows_batch(table: &TableDescription, arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
    let fields: Vec<_> = schema_of(&table.columns)
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// One state of a run's items.
pub(super) struct Reader<'c> {
    engine: Engine,
    connection: &'c mut AnyConnection,
    run: RunId,
    label: String,
    at: Option<TransactionId>,
}

impl<'c> Reader<'c> {
    /// The state that a transaction which is under way sees.
    pub(super) fn live(engine: Engine, connection: &'c mut AnyConnection, run: &Run) -> Self {
        Self {
            engine,
            connection,
            run: run.id(),
            label: run.label(),
            at: None,
        }
    }

    pub(super) fn read<T>(
        run: &Run,
        at: Option<TransactionId>,
        mut work: impl FnMut(&mut Reader<'_>) -> Result<T>,
    ) -> Result<T> {
        let store = &run.core.store;
        store.read(|connection| {
            if let Some(at) = at {
                retained::check(connection, run.id(), at)?;
            }
            let mut reader = Reader::live(store.engine(), connection, run);
            reader.at = at;
            work(&mut reader)
        })
    }

    /// The run's rows of a table that have these values.
    pub(super) fn rows(
        &mut self,
        table: &TableDescription,
        with: &[(&str, Bind)],
        order: &str,
    ) -> Result<RecordBatch> {
        let mut binds = vec![Bind::BigInt(self.run.0)];
        let relation = match self.at {
            Some(at) => {
                binds.push(Bind::BigInt(at.0));
                as_of::relation(self.engine, table, "$1", "$2")
            }
            None => quote(&table.name),
        };
        let mut text = format!(
            "SELECT {} FROM {relation} d WHERE d.run_id = $1",
            column_list("d", table.columns.iter())
        );
        for (column, bind) in with {
            binds.push(bind.clone());
            text += &format!(" AND d.{} = ${}", quote(column), binds.len());
        }
        text += &format!(" ORDER BY {order}");
        select(self.connection, &text, &binds, &as_of::columns(table))
    }

    pub(super) fn find(&mut self, kind: ItemKind, name: &str) -> Result<Option<Item>> {
        let with = [("kind", kind.bind()), ("name", Bind::Text(name.to_owned()))];
        Ok(self.items_with(&with)?.pop())
    }

    pub(super) fn item(&mut self, kind: ItemKind, name: &str) -> Result<Item> {
        if let Some(item) = self.find(kind, name)? {
            return Ok(item);
        }
        let names: Vec<_> = self
            .items(kind)?
            .into_iter()
            .map(|item| item.name)
            .collect();
        let hint = match similar(name, &names) {
            Some(candidate) => format!("did you mean \"{candidate}\"?"),
            None if names.is_empty() => format!("{} has no {}", self.label, kind.words()),
            None => format!(
                "list them with run.optimization.{}.tabulate()",
                kind.words()
            ),
        };
        Err(Error::NotFound {
            kind: kind.word(),
            name: format!("\"{name}\""),
            hint,
        })
    }

    pub(super) fn items(&mut self, kind: ItemKind) -> Result<Vec<Item>> {
        self.items_with(&[("kind", kind.bind())])
    }

    fn items_with(&mut self, with: &[(&str, Bind)]) -> Result<Vec<Item>> {
        let rows = self.rows(
            &optimization_items::table::description(),
            with,
            "d.kind, d.number",
        )?;
        if rows.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let columns = self.columns(with)?;
        let (kinds, item_names) = (int16(&rows, 1), text(&rows, 2));
        let numbers = rows.column(3).as_primitive::<Int64Type>();
        let values = rows.column(4).as_primitive::<Float64Type>();
        let unit_ids = rows.column(5).as_primitive::<Int64Type>();
        let units = self.unit_names(unit_ids)?;
        let docs = text(&rows, 6);
        Ok((0..rows.num_rows())
            .filter_map(|row| {
                let kind = ItemKind::of(kinds.value(row))?;
                let name = item_names.value(row);
                let mut item = Item::new(kind, name).numbered(self.run, numbers.value(row));
                item.docs = docs.is_valid(row).then(|| docs.value(row).to_owned());
                item.value = values.is_valid(row).then(|| values.value(row));
                item.unit = unit_ids
                    .is_valid(row)
                    .then(|| units.get(&unit_ids.value(row)).cloned().unwrap_or_default());
                item.columns = columns
                    .iter()
                    .filter(|(of, item, _)| *of == kind && item == name)
                    .map(|(_, _, column)| column.clone())
                    .collect();
                Some(item)
            })
            .collect())
    }

    /// The items of a kind that pass.
    pub(super) fn items_that_pass(
        &mut self,
        kind: ItemKind,
        checked: &Checked,
    ) -> Result<Vec<Item>> {
        let mut items = self.items(kind)?;
        let mut units = None;
        for condition in &checked.conditions {
            if let What::Named(Kind::Unit, names) = &condition.what {
                let connection = &mut *self.connection;
                let passing = Resolver { connection }.names(Kind::Unit, names, Which::Ever)?;
                units = Some(
                    passing
                        .into_iter()
                        .map(|unit| unit.name)
                        .collect::<HashSet<_>>(),
                );
            }
        }
        items.retain(|item| {
            units
                .as_ref()
                .is_none_or(|units| item.unit.as_ref().is_some_and(|unit| units.contains(unit)))
                && checked
                    .conditions
                    .iter()
                    .all(|condition| match &condition.what {
                        What::Is(test) if condition.name == "indexset" => item
                            .columns
                            .iter()
                            .any(|column| test.passes_text(&column.indexset)),
                        What::Is(test) => test.passes(
                            match condition.name.as_str() {
                                "id" => Some(Scalar::Int(item.id)),
                                "name" => Some(Scalar::Text(item.name.clone())),
                                "docs" => item.docs.clone().map(Scalar::Text),
                                _ => item.value.map(Scalar::Float),
                            }
                            .as_ref(),
                        ),
                        _ => true,
                    })
        });
        Ok(items)
    }

    /// The number of an item that is to be made: the one that it had before it was deleted, or the next.
    pub(super) fn number_for(&mut self, kind: ItemKind, name: &str) -> Result<i64> {
        let of_kind = optimization_items_version::table
            .filter(optimization_items_version::run_id.eq(self.run.0))
            .filter(optimization_items_version::kind.eq(kind as i16))
            .select(diesel::dsl::max(optimization_items_version::number));
        let before: Option<i64> = of_kind
            .filter(optimization_items_version::name.eq(name))
            .get_result(self.connection)
            .map_err(doing("looking for an item's number"))?;
        if let Some(number) = before {
            return Ok(number);
        }
        let last: Option<i64> = of_kind
            .get_result(self.connection)
            .map_err(doing("counting items"))?;
        let next = last.unwrap_or(0) + 1;
        if next >= NUMBERS {
            return Err(Error::InvalidItem {
                kind: kind.word(),
                name: String::new(),
                problem: format!(
                    "a run can have {} {} at most, deleted ones included",
                    NUMBERS - 1,
                    kind.words()
                ),
            });
        }
        Ok(next)
    }

    /// The columns of items, each with whose it is, in their order.
    fn columns(
        &mut self,
        of_items: &[(&str, Bind)],
    ) -> Result<Vec<(ItemKind, String, ItemColumn)>> {
        let with: Vec<_> = of_items
            .iter()
            .map(|(column, bind)| {
                let column = if *column == "name" { "item" } else { column };
                (column, bind.clone())
            })
            .collect();
        let rows = self.rows(
            &optimization_columns::table::description(),
            &with,
            "d.kind, d.item, d.position",
        )?;
        let (kinds, items) = (int16(&rows, 1), text(&rows, 2));
        let (names, indexsets) = (text(&rows, 4), text(&rows, 5));
        Ok((0..rows.num_rows())
            .filter_map(|row| {
                let column = ItemColumn {
                    name: names.value(row).to_owned(),
                    indexset: indexsets.value(row).to_owned(),
                };
                Some((
                    ItemKind::of(kinds.value(row))?,
                    items.value(row).to_owned(),
                    column,
                ))
            })
            .collect())
    }

    /// The items that have a column of an indexset.
    pub(super) fn users(&mut self, indexset: &str) -> Result<Vec<Item>> {
        let mut users = Vec::new();
        for kind in ItemKind::ALL.into_iter().filter(|kind| kind.has_data()) {
            users.extend(
                self.items(kind)?
                    .into_iter()
                    .filter(|item| item.columns.iter().any(|c| c.indexset == indexset)),
            );
        }
        Ok(users)
    }

    /// The elements of an indexset with their positions, in order.
    pub(super) fn positions(&mut self, indexset: &str) -> Result<Vec<(Element, i64)>> {
        let rows = self.rows(
            &indexset_elements::table::description(),
            &[("indexset", Bind::Text(indexset.to_owned()))],
            "d.position",
        )?;
        let elements = text(&rows, 2);
        let positions = rows.column(3).as_primitive::<Int64Type>();
        (0..rows.num_rows())
            .map(|row| Ok((Element::of_json(elements.value(row))?, positions.value(row))))
            .collect()
    }

    pub(super) fn elements(&mut self, indexset: &str) -> Result<Vec<Element>> {
        Ok(self
            .positions(indexset)?
            .into_iter()
            .map(|(element, _)| element)
            .collect())
    }

    /// The rows of an item's data, as they are stored.
    pub(super) fn data(&mut self, item: &Item) -> Result<RecordBatch> {
        let with = [
            ("kind", item.kind.bind()),
            ("item", Bind::Text(item.name.clone())),
        ];
        self.rows(
            &optimization_rows::table::description(),
            &with,
            "d.elements",
        )
    }

    pub(super) fn has_rows(&mut self, kind: ItemKind) -> Result<bool> {
        let table = optimization_rows::table::description();
        let rows = self.rows(&table, &[("kind", kind.bind())], "1 LIMIT 1")?;
        Ok(rows.num_rows() > 0)
    }

    pub(super) fn unit_ids(&mut self) -> Result<HashMap<String, i64>> {
        names::ids_by_name(self.connection, Kind::Unit)
    }

    /// The names of a column of ids.
    pub(super) fn unit_names(&mut self, ids: &Int64Array) -> Result<HashMap<i64, String>> {
        let ids: BTreeSet<i64> = ids.iter().flatten().collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let [names] = names::of_ids(self.connection, [(Kind::Unit, &ids)])?;
        Ok(names)
    }
}

pub(super) fn text(rows: &RecordBatch, column: usize) -> &StringArray {
    rows.column(column).as_string::<i32>()
}

fn int16(rows: &RecordBatch, column: usize) -> &Int16Array {
    rows.column(column).as_primitive::<Int16Type>()
}

pub(super) fn put_item(
    write: &mut Write<'_>,
    run: RunId,
    item: &Item,
    unit: Option<i64>,
) -> Result<ChangeCounts> {
    let table = optimization_items::table::description();
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![run.0])),
        Arc::new(Int16Array::from(vec![item.kind as i16])),
        Arc::new(StringArray::from(vec![item.name.as_str()])),
        Arc::new(Int64Array::from(vec![item.number])),
        Arc::new(Float64Array::from(vec![item.value])),
        Arc::new(Int64Array::from(vec![unit])),
        Arc::new(StringArray::from(vec![item.docs.as_deref()])),
    ];
    let batch = rows_batch(&table, arrays)?;
    data::write_batch(write, &table, &batch, RowOperation::Add)
}

pub(super) fn put_columns(write: &mut Write<'_>, run: RunId, item: &Item) -> Result<ChangeCounts> {
    let count = item.columns.len();
    if count == 0 {
        return Ok(ChangeCounts::default());
    }
    let table = optimization_columns::table::description();
    let texts = |text: &dyn Fn(&ItemColumn) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(item.columns.iter().map(text)))
    };
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![run.0; count])),
        Arc::new(Int16Array::from(vec![item.kind as i16; count])),
        Arc::new(StringArray::from(vec![item.name.as_str(); count])),
        Arc::new(Int32Array::from_iter_values(0..count as i32)),
        texts(&|column| column.name.clone()),
        texts(&|column| column.indexset.clone()),
    ];
    let batch = rows_batch(&table, arrays)?;
    data::write_batch(write, &table, &batch, RowOperation::Add)
}
