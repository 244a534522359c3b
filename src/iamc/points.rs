//! From a frame to rows of `datapoints`: the input is checked as a whole before anything is written.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray,
    UInt32Array,
};
use arrow::datatypes::{DataType, Float64Type, Int16Type, Int64Type, UInt32Type, UInt64Type};

use crate::error::{Error, Result};
use crate::history::ChangeCounts;
use crate::history::rows::{Incoming, RowOperation};
use crate::history::write::Write;
use crate::iamc::checked::{Chunks, Names};
use crate::iamc::columns::{Coded, as_type, coded, with_plain_numbers};
use crate::iamc::named::column;
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
    pub(crate) const ALL: [Self; 3] = [Self::Yearly, Self::Categorical, Self::Datetime];

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
    /// A stream is written in transactions of so many batches each; `None`: in one. What a later one does not allow
    /// leaves the earlier ones written, until the lock is rolled back.
    pub batches_per_transaction: Option<NonZeroUsize>,
    /// Told how many more rows have been handed to the database.
    pub progress: Option<&'a mut dyn FnMut(usize)>,
    /// Asked whenever rows have been handed to the database; an error ends the call, and nothing is written.
    pub interrupt: Option<&'a dyn Fn() -> Result<()>>,
}

/// Checked points.
#[derive(Default)]
struct Points {
    regions: Names,
    variables: Names,
    units: Names,
    categories: Names,
    /// Codes of names, steps and values; each chunk in the order of its keys, and no key twice in it.
    chunks: Chunks,
}

/// One batch that was checked, row by row as it came.
struct Checked {
    region: Coded,
    variable: Coded,
    unit: Coded,
    point_type: Vec<PointType>,
    step: Vec<i64>,
    category: Coded,
    /// Empty when points are to be removed.
    value: Vec<f64>,
}

/// How many rows are handed to the database at once.
const ROWS_AT_ONCE: usize = 1 << 16;

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

/// Adds or removes what comes in batches: all of them in one transaction, or so many in each.
pub(super) fn write(
    lock: Result<&RunLock>,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
    operation: RowOperation,
    mut options: AddOptions<'_>,
) -> Result<ChangeCounts> {
    let lock = lock?;
    let run = lock.run().info();
    let mut counts = ChangeCounts::default();
    let mut points = Points::default();
    let mut waiting = 0;
    // Where the next batch begins.
    let (mut batch_number, mut row) = (0, 0);
    for batch in batches {
        if let Some(interrupt) = options.interrupt {
            interrupt()?;
        }
        let batch = batch?;
        let rows = batch.num_rows();
        points
            .check(&batch, run, operation, options.point_type)
            .map_err(|error| in_batch(error, batch_number, row))?;
        batch_number += 1;
        row += rows;
        waiting += 1;
        if options
            .batches_per_transaction
            .is_some_and(|most| waiting >= most.get())
        {
            counts += points.write(lock, operation, &mut options)?;
            points = Points::default();
            waiting = 0;
        }
    }
    if waiting > 0 || batch_number == 0 {
        counts += points.write(lock, operation, &mut options)?;
    }
    Ok(counts)
}

/// Rows are counted in each batch: says in which.
fn in_batch(error: Error, batch: usize, row: usize) -> Error {
    match error {
        Error::InvalidFrame { problem } if batch > 0 => Error::frame(format!(
            "{problem}, counted in batch {batch}, which begins at row {row}"
        )),
        error => error,
    }
}

impl Points {
    fn check(
        &mut self,
        batch: &RecordBatch,
        run: &RunInfo,
        operation: RowOperation,
        wanted: Option<PointType>,
    ) -> Result<()> {
        let checked = Checked::of(batch, run, operation, wanted)?;
        let order = checked.sorted()?;
        if order.is_empty() {
            return Ok(());
        }
        let rows = || order.iter().map(|row| *row as usize);
        let codes = |names: &mut Names, column: &Coded| -> ArrayRef {
            let codes = names.codes_of(column);
            Arc::new(UInt32Array::from_iter_values(
                rows().map(|row| codes[column.codes[row] as usize]),
            ))
        };
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("region", codes(&mut self.regions, &checked.region)),
            ("variable", codes(&mut self.variables, &checked.variable)),
            ("unit", codes(&mut self.units, &checked.unit)),
            ("category", codes(&mut self.categories, &checked.category)),
            (
                "point_type",
                Arc::new(Int16Array::from_iter_values(
                    rows().map(|row| checked.point_type[row] as i16),
                )),
            ),
            (
                "step",
                Arc::new(Int64Array::from_iter_values(
                    rows().map(|row| checked.step[row]),
                )),
            ),
        ];
        if operation == RowOperation::Add {
            columns.push((
                "value",
                Arc::new(Float64Array::from_iter_values(
                    rows().map(|row| checked.value[row]),
                )),
            ));
        }
        self.chunks.push(RecordBatch::try_from_iter(columns)?)
    }

    fn write(
        &mut self,
        lock: &RunLock,
        operation: RowOperation,
        options: &mut AddOptions<'_>,
    ) -> Result<ChangeCounts> {
        let name = match operation {
            RowOperation::Add => "iamc.add",
            RowOperation::Remove => "iamc.remove",
        };
        let table = datapoints::table::description();
        let (create_missing, interrupt) = (options.create_missing, options.interrupt);
        let run = lock.run().info();
        lock.write(name, |write| {
            let ids = self.resolve(write, operation, create_missing)?;
            if self.chunks.rows() == 0 {
                return Ok(ChangeCounts::default());
            }
            let mut progress = |rows| {
                if let Some(progress) = &mut options.progress {
                    progress(rows);
                }
                interrupt.map_or(Ok(()), |interrupt| interrupt())
            };
            let (parts, rows) = (self.chunks.parts(), self.chunks.rows());
            let mut incoming = Incoming::begin(write, &table, operation, parts, rows)?;
            let categories = &self.categories.names;
            self.chunks.read(|chunk| {
                let sorted = ids.in_order(chunk, categories)?;
                let chunk = sorted.as_ref().unwrap_or(chunk);
                for begin in (0..chunk.num_rows()).step_by(ROWS_AT_ONCE) {
                    let part = chunk.slice(begin, ROWS_AT_ONCE.min(chunk.num_rows() - begin));
                    let rows = ids.rows(&part, run.id.0, categories)?;
                    incoming.load(write, &rows, &mut progress)?;
                }
                Ok(())
            })?;
            incoming.write(write)
        })
    }

    /// Names to ids. Makes what may be made, refuses the rest, all of it at once.
    fn resolve(
        &self,
        write: &mut Write<'_>,
        operation: RowOperation,
        create_missing: bool,
    ) -> Result<Ids> {
        let wanted = [
            (Kind::Region, self.regions.names.as_slice()),
            (Kind::Variable, self.variables.names.as_slice()),
            (Kind::Unit, self.units.names.as_slice()),
        ];
        let found = names::ids_of(write.connection, wanted)?;
        let mut unknown = Vec::new();
        let mut ids: [Vec<i64>; 3] = Default::default();
        for ((kind, names), (mut known, ids)) in
            wanted.into_iter().zip(found.into_iter().zip(&mut ids))
        {
            let missing: Vec<&str> = names
                .iter()
                .map(String::as_str)
                .filter(|name| !known.contains_key(*name))
                .collect();
            if !missing.is_empty() {
                if operation == RowOperation::Add && (kind == Kind::Variable || create_missing) {
                    names::create_missing(write, kind, &missing, DEFAULT_HIERARCHY)?;
                    known = names::ids_by_name(write.connection, kind)?;
                } else {
                    let all = names::ids_by_name(write.connection, kind)?;
                    unknown.push(missing_names(kind, &missing, &all));
                }
            }
            let id = |name: &String| known.get(name).copied().unwrap_or_default();
            *ids = names.iter().map(id).collect();
        }
        let [region, variable, unit] = ids;
        if unknown.is_empty() {
            Ok(Ids {
                region,
                variable,
                unit,
            })
        } else {
            Err(Error::UnknownNames {
                missing: unknown.join("; "),
            })
        }
    }
}

impl Checked {
    fn of(
        batch: &RecordBatch,
        run: &RunInfo,
        operation: RowOperation,
        wanted: Option<PointType>,
    ) -> Result<Self> {
        check_columns(batch, operation)?;
        let batch = &with_plain_numbers(batch)?;
        check_run_columns(batch, run)?;
        let time = Times::check(batch, wanted)?;
        Ok(Self {
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
        })
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
            .map_err(|_| Error::frame("more than 4,294,967,295 rows in one batch: split it"))?;
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
}

/// Ids by the codes of names.
struct Ids {
    region: Vec<i64>,
    variable: Vec<i64>,
    unit: Vec<i64>,
}

impl Ids {
    /// The chunk in the order of the table's key, which is the order in which the database likes it; `None`: it is.
    /// Chunks are in the order of codes, which is mostly that of ids.
    fn in_order(&self, chunk: &RecordBatch, categories: &[String]) -> Result<Option<RecordBatch>> {
        let grows = |ids: &[i64]| ids.windows(2).all(|pair| pair[0] < pair[1]);
        if grows(&self.region)
            && grows(&self.variable)
            && grows(&self.unit)
            && categories.windows(2).all(|pair| pair[0] < pair[1])
        {
            return Ok(None);
        }
        let codes = |name| {
            column(chunk, name)
                .as_primitive::<UInt32Type>()
                .values()
                .to_vec()
        };
        let (region, variable, unit) = (codes("region"), codes("variable"), codes("unit"));
        let category = codes("category");
        let point_type = column(chunk, "point_type");
        let point_type = point_type.as_primitive::<Int16Type>().values();
        let step = column(chunk, "step");
        let step = step.as_primitive::<Int64Type>().values();
        let mut order: Vec<u32> = (0..chunk.num_rows() as u32).collect();
        order.sort_by_key(|row| {
            let row = *row as usize;
            (
                self.region[region[row] as usize],
                self.variable[variable[row] as usize],
                self.unit[unit[row] as usize],
                point_type[row],
                step[row],
                &categories[category[row] as usize],
            )
        });
        Ok(Some(arrow::compute::take_record_batch(
            chunk,
            &UInt32Array::from(order),
        )?))
    }

    /// The rows of `datapoints`.
    fn rows(&self, chunk: &RecordBatch, run: i64, categories: &[String]) -> Result<RecordBatch> {
        let codes = |name: &str| column(chunk, name);
        let id_column = |name: &str, ids: &[i64]| -> ArrayRef {
            let codes = codes(name);
            let codes = codes.as_primitive::<UInt32Type>().values().iter();
            Arc::new(Int64Array::from_iter_values(
                codes.map(|code| ids[*code as usize]),
            ))
        };
        let category = codes("category");
        let category = category.as_primitive::<UInt32Type>().values().iter();
        let rows = chunk.num_rows();
        let value = chunk.column_by_name("value").cloned();
        in_order_of_table(vec![
            ("run_id", Arc::new(Int64Array::from(vec![run; rows]))),
            ("region_id", id_column("region", &self.region)),
            ("variable_id", id_column("variable", &self.variable)),
            ("unit_id", id_column("unit", &self.unit)),
            ("point_type", codes("point_type")),
            ("step", codes("step")),
            (
                "category",
                Arc::new(StringArray::from_iter_values(
                    category.map(|code| &categories[*code as usize]),
                )),
            ),
            (
                "value",
                value.unwrap_or_else(|| Arc::new(Float64Array::new_null(rows))),
            ),
        ])
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
