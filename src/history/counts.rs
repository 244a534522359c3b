//! How many rows changed in which way.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt};
use serde::Serialize;

/// How many rows a write inserted, updated and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChangeCounts {
    /// Rows that were not there before.
    pub inserted: u64,
    /// Rows that have other values now.
    pub updated: u64,
    /// Rows that are no longer there.
    pub deleted: u64,
}

impl ChangeCounts {
    /// Counts rows of an operation type.
    pub(crate) fn count(&mut self, operation_type: i16, rows: i64) {
        let rows = rows.unsigned_abs();
        match operation_type {
            0 => self.inserted += rows,
            1 => self.updated += rows,
            _ => self.deleted += rows,
        }
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

impl std::ops::AddAssign for ChangeCounts {
    fn add_assign(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
    }
}

impl std::fmt::Display for ChangeCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} inserted, {} updated, {} deleted",
            self.inserted, self.updated, self.deleted
        )
    }
}

/// A row of `SELECT operation_type, count(*) AS rows … GROUP BY operation_type`.
#[derive(QueryableByName)]
pub(crate) struct OperationCount {
    #[diesel(sql_type = SmallInt)]
    operation_type: i16,
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

impl FromIterator<OperationCount> for ChangeCounts {
    fn from_iter<I: IntoIterator<Item = OperationCount>>(rows: I) -> Self {
        let mut counts = Self::default();
        for row in rows {
            counts.count(row.operation_type, row.rows);
        }
        counts
    }
}
