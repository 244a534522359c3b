//! Time series of a run: their points, by the keys that they have here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Float64Type, Int16Type, Int64Type, TimestampMicrosecondType};

use super::names::Ids;
use super::source::{Source, Span};
use super::staged::{Staged, batch};
use super::target::Target;
use crate::error::{Error, Result};
use crate::iamc::PointType;
use crate::ids::RunId;
use crate::names::Kind;
use crate::schema::tables::datapoints;
use crate::schema::{Column, ColumnType, VersionedTable};

/// How many rows are brought into the order of the key at once.
const ROWS_SORTED: usize = 1 << 20;

/// Variable and unit there of each measurand.
pub(super) type Measurands = HashMap<i64, (i64, i64)>;

/// How many points a run has, and how many states of points are to be read for it.
pub(super) fn count(source: &mut Source, run: i64) -> Result<(u64, u64)> {
    let of_run = |table: &str, condition: &str, series: &str| {
        format!(
            "SELECT count(*) AS count FROM {table} p JOIN {series} s ON s.id = p.time_series__id
             WHERE s.run__id = {run}{condition}"
        )
    };
    let now = source.count(&of_run("iamc_datapoint_universal", "", "iamc_timeseries"))?;
    if !source.has_history {
        return Ok((now, now));
    }
    let series = source.ever("iamc_timeseries", "id, run__id");
    let ever = source.count(&of_run(
        "iamc_datapoint_universal_version",
        " AND p.operation_type <> 2",
        &series,
    ))?;
    Ok((now, ever))
}

/// The key of a point here, without the run.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    region: i64,
    variable: i64,
    unit: i64,
    point_type: i16,
    step: i64,
    /// Which of the categories.
    category: u32,
}

/// A point with its id there.
#[derive(Clone, Copy)]
struct Point {
    key: Key,
    value: f64,
    id: i64,
}

/// Parts of years, each distinct one once.
struct Categories {
    texts: Vec<String>,
    codes: HashMap<String, u32>,
}

impl Categories {
    fn new() -> Self {
        Self {
            texts: vec![String::new()],
            codes: HashMap::from([(String::new(), 0)]),
        }
    }

    fn code(&mut self, text: &str) -> u32 {
        match self.codes.get(text) {
            Some(code) => *code,
            None => {
                let code = self.texts.len() as u32;
                self.texts.push(text.to_owned());
                self.codes.insert(text.to_owned(), code);
                code
            }
        }
    }

    fn text(&self, code: u32) -> &str {
        &self.texts[code as usize]
    }
}

/// Reads what a span did to the points of a run.
pub(super) fn stage(
    source: &mut Source,
    measurands: &Measurands,
    target: &Target<'_>,
    run: i64,
    span: Span,
    staged: &mut Staged,
) -> Result<()> {
    let mut categories = Categories::new();
    let reading = Reading {
        measurands,
        ids: target.ids,
        run,
    };
    let mut gone = HashSet::new();
    match source.went("iamc_datapoint_universal", span) {
        Some(went) => reading.read(source, &went, &mut categories, |points, _| {
            gone.extend(points.iter().map(|point| point.key));
            Ok(())
        })?,
        // Whatever is here and not there.
        None => gone = keys_here(target, &mut categories)?,
    }
    let came = source.came("iamc_datapoint_universal", span);
    let here = target.run;
    let target = staged.table(datapoints::table::description());
    let mut waiting = Vec::new();
    reading.read(source, &came, &mut categories, |points, categories| {
        for point in &points {
            gone.remove(&point.key);
        }
        waiting.extend(points);
        if waiting.len() >= ROWS_SORTED {
            let rows = std::mem::take(&mut waiting);
            target.added.push(rows_of(rows, here, categories)?)?;
        }
        Ok(())
    })?;
    if !waiting.is_empty() {
        target.added.push(rows_of(waiting, here, &categories)?)?;
    }
    if !gone.is_empty() {
        let keys = gone.into_iter();
        let points = keys.map(|key| Point {
            key,
            value: 0.0,
            id: 0,
        });
        target
            .removed
            .push(rows_of(points.collect(), here, &categories)?)?;
    }
    Ok(())
}

/// The keys of the points that the run has here.
fn keys_here(target: &Target<'_>, categories: &mut Categories) -> Result<HashSet<Key>> {
    let keys = target.keys(&datapoints::table::description(), &[])?;
    // The key: run, region, variable, unit, type, step, category.
    let ints = |at: usize| keys.column(at).as_primitive::<Int64Type>();
    let (regions, variables, units, steps) = (ints(1), ints(2), ints(3), ints(5));
    let types = keys.column(4).as_primitive::<Int16Type>();
    let texts = keys.column(6).as_string::<i32>();
    Ok((0..keys.num_rows())
        .map(|row| Key {
            region: regions.value(row),
            variable: variables.value(row),
            unit: units.value(row),
            point_type: types.value(row),
            step: steps.value(row),
            category: categories.code(texts.value(row)),
        })
        .collect())
}

/// How the points of a run are read.
struct Reading<'a> {
    measurands: &'a Measurands,
    ids: &'a Ids,
    run: i64,
}

impl Reading<'_> {
    /// Hands on the points of the run among some rows of the table of points.
    fn read(
        &self,
        source: &mut Source,
        rows: &str,
        categories: &mut Categories,
        mut each: impl FnMut(Vec<Point>, &Categories) -> Result<()>,
    ) -> Result<()> {
        let series = source.ever("iamc_timeseries", "id, run__id, region__id, measurand__id");
        let text = format!(
        "SELECT CAST(p.id AS bigint) AS id, CAST(s.region__id AS bigint) AS region__id, CAST(s.measurand__id AS bigint) AS measurand__id,
           p.type, CAST(p.step_year AS bigint) AS step_year, p.step_category, p.step_datetime, p.value
         FROM {rows} p JOIN {series} s ON s.id = p.time_series__id WHERE s.run__id = {}",
        self.run
    );
        let columns = [
            Column::of_result("id", ColumnType::BigInt),
            Column::of_result("region__id", ColumnType::BigInt),
            Column::of_result("measurand__id", ColumnType::BigInt),
            Column::of_result("type", ColumnType::Text),
            Column::of_result("step_year", ColumnType::BigInt),
            Column::of_result("step_category", ColumnType::Text),
            Column::of_result("step_datetime", ColumnType::Timestamp),
            Column::of_result("value", ColumnType::Double),
        ];
        let url = source.db.url();
        let mut names = HashMap::new();
        source.db.stream(&text, &columns, |batch| {
            let mut points = Vec::with_capacity(batch.num_rows());
            let cells = Cells::new(batch);
            for row in 0..batch.num_rows() {
                let measurand = cells.measurands.value(row);
                let (region, variable, unit) =
                    match names.entry((cells.regions.value(row), measurand)) {
                        std::collections::hash_map::Entry::Occupied(known) => *known.get(),
                        std::collections::hash_map::Entry::Vacant(new) => {
                            let (region, _) = *new.key();
                            let (variable, unit) =
                                self.measurands.get(&measurand).copied().unwrap_or_default();
                            *new.insert((
                                self.ids.of(Kind::Region, region)?,
                                self.ids.of(Kind::Variable, variable)?,
                                self.ids.of(Kind::Unit, unit)?,
                            ))
                        }
                    };
                let (point_type, step, category) = cells.time(row).ok_or_else(|| Error::Ixmp4 {
                    url: url.clone(),
                    problem: format!(
                        "the data point of id {} has no time that fits its type",
                        cells.ids.value(row)
                    ),
                })?;
                points.push(Point {
                    key: Key {
                        region,
                        variable,
                        unit,
                        point_type: point_type as i16,
                        step,
                        category: categories.code(category),
                    },
                    value: cells.values.value(row),
                    id: cells.ids.value(row),
                });
            }
            each(points, categories)
        })
    }
}

/// The columns of a batch.
struct Cells<'a> {
    ids: &'a Int64Array,
    regions: &'a Int64Array,
    measurands: &'a Int64Array,
    types: &'a StringArray,
    years: &'a Int64Array,
    categories: &'a StringArray,
    moments: &'a arrow::array::TimestampMicrosecondArray,
    values: &'a Float64Array,
}

impl<'a> Cells<'a> {
    fn new(batch: &'a RecordBatch) -> Self {
        Self {
            ids: batch.column(0).as_primitive::<Int64Type>(),
            regions: batch.column(1).as_primitive::<Int64Type>(),
            measurands: batch.column(2).as_primitive::<Int64Type>(),
            types: batch.column(3).as_string(),
            years: batch.column(4).as_primitive::<Int64Type>(),
            categories: batch.column(5).as_string(),
            moments: batch.column(6).as_primitive::<TimestampMicrosecondType>(),
            values: batch.column(7).as_primitive::<Float64Type>(),
        }
    }

    /// Type, step and category; `None`: the row has not what its type needs.
    fn time(&self, row: usize) -> Option<(PointType, i64, &'a str)> {
        let year = self.years.is_valid(row).then(|| self.years.value(row));
        match self.types.value(row) {
            "ANNUAL" => Some((PointType::Yearly, year?, "")),
            "CATEGORICAL" if self.categories.is_valid(row) => {
                Some((PointType::Categorical, year?, self.categories.value(row)))
            }
            "DATETIME" if self.moments.is_valid(row) => {
                Some((PointType::Datetime, self.moments.value(row), ""))
            }
            _ => None,
        }
    }
}

/// The rows of the table of points in the order of its key, each key once.
fn rows_of(mut points: Vec<Point>, run: RunId, categories: &Categories) -> Result<RecordBatch> {
    let order = |a: &Point, b: &Point| {
        let (a, b) = (&a.key, &b.key);
        (a.region, a.variable, a.unit, a.point_type, a.step)
            .cmp(&(b.region, b.variable, b.unit, b.point_type, b.step))
            .then_with(|| {
                if a.category == b.category {
                    std::cmp::Ordering::Equal
                } else {
                    categories.text(a.category).cmp(categories.text(b.category))
                }
            })
    };
    points.sort_unstable_by(|a, b| order(a, b).then(b.id.cmp(&a.id)));
    // Two writers at once can leave the same point twice there; the later one is kept.
    points.dedup_by_key(|point| point.key);
    let ints = |of: fn(&Key) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            points.iter().map(|point| of(&point.key)),
        ))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "run_id",
            Arc::new(Int64Array::from(vec![run.0; points.len()])),
        ),
        ("region_id", ints(|key| key.region)),
        ("variable_id", ints(|key| key.variable)),
        ("unit_id", ints(|key| key.unit)),
        (
            "point_type",
            Arc::new(Int16Array::from_iter_values(
                points.iter().map(|point| point.key.point_type),
            )),
        ),
        ("step", ints(|key| key.step)),
        (
            "category",
            Arc::new(StringArray::from_iter_values(
                points
                    .iter()
                    .map(|point| categories.text(point.key.category)),
            )),
        ),
        (
            "value",
            Arc::new(Float64Array::from_iter_values(
                points.iter().map(|point| point.value),
            )),
        ),
    ];
    batch(&datapoints::table::description(), points.len(), columns)
}
