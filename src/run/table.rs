//! A run's rows in one table: adding, removing and reading them, whatever the table.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema};

use crate::error::{Error, Result};
use crate::filter::{Checked, Filter, Subject, rows_that_pass};
use crate::history::ChangeCounts;
use crate::history::rows::{Incoming, Parts, RowOperation};
use crate::history::{as_of, retained, versions};
use crate::input::{check_values, exactly, in_order_of_key};
use crate::run::Access;
use crate::schema::{RUN_ID, TableDescription};
use crate::store::rows::{Bind, arrow_type, select_in_order};
use crate::store::{column_list, quote};

/// A run's rows in a table of the program's own, made known with
/// [`PlatformOptions::table`](crate::PlatformOptions::table). Batches have the table's columns without `run_id`.
pub struct RunTable<'a> {
    access: Access<'a>,
    table: TableDescription,
}

impl<'a> RunTable<'a> {
    pub(super) fn new(access: Access<'a>, name: &str) -> Result<Self> {
        Ok(Self {
            access,
            table: access.run().core.run_scoped(name)?,
        })
    }

    /// Inserts the rows that are new and updates those that differ; rows that stay as they are leave no trace.
    ///
    /// # Errors
    /// [`Error::RunLockRequired`], [`Error::InvalidFrame`], [`Error::LockLost`].
    pub fn add(&self, rows: &RecordBatch) -> Result<ChangeCounts> {
        self.write(rows, RowOperation::Add)
    }

    /// Deletes the rows with these keys; other columns are not needed and not looked at. Keys that are not there are passed over.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn remove(&self, rows: &RecordBatch) -> Result<ChangeCounts> {
        self.write(rows, RowOperation::Remove)
    }

    fn write(&self, rows: &RecordBatch, operation: RowOperation) -> Result<ChangeCounts> {
        let lock = self.access.lock()?;
        let rows = self.with_run_id(rows, operation)?;
        let name = match operation {
            RowOperation::Add => format!("{}.add", self.table.name),
            RowOperation::Remove => format!("{}.remove", self.table.name),
        };
        lock.write(&name, |write| {
            let mut incoming =
                Incoming::begin(write, &self.table, operation, Parts::One, rows.num_rows())?;
            incoming.load(write, &rows, &mut |_| Ok(()))?;
            incoming.write(write)
        })
    }

    /// The batch with the table's columns in the table's order and types.
    fn with_run_id(&self, rows: &RecordBatch, operation: RowOperation) -> Result<RecordBatch> {
        let unknown: Vec<_> = rows
            .schema()
            .fields()
            .iter()
            .filter(|field| self.table.column(field.name()).is_none() || field.name() == RUN_ID)
            .map(|field| format!("\"{}\"", field.name()))
            .collect();
        if !unknown.is_empty() {
            let known: Vec<_> = self
                .table
                .columns
                .iter()
                .filter(|column| column.name != RUN_ID)
                .map(|column| column.name.as_str())
                .collect();
            return Err(Error::frame(format!(
                "unknown columns {}: {} has {}",
                unknown.join(", "),
                self.table.name,
                known.join(", ")
            )));
        }
        let mut arrays: Vec<ArrayRef> = Vec::new();
        let mut fields = Vec::new();
        for column in &self.table.columns {
            let wanted = arrow_type(column.column_type);
            let array: ArrayRef = if column.name == RUN_ID {
                Arc::new(Int64Array::from(vec![
                    self.access.run().id().0;
                    rows.num_rows()
                ]))
            } else if operation == RowOperation::Remove && !self.table.key.contains(&column.name) {
                new_null_array(&wanted, rows.num_rows())
            } else if let Some(array) = rows.column_by_name(&column.name) {
                exactly(&column.name, array, column.column_type)?
            } else {
                return Err(Error::frame(format!(
                    "the column \"{}\" is missing",
                    column.name
                )));
            };
            let needed = operation == RowOperation::Add || self.table.key.contains(&column.name);
            check_values(
                &column.name,
                column.column_type,
                &array,
                needed && !column.nullable,
            )?;
            fields.push(Field::new(&column.name, wanted, true));
            arrays.push(array);
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        in_order_of_key(&self.table, &batch)
    }

    /// All rows of the run in the order of the key, without `run_id`.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn tabulate(&self) -> Result<RecordBatch> {
        self.tabulate_with(&Filter::all())
    }

    /// The rows of the run that a filter selects, by the table's columns.
    ///
    /// # Errors
    /// [`Error::InvalidFilter`], listing the columns.
    pub fn tabulate_with(&self, filter: &Filter) -> Result<RecordBatch> {
        let checked = Checked::of(filter, Subject::Rows(&self.table))?;
        let mut columns = match self.access.at() {
            Some(_) => as_of::columns(&self.table),
            None => self.table.columns.clone(),
        };
        columns.retain(|column| column.name != RUN_ID);
        let run = self.access.run();
        let mut binds = vec![Bind::BigInt(run.id().0)];
        let relation = match self.access.at() {
            Some(at) => {
                binds.push(Bind::BigInt(at.0));
                as_of::relation(run.core.store.engine(), &self.table, "$1", "$2")
            }
            None => quote(&self.table.name),
        };
        let sql = format!(
            "SELECT {} FROM {relation} d WHERE d.run_id = $1 ORDER BY {}",
            column_list("d", columns.iter()),
            column_list("d", self.table.key_columns())
        );
        let rows = run.core.store.read(|connection| {
            if let Some(at) = self.access.at() {
                retained::check(connection, run.id(), at)?;
            }
            select_in_order(connection, &sql, &binds, &columns)
        })?;
        rows_that_pass(&rows, &checked)
    }

    /// Every version of the rows that a filter selects, by key, oldest first: the table's columns without `run_id` (those
    /// that are not of the key null where the row was deleted), then `operation` (insert, update, delete),
    /// `transaction_id` (int64), `issued_at` (timestamp\[us, UTC\]), `actor`, `what` (what the transaction did),
    /// `checkpoint` (text: the one in force, that is the run's last at or before the transaction).
    ///
    /// # Errors
    /// [`Error::InvalidFilter`], listing the columns.
    pub fn history(&self, filter: &Filter) -> Result<RecordBatch> {
        let checked = Checked::of(filter, Subject::Rows(&self.table))?;
        let run = self.access.run();
        let rows = run.core.store.read(|connection| {
            let until = self.access.at();
            let rows = versions::of_run(connection, &self.table, run.id(), until, ("", &[]))?;
            let columns = self
                .table
                .columns
                .iter()
                .filter(|column| column.name != RUN_ID);
            let mut all: Vec<_> = columns
                .filter_map(|column| {
                    let array = rows.column_by_name(&column.name)?.clone();
                    Some((
                        Field::new(&column.name, array.data_type().clone(), true),
                        array,
                    ))
                })
                .collect();
            all.extend(versions::described(connection, run.id(), &rows)?);
            let (fields, arrays): (Vec<_>, Vec<_>) = all.into_iter().unzip();
            Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
        })?;
        rows_that_pass(&rows, &checked)
    }
}
