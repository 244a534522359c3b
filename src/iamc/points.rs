//! From a frame to rows of `datapoints`: every check of the input is here.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};

use crate::error::{Error, Result};
use crate::history::ChangeCounts;
use crate::history::write::Write;
use crate::iamc::Frame;
use crate::names::{self, DEFAULT_HIERARCHY, Kind};
use crate::run::{RowOperation, RunInfo, RunLock, check_values, row_list, write_rows};
use crate::schema::tables::datapoints;
use crate::schema::{ColumnType, VersionedTable};

/// What a point's time is. Stable on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum PointType {
    /// A year.
    Yearly = 0,
    /// A year and a part of it ("subannual").
    Categorical = 1,
    /// A moment.
    Datetime = 2,
}

impl PointType {
    fn word(self) -> &'static str {
        match self {
            Self::Yearly => "yearly",
            Self::Categorical => "categorical",
            Self::Datetime => "datetime",
        }
    }
}

impl std::str::FromStr for PointType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "yearly" | "annual" => Ok(Self::Yearly),
            "categorical" => Ok(Self::Categorical),
            "datetime" => Ok(Self::Datetime),
            _ => Err(Error::InvalidFilter(format!(
                "unknown type {text:?}: use yearly (or annual), categorical or datetime"
            ))),
        }
    }
}

/// How to add or remove points.
#[derive(Default)]
pub struct AddOptions<'a> {
    /// What all rows must be; `None`: what their time columns say.
    pub point_type: Option<PointType>,
    /// Makes regions and units that do not exist.
    pub create_missing: bool,
    /// Told how many more rows have been handed to the database.
    pub progress: Option<&'a mut dyn FnMut(usize)>,
}

/// Text by distinct value: `names[codes[row]]`.
struct Coded {
    names: Vec<String>,
    codes: Vec<u32>,
}

/// A checked frame.
struct Points {
    region: Coded,
    variable: Coded,
    unit: Coded,
    point_type: Vec<PointType>,
    step: Vec<i64>,
    category: Coded,
    /// Empty when points are to be removed.
    value: Vec<f64>,
    /// Row numbers in the order of the keys, which is the order in which the database likes them.
    order: Vec<u32>,
}

const KNOWN: [&str; 11] = [
    "model",
    "scenario",
    "version",
    "region",
    "variable",
    "unit",
    "year",
    "subannual",
    "datetime",
    "time",
    "value",
];

pub(super) fn write(
    lock: Result<&RunLock>,
    frame: &Frame,
    operation: RowOperation,
    mut options: AddOptions<'_>,
) -> Result<ChangeCounts> {
    let lock = lock?;
    let points = Points::check(
        frame.batch(),
        lock.run().info(),
        operation,
        options.point_type,
    )?;
    let name = match operation {
        RowOperation::Add => "iamc.add",
        RowOperation::Remove => "iamc.remove",
    };
    let table = datapoints::table::description();
    let create_missing = options.create_missing;
    lock.write(name, |write| {
        let Some(rows) = points.resolve(write, lock.run().info(), operation, create_missing)?
        else {
            return Ok(ChangeCounts::default());
        };
        let mut progress = |rows| {
            if let Some(progress) = &mut options.progress {
                progress(rows);
            }
        };
        write_rows(write, &table, &rows, operation, &mut progress)
    })
}

impl Points {
    fn check(
        batch: &RecordBatch,
        run: &RunInfo,
        operation: RowOperation,
        wanted: Option<PointType>,
    ) -> Result<Self> {
        check_columns(batch, operation)?;
        check_run_columns(batch, run)?;
        let time = Times::check(batch, wanted)?;
        let mut points = Self {
            region: coded(batch, "region")?,
            variable: coded(batch, "variable")?,
            unit: coded(batch, "unit")?,
            point_type: time.point_type,
            step: time.step,
            category: time.category,
            value: match operation {
                RowOperation::Add => values(batch)?,
                RowOperation::Remove => Vec::new(),
            },
            order: Vec::new(),
        };
        points.order = points.sorted()?;
        Ok(points)
    }

    fn key(&self, row: usize) -> (u32, u32, u32, PointType, i64, u32) {
        (
            self.region.codes[row],
            self.variable.codes[row],
            self.unit.codes[row],
            self.point_type[row],
            self.step[row],
            self.category.codes[row],
        )
    }

    /// The rows in the order of their keys; refuses keys that are there twice.
    fn sorted(&self) -> Result<Vec<u32>> {
        let rows = u32::try_from(self.step.len())
            .map_err(|_| Error::frame("more than 4,294,967,295 rows in one call: split it"))?;
        let mut order: Vec<u32> = (0..rows).collect();
        order.sort_by_key(|row| self.key(*row as usize));
        let mut twice: Vec<usize> = order
            .windows(2)
            .filter(|pair| self.key(pair[0] as usize) == self.key(pair[1] as usize))
            .flat_map(|pair| [pair[0] as usize, pair[1] as usize])
            .collect();
        twice.sort_unstable();
        twice.dedup();
        let Some(first) = twice.first() else {
            return Ok(order);
        };
        Err(Error::frame(format!(
            "the same point more than once, in {}; the first is region \"{}\", variable \"{}\", unit \"{}\"",
            row_list(&twice),
            self.region.of(*first),
            self.variable.of(*first),
            self.unit.of(*first),
        )))
    }

    /// Names to ids. Returns the rows of `datapoints`, or nothing when no row can be there.
    fn resolve(
        &self,
        write: &mut Write<'_>,
        run: &RunInfo,
        operation: RowOperation,
        create_missing: bool,
    ) -> Result<Option<RecordBatch>> {
        let mut ids = Vec::new();
        let mut unknown = Vec::new();
        for (kind, column) in [
            (Kind::Region, &self.region),
            (Kind::Variable, &self.variable),
            (Kind::Unit, &self.unit),
        ] {
            let mut known = names::ids_by_name(write.connection, kind)?;
            let missing: Vec<&str> = column
                .names
                .iter()
                .map(String::as_str)
                .filter(|name| !known.contains_key(*name))
                .collect();
            if !missing.is_empty() {
                if operation == RowOperation::Add && (kind == Kind::Variable || create_missing) {
                    names::create_missing(write, kind, &missing, DEFAULT_HIERARCHY)?;
                    known = names::ids_by_name(write.connection, kind)?;
                } else {
                    unknown.push(missing_names(kind, &missing, &known));
                }
            }
            ids.push(
                column
                    .names
                    .iter()
                    .map(|name| known.get(name).copied().unwrap_or_default())
                    .collect::<Vec<i64>>(),
            );
        }
        if !unknown.is_empty() {
            return Err(Error::UnknownNames {
                missing: unknown.join("; "),
            });
        }
        if self.order.is_empty() {
            return Ok(None);
        }
        let rows = || self.order.iter().map(|row| *row as usize);
        let id_column = |column: &Coded, ids: &[i64]| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(
                rows().map(|row| ids[column.codes[row] as usize]),
            ))
        };
        let value: ArrayRef = match operation {
            RowOperation::Add => Arc::new(Float64Array::from_iter_values(
                rows().map(|row| self.value[row]),
            )),
            RowOperation::Remove => Arc::new(Float64Array::new_null(self.order.len())),
        };
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "run_id",
                Arc::new(Int64Array::from(vec![run.id.0; self.order.len()])),
            ),
            ("region_id", id_column(&self.region, &ids[0])),
            ("variable_id", id_column(&self.variable, &ids[1])),
            ("unit_id", id_column(&self.unit, &ids[2])),
            (
                "point_type",
                Arc::new(Int16Array::from_iter_values(
                    rows().map(|row| self.point_type[row] as i16),
                )),
            ),
            (
                "step",
                Arc::new(Int64Array::from_iter_values(
                    rows().map(|row| self.step[row]),
                )),
            ),
            (
                "category",
                Arc::new(StringArray::from_iter_values(
                    rows().map(|row| self.category.of(row)),
                )),
            ),
            ("value", value),
        ];
        in_order_of_table(columns).map(Some)
    }
}

/// The columns in the order in which the description has them.
fn in_order_of_table(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let mut by_name: HashMap<_, _> = columns.into_iter().collect();
    let table = datapoints::table::description();
    let ordered: Vec<_> = table
        .columns
        .iter()
        .filter_map(|column| {
            Some((
                column.name.as_str(),
                by_name.remove(column.name.as_str())?,
                true,
            ))
        })
        .collect();
    Ok(RecordBatch::try_from_iter_with_nullable(ordered)?)
}

fn missing_names(kind: Kind, missing: &[&str], known: &HashMap<String, i64>) -> String {
    let table = kind.table();
    let known: Vec<String> = known.keys().cloned().collect();
    let shown: Vec<_> = missing
        .iter()
        .map(|name| match names::similar(name, &known) {
            Some(candidate) => format!("\"{name}\" (did you mean \"{candidate}\"?)"),
            None => format!("\"{name}\""),
        })
        .collect();
    let how = match kind {
        Kind::Variable => String::new(),
        _ => format!(
            ": create with platform.{table}.create(\"{}\"), or import with --create",
            missing.first().unwrap_or(&"")
        ),
    };
    format!("unknown {table} {}{how}", shown.join(", "))
}

impl Coded {
    fn of(&self, row: usize) -> &str {
        &self.names[self.codes[row] as usize]
    }
}

fn check_columns(batch: &RecordBatch, operation: RowOperation) -> Result<()> {
    let schema = batch.schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let mut problems = Vec::new();
    let mut missing: Vec<&str> = ["region", "variable", "unit"]
        .into_iter()
        .filter(|name| !names.contains(name))
        .collect();
    if operation == RowOperation::Add && !names.contains(&"value") {
        missing.push("value");
    }
    if !missing.is_empty() {
        problems.push(format!("missing columns: {}", missing.join(", ")));
    }
    if !["year", "datetime", "time"]
        .iter()
        .any(|name| names.contains(name))
    {
        problems.push("no time column: year, year and subannual, datetime, or time".into());
    }
    if names.contains(&"time") && ["year", "datetime"].iter().any(|name| names.contains(name)) {
        problems.push("a time column beside year or datetime".into());
    }
    let unknown: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !KNOWN.contains(name))
        .collect();
    if !unknown.is_empty() {
        let mut text = format!("unknown columns: {}", unknown.join(", "));
        if unknown
            .iter()
            .any(|name| KNOWN.contains(&name.to_lowercase().as_str()))
        {
            text += " (names of columns are in lower case)";
        } else if unknown.iter().all(|name| name.parse::<i32>().is_ok()) {
            text += " (years as columns are the wide format: melt it, or use `stratalog import`)";
        }
        problems.push(text);
    }
    for (position, name) in names.iter().enumerate() {
        if names[..position].contains(name) {
            problems.push(format!("the column {name} is there twice"));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::frame(problems.join("; ")))
    }
}

/// `model`, `scenario` and `version` may be there if every row names this run.
fn check_run_columns(batch: &RecordBatch, run: &RunInfo) -> Result<()> {
    for (column, expected) in [
        ("model", run.model.clone()),
        ("scenario", run.scenario.clone()),
        ("version", run.version.to_string()),
    ] {
        let Some(array) = batch.column_by_name(column) else {
            continue;
        };
        let text = as_type(column, array, &DataType::Utf8)?;
        let text = text.as_string::<i32>();
        let others: Vec<_> = (0..text.len())
            .filter(|row| text.is_null(*row) || !same_text(text.value(*row), &expected, column))
            .collect();
        if let Some(first) = others.first() {
            let found = if text.is_null(*first) {
                "nothing"
            } else {
                text.value(*first)
            };
            return Err(Error::frame(format!(
                "column \"{column}\" names another run ({found:?} instead of {expected:?}) in {}",
                row_list(&others)
            )));
        }
    }
    Ok(())
}

/// A version that went through floats reads "1.0".
fn same_text(found: &str, expected: &str, column: &str) -> bool {
    found == expected || (column == "version" && found.strip_suffix(".0") == Some(expected))
}

fn as_type(name: &str, array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, data_type, &options).map_err(|error| {
        Error::frame(format!(
            "column \"{name}\" ({}): {error}",
            array.data_type()
        ))
    })
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// A column of names by distinct value.
fn coded(batch: &RecordBatch, name: &str) -> Result<Coded> {
    let Some(array) = batch.column_by_name(name) else {
        return Err(Error::frame(format!("missing columns: {name}")));
    };
    coded_array(name, array)
}

fn coded_array(name: &str, array: &ArrayRef) -> Result<Coded> {
    if array.is_empty() {
        return Ok(Coded {
            names: Vec::new(),
            codes: Vec::new(),
        });
    }
    if !is_text(array.data_type()) {
        return Err(Error::frame(format!(
            "column \"{name}\" must hold text, not {}",
            array.data_type()
        )));
    }
    let text = as_type(name, array, &DataType::Utf8)?;
    check_values(name, ColumnType::Text, &text, true)?;
    let text = text.as_string::<i32>();
    let mut codes = Vec::with_capacity(text.len());
    let mut names: Vec<String> = Vec::new();
    let mut code_of: HashMap<&str, u32> = HashMap::new();
    for value in text.iter().flatten() {
        let code = *code_of.entry(value).or_insert_with(|| {
            names.push(value.to_owned());
            names.len() as u32 - 1
        });
        codes.push(code);
    }
    Ok(Coded { names, codes })
}

fn values(batch: &RecordBatch) -> Result<Vec<f64>> {
    let Some(array) = batch.column_by_name("value") else {
        return Err(Error::frame("missing columns: value"));
    };
    if array.is_empty() {
        return Ok(Vec::new());
    }
    if !array.data_type().is_numeric() {
        return Err(Error::frame(format!(
            "column \"value\" must hold numbers, not {}",
            array.data_type()
        )));
    }
    let values = as_type("value", array, &DataType::Float64)?;
    check_values("value", ColumnType::Double, &values, true)?;
    if array.data_type().is_integer() {
        // A float holds integers exactly up to 2^53.
        let back = as_type("value", &values, array.data_type());
        let inexact = match back {
            Ok(back) => {
                let same = arrow::compute::kernels::cmp::eq(&back, array)?;
                (0..same.len()).filter(|row| !same.value(*row)).collect()
            }
            Err(_) => (0..values.len())
                .filter(|row| {
                    values.as_primitive::<Float64Type>().value(*row).abs() > 9_007_199_254_740_992.0
                })
                .collect::<Vec<_>>(),
        };
        if !inexact.is_empty() {
            return Err(Error::frame(format!(
                "column \"value\" has integers that a 64-bit float cannot hold exactly, in {}",
                row_list(&inexact)
            )));
        }
    }
    Ok(values.as_primitive::<Float64Type>().values().to_vec())
}

/// The time of each row.
struct Times {
    point_type: Vec<PointType>,
    step: Vec<i64>,
    category: Coded,
}

impl Times {
    fn check(batch: &RecordBatch, wanted: Option<PointType>) -> Result<Self> {
        let rows = batch.num_rows();
        let (mut year_name, mut datetime_name) = ("year", "datetime");
        let mut year = batch.column_by_name("year");
        let mut datetime = batch.column_by_name("datetime");
        // A column "time" of one type is years or moments; a mix comes as text or, from Python, as both columns.
        let mixed;
        if let Some(time) = batch.column_by_name("time") {
            if is_text(time.data_type()) {
                mixed = parse_times(time)?;
                (year, datetime) = (Some(&mixed.0), Some(&mixed.1));
            } else if time.data_type().is_temporal() {
                datetime = Some(time);
            } else {
                year = Some(time);
            }
            (year_name, datetime_name) = ("time", "time");
        }
        let years = year.map(|array| years(year_name, array)).transpose()?;
        let moments = datetime
            .map(|array| moments(datetime_name, array))
            .transpose()?;
        let subannual = batch
            .column_by_name("subannual")
            .map(subannual)
            .transpose()?;
        let mut result = Self {
            point_type: Vec::with_capacity(rows),
            step: Vec::with_capacity(rows),
            category: Coded {
                names: vec![String::new()],
                codes: Vec::with_capacity(rows),
            },
        };
        let mut code_of: HashMap<&str, u32> = HashMap::new();
        let mut bad = BadTimes::default();
        for row in 0..rows {
            let year = years.as_ref().and_then(|years| years[row]);
            let moment = moments.as_ref().and_then(|moments| moments[row]);
            let part = subannual.as_ref().and_then(|parts| parts[row].as_deref());
            let (point_type, step, code) = match (year, moment, part) {
                (Some(year), None, None) => (PointType::Yearly, year, 0),
                (Some(year), None, Some(part)) => {
                    let next = result.category.names.len() as u32;
                    let code = *code_of.entry(part).or_insert_with(|| {
                        result.category.names.push(part.to_owned());
                        next
                    });
                    (PointType::Categorical, year, code)
                }
                (None, Some(moment), None) => (PointType::Datetime, moment, 0),
                (None, None, _) => {
                    bad.none.push(row);
                    continue;
                }
                _ => {
                    bad.both.push(row);
                    continue;
                }
            };
            if wanted.is_some_and(|wanted| wanted != point_type) {
                bad.other.push(row);
            }
            result.point_type.push(point_type);
            result.step.push(step);
            result.category.codes.push(code);
        }
        bad.refuse(wanted)?;
        Ok(result)
    }
}

#[derive(Default)]
struct BadTimes {
    none: Vec<usize>,
    both: Vec<usize>,
    other: Vec<usize>,
}

impl BadTimes {
    fn refuse(&self, wanted: Option<PointType>) -> Result<()> {
        let mut problems = Vec::new();
        if !self.none.is_empty() {
            problems.push(format!(
                "no time (missing values) in {}",
                row_list(&self.none)
            ));
        }
        if !self.both.is_empty() {
            problems.push(format!(
                "more than one time (year, subannual, datetime) in {}",
                row_list(&self.both)
            ));
        }
        if let (Some(wanted), false) = (wanted, self.other.is_empty()) {
            problems.push(format!(
                "not {}, as the type says, in {}",
                wanted.word(),
                row_list(&self.other)
            ));
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::frame(problems.join("; ")))
        }
    }
}

/// Years as integers; floats count when they are whole (a column with gaps comes as floats).
fn years(name: &str, array: &ArrayRef) -> Result<Vec<Option<i64>>> {
    let data_type = array.data_type();
    if array.null_count() == array.len() {
        return Ok(vec![None; array.len()]);
    }
    if data_type.is_floating() {
        let floats = as_type(name, array, &DataType::Float64)?;
        let floats = floats.as_primitive::<Float64Type>();
        let missing = |row: usize| floats.is_null(row) || floats.value(row).is_nan();
        let bad: Vec<_> = (0..floats.len())
            .filter(|row| !missing(*row))
            .filter(|row| floats.value(*row).fract() != 0.0 || floats.value(*row).abs() > 1e15)
            .collect();
        if !bad.is_empty() {
            return Err(Error::frame(format!(
                "column \"{name}\" has years that are not whole numbers, in {}",
                row_list(&bad)
            )));
        }
        return Ok((0..floats.len())
            .map(|row| (!missing(row)).then(|| floats.value(row) as i64))
            .collect());
    }
    if !data_type.is_integer() {
        return Err(Error::frame(format!(
            "column \"{name}\" must hold whole years, not {data_type}"
        )));
    }
    let integers = as_type(name, array, &DataType::Int64)?;
    Ok(integers.as_primitive::<Int64Type>().iter().collect())
}

/// Moments in microseconds since 1970 (UTC). A zone in the type is converted; without one it is UTC.
fn moments(name: &str, array: &ArrayRef) -> Result<Vec<Option<i64>>> {
    if array.null_count() == array.len() {
        return Ok(vec![None; array.len()]);
    }
    let per_unit = match array.data_type() {
        DataType::Timestamp(unit, _) => *unit,
        DataType::Date32 | DataType::Date64 => TimeUnit::Microsecond,
        other if is_text(other) => {
            return Err(Error::frame(format!(
                "column \"{name}\" holds text: convert it with pandas.to_datetime, or name the column \"time\""
            )));
        }
        other => {
            return Err(Error::frame(format!(
                "column \"{name}\" must hold dates and times, not {other}"
            )));
        }
    };
    if per_unit == TimeUnit::Nanosecond {
        let nanoseconds = as_type(name, array, &DataType::Int64)?;
        let nanoseconds = nanoseconds.as_primitive::<Int64Type>();
        let bad: Vec<_> = (0..nanoseconds.len())
            .filter(|row| nanoseconds.is_valid(*row) && nanoseconds.value(*row) % 1_000 != 0)
            .collect();
        if !bad.is_empty() {
            return Err(Error::frame(format!(
                "column \"{name}\" has nanoseconds, which do not fit (microseconds do), in {}",
                row_list(&bad)
            )));
        }
    }
    // The instant stays what it is whatever the zone: only the unit changes.
    let zone = match array.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let micros = as_type(
        name,
        array,
        &DataType::Timestamp(TimeUnit::Microsecond, zone),
    )?;
    Ok(micros
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .collect())
}

/// Parts of the year. Missing and "Year" (pyam's word for the whole of it) mean none.
fn subannual(array: &ArrayRef) -> Result<Vec<Option<String>>> {
    if array.null_count() == array.len() {
        return Ok(vec![None; array.len()]);
    }
    if !is_text(array.data_type()) {
        return Err(Error::frame(format!(
            "column \"subannual\" must hold text, not {}",
            array.data_type()
        )));
    }
    let text = as_type("subannual", array, &DataType::Utf8)?;
    check_values("subannual", ColumnType::Text, &text, false)?;
    Ok(text
        .as_string::<i32>()
        .iter()
        .map(|part| {
            part.filter(|part| !part.is_empty() && *part != "Year")
                .map(str::to_owned)
        })
        .collect())
}

/// "2030" is a year, "2030-06-17 12:00" a moment.
fn parse_times(array: &ArrayRef) -> Result<(ArrayRef, ArrayRef)> {
    let text = as_type("time", array, &DataType::Utf8)?;
    let text = text.as_string::<i32>();
    let mut years = Vec::with_capacity(text.len());
    let mut moments = Vec::with_capacity(text.len());
    let mut bad = Vec::new();
    for (row, value) in text.iter().enumerate() {
        let value = value.unwrap_or_default().trim();
        let year = value.parse::<i64>().ok();
        let moment = if year.is_some() {
            None
        } else {
            parse_moment(value)
        };
        if year.is_none() && moment.is_none() && !value.is_empty() {
            bad.push(row);
        }
        years.push(year);
        moments.push(moment);
    }
    if !bad.is_empty() {
        return Err(Error::frame(format!(
            "column \"time\" has what is neither a year nor a date and time, in {}",
            row_list(&bad)
        )));
    }
    Ok((
        Arc::new(Int64Array::from(years)),
        Arc::new(arrow::array::TimestampMicrosecondArray::from(moments)),
    ))
}

/// ISO 8601: a date, or a date and time, with a zone or in UTC.
pub(crate) fn parse_moment(text: &str) -> Option<i64> {
    use chrono::{DateTime, NaiveDate, NaiveDateTime};
    if let Ok(moment) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
        return Some(moment.timestamp_micros());
    }
    let naive = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    .or_else(|| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    })?;
    Some(naive.and_utc().timestamp_micros())
}
