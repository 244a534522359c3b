//! A run here, as what is copied into it must know it.

use arrow::array::RecordBatch;

use super::names::Ids;
use crate::core::Core;
use crate::error::Result;
use crate::ids::RunId;
use crate::schema::TableDescription;
use crate::store::rows::{Bind, select};
use crate::store::{column_list, quote};

/// Where rows go.
pub(super) struct Target<'a> {
    pub(super) core: &'a Core,
    pub(super) ids: &'a Ids,
    pub(super) run: RunId,
}

impl Target<'_> {
    /// The keys of the run's rows of a table that have these values, in their order.
    pub(super) fn keys(
        &self,
        table: &TableDescription,
        with: &[(&str, Bind)],
    ) -> Result<RecordBatch> {
        let mut binds = vec![Bind::BigInt(self.run.0)];
        let mut query = format!(
            "SELECT {} FROM {} l WHERE l.run_id = $1",
            column_list("l", table.key_columns()),
            quote(&table.name)
        );
        for (name, bind) in with {
            binds.push(bind.clone());
            query += &format!(" AND l.{} = ${}", quote(name), binds.len());
        }
        query += &format!(" ORDER BY {}", column_list("l", table.key_columns()));
        let columns: Vec<_> = table.key_columns().cloned().collect();
        self.core
            .store
            .read(|connection| select(connection, &query, &binds, &columns))
    }
}
