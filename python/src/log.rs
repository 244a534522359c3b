//! The change log as a table.

use pyo3::prelude::*;
use stratalog::{ChangeCounts, LogEntry};

use crate::error::Result;
use crate::frame::Columns;

/// Transactions, newest first, a row each.
pub(crate) fn tabulate(py: Python<'_>, entries: &[LogEntry]) -> Result<Py<PyAny>> {
    let totals: Vec<ChangeCounts> = entries
        .iter()
        .map(|entry| {
            let mut total = ChangeCounts::default();
            entry
                .changes
                .iter()
                .for_each(|(_, counts)| total += *counts);
            total
        })
        .collect();
    Columns::default()
        .integers("id", entries.iter().map(|entry| entry.id.0))
        .moments(
            "issued_at",
            entries
                .iter()
                .map(|entry| entry.issued_at.and_utc().timestamp_micros()),
        )
        .integers(
            "run_id",
            entries.iter().map(|entry| entry.run_id.map(|run| run.0)),
        )
        .text("actor", entries.iter().map(|entry| entry.actor.clone()))
        .text(
            "operation",
            entries.iter().map(|entry| entry.operation.clone()),
        )
        .counts("inserted", totals.iter().map(|total| total.inserted))
        .counts("updated", totals.iter().map(|total| total.updated))
        .counts("deleted", totals.iter().map(|total| total.deleted))
        .text(
            "tables",
            entries.iter().map(|entry| {
                entry
                    .changes
                    .iter()
                    .map(|(table, _)| table.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            }),
        )
        .text(
            "checkpoints",
            entries.iter().map(|entry| entry.checkpoints.join(", ")),
        )
        .text(
            "reverted",
            entries.iter().map(|entry| {
                entry
                    .reverted
                    .map(|reverted| reverted.kind.as_str().to_owned())
            }),
        )
        .integers(
            "target_id",
            entries
                .iter()
                .map(|entry| entry.reverted.map(|reverted| reverted.target.0)),
        )
        .into_pandas(py)
}
