//! IAMC files: CSV and workbooks (Excel, OpenDocument) into frames, runs into CSV.
//!
//! **Invariant:** a file is taken whole or refused whole. Every problem of its contents is named with
//! file, line, column and what was found; nothing is guessed, rounded or left out.
//!
//! The format, after <https://docs.ece.iiasa.ac.at/iamc.html>: a header, then a row per point (*long*) or
//! per time series with a column per year or date (*wide*). Names of columns in any letter case:
//!
//! | column | |
//! |---|---|
//! | Model, Scenario, Version | which run; optional |
//! | Region, Variable, Unit | needed; a unit may be empty |
//! | Subannual | part of the year; optional, empty and "Year" mean the whole |
//! | Year, Datetime, or Time (holding both) and Value | long |
//! | 2030, 2050, … or 2030-06-17 12:00, … | wide; years have four digits; an empty cell is no point |
//!
//! Numbers have a decimal point, no thousands separators. Dates are ISO 8601, with a zone or in UTC.

mod cell;
mod csv;
mod header;
mod import;
mod points;
mod problems;
mod reader;
mod workbook;
mod write;

use std::path::Path;

use crate::error::{Error, Result};
use crate::iamc::Frame;

pub use import::{Failed, ImportOptions, ImportStep, Imported, import};
pub(crate) use write::number_text;
pub use write::{Layout, write, write_to};

/// The points of one run in a file.
#[derive(Clone, Debug)]
pub struct FileRun {
    /// Its model; none when the file has no such column.
    pub model: Option<String>,
    /// Its scenario; none when the file has no such column.
    pub scenario: Option<String>,
    /// Its version; none when the file has no such column.
    pub version: Option<i32>,
    /// Its points, ready for [`Iamc::add`](crate::Iamc::add): region, variable, unit, time and value.
    pub frame: Frame,
}

/// Reads a file: one [`FileRun`] per (model, scenario, version) in the order in which they first appear.
///
/// CSV (`.csv`, `.txt`; UTF-8), Excel (`.xlsx`, `.xlsm`, `.xlsb`, `.xls`) and OpenDocument (`.ods`); of a
/// workbook the sheet "data", or else its first one.
///
/// # Errors
/// [`Error::File`] when it cannot be read as such a file; [`Error::InvalidFrame`] naming the lines (the
/// first ten of each kind of problem) when its contents cannot be taken.
pub fn read(path: &Path) -> Result<Vec<FileRun>> {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "csv" | "txt" => csv::read(path),
        "xlsx" | "xlsm" | "xlsb" | "xls" | "ods" => workbook::read(path),
        _ => Err(unreadable(
            path,
            "what it holds cannot be told from its name: CSV files end in .csv, Excel files in .xlsx \
             or .xls, OpenDocument files in .ods",
        )),
    }
}

fn unreadable(path: &Path, problem: impl ToString) -> Error {
    Error::File {
        path: path.display().to_string(),
        problem: problem.to_string(),
    }
}
