//! The state of a table at a transaction, as a relation in SQL.

use crate::schema::{
    Column, END_TRANSACTION_ID, OPERATION_TYPE, RUN_ID, TRANSACTION_ID, TableDescription,
};
use crate::store::{Engine, column_list, quote};

/// The rows of one run as they were after the transaction, with the table's columns.
///
/// `run` and `at` are SQL expressions, mostly parameters. Validity is half-open:
/// `transaction_id <= at < end_transaction_id`. The rows are read in the order of the key: see
/// [`Engine::not_by_index`].
pub(crate) fn relation(engine: Engine, table: &TableDescription, run: &str, at: &str) -> String {
    let run = if table.is_run_scoped() {
        format!("v.\"{RUN_ID}\" = {run} AND ")
    } else {
        String::new()
    };
    format!(
        "(SELECT {} FROM {} v WHERE {run}{})",
        column_list("v", table.columns.iter()),
        quote(&table.version_name()),
        state(&format!("{}v", engine.not_by_index()), "v", at),
    )
}

/// The columns of an earlier state: values may have been taken out of the history.
pub(crate) fn columns(table: &TableDescription) -> Vec<Column> {
    let nullable = |column: &Column| Column {
        nullable: table.is_nullable_in_history(column),
        ..column.clone()
    };
    table.columns.iter().map(nullable).collect()
}

/// SQL that is true for a version row that was the state after the transaction `at`.
pub(crate) fn was_state(alias: &str, at: &str) -> String {
    state(alias, alias, at)
}

fn state(begin: &str, alias: &str, at: &str) -> String {
    format!(
        "{begin}.\"{TRANSACTION_ID}\" <= {at} \
         AND ({alias}.\"{END_TRANSACTION_ID}\" IS NULL OR {alias}.\"{END_TRANSACTION_ID}\" > {at}) \
         AND {alias}.\"{OPERATION_TYPE}\" <> 2"
    )
}

/// Rows of a run that transactions in `(after, until]` touched, as SQL parameters; `until: None`: up to now.
#[derive(Clone, Copy)]
pub(crate) struct Touched<'p> {
    pub(crate) run: &'p str,
    pub(crate) after: &'p str,
    pub(crate) until: Option<&'p str>,
}

impl Touched<'_> {
    /// SQL that is true for a version row `v` that they left. Up to now it may be only the last one of each row.
    pub(crate) fn condition(self, engine: Engine) -> String {
        let until = match self.until {
            Some(until) => format!(" AND v.\"{TRANSACTION_ID}\" <= {until}"),
            None => engine.is_open_if_at_hand("v"),
        };
        format!(
            "v.\"{RUN_ID}\" = {} AND v.\"{TRANSACTION_ID}\" > {}{until}",
            self.run, self.after
        )
    }

    /// Their keys, as a relation.
    pub(crate) fn keys(self, engine: Engine, table: &TableDescription) -> String {
        format!(
            "(SELECT DISTINCT {} FROM {} v WHERE {})",
            column_list("v", table.key_columns()),
            quote(&table.version_name()),
            self.condition(engine),
        )
    }
}
