//! What a run has in a table, and whether a change is about all of it.

use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::error::Result;
use crate::history::counts::ChangeCounts;
use crate::history::write::Write;
use crate::schema::{TRANSACTION_ID, TableDescription};
use crate::store::rows::Bind;
use crate::store::{BulkRecording, doing, quote};

/// What a table has of the run of this transaction.
#[derive(Clone, Copy, QueryableByName)]
pub(super) struct Held {
    #[diesel(sql_type = Bool)]
    pub(super) has_rows: bool,
    #[diesel(sql_type = Bool)]
    pub(super) has_history: bool,
}

impl Held {
    pub(super) fn nothing() -> Self {
        Self {
            has_rows: false,
            has_history: false,
        }
    }

    /// Of rows that the run does not have.
    pub(super) fn extent_of_new_rows(self) -> Extent {
        if self.has_history {
            Extent::Some
        } else {
            Extent::First
        }
    }

    pub(super) fn by_run(write: &mut Write<'_>, table: &TableDescription) -> Result<Self> {
        let any =
            |table: &str| format!("EXISTS (SELECT 1 FROM {} WHERE run_id = $1)", quote(table));
        let text = format!(
            "SELECT {} AS has_rows, {} AS has_history",
            any(&table.name),
            any(&table.version_name())
        );
        write
            .get(&text, &[Bind::BigInt(write.run.unwrap_or_default())])
            .map_err(doing("looking at what the run has"))
    }
}

/// How much of its run a change set is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The run has no version rows yet: there are none to look for.
    First,
    /// Some of its rows: each is looked for by its key.
    Some,
    /// All its rows are deleted, or all get other values, and this transaction has written to none of them before: the run
    /// says which they are, as one range.
    All,
}

/// The condition that a row of the alias is of the run `$2` of [`binds_of`].
pub(super) fn of_this_run(alias: &str) -> String {
    format!("{alias}.run_id = $2")
}

/// `$1`: the transaction. `$2`: its run. SQLite looks up what a subquery says for each row anew, or notes down all rows
/// first.
pub(super) fn binds_of(write: &Write<'_>) -> [Bind; 2] {
    [write.id.0, write.run.unwrap_or_default()].map(Bind::BigInt)
}

/// How many version rows for each changed row are read, rather than looking for each row's open one by its key.
const HISTORY_READ: i64 = 4;

#[derive(QueryableByName)]
struct IsAll {
    #[diesel(sql_type = Bool)]
    is_all: bool,
}

impl Extent {
    /// Of changes to rows of which some have history. To find it out no more is read than some times what changes.
    pub(super) fn of(
        write: &mut Write<'_>,
        table: &TableDescription,
        counts: ChangeCounts,
    ) -> Result<Self> {
        let changed = match counts {
            ChangeCounts {
                inserted: 0,
                updated: 0,
                deleted: n,
            }
            | ChangeCounts {
                inserted: 0,
                updated: n,
                deleted: 0,
            } => n as i64,
            _ => 0,
        };
        let by_set = write.engine().bulk_recording() == BulkRecording::SetBased;
        if changed == 0 || !by_set || !table.is_run_scoped() {
            return Ok(Self::Some);
        }
        let up_to = |table: &str, most: &str| {
            format!(
                "(SELECT count(*) FROM (SELECT 1 FROM {0} WHERE {1} LIMIT {most}) r)",
                quote(table),
                of_this_run(&quote(table)),
            )
        };
        let history = HISTORY_READ * changed;
        let version = quote(&table.version_name());
        let text = format!(
            "SELECT CASE
               WHEN EXISTS (SELECT 1 FROM {version} v WHERE v.\"{TRANSACTION_ID}\" = $1 AND {}) THEN 0
               WHEN {} <> $4 THEN 0
               ELSE {} <= $6 END AS is_all",
            of_this_run("v"),
            up_to(&table.name, "$3"),
            up_to(&table.version_name(), "$5"),
        );
        let numbers = [changed + 1, changed, history + 1, history].map(Bind::BigInt);
        let binds: Vec<_> = binds_of(write).into_iter().chain(numbers).collect();
        let found: IsAll = write
            .get(&text, &binds)
            .map_err(doing("looking whether all of the run changes"))?;
        Ok(if found.is_all { Self::All } else { Self::Some })
    }
}
