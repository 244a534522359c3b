//! The rows of a run as lines of text, once from the source and once from here, to be compared.
//!
//! Each side is read by its own names and its own ids: a mistake in copying does not hide itself.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int16Type, Int64Type, TimestampMicrosecondType};
use chrono::DateTime;

use super::items::SourceItem;
use super::meta;
use super::source::{Source, Span};
use super::stage_items::State;
use crate::error::Result;
use crate::history::as_of;
use crate::ids::TransactionId;
use crate::meta::MetaValue;
use crate::names::{self, Kind};
use crate::optimization::{Item, ItemKind, Optimization};
use crate::run::{Access, Run, RunView};
use crate::schema::tables::{datapoints, optimization_rows};
use crate::schema::{Column, ColumnType, VersionedTable};
use crate::store::rows::stream;
use crate::store::{column_list, quote};

/// What is compared of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Points,
    Meta,
    Items,
    Elements,
    Rows,
}

impl Part {
    pub(super) const ALL: [Self; 5] = [
        Self::Points,
        Self::Meta,
        Self::Items,
        Self::Elements,
        Self::Rows,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Points => "points",
            Self::Meta => "meta indicators",
            Self::Items => "optimization items",
            Self::Elements => "elements",
            Self::Rows => "rows of items",
        }
    }
}

type Each<'a> = &'a mut dyn FnMut(&str);

/// A point's line; `moment`: microseconds since 1970.
fn point(names: [&str; 3], time: &Time<'_>, value: f64) -> String {
    let [region, variable, unit] = names;
    let time = match time {
        Time::Year(year) => year.to_string(),
        Time::Part(year, part) => format!("{year} {part}"),
        Time::Moment(moment) => DateTime::from_timestamp_micros(*moment)
            .map(|time| time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string())
            .unwrap_or_else(|| moment.to_string()),
    };
    format!("{region} | {variable} | {unit} | {time}: {value:?}")
}

enum Time<'a> {
    Year(i64),
    Part(i64, &'a str),
    Moment(i64),
}

fn indicator(key: &str, value: &MetaValue) -> String {
    format!("{key}: {value:?}")
}

fn item(
    kind: ItemKind,
    name: &str,
    (value, unit, docs): (Option<f64>, Option<&str>, Option<&str>),
    columns: impl Iterator<Item = (String, String)>,
) -> String {
    let columns: Vec<_> = columns
        .map(|(column, indexset)| format!("{column} of {indexset}"))
        .collect();
    format!(
        "{} \"{name}\": {value:?} {unit:?} ({}) {docs:?}",
        kind.word(),
        columns.join(", ")
    )
}

fn element(indexset: &str, rank: usize, json: &str) -> String {
    format!("indexset \"{indexset}\", element {rank}: {json}")
}

fn row(
    kind: ItemKind,
    item: &str,
    key: &str,
    values: &[Option<f64>; 3],
    unit: Option<&str>,
) -> String {
    let values: Vec<_> = values
        .iter()
        .flatten()
        .map(|value| format!("{value:?}"))
        .collect();
    format!(
        "{} \"{item}\" {key}: {} {}",
        kind.word(),
        values.join(" "),
        unit.unwrap_or_default()
    )
}

/// The lines of a part of a run there.
pub(super) fn there(source: &mut Source, run: i64, part: Part, each: Each<'_>) -> Result<()> {
    match part {
        Part::Points => points_there(source, run, each),
        Part::Meta => {
            for (key, value) in meta::came(source, run, Span::Present)? {
                if let Some(value) = value {
                    each(&indicator(&key, &value));
                }
            }
            Ok(())
        }
        Part::Items | Part::Elements | Part::Rows => items_there(source, run, part, each),
    }
}

fn points_there(source: &mut Source, run: i64, each: Each<'_>) -> Result<()> {
    let text = format!(
        "SELECT r.name AS region, v.name AS variable, u.name AS unit, p.type, CAST(p.step_year AS bigint) AS step_year,
           p.step_category,
           p.step_datetime, p.value
         FROM iamc_datapoint_universal p
         JOIN iamc_timeseries s ON s.id = p.time_series__id
         JOIN iamc_measurand m ON m.id = s.measurand__id
         JOIN region r ON r.id = s.region__id
         JOIN iamc_variable v ON v.id = m.variable__id
         JOIN unit u ON u.id = m.unit__id
         WHERE s.run__id = {run}"
    );
    let columns = [
        Column::of_result("region", ColumnType::Text),
        Column::of_result("variable", ColumnType::Text),
        Column::of_result("unit", ColumnType::Text),
        Column::of_result("type", ColumnType::Text),
        Column::of_result("step_year", ColumnType::BigInt),
        Column::of_result("step_category", ColumnType::Text),
        Column::of_result("step_datetime", ColumnType::Timestamp),
        Column::of_result("value", ColumnType::Double),
    ];
    source.db.stream(&text, &columns, |batch| {
        let text = |at: usize| batch.column(at).as_string::<i32>();
        let (regions, variables, units) = (text(0), text(1), text(2));
        let (types, parts) = (text(3), text(5));
        let years = batch.column(4).as_primitive::<Int64Type>();
        let moments = batch.column(6).as_primitive::<TimestampMicrosecondType>();
        let values = batch.column(7).as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let time = match types.value(row) {
                "ANNUAL" => Time::Year(years.value(row)),
                "CATEGORICAL" => Time::Part(years.value(row), parts.value(row)),
                _ => Time::Moment(moments.value(row)),
            };
            let names = [regions.value(row), variables.value(row), units.value(row)];
            each(&point(names, &time, values.value(row)));
        }
        Ok(())
    })
}

fn items_there(source: &mut Source, run: i64, part: Part, each: Each<'_>) -> Result<()> {
    let state = State::read(source, run, Span::Present)?;
    let units: HashMap<i64, String> = source
        .rows(
            "SELECT CAST(id AS bigint) AS id, name FROM unit",
            &[("id", ColumnType::BigInt), ("name", ColumnType::Text)],
            |row| Ok((row.id(0), row.name(1))),
        )?
        .into_iter()
        .collect();
    for found in &state.items {
        match part {
            Part::Elements if found.kind == ItemKind::IndexSet => {
                match state.elements(source, found, Span::Present)? {
                    Ok(elements) => {
                        for (rank, (_, json)) in elements.iter().enumerate() {
                            each(&element(&found.name, rank, json));
                        }
                    }
                    Err(problem) => each(&broken(found, &problem)),
                }
            }
            Part::Rows if !matches!(found.kind, ItemKind::IndexSet | ItemKind::Scalar) => {
                match state.data(source, found, Span::Present)? {
                    Ok(data) => {
                        for (at, key) in data.keys.iter().enumerate() {
                            let value = |values: &[f64]| values.get(at).copied();
                            let values = [
                                value(&data.values),
                                value(&data.levels),
                                value(&data.marginals),
                            ];
                            let unit = (found.kind == ItemKind::Parameter).then(|| data.unit(at));
                            each(&row(found.kind, &found.name, key, &values, unit));
                        }
                    }
                    Err(problem) => each(&broken(found, &problem)),
                }
            }
            Part::Items => {
                let unit = found
                    .unit
                    .and_then(|unit| units.get(&unit))
                    .map(String::as_str);
                let columns = found
                    .columns
                    .iter()
                    .map(|column| (column.name.clone(), column.indexset.clone()));
                each(&item(
                    found.kind,
                    &found.name,
                    (found.value, unit, found.docs.as_deref()),
                    columns,
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn broken(item: &SourceItem, problem: &str) -> String {
    format!("{} \"{}\": {problem}", item.kind.word(), item.name)
}

/// The lines of a part of a run here, as it was after a transaction.
pub(super) fn here(run: &Run, at: TransactionId, part: Part, each: Each<'_>) -> Result<()> {
    let now = run.last_transaction()? == at;
    let view = RunView::new(run.clone(), at);
    // What is there now is read as such, so that it is looked at too.
    let access = if now {
        Access::Read(run)
    } else {
        Access::AsOf(&view)
    };
    match part {
        Part::Points => points_here(run, access.at(), each),
        Part::Meta => {
            for (key, value) in crate::meta::Meta::new(access).all()? {
                each(&indicator(&key, &value));
            }
            Ok(())
        }
        Part::Items | Part::Elements => items_here(&Optimization::new(access), part, each),
        Part::Rows => rows_here(run, access.at(), each),
    }
}

/// A run's rows of a table, now or as they were, and the ids that stand for `$1` and `$2`.
fn relation(run: &Run, table: &crate::TableDescription, at: Option<TransactionId>) -> String {
    let id = run.id().0.to_string();
    match at {
        Some(at) => as_of::relation(run.core.store.engine(), table, &id, &at.0.to_string()),
        None => format!("(SELECT * FROM {} WHERE run_id = {id})", quote(&table.name)),
    }
}

/// The names here of what rows name by id.
struct Named(HashMap<Kind, HashMap<i64, String>>);

impl Named {
    fn of(&self, kind: Kind, id: i64) -> &str {
        self.0
            .get(&kind)
            .and_then(|names| names.get(&id))
            .map_or("", String::as_str)
    }
}

fn stream_here(
    run: &Run,
    table: &crate::TableDescription,
    at: Option<TransactionId>,
    mut each: impl FnMut(&RecordBatch, &Named) -> Result<()>,
) -> Result<()> {
    let text = format!(
        "SELECT {} FROM {} d",
        column_list("d", table.columns.iter()),
        relation(run, table, at)
    );
    run.core.store.read(|connection| {
        let mut named = Named(HashMap::new());
        for kind in [Kind::Region, Kind::Variable, Kind::Unit] {
            named.0.insert(kind, names::by_id(connection, kind)?);
        }
        stream(
            connection,
            &text,
            &as_of::columns(table),
            1 << 16,
            |batch| each(batch, &named),
        )
    })
}

fn points_here(run: &Run, at: Option<TransactionId>, each: Each<'_>) -> Result<()> {
    let table = datapoints::table::description();
    let at_column = |name: &str| table.columns.iter().position(|c| c.name == name);
    let position = |name: &str| at_column(name).unwrap_or_default();
    stream_here(run, &table, at, |batch, named| {
        let ints = |column: &str| batch.column(position(column)).as_primitive::<Int64Type>();
        let (regions, variables) = (ints("region_id"), ints("variable_id"));
        let (units, steps) = (ints("unit_id"), ints("step"));
        let types = batch
            .column(position("point_type"))
            .as_primitive::<Int16Type>();
        let parts = batch.column(position("category")).as_string::<i32>();
        let values = batch
            .column(position("value"))
            .as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let time = match types.value(row) {
                0 => Time::Year(steps.value(row)),
                1 => Time::Part(steps.value(row), parts.value(row)),
                _ => Time::Moment(steps.value(row)),
            };
            let names = [
                named.of(Kind::Region, regions.value(row)),
                named.of(Kind::Variable, variables.value(row)),
                named.of(Kind::Unit, units.value(row)),
            ];
            each(&point(names, &time, values.value(row)));
        }
        Ok(())
    })
}

fn items_here(items: &Optimization<'_>, part: Part, each: Each<'_>) -> Result<()> {
    for kind in ItemKind::ALL {
        for found in items.list(kind)? {
            match part {
                Part::Elements if kind == ItemKind::IndexSet => {
                    for (rank, found_element) in items.elements(&found.name)?.iter().enumerate() {
                        each(&element(&found.name, rank, &found_element.json()));
                    }
                }
                Part::Items => each(&item_here(&found)),
                _ => {}
            }
        }
    }
    Ok(())
}

fn item_here(found: &Item) -> String {
    let columns = found
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.indexset.clone()));
    item(
        found.kind,
        &found.name,
        (found.value, found.unit.as_deref(), found.docs.as_deref()),
        columns,
    )
}

fn rows_here(run: &Run, at: Option<TransactionId>, each: Each<'_>) -> Result<()> {
    let table = optimization_rows::table::description();
    let position = |name: &str| {
        let at = table.columns.iter().position(|c| c.name == name);
        at.unwrap_or_default()
    };
    stream_here(run, &table, at, |batch, named| {
        let kinds = batch.column(position("kind")).as_primitive::<Int16Type>();
        let text = |column: &str| batch.column(position(column)).as_string::<i32>();
        let (items, keys) = (text("item"), text("elements"));
        let units = batch
            .column(position("unit_id"))
            .as_primitive::<Int64Type>();
        for at in 0..batch.num_rows() {
            let Some(kind) = ItemKind::of(kinds.value(at)) else {
                continue;
            };
            let value = |column: &str| {
                let values = batch.column(position(column)).as_primitive::<Float64Type>();
                values.is_valid(at).then(|| values.value(at))
            };
            let values = [value("value"), value("level"), value("marginal")];
            let unit = units
                .is_valid(at)
                .then(|| named.of(Kind::Unit, units.value(at)));
            each(&row(kind, items.value(at), keys.value(at), &values, unit));
        }
        Ok(())
    })
}
