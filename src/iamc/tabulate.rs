//! Reading points: now, as of an earlier state, and what differs between two states.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Int16Type, Int64Type, Schema};

use crate::error::Result;
use crate::filter::{Checked, Filter, Resolver, Subject};
use crate::history::diff::SeriesCount;
use crate::history::{ChangeCounts, SeriesDifference, as_of, retained, versions};
use crate::iamc::PointType;
use crate::ids::TransactionId;
use crate::names::{self, Kind};
use crate::run::Run;
use crate::schema::tables::datapoints;
use crate::schema::{Column, ColumnType, RUN_ID, TableDescription, VersionedTable};
use crate::store::rows::{Bind, schema_of, select};
use crate::store::{AnyConnection, column_list, quote};

/// The points of a run that a filter selects; `at`: as they were after that transaction.
pub(super) fn points(run: &Run, filter: &Filter, at: Option<TransactionId>) -> Result<RecordBatch> {
    let table = datapoints::table::description();
    let checked = Checked::of(filter, Subject::Points)?;
    let engine = run.core.store.engine();
    run.core.store.read(|connection| {
        let mut binds = vec![Bind::BigInt(run.id().0)];
        let relation = match at {
            Some(at) => {
                retained::check(connection, run.id(), at)?;
                binds.push(Bind::BigInt(at.0));
                as_of::relation(engine, &table, "$1", "$2")
            }
            None => quote(&table.name),
        };
        let conditions = Resolver { connection, engine }.points("d", &checked, &mut binds)?;
        let sql = format!(
            "SELECT {} FROM {relation} d WHERE d.run_id = $1{conditions} ORDER BY {}",
            column_list("d", table.columns.iter()),
            column_list("d", table.key_columns()),
        );
        let rows = select(connection, &sql, &binds, &as_of::columns(&table))?;
        let value = (
            field("value", rows.column_by_name("value")),
            column(&rows, "value"),
        );
        named(connection, &rows, Vec::new(), vec![value])
    })
}

/// The points that a comparison selects (its SQL yields `operation_type`, the key without the run,
/// `value_before` and `value_after`), with names; `None`: no points.
pub(crate) fn changed_points(
    connection: &mut AnyConnection,
    table: &TableDescription,
    found: Option<(String, Vec<Bind>)>,
    limit: Option<u64>,
) -> Result<RecordBatch> {
    let columns = difference_columns(table);
    let rows = match found {
        Some((comparison, binds)) => {
            let key = column_list("d", table.key_columns().filter(|key| key.name != RUN_ID));
            let limit = limit.map_or(String::new(), |limit| format!(" LIMIT {limit}"));
            let sql = format!(
                "SELECT CAST(operation_type AS SMALLINT) AS operation_type, {key}, value_before, value_after
                 FROM ({comparison}) d ORDER BY {key}{limit}"
            );
            select(connection, &sql, &binds, &columns)?
        }
        None => RecordBatch::new_empty(schema_of(&columns)),
    };
    let operations = versions::operations(&column(&rows, "operation_type"));
    let value = |name: &str| (field(name, rows.column_by_name(name)), column(&rows, name));
    named(
        connection,
        &rows,
        vec![(field("operation", Some(&operations)), operations)],
        vec![value("value_before"), value("value_after")],
    )
}

fn difference_columns(table: &TableDescription) -> Vec<Column> {
    let column = |name: &str, column_type| Column {
        name: name.into(),
        column_type,
        nullable: true,
        references: None,
        ordinal: false,
    };
    let mut columns = vec![column("operation_type", ColumnType::SmallInt)];
    columns.extend(
        table
            .key_columns()
            .filter(|key| key.name != RUN_ID)
            .cloned(),
    );
    columns.push(column("value_before", ColumnType::Double));
    columns.push(column("value_after", ColumnType::Double));
    columns
}

/// Counts by ids as counts by names, in the order of the names.
pub(crate) fn named_series(
    connection: &mut AnyConnection,
    table: &str,
    rows: &[SeriesCount],
) -> Result<Vec<SeriesDifference>> {
    let regions = names::by_id(connection, Kind::Region)?;
    let variables = names::by_id(connection, Kind::Variable)?;
    let name = |names: &HashMap<i64, String>, id: Option<i64>| {
        id.and_then(|id| names.get(&id))
            .cloned()
            .unwrap_or_default()
    };
    let mut series: BTreeMap<(String, String), ChangeCounts> = BTreeMap::new();
    for row in rows {
        let key = (
            name(&regions, row.region_id),
            name(&variables, row.variable_id),
        );
        series
            .entry(key)
            .or_default()
            .count(row.operation_type, row.rows);
    }
    Ok(series
        .into_iter()
        .map(|((region, variable), changes)| SeriesDifference {
            table: table.to_owned(),
            region: Some(region),
            variable: Some(variable),
            changes,
        })
        .collect())
}

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

/// Ids become names and steps become times; time columns that no row uses are left out.
pub(super) fn named(
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
