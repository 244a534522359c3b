//! What differs between two states of a run. The cost follows what changed between them.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde::Serialize;

use crate::core::Core;
use crate::error::Result;
use crate::history::as_of::{touched_keys, was_state};
use crate::history::changes::{ChangeCounts, OperationCount};
use crate::ids::{RunId, TransactionId};
use crate::schema::TableDescription;
use crate::store::{AnyConnection, Engine, doing, keys_equal, quote, sql};

/// How one table of a run differs between two states.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// Rows inserted, updated and deleted on the way from the first state to the second.
    pub changes: ChangeCounts,
}

/// How a run differs between two states, per table; only tables that differ.
pub type DiffSummary = Vec<Difference>;

/// Rows of `table` that differ between the states after `$2` and after `$3` (the later one) of run `$1`:
/// `operation_type` (seen from `$2` to `$3`), the key columns from alias `k`, and whatever `columns` adds
/// from `a` (before) and `b` (after).
pub(crate) fn select_difference(engine: Engine, table: &TableDescription, columns: &str) -> String {
    let key = quote(&table.key[0]);
    let version = quote(&table.version_name());
    format!(
        "SELECT CASE WHEN b.{key} IS NULL THEN 2 WHEN a.{key} IS NULL THEN 0 ELSE 1 END AS operation_type{columns}
         FROM {touched} k
         LEFT JOIN {version} a ON {a_is_k} AND {was_a}
         LEFT JOIN {version} b ON {b_is_k} AND {was_b}
         WHERE (a.{key} IS NULL) <> (b.{key} IS NULL) OR {differs}",
        touched = touched_keys(table, "$1", "$2", Some("$3")),
        a_is_k = keys_equal(table, "a", "k"),
        was_a = was_state("a", "$2"),
        b_is_k = keys_equal(table, "b", "k"),
        was_b = was_state("b", "$3"),
        differs = engine.any_differs(table.value_columns(), "a", "b"),
    )
}

impl Core {
    /// Counts per table of what changed from the state after `from` to that after `to`.
    pub(crate) fn diff_summary(
        &self,
        connection: &mut AnyConnection,
        run: RunId,
        from: TransactionId,
        to: TransactionId,
    ) -> Result<DiffSummary> {
        let forward = from <= to;
        let (earlier, later) = if forward { (from, to) } else { (to, from) };
        let mut summary = Vec::new();
        for table in self.tables.iter().filter(|table| table.is_run_scoped()) {
            let rows: Vec<OperationCount> = sql(format!(
                "SELECT CAST(operation_type AS SMALLINT) AS operation_type, count(*) AS rows FROM ({}) d GROUP BY operation_type",
                select_difference(self.store.engine(), table, "")
            ))
            .bind::<BigInt, _>(run.0)
            .bind::<BigInt, _>(earlier.0)
            .bind::<BigInt, _>(later.0)
            .load(connection)
            .map_err(doing("comparing two states"))?;
            let mut changes: ChangeCounts = rows.into_iter().collect();
            if !forward {
                std::mem::swap(&mut changes.inserted, &mut changes.deleted);
            }
            if changes.total() > 0 {
                summary.push(Difference {
                    table: table.name.clone(),
                    changes,
                });
            }
        }
        Ok(summary)
    }
}
