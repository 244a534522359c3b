//! From a frame to rows of `datapoints`: the input is checked as a whole before anything is written.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};

use crate::error::{Error, Result};
use crate::history::ChangeCounts;
use crate::history::rows::{RowOperation, write_rows};
use crate::history::write::Write;
use crate::iamc::Frame;
use crate::iamc::columns::{Coded, as_type, coded, with_plain_numbers};
use crate::iamc::times::Times;
use crate::input::{check_values, row_list};
use crate::names::{self, DEFAULT_HIERARCHY, Kind};
use crate::run::{RunInfo, RunLock};
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
    pub(crate) fn word(self) -> &'static str {
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
    /// Asked whenever rows have been handed to the database; an error ends the call, and nothing is written.
    pub interrupt: Option<&'a dyn Fn() -> Result<()>>,
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
    let interrupt = options.interrupt;
    lock.write(name, |write| {
        let Some(rows) = points.resolve(write, lock.run().info(), operation, create_missing)?
        else {
            return Ok(ChangeCounts::default());
        };
        let mut progress = |rows| {
            if let Some(progress) = &mut options.progress {
                progress(rows);
            }
            interrupt.map_or(Ok(()), |interrupt| interrupt())
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
        let batch = &with_plain_numbers(batch)?;
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

pub(crate) fn missing_names(kind: Kind, missing: &[&str], known: &HashMap<String, i64>) -> String {
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
    let inexact = rounded_integers(array);
    if !inexact.is_empty() {
        return Err(Error::frame(format!(
            "column \"value\" has integers that a 64-bit float cannot hold exactly, in {}",
            row_list(&inexact)
        )));
    }
    Ok(values.as_primitive::<Float64Type>().values().to_vec())
}

/// The rows of a column of integers that a float would round: it holds all of them up to 2^53.
fn rounded_integers(array: &ArrayRef) -> Vec<usize> {
    let rows = 0..array.len();
    match array.data_type() {
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>().values();
            rows.filter(|row| values[*row] as f64 as i128 != i128::from(values[*row]))
                .collect()
        }
        DataType::UInt64 => {
            let values = array.as_primitive::<UInt64Type>().values();
            rows.filter(|row| values[*row] as f64 as i128 != i128::from(values[*row]))
                .collect()
        }
        _ => Vec::new(),
    }
}
