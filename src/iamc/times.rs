//! The time of each row of a frame: years, parts of years, moments.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike};

use crate::error::{Error, Result};
use crate::iamc::PointType;
use crate::iamc::columns::{Coded, as_type, is_missing, is_text, narrowed};
use crate::input::{check_values, row_list};
use crate::schema::ColumnType;

/// The time of each row.
pub(super) struct Times {
    pub(super) point_type: Vec<PointType>,
    pub(super) step: Vec<i64>,
    pub(super) category: Coded,
}

impl Times {
    pub(super) fn check(batch: &RecordBatch, wanted: Option<PointType>) -> Result<Self> {
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
    if is_missing(array) {
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
    let integers = narrowed(name, "years", array, &DataType::Int64)?;
    Ok(integers.as_primitive::<Int64Type>().iter().collect())
}

/// Moments in microseconds since 1970 (UTC). A zone in the type is converted; without one it is UTC.
fn moments(name: &str, array: &ArrayRef) -> Result<Vec<Option<i64>>> {
    if is_missing(array) {
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
    let micros = narrowed(
        name,
        "dates",
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
    if is_missing(array) {
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
    let (mut bad, mut too_fine, mut zoneless, mut zoned) = (vec![], vec![], vec![], 0);
    for (row, value) in text.iter().enumerate() {
        let value = value.unwrap_or_default().trim();
        let year = value.parse::<i64>().ok();
        let moment = if year.is_some() {
            None
        } else {
            Moment::parse(value)
        };
        match &moment {
            Some(moment) if moment.time.nanosecond() % 1_000 != 0 => too_fine.push(row),
            Some(Moment { has_zone: true, .. }) => zoned += 1,
            Some(_) => zoneless.push(row),
            None if year.is_none() && !value.is_empty() => bad.push(row),
            None => {}
        }
        years.push(year);
        moments.push(moment.map(|moment| moment.time.and_utc().timestamp_micros()));
    }
    if zoned == 0 {
        zoneless.clear();
    }
    for (what, rows) in [
        ("what is neither a year nor a date and time", &bad),
        ("nanoseconds, which do not fit (microseconds do)", &too_fine),
        (
            "times with and without a time zone: it is missing",
            &zoneless,
        ),
    ] {
        if !rows.is_empty() {
            return Err(Error::frame(format!(
                "column \"time\" has {what}, in {}",
                row_list(rows)
            )));
        }
    }
    Ok((
        Arc::new(Int64Array::from(years)),
        Arc::new(TimestampMicrosecondArray::from(moments)),
    ))
}

struct Moment {
    /// In UTC.
    time: NaiveDateTime,
    has_zone: bool,
}

impl Moment {
    /// ISO 8601: a date, or a date and time, with a zone or in UTC.
    fn parse(text: &str) -> Option<Self> {
        if let Ok(moment) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
            return Some(Self {
                time: moment.naive_utc(),
                has_zone: true,
            });
        }
        let time = [
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
        Some(Self {
            time,
            has_zone: false,
        })
    }
}
