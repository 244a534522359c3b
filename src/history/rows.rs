//! Rows that come in: staged, compared with what is there, written as a change set.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::row::{OwnedRow, RowConverter, SortField};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::error::{Error, Result};
use crate::history::changes::{ChangeCounts, ChangeSet};
use crate::history::extent::Held;
use crate::history::revert;
use crate::history::write::Write;
use crate::schema::TableDescription;
use crate::store::bulk::{Load, Staging, Unchanged};
use crate::store::{BulkRecording, column_list, doing, failpoint, keys_equal, quote, sql};

/// What to do with the rows that come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOperation {
    /// Insert what is new, update what differs.
    Add,
    /// Delete what is there.
    Remove,
}

/// In how many parts rows come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// In one, or in several of one that was sorted: no key comes twice.
    One,
    /// In more, of which one may have a key of another.
    Many,
}

/// Rows of the transaction's run on their way in.
pub(crate) struct Incoming<'t> {
    table: &'t TableDescription,
    operation: RowOperation,
    /// What the run has; `None` where triggers record.
    held: Option<Held>,
    load: Load,
    staging: Staging,
    rows: usize,
    /// The key of the last row, while all came in the order of the key.
    last: Option<OwnedRow>,
    in_order: bool,
}

impl<'t> Incoming<'t> {
    /// `parts`: what comes in. Of one, all keys are known to be different.
    pub(crate) fn begin(
        write: &mut Write<'_>,
        table: &'t TableDescription,
        operation: RowOperation,
        parts: Parts,
    ) -> Result<Self> {
        let operation_type = match operation {
            RowOperation::Add => 0,
            RowOperation::Remove => 2,
        };
        let held = match write.engine().bulk_recording() {
            BulkRecording::Triggers => None,
            BulkRecording::SetBased => Some(Held::by_run(write, table)?),
        };
        let compared = match (&held, operation) {
            (None, _) => None,
            (Some(held), RowOperation::Add) if !held.has_rows => None,
            (Some(_), _) => Some(match parts {
                Parts::One => Unchanged::LeftOut,
                Parts::Many => Unchanged::Kept,
            }),
        };
        Ok(Self {
            table,
            operation,
            held,
            load: Load {
                operation_type,
                compared,
            },
            staging: Staging::create(write.connection, table)?,
            rows: 0,
            last: None,
            in_order: true,
        })
    }

    /// Takes rows: all columns of the table, `run_id` included, no key twice; best in the order of the key.
    pub(crate) fn load(
        &mut self,
        write: &mut Write<'_>,
        rows: &RecordBatch,
        progress: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.rows += rows.num_rows();
        self.in_order = self.in_order && self.follow(rows)?;
        self.staging
            .load(write.connection, self.table, self.load, rows, progress)
    }

    /// Whether the rows come after those before, in the order of the key.
    fn follow(&mut self, rows: &RecordBatch) -> Result<bool> {
        let keys: Vec<_> = self
            .table
            .key_columns()
            .filter_map(|key| rows.column_by_name(&key.name))
            .cloned()
            .collect();
        let fields = keys
            .iter()
            .map(|key| SortField::new(key.data_type().clone()))
            .collect();
        let converter = RowConverter::new(fields)?;
        let ends: Vec<_> = keys
            .iter()
            .map(|key| {
                let last = UInt32Array::from(vec![0, rows.num_rows() as u32 - 1]);
                arrow::compute::take(key, &last, None)
            })
            .collect::<std::result::Result<_, _>>()?;
        let ends = converter.convert_columns(&ends)?;
        let follows = match &self.last {
            Some(last) => last.row() < ends.row(0),
            None => true,
        };
        self.last = Some(ends.row(1).owned());
        Ok(follows && ends.row(0) <= ends.row(1))
    }

    /// Adds or removes what came in.
    pub(crate) fn write(self, write: &mut Write<'_>) -> Result<ChangeCounts> {
        write.plan_for(self.rows)?;
        let order = if self.in_order {
            String::new()
        } else {
            self.refuse_duplicates(write)?;
            format!(" ORDER BY {}", column_list("c", self.table.key_columns()))
        };
        let Some(held) = self.held else {
            return self.write_directly(write);
        };
        let known = match self.load.compared {
            Some(_) => None,
            None => Some(ChangeCounts {
                inserted: self.rows as u64,
                ..ChangeCounts::default()
            }),
        };
        let changes = ChangeSet::staged(write, self.table, self.staging, known, &held)?;
        changes.apply_in_order(write, &order)?;
        Ok(changes.counts())
    }

    /// Keys that came in more than once, in rows that were loaded apart.
    fn refuse_duplicates(&self, write: &mut Write<'_>) -> Result<()> {
        let keys = column_list("c", self.table.key_columns());
        let label = revert::key_label(write.core, self.table);
        let twice: Option<Twice> = sql(format!(
            "SELECT {label} AS label, rows FROM (SELECT {keys}, count(*) AS rows FROM {} c
             GROUP BY {keys} HAVING count(*) > 1) k ORDER BY 1 LIMIT 1",
            self.staging.name
        ))
        .get_result(write.connection)
        .optional()
        .map_err(doing("looking for keys that came in more than once"))?;
        match twice {
            None => Ok(()),
            Some(twice) => Err(Error::frame(format!(
                "the same row more than once, in different batches: {}, {} times",
                twice.label, twice.rows
            ))),
        }
    }

    /// From the staging table into the live one: triggers record it.
    fn write_directly(&self, write: &mut Write<'_>) -> Result<ChangeCounts> {
        failpoint::reach("changes", "known")?;
        let mut counts = ChangeCounts::default();
        let (staging, live) = (&self.staging.name, quote(&self.table.name));
        let same_key = keys_equal(self.table, "l", "c");
        if self.operation == RowOperation::Remove {
            let delete = format!("DELETE FROM {live} l USING {staging} c WHERE {same_key}");
            counts.deleted = execute(write, "deleting rows", &delete)?;
            return Ok(counts);
        }
        let insert = format!(
            "INSERT INTO {live} ({}) SELECT {} FROM {staging} c",
            column_list("", self.table.columns.iter()),
            column_list("c", self.table.columns.iter())
        );
        if !Held::by_run(write, self.table)?.has_rows {
            counts.inserted = execute(write, "inserting rows", &insert)?;
            return Ok(counts);
        }
        let set: Vec<_> = self
            .table
            .value_columns()
            .map(|column| format!("{0} = c.{0}", quote(&column.name)))
            .collect();
        if !set.is_empty() {
            let update = format!(
                "UPDATE {live} l SET {} FROM {staging} c WHERE {same_key} AND {}",
                set.join(", "),
                write
                    .engine()
                    .any_differs(self.table.value_columns(), "l", "c")
            );
            counts.updated = execute(write, "updating rows", &update)?;
        }
        if counts.updated < self.rows as u64 {
            let insert =
                format!("{insert} WHERE NOT EXISTS (SELECT 1 FROM {live} l WHERE {same_key})");
            counts.inserted = execute(write, "inserting rows", &insert)?;
        }
        Ok(counts)
    }
}

fn execute(write: &mut Write<'_>, what: &str, text: &str) -> Result<u64> {
    let rows = write.execute(text, &[]).map_err(doing(what))?;
    failpoint::reach("changes", "written").map(|()| rows as u64)
}

#[derive(QueryableByName)]
struct Twice {
    #[diesel(sql_type = Text)]
    label: String,
    #[diesel(sql_type = BigInt)]
    rows: i64,
}
