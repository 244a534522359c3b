//! Workbooks: Excel and OpenDocument.

use std::path::Path;

use calamine::{Data, ExcelDateTime, Reader as _, open_workbook_auto};
use chrono::NaiveDate;

use super::cell::{Cell, moment};
use super::reader::Reader;
use super::{FileRun, unreadable};
use crate::error::Result;

/// The sheet with the points, by the convention of the IAMC; beside it a sheet "meta" may be.
const SHEET: &str = "data";

/// Reads a file as [`read`](super::read) does.
pub(super) fn read(path: &Path) -> Result<Vec<FileRun>> {
    // So that "no such file" is said in the system's words, not in those of a parser.
    std::fs::File::open(path).map_err(|error| unreadable(path, error))?;
    let damaged = |error: calamine::Error| {
        unreadable(path, format!("it cannot be read as a workbook ({error})"))
    };
    let mut workbook = open_workbook_auto(path).map_err(damaged)?;
    let sheets = workbook.sheet_names();
    let sheet = sheets
        .iter()
        .find(|name| name.eq_ignore_ascii_case(SHEET))
        .or_else(|| sheets.first())
        .ok_or_else(|| unreadable(path, "it has no sheets"))?
        .clone();
    let range = workbook.worksheet_range(&sheet).map_err(damaged)?;
    let first_row = range.start().map_or(0, |(row, _)| row);
    let mut reader = Reader::new(path, "row");
    for (offset, row) in range.rows().enumerate() {
        // As the program shows it: rows begin at 1, whether or not the first ones are empty.
        let line = u64::from(first_row) + offset as u64 + 1;
        reader.row(line, row.len(), |index| {
            row.get(index).map_or(Cell::Empty, cell)
        })?;
    }
    reader.finish()
}

fn cell(data: &Data) -> Cell<'_> {
    match data {
        Data::Empty => Cell::Empty,
        Data::String(text) => Cell::text(text),
        Data::Float(number) => Cell::Number(*number),
        // Beyond 2^53 only XLSB and ODS could say so, and a float is what all programs compute with.
        Data::Int(number) => Cell::Number(*number as f64),
        Data::Bool(truth) => Cell::Other(truth.to_string().to_uppercase()),
        Data::DateTime(date) => {
            micros(date).map_or_else(|| Cell::Other(date.to_string()), Cell::Moment)
        }
        Data::DateTimeIso(text) => moment(text).map_or_else(
            |_| Cell::Other(text.clone()),
            |moment| Cell::Moment(moment.micros),
        ),
        Data::DurationIso(text) => Cell::Other(text.clone()),
        Data::Error(error) => Cell::Other(error.to_string()),
    }
}

/// Dates are days since 1900 (or 1904) as floats: good for milliseconds, which is what they are read as.
fn micros(date: &ExcelDateTime) -> Option<i64> {
    if date.is_duration() {
        return None;
    }
    let (year, month, day, hour, minute, second, milli) = date.to_ymd_hms_milli();
    NaiveDate::from_ymd_opt(year.into(), month.into(), day.into())?
        .and_hms_milli_opt(hour.into(), minute.into(), second.into(), milli.into())
        .map(|moment| moment.and_utc().timestamp_micros())
}
