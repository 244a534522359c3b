//! An ixmp4 database as it is on disk.
//!
//! What is written here was learnt from databases that ixmp4 0.14 and 0.17 made:
//!
//! - On PostgreSQL, statement triggers keep a `…_version` table beside each table: a row per state, valid in
//!   `[transaction_id, end_transaction_id)`, `operation_type` insert 0, update 1, delete 2. Each statement draws a
//!   transaction of its own, so one bulk write has thousands. On SQLite these tables are empty.
//! - The end of a deletion is not to be trusted: a row that comes back under its old id, as ixmp4's revert has it, leaves
//!   the deletion open. Of the other rows it is right.
//! - A revert writes every row of the run anew, changed or not.
//! - `now()`, and the times that ixmp4 sends, become the session's local time in columns without time zone.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDateTime};

use crate::error::{Error, Result};
use crate::schema::{Column, ColumnType};
use crate::store::foreign::Foreign;

/// The revisions of ixmp4's schema that are understood, oldest first: those of ixmp4 0.14 to 0.17. They differ in how
/// the type of an indexset's elements is kept, and in indexes.
pub(super) const REVISIONS: [&str; 4] = [
    "9596778a8150",
    "8b0797ebf42f",
    "87987b875e9b",
    "ad8eabea98b9",
];

/// The only one of them with other columns.
const WITH_OLD_TYPES: &str = "9596778a8150";

/// A part of a run's life there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// All up to now, of which only the outcome is known.
    Present,
    /// What transactions in `(after, until]` did, of which only the outcome counts.
    Between { after: i64, until: i64 },
}

/// An opened database.
pub(super) struct Source {
    pub(super) db: Foreign,
    pub(super) revision: String,
    /// Whether its history is read too.
    pub(super) has_history: bool,
}

/// Whether to read the history, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum History {
    Read,
    LeaveOut,
}

impl Source {
    pub(super) fn open(url: &str, history: History) -> Result<Self> {
        let mut db = Foreign::open(url)?;
        let revision = revision(&mut db)?;
        let has_history = history == History::Read && {
            let one = [Column::of_result("one", ColumnType::Integer)];
            let found = db.select("SELECT 1 AS one FROM run_version LIMIT 1", &one)?;
            found.num_rows() > 0
        };
        Ok(Self {
            db,
            revision,
            has_history,
        })
    }

    /// An error about it.
    pub(super) fn broken(&self, problem: impl Into<String>) -> Error {
        Error::Ixmp4 {
            url: self.db.url(),
            problem: problem.into(),
        }
    }

    /// The column that says of which type an indexset's elements are.
    pub(super) fn type_column(&self) -> &'static str {
        if self.revision == WITH_OLD_TYPES {
            "_data_type"
        } else {
            "data_type"
        }
    }

    /// The rows of a table that are there at the end of a span and came, or were changed, in it.
    pub(super) fn came(&self, table: &str, span: Span) -> String {
        match span {
            Span::Present => format!("(SELECT * FROM \"{table}\")"),
            Span::Between { after, until } => format!(
                "(SELECT * FROM \"{table}_version\" WHERE transaction_id > {after} AND {})",
                holds_at(until)
            ),
        }
    }

    /// The rows of a table that are there at the end of a span.
    pub(super) fn there(&self, table: &str, span: Span) -> String {
        match span {
            Span::Present => format!("(SELECT * FROM \"{table}\")"),
            Span::Between { until, .. } => format!(
                "(SELECT * FROM \"{table}_version\" WHERE {})",
                holds_at(until)
            ),
        }
    }

    /// The rows of a table that were deleted in a span; some of them have come back in it.
    pub(super) fn went(&self, table: &str, span: Span) -> Option<String> {
        match span {
            Span::Present => None,
            Span::Between { after, until } => Some(format!(
                "(SELECT * FROM \"{table}_version\"
                  WHERE transaction_id > {after} AND transaction_id <= {until} AND operation_type = 2)"
            )),
        }
    }

    /// These columns of all rows that a table ever had, which never change in a row.
    pub(super) fn ever(&self, table: &str, columns: &str) -> String {
        if self.has_history {
            format!(
                "(SELECT {columns} FROM \"{table}\" UNION SELECT {columns} FROM \"{table}_version\")"
            )
        } else {
            format!("(SELECT {columns} FROM \"{table}\")")
        }
    }

    /// A query's rows, each turned into something.
    pub(super) fn rows<T>(
        &mut self,
        text: &str,
        columns: &[(&str, ColumnType)],
        mut each: impl FnMut(Cells<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let columns: Vec<_> = columns
            .iter()
            .map(|(name, of)| Column::of_result(name, *of))
            .collect();
        let batch = self.db.select(text, &columns)?;
        (0..batch.num_rows())
            .map(|row| each(Cells { batch: &batch, row }))
            .collect()
    }

    /// The one number that a query yields.
    pub(super) fn count(&mut self, text: &str) -> Result<u64> {
        let counts = self.rows(text, &[("count", ColumnType::BigInt)], |row| Ok(row.int(0)))?;
        Ok(counts
            .first()
            .copied()
            .flatten()
            .unwrap_or_default()
            .unsigned_abs())
    }

    /// Variable and unit of each measurand.
    pub(super) fn measurands(&mut self) -> Result<HashMap<i64, (i64, i64)>> {
        let all = self.ever("iamc_measurand", "id, variable__id, unit__id");
        let rows = self.rows(
            &format!("SELECT CAST(id AS bigint) AS id, CAST(variable__id AS bigint) AS variable__id, CAST(unit__id AS bigint) AS unit__id FROM {all} m"),
            &[
                ("id", ColumnType::BigInt),
                ("variable__id", ColumnType::BigInt),
                ("unit__id", ColumnType::BigInt),
            ],
            |row| Ok((row.id(0), (row.id(1), row.id(2)))),
        )?;
        Ok(rows.into_iter().collect())
    }
}

fn holds_at(until: i64) -> String {
    format!(
        "transaction_id <= {until} AND operation_type <> 2
         AND (end_transaction_id IS NULL OR end_transaction_id > {until})"
    )
}

fn revision(db: &mut Foreign) -> Result<String> {
    let refuse = |url: String, problem: String| Err(Error::Ixmp4 { url, problem });
    for table in ["alembic_version", "run", "iamc_datapoint_universal"] {
        if !db.has_table(table)? {
            return refuse(
                db.url(),
                format!(
                    "it is not a database of ixmp4: there is no table \"{table}\" in it. Give the URL or file that \
                     `ixmp4 platforms list` shows"
                ),
            );
        }
    }
    let found = db.select(
        "SELECT version_num FROM alembic_version",
        &[Column::of_result("version_num", ColumnType::Text)],
    )?;
    let found: Vec<_> = found
        .column(0)
        .as_string::<i32>()
        .iter()
        .flatten()
        .map(str::to_owned)
        .collect();
    match &found[..] {
        [one] if REVISIONS.contains(&one.as_str()) => Ok(one.clone()),
        other => {
            let at = match other {
                [] => "no revision".to_owned(),
                revisions => format!("revision {}", revisions.join(", ")),
            };
            refuse(
                db.url(),
                format!(
                    "its schema is at {at}, and only those of ixmp4 0.14 to 0.17 are understood ({}). If it is older, \
                     upgrade it, or a copy of it, with ixmp4's own command first: \
                     `ixmp4 alembic --platform NAME upgrade`. If it is newer, upgrade stratalog",
                    REVISIONS.join(", ")
                ),
            )
        }
    }
}

/// One row of a result.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl Cells<'_> {
    fn is_there(&self, column: usize) -> bool {
        self.batch.column(column).is_valid(self.row)
    }

    pub(super) fn int(&self, column: usize) -> Option<i64> {
        let array = self.batch.column(column);
        self.is_there(column).then(|| {
            if let Some(numbers) = array.as_primitive_opt::<Int64Type>() {
                numbers.value(self.row)
            } else if let Some(numbers) = array.as_primitive_opt::<Int32Type>() {
                i64::from(numbers.value(self.row))
            } else {
                i64::from(array.as_primitive::<Int16Type>().value(self.row))
            }
        })
    }

    /// A number that is never NULL.
    pub(super) fn id(&self, column: usize) -> i64 {
        self.int(column).unwrap_or_default()
    }

    pub(super) fn float(&self, column: usize) -> Option<f64> {
        let floats = self.batch.column(column).as_primitive::<Float64Type>();
        self.is_there(column).then(|| floats.value(self.row))
    }

    pub(super) fn flag(&self, column: usize) -> Option<bool> {
        let flags = self.batch.column(column).as_boolean();
        self.is_there(column).then(|| flags.value(self.row))
    }

    pub(super) fn text(&self, column: usize) -> Option<String> {
        let texts = self.batch.column(column).as_string::<i32>();
        self.is_there(column)
            .then(|| texts.value(self.row).to_owned())
    }

    /// Text that is never NULL.
    pub(super) fn name(&self, column: usize) -> String {
        self.text(column).unwrap_or_default()
    }

    pub(super) fn time(&self, column: usize) -> Option<NaiveDateTime> {
        let times = self
            .batch
            .column(column)
            .as_primitive::<TimestampMicrosecondType>();
        if !self.is_there(column) {
            return None;
        }
        DateTime::from_timestamp_micros(times.value(self.row)).map(|time| time.naive_utc())
    }
}
