//! From rows of ids and steps to columns of names and times.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Int16Type, Int64Type, Schema};

use crate::error::Result;
use crate::iamc::PointType;
use crate::names::{self, Kind};
use crate::store::AnyConnection;

pub(super) fn field(name: &str, array: Option<&ArrayRef>) -> Field {
    let data_type = array.map_or(arrow::datatypes::DataType::Null, |array| {
        array.data_type().clone()
    });
    Field::new(name, data_type, true)
}

pub(super) fn column(rows: &RecordBatch, name: &str) -> ArrayRef {
    rows.column_by_name(name)
        .cloned()
        .unwrap_or_else(|| Arc::new(StringArray::new_null(rows.num_rows())))
}

/// The columns of ids and the names that they become.
pub(super) const NAMED: [(&str, &str, Kind); 3] = [
    ("region", "region_id", Kind::Region),
    ("variable", "variable_id", Kind::Variable),
    ("unit", "unit_id", Kind::Unit),
];

/// Ids become names and steps become times; time columns that no row uses are left out.
pub(super) fn named(
    connection: &mut AnyConnection,
    rows: &RecordBatch,
    first: Vec<(Field, ArrayRef)>,
    last: Vec<(Field, ArrayRef)>,
) -> Result<RecordBatch> {
    let mut columns = first;
    let mut dictionaries = NAMED.map(|_| Dictionary::default());
    let keys: Vec<_> = NAMED
        .iter()
        .zip(&mut dictionaries)
        .map(|((_, id, _), dictionary)| dictionary.keys(&column(rows, id)))
        .collect();
    let all = Dictionary::named(dictionaries, connection)?;
    for (((name, ..), named), keys) in NAMED.into_iter().zip(all).zip(keys) {
        let array = named.array(keys)?;
        columns.push((field(name, Some(&array)), array));
    }
    let types = column(rows, "point_type");
    let used = UsedTimes::of(types.as_primitive::<Int16Type>().values());
    for (name, array) in used.columns(rows) {
        columns.push((field(name, Some(&array)), array));
    }
    columns.extend(last);
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// Ids by position, as they come.
#[derive(Default)]
pub(super) struct Dictionary {
    ids: Vec<i64>,
    position: HashMap<i64, i32>,
}

impl Dictionary {
    /// The positions of a column's ids; new ones are added.
    pub(super) fn keys(&mut self, ids: &ArrayRef) -> Int32Array {
        // Rows come in the order of ids: most have that of the row before.
        let mut last = None;
        ids.as_primitive::<Int64Type>()
            .values()
            .iter()
            .map(|id| match last {
                Some((same, position)) if same == *id => position,
                _ => {
                    let position = self.position_of(*id);
                    last = Some((*id, position));
                    position
                }
            })
            .collect()
    }

    fn position_of(&mut self, id: i64) -> i32 {
        *self.position.entry(id).or_insert_with(|| {
            self.ids.push(id);
            self.ids.len() as i32 - 1
        })
    }

    /// Those of [`NAMED`], with the names of the ids so far.
    pub(super) fn named(all: [Self; 3], connection: &mut AnyConnection) -> Result<[Named; 3]> {
        let mut wanted = NAMED.map(|(_, _, kind)| (kind, [].as_slice()));
        for ((_, ids), dictionary) in wanted.iter_mut().zip(&all) {
            *ids = &dictionary.ids;
        }
        let mut names = names::of_ids(connection, wanted)?.into_iter();
        Ok(all.map(|dictionary| {
            let names = names.next().unwrap_or_default();
            let values = StringArray::from_iter_values(
                dictionary
                    .ids
                    .iter()
                    .map(|id| names.get(id).map_or("", String::as_str)),
            );
            Named {
                dictionary,
                values: Arc::new(values),
            }
        }))
    }
}

/// Ids and their names.
pub(super) struct Named {
    dictionary: Dictionary,
    values: ArrayRef,
}

impl Named {
    /// A column of the names of ids that are all known.
    pub(super) fn of(&mut self, ids: &ArrayRef) -> Result<ArrayRef> {
        let keys = self.dictionary.keys(ids);
        self.array(keys)
    }

    fn array(&self, keys: Int32Array) -> Result<ArrayRef> {
        let values = Arc::clone(&self.values);
        Ok(Arc::new(DictionaryArray::try_new(keys, values)?))
    }
}

/// Which kinds of times there are.
#[derive(Clone, Copy, Default)]
pub(super) struct UsedTimes {
    year: bool,
    subannual: bool,
    datetime: bool,
}

impl UsedTimes {
    /// Of points of these types; without points there are years.
    pub(super) fn of(point_types: &[i16]) -> Self {
        let any = |wanted: PointType| point_types.contains(&(wanted as i16));
        let (subannual, datetime) = (any(PointType::Categorical), any(PointType::Datetime));
        Self {
            year: any(PointType::Yearly) || subannual || !datetime,
            subannual,
            datetime,
        }
    }

    /// The time columns.
    pub(super) fn columns(self, rows: &RecordBatch) -> Vec<(&'static str, ArrayRef)> {
        let (types, steps, categories) = (
            column(rows, "point_type"),
            column(rows, "step"),
            column(rows, "category"),
        );
        let types = types.as_primitive::<Int16Type>();
        let steps = steps.as_primitive::<Int64Type>();
        let categories = categories.as_string::<i32>();
        let is = |row: usize, point_type: PointType| types.value(row) == point_type as i16;
        let mut columns: Vec<(&'static str, ArrayRef)> = Vec::new();
        if self.year {
            let years: Int64Array = (0..types.len())
                .map(|row| (!is(row, PointType::Datetime)).then(|| steps.value(row)))
                .collect();
            columns.push(("year", Arc::new(years)));
        }
        if self.subannual {
            let parts: StringArray = (0..types.len())
                .map(|row| is(row, PointType::Categorical).then(|| categories.value(row)))
                .collect();
            columns.push(("subannual", Arc::new(parts)));
        }
        if self.datetime {
            let moments: TimestampMicrosecondArray = (0..types.len())
                .map(|row| is(row, PointType::Datetime).then(|| steps.value(row)))
                .collect();
            columns.push(("datetime", Arc::new(moments)));
        }
        columns
    }
}
