//! CSV: UTF-8 with or without a byte order mark, separated by commas.

use std::fs::File;
use std::path::Path;

use super::cell::Cell;
use super::reader::Reader;
use super::{FileRun, unreadable};
use crate::error::Result;

/// Reads a file as [`read`](super::read) does.
pub(super) fn read(path: &Path) -> Result<Vec<FileRun>> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    let mut rows = ::csv::ReaderBuilder::new()
        .has_headers(false)
        // Rows of another length are named by us, all of them.
        .flexible(true)
        .from_reader(file);
    let mut reader = Reader::new(path, "line");
    let mut record = ::csv::StringRecord::new();
    while rows
        .read_record(&mut record)
        .map_err(|error| problem(path, &error))?
    {
        let line = record.position().map_or(0, ::csv::Position::line);
        reader.row(line, record.len(), |index| {
            Cell::text(record.get(index).unwrap_or_default())
        })?;
    }
    reader.finish()
}

fn problem(path: &Path, error: &::csv::Error) -> crate::Error {
    match error.kind() {
        ::csv::ErrorKind::Utf8 { pos, err } => {
            let line = pos.as_ref().map_or(0, ::csv::Position::line);
            let column = err.field() + 1;
            unreadable(
                path,
                format!(
                    "line {line}, column {column} is not UTF-8: save the file as UTF-8 (in Excel: \"CSV UTF-8\")"
                ),
            )
        }
        ::csv::ErrorKind::Io(error) => unreadable(path, error),
        _ => unreadable(path, error),
    }
}
