//! The data of tables, parameters, variables and equations: by column at the border, one row per combination of
//! elements in the database.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Float64Array, Int16Array, Int32Array, Int64Array,
    RecordBatch, StringArray, new_null_array,
};
use arrow::compute::{cast, take, take_record_batch};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::history::ChangeCounts;
use crate::history::rows::{Incoming, Parts, RowOperation};
use crate::history::write::Write;
use crate::iamc::columns::{as_type, coded_array, is_text};
use crate::input::{check_values, row_list};
use crate::optimization::elements::{json_float, json_text, some_of};
use crate::optimization::read::{Reader, rows_batch, text};
use crate::optimization::{Element, Item, ItemKind, Optimization};
use crate::schema::tables::optimization_rows;
use crate::schema::{ColumnType, TableDescription, VersionedTable};

/// `rows`: no key twice; best in the order of the key.
pub(super) fn write_batch(
    write: &mut Write<'_>,
    table: &TableDescription,
    rows: &RecordBatch,
    operation: RowOperation,
) -> Result<ChangeCounts> {
    if rows.num_rows() == 0 {
        return Ok(ChangeCounts::default());
    }
    let mut incoming = Incoming::begin(write, table, operation, Parts::One, rows.num_rows())?;
    incoming.load(write, rows, &mut |_| Ok(()))?;
    incoming.write(write)
}

impl Optimization<'_> {
    /// Inserts rows that are new and updates those that differ, by their elements. Columns: those of the item, and
    /// `value` and `unit` (parameters) or `levels` and `marginals` (variables, equations).
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::RunLockRequired`]; [`Error::InvalidFrame`] for missing or unknown columns,
    /// missing values, NaN, elements that are twice or not in their indexset, units that do not exist, each naming
    /// them; nothing was written.
    pub fn add_data(&self, kind: ItemKind, name: &str, rows: &RecordBatch) -> Result<ChangeCounts> {
        self.change(kind, name, rows, RowOperation::Add)
    }

    /// Removes the rows with these elements, those that are there; other columns than the item's own are not looked
    /// at.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::RunLockRequired`], [`Error::InvalidFrame`] for missing columns or values.
    pub fn remove_data(
        &self,
        kind: ItemKind,
        name: &str,
        rows: &RecordBatch,
    ) -> Result<ChangeCounts> {
        self.change(kind, name, rows, RowOperation::Remove)
    }

    /// Removes all rows of an item.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::RunLockRequired`].
    pub fn remove_all_data(&self, kind: ItemKind, name: &str) -> Result<ChangeCounts> {
        let table = optimization_rows::table::description();
        self.write(&format!("{}.remove", kind.words()), |write| {
            let item = self.live(write).item(kind, name)?;
            let of_item = [
                ("kind", kind.bind()),
                ("item", crate::store::rows::Bind::Text(item.name)),
            ];
            self.delete_rows(write, &table, &of_item)
        })
    }

    fn change(
        &self,
        kind: ItemKind,
        name: &str,
        rows: &RecordBatch,
        operation: RowOperation,
    ) -> Result<ChangeCounts> {
        let table = optimization_rows::table::description();
        let verb = match operation {
            RowOperation::Add => "add",
            RowOperation::Remove => "remove",
        };
        self.write(&format!("{}.{verb}", kind.words()), |write| {
            let mut reader = self.live(write);
            let item = reader.item(kind, name)?;
            let incoming = Encoder {
                item: &item,
                rows,
                operation,
            };
            let encoded = incoming.encode(self.access.run().id().0, &mut reader)?;
            write_batch(write, &table, &encoded, operation)
        })
    }

    /// Removes the rows of an item that have one of the elements (as JSON) in a column of the indexset.
    pub(super) fn remove_dependent(
        &self,
        write: &mut Write<'_>,
        item: &Item,
        indexset: &str,
        elements: &HashSet<String>,
    ) -> Result<ChangeCounts> {
        let rows = self.live(write).data(item)?;
        let keys = text(&rows, 3);
        let mut dependent = Vec::new();
        for row in 0..rows.num_rows() {
            let parts = split(keys.value(row))?;
            let depends =
                item.columns.iter().zip(&parts).any(|(column, part)| {
                    column.indexset == indexset && elements.contains(part.get())
                });
            if depends {
                dependent.push(row as i64);
            }
        }
        let dependent = take_record_batch(&rows, &Int64Array::from(dependent))?;
        let table = optimization_rows::table::description();
        write_batch(write, &table, &dependent, RowOperation::Remove)
    }

    /// The rows of an item in the order of its indexsets' elements: its columns (text as dictionaries, int64 or
    /// float64), then `value` (float64) and `unit` (text), or `levels` and `marginals` (float64).
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn data(&self, kind: ItemKind, name: &str) -> Result<RecordBatch> {
        self.read(|reader| {
            let item = reader.item(kind, name)?;
            decode(&item, reader)
        })
    }
}

fn split(elements: &str) -> Result<Vec<&RawValue>> {
    serde_json::from_str(elements).map_err(|_| {
        Error::frame(format!(
            "a row has the elements {elements}, which are not a JSON array"
        ))
    })
}

/// Rows on their way in.
struct Encoder<'a> {
    item: &'a Item,
    rows: &'a RecordBatch,
    operation: RowOperation,
}

impl Encoder<'_> {
    fn refuse<T>(&self, problem: impl std::fmt::Display) -> Result<T> {
        let item = self.item;
        Err(Error::frame(format!(
            "{} \"{}\": {problem}",
            item.kind.word(),
            item.name
        )))
    }

    fn encode(&self, run: i64, reader: &mut Reader<'_>) -> Result<RecordBatch> {
        self.check_columns()?;
        let count = self.rows.num_rows();
        let mut parts = Vec::new();
        for column in &self.item.columns {
            let elements = reader.elements(&column.indexset)?;
            parts.push(self.parts(&column.name, &column.indexset, &elements)?);
        }
        if parts.is_empty() && count > 1 {
            return self.refuse(format!(
                "it has no columns, so one row at most; {count} came"
            ));
        }
        let keys = StringArray::from_iter_values((0..count).map(|row| {
            let mut key = String::from("[");
            for (position, (values, codes)) in parts.iter().enumerate() {
                if position > 0 {
                    key.push(',');
                }
                key.push_str(&values[codes[row] as usize]);
            }
            key.push(']');
            key
        }));
        let names = vec![self.item.name.as_str(); count];
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![run; count])),
            Arc::new(Int16Array::from(vec![self.item.kind as i16; count])),
            Arc::new(StringArray::from(names)),
            Arc::new(keys),
            self.numbers("value")?,
            self.units(reader)?,
            self.numbers("levels")?,
            self.numbers("marginals")?,
        ];
        let batch = rows_batch(&optimization_rows::table::description(), arrays)?;
        self.sorted(batch)
    }

    fn check_columns(&self) -> Result<()> {
        let own: Vec<_> = self.item.columns.iter().map(|c| c.name.as_str()).collect();
        let values: &[&str] = match self.operation {
            RowOperation::Add => self.item.kind.value_columns(),
            RowOperation::Remove => &[],
        };
        let known = || own.iter().chain(values);
        let quoted = |names: Vec<&str>| {
            let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
            names.join(", ")
        };
        let missing: Vec<_> = known()
            .copied()
            .filter(|name| self.rows.column_by_name(name).is_none())
            .collect();
        let schema = self.rows.schema();
        let unknown: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .filter(|name| self.operation == RowOperation::Add && !known().any(|k| k == name))
            .collect();
        if missing.is_empty() && unknown.is_empty() {
            return Ok(());
        }
        let mut problems = Vec::new();
        if !missing.is_empty() {
            problems.push(format!("missing columns {}", quoted(missing)));
        }
        if !unknown.is_empty() {
            problems.push(format!("unknown columns {}", quoted(unknown)));
        }
        let columns = quoted(known().copied().collect());
        self.refuse(format!(
            "{}; its columns are {}",
            problems.join(", "),
            if columns.is_empty() {
                "none".into()
            } else {
                columns
            }
        ))
    }

    /// The distinct elements of a column as JSON, and which of them each row has.
    fn parts(
        &self,
        name: &str,
        indexset: &str,
        elements: &[Element],
    ) -> Result<(Vec<String>, Vec<u32>)> {
        let Some(array) = self.rows.column_by_name(name) else {
            return self.refuse(format!("missing columns \"{name}\""));
        };
        check_values(name, ColumnType::BigInt, array, true)?;
        let array = match array.data_type() {
            DataType::Dictionary(_, held) if !is_text(held) => &as_type(name, array, held)?,
            _ => array,
        };
        let (values, codes) = match (elements.first(), array.data_type()) {
            (Some(Element::Text(_)) | None, data_type) if is_text(data_type) => {
                let coded = coded_array(name, array)?;
                let values = coded.names.iter().map(|name| json_text(name)).collect();
                (values, coded.codes)
            }
            (Some(Element::Int(_)) | None, data_type) if data_type.is_integer() => {
                let numbers = as_type(name, array, &DataType::Int64)?;
                let numbers = numbers.as_primitive::<Int64Type>().values();
                by_value(numbers.iter().copied(), |number| number.to_string())
            }
            (Some(Element::Float(_)) | None, data_type) if data_type.is_numeric() => {
                let numbers = as_type(name, array, &DataType::Float64)?;
                check_values(name, ColumnType::Double, &numbers, true)?;
                let numbers = numbers.as_primitive::<Float64Type>().values();
                by_value(
                    numbers.iter().map(|number| (number + 0.0).to_bits()),
                    |bits| json_float(f64::from_bits(bits)),
                )
            }
            _ if array.is_empty() => (Vec::new(), Vec::new()),
            (Some(element), data_type) => {
                return self.refuse(format!(
                    "column \"{name}\" holds {data_type}, but the elements of indexset \"{indexset}\" are {}",
                    element.type_word()
                ));
            }
            (None, data_type) => {
                return self.refuse(format!("column \"{name}\" holds {data_type}"));
            }
        };
        if self.operation == RowOperation::Add {
            let known: HashSet<_> = elements.iter().map(Element::json).collect();
            let unknown: Vec<_> = values
                .iter()
                .filter(|value| !known.contains(*value))
                .cloned()
                .collect();
            if !unknown.is_empty() {
                return self.refuse(format!(
                    "column \"{name}\" has elements that indexset \"{indexset}\" has not: {}; add them to it first",
                    some_of(&unknown)
                ));
            }
        }
        Ok((values, codes))
    }

    fn numbers(&self, name: &str) -> Result<ArrayRef> {
        let wanted =
            self.operation == RowOperation::Add && self.item.kind.value_columns().contains(&name);
        match self.rows.column_by_name(name).filter(|_| wanted) {
            None => Ok(new_null_array(&DataType::Float64, self.rows.num_rows())),
            Some(array) => {
                if is_text(array.data_type()) {
                    return self.refuse(format!("column \"{name}\" must hold numbers, not text"));
                }
                let numbers = as_type(name, array, &DataType::Float64)?;
                check_values(name, ColumnType::Double, &numbers, true)?;
                Ok(numbers)
            }
        }
    }

    fn units(&self, reader: &mut Reader<'_>) -> Result<ArrayRef> {
        let wanted = self.operation == RowOperation::Add && self.item.kind == ItemKind::Parameter;
        let Some(array) = self.rows.column_by_name("unit").filter(|_| wanted) else {
            return Ok(new_null_array(&DataType::Int64, self.rows.num_rows()));
        };
        let coded = coded_array("unit", array)?;
        let known = reader.unit_ids()?;
        let unknown: Vec<_> = coded
            .names
            .iter()
            .filter(|name| !known.contains_key(*name))
            .map(|name| format!("\"{name}\""))
            .collect();
        if !unknown.is_empty() {
            return Err(Error::UnknownNames {
                missing: format!(
                    "units {}; make them with platform.units.create()",
                    some_of(&unknown)
                ),
            });
        }
        let ids: Vec<_> = coded.names.iter().map(|name| known[name]).collect();
        Ok(Arc::new(Int64Array::from_iter_values(
            coded.codes.iter().map(|code| ids[*code as usize]),
        )))
    }

    /// In the order of the key; elements that are there twice are refused.
    fn sorted(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let keys = text(&batch, 3);
        let mut order: Vec<u32> = (0..keys.len() as u32).collect();
        let key = |row: &u32| keys.value(*row as usize);
        if !order.is_sorted_by_key(key) {
            order.sort_by(|a, b| key(a).cmp(key(b)));
        }
        let twice: Vec<_> = order
            .windows(2)
            .filter(|pair| key(&pair[0]) == key(&pair[1]))
            .map(|pair| pair[1] as usize)
            .collect();
        if let Some(first) = twice.first() {
            return self.refuse(format!(
                "the same elements more than once: {}, in {}",
                keys.value(*first),
                row_list(&twice)
            ));
        }
        let order = Int64Array::from_iter_values(order.into_iter().map(i64::from));
        Ok(take_record_batch(&batch, &order)?)
    }
}

fn by_value<T: Copy + Eq + std::hash::Hash>(
    values: impl Iterator<Item = T>,
    json: impl Fn(T) -> String,
) -> (Vec<String>, Vec<u32>) {
    let mut distinct = Vec::new();
    let mut codes_by_value = HashMap::new();
    let codes = values
        .map(|value| {
            *codes_by_value.entry(value).or_insert_with(|| {
                distinct.push(json(value));
                distinct.len() as u32 - 1
            })
        })
        .collect();
    (distinct, codes)
}

/// One column on its way out.
struct Column {
    /// The elements of its indexset, then those that rows have beside them.
    elements: Vec<Element>,
    codes_by_json: HashMap<String, i32>,
    codes: Vec<i32>,
}

impl Column {
    fn new(elements: Vec<Element>, rows: usize) -> Self {
        let codes_by_json = elements
            .iter()
            .enumerate()
            .map(|(code, element)| (element.json(), code as i32))
            .collect();
        Self {
            elements,
            codes_by_json,
            codes: Vec::with_capacity(rows),
        }
    }

    fn push(&mut self, json: &str) -> Result<()> {
        let code = match self.codes_by_json.get(json) {
            Some(code) => *code,
            None => {
                let code = self.elements.len() as i32;
                self.elements.push(Element::of_json(json)?);
                self.codes_by_json.insert(json.to_owned(), code);
                code
            }
        };
        self.codes.push(code);
        Ok(())
    }

    fn into_array(self) -> Result<ArrayRef> {
        let codes = Int32Array::from(self.codes);
        let values: ArrayRef = match self.elements.first() {
            Some(Element::Int(_)) => Arc::new(Int64Array::from_iter_values(
                self.elements.iter().map(|element| match element {
                    Element::Int(number) => *number,
                    _ => 0,
                }),
            )),
            Some(Element::Float(_)) => Arc::new(Float64Array::from_iter_values(
                self.elements.iter().map(|element| match element {
                    Element::Float(number) => *number,
                    _ => 0.0,
                }),
            )),
            _ => {
                let texts = self.elements.iter().map(|element| match element {
                    Element::Text(text) => text.as_str(),
                    _ => "",
                });
                let texts = StringArray::from_iter_values(texts);
                return Ok(Arc::new(DictionaryArray::try_new(codes, Arc::new(texts))?));
            }
        };
        Ok(take(&values, &codes, None)?)
    }
}

fn decode(item: &Item, reader: &mut Reader<'_>) -> Result<RecordBatch> {
    let rows = reader.data(item)?;
    let mut columns = Vec::new();
    for column in &item.columns {
        columns.push(Column::new(
            reader.elements(&column.indexset)?,
            rows.num_rows(),
        ));
    }
    let keys = text(&rows, 3);
    for row in 0..rows.num_rows() {
        for (column, part) in columns.iter_mut().zip(split(keys.value(row))?) {
            column.push(part.get())?;
        }
    }
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by(|a, b| {
        let code = |column: &Column, row: u32| column.codes[row as usize];
        columns
            .iter()
            .map(|column| code(column, *a).cmp(&code(column, *b)))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let mut push = |name: &str, array: ArrayRef| {
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    };
    for (column, described) in columns.into_iter().zip(&item.columns) {
        push(&described.name, column.into_array()?);
    }
    for name in item.kind.value_columns() {
        let stored = match *name {
            "levels" => "level",
            "marginals" => "marginal",
            name => name,
        };
        let array = match stored {
            "unit" => unit_names(&rows, reader)?,
            stored => rows
                .column_by_name(stored)
                .cloned()
                .unwrap_or_else(|| new_null_array(&DataType::Float64, rows.num_rows())),
        };
        push(name, array);
    }
    if fields.is_empty() {
        return Ok(RecordBatch::new_empty(Arc::new(Schema::empty())));
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    let order = Int64Array::from_iter_values(order.into_iter().map(i64::from));
    Ok(take_record_batch(&batch, &order)?)
}

fn unit_names(rows: &RecordBatch, reader: &mut Reader<'_>) -> Result<ArrayRef> {
    let ids = rows.column_by_name("unit_id").cloned();
    let ids = ids.unwrap_or_else(|| new_null_array(&DataType::Int64, rows.num_rows()));
    let ids = ids.as_primitive::<Int64Type>();
    let names = reader.unit_names(ids)?;
    let texts: StringArray = ids
        .iter()
        .map(|id| id.and_then(|id| names.get(&id).map(String::as_str)))
        .collect();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Ok(cast(&texts, &dictionary)?)
}
