//! Reading points: now, as of an earlier state, and what differs between two states.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::filter::{Checked, Filter, Resolver, Subject};
use crate::history::diff::SeriesCount;
use crate::history::{ChangeCounts, SeriesDifference, as_of, retained, versions};
use crate::iamc::named::{column, field, named};
use crate::ids::{RunId, TransactionId};
use crate::names::{self, Kind};
use crate::run::Run;
use crate::schema::tables::datapoints;
use crate::schema::{Column, ColumnType, RUN_ID, TableDescription, VersionedTable};
use crate::store::rows::{Bind, schema_of, select, select_in_order};
use crate::store::{AnyConnection, Engine, column_list, quote};

/// The points of a run that a filter selects; `at`: as they were after that transaction.
pub(super) fn points(run: &Run, filter: &Filter, at: Option<TransactionId>) -> Result<RecordBatch> {
    let table = datapoints::table::description();
    let checked = Checked::of(filter, Subject::Points)?;
    let engine = run.core.store.engine();
    run.core.store.read(|connection| {
        if let Some(at) = at {
            retained::check(connection, run.id(), at)?;
        }
        let mut binds = Vec::new();
        let relation = of_state(engine, &table, run.id(), at, &mut binds);
        let selection = Resolver { connection }.points(&checked)?;
        let conditions = selection.conditions("d", engine, &mut binds);
        let columns = columns_of(&table);
        let sql = format!(
            "SELECT {} FROM {relation} d WHERE d.run_id = $1{conditions} ORDER BY {}",
            column_list("d", columns.iter()),
            column_list("d", table.key_columns()),
        );
        let rows = select_in_order(connection, &sql, &binds, &columns)?;
        let value = (
            field("value", rows.column_by_name("value")),
            column(&rows, "value"),
        );
        named(connection, &rows, Vec::new(), vec![value])
    })
}

/// What is read of a run's points: all but the run.
pub(super) fn columns_of(table: &TableDescription) -> Vec<Column> {
    as_of::columns(table)
        .into_iter()
        .filter(|column| column.name != RUN_ID)
        .collect()
}

/// The rows of a run as they are, or were after `at`, as a relation. `$1` is the run, further parameters go to `binds`.
pub(super) fn of_state(
    engine: Engine,
    table: &TableDescription,
    run: RunId,
    at: Option<TransactionId>,
    binds: &mut Vec<Bind>,
) -> String {
    binds.push(Bind::BigInt(run.0));
    match at {
        Some(at) => {
            binds.push(Bind::BigInt(at.0));
            as_of::relation(engine, table, "$1", "$2")
        }
        None => quote(&table.name),
    }
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
    let column = Column::of_result;
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
    let ids = |of: fn(&SeriesCount) -> Option<i64>| -> Vec<i64> {
        let ids: BTreeSet<_> = rows.iter().filter_map(of).collect();
        ids.into_iter().collect()
    };
    let [regions, variables] = names::of_ids(
        connection,
        [
            (Kind::Region, &ids(|row| row.region_id)),
            (Kind::Variable, &ids(|row| row.variable_id)),
        ],
    )?;
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
