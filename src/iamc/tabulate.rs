//! Reading points: now, as of an earlier state, and what differs between two states.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Int16Type, Int64Type, Schema};

use crate::error::Result;
use crate::history::{as_of, diff};
use crate::iamc::{Filter, PointType};
use crate::names::{self, Kind};
use crate::run::{Run, Target, last_transaction, resolve};
use crate::schema::tables::datapoints;
use crate::schema::{Column, ColumnType, TableDescription, VersionedTable};
use crate::store::rows::{Bind, select};
use crate::store::{AnyConnection, column_list, quote};

/// The points of a run that a filter selects; `target` looks at an earlier state.
pub(super) fn points(run: &Run, filter: &Filter, target: Option<&Target>) -> Result<RecordBatch> {
    let table = datapoints::table::description();
    run.core.store.read(|connection| {
        let mut binds = vec![Bind::BigInt(run.id().0)];
        let relation = match target {
            Some(target) => {
                binds.push(Bind::BigInt(resolve(connection, run.info(), target)?.0));
                as_of::relation(&table, "$1", "$2")
            }
            None => quote(&table.name),
        };
        let conditions = filter.conditions(connection, run.core.store.engine(), &mut binds)?;
        let sql = format!(
            "SELECT {} FROM {relation} d WHERE d.run_id = $1{conditions} ORDER BY {}",
            column_list("d", table.columns.iter()),
            column_list("d", table.key_columns()),
        );
        let rows = select(connection, &sql, &binds, &table.columns)?;
        let value = (
            field("value", rows.column_by_name("value")),
            column(&rows, "value"),
        );
        named(connection, &rows, Vec::new(), vec![value])
    })
}

/// What changed between two states of a run.
pub(super) fn difference(run: &Run, from: &Target, to: Option<&Target>) -> Result<RecordBatch> {
    let table = datapoints::table::description();
    run.core.store.read(|connection| {
        let from = resolve(connection, run.info(), from)?;
        let to = match to {
            Some(to) => resolve(connection, run.info(), to)?,
            None => last_transaction(connection, run.id())?,
        };
        let forward = from <= to;
        let (earlier, later) = if forward { (from, to) } else { (to, from) };
        let extra = format!(
            ", {}, a.value AS value_a, b.value AS value_b",
            column_list("k", table.key_columns())
        );
        let sql = format!(
            "SELECT CAST(operation_type AS SMALLINT) AS operation_type, {}, value_a, value_b FROM ({}) d ORDER BY {}",
            column_list("d", table.key_columns()),
            diff::select_difference(run.core.store.engine(), &table, &extra),
            column_list("d", table.key_columns()),
        );
        let binds = [run.id().0, earlier.0, later.0].map(Bind::BigInt);
        let rows = select(connection, &sql, &binds, &difference_columns(&table))?;
        let operations: StringArray = column(&rows, "operation_type")
            .as_primitive::<Int16Type>()
            .iter()
            .map(|operation| match (operation, forward) {
                (Some(0), true) | (Some(2), false) => Some("insert"),
                (Some(1), _) => Some("update"),
                _ => Some("delete"),
            })
            .collect();
        let operations: ArrayRef = Arc::new(operations);
        let (before, after) = if forward { ("value_a", "value_b") } else { ("value_b", "value_a") };
        let value = |name: &str, from: &str| (field(name, rows.column_by_name(from)), column(&rows, from));
        named(
            connection,
            &rows,
            vec![(field("operation", Some(&operations)), operations)],
            vec![value("value_before", before), value("value_after", after)],
        )
    })
}

fn difference_columns(table: &TableDescription) -> Vec<Column> {
    let column = |name: &str, column_type| Column {
        name: name.into(),
        column_type,
        nullable: true,
        references: None,
    };
    let mut columns = vec![column("operation_type", ColumnType::SmallInt)];
    columns.extend(table.key_columns().cloned());
    columns.push(column("value_a", ColumnType::Double));
    columns.push(column("value_b", ColumnType::Double));
    columns
}

fn field(name: &str, array: Option<&ArrayRef>) -> Field {
    let data_type = array.map_or(arrow::datatypes::DataType::Null, |array| {
        array.data_type().clone()
    });
    Field::new(name, data_type, true)
}

fn column(rows: &RecordBatch, name: &str) -> ArrayRef {
    rows.column_by_name(name)
        .cloned()
        .unwrap_or_else(|| Arc::new(StringArray::new_null(rows.num_rows())))
}

/// Ids become names and steps become times; time columns that no row uses are left out.
fn named(
    connection: &mut AnyConnection,
    rows: &RecordBatch,
    first: Vec<(Field, ArrayRef)>,
    last: Vec<(Field, ArrayRef)>,
) -> Result<RecordBatch> {
    let mut columns = first;
    for (name, id, kind) in [
        ("region", "region_id", Kind::Region),
        ("variable", "variable_id", Kind::Variable),
        ("unit", "unit_id", Kind::Unit),
    ] {
        let array = dictionary(connection, kind, &column(rows, id))?;
        columns.push((field(name, Some(&array)), array));
    }
    for (name, array) in times(rows) {
        columns.push((field(name, Some(&array)), array));
    }
    columns.extend(last);
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn dictionary(connection: &mut AnyConnection, kind: Kind, ids: &ArrayRef) -> Result<ArrayRef> {
    let ids = ids.as_primitive::<Int64Type>();
    let mut codes: HashMap<i64, i32> = HashMap::new();
    let mut used = Vec::new();
    let keys: Int32Array = ids
        .values()
        .iter()
        .map(|id| {
            *codes.entry(*id).or_insert_with(|| {
                used.push(*id);
                used.len() as i32 - 1
            })
        })
        .collect();
    let names = names::by_id(connection, kind)?;
    let values = StringArray::from_iter_values(
        used.iter()
            .map(|id| names.get(id).map_or("", String::as_str)),
    );
    Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(values))?))
}

fn times(rows: &RecordBatch) -> Vec<(&'static str, ArrayRef)> {
    let (types, steps, categories) = (
        column(rows, "point_type"),
        column(rows, "step"),
        column(rows, "category"),
    );
    let types = types.as_primitive::<Int16Type>();
    let steps = steps.as_primitive::<Int64Type>();
    let categories = categories.as_string::<i32>();
    let is = |row: usize, point_type: PointType| types.value(row) == point_type as i16;
    let any = |point_type: PointType| (0..types.len()).any(|row| is(row, point_type));
    let has_datetime = any(PointType::Datetime);
    let mut columns: Vec<(&'static str, ArrayRef)> = Vec::new();
    if any(PointType::Yearly) || any(PointType::Categorical) || !has_datetime {
        let years: Int64Array = (0..types.len())
            .map(|row| (!is(row, PointType::Datetime)).then(|| steps.value(row)))
            .collect();
        columns.push(("year", Arc::new(years)));
    }
    if any(PointType::Categorical) {
        let parts: StringArray = (0..types.len())
            .map(|row| is(row, PointType::Categorical).then(|| categories.value(row)))
            .collect();
        columns.push(("subannual", Arc::new(parts)));
    }
    if has_datetime {
        let moments: TimestampMicrosecondArray = (0..types.len())
            .map(|row| is(row, PointType::Datetime).then(|| steps.value(row)))
            .collect();
        columns.push(("datetime", Arc::new(moments)));
    }
    columns
}
