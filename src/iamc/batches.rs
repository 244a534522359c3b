//! Points, read batch by batch.
//!
//! **Invariant:** all batches are of one state of the run, however long reading them takes and whoever writes meanwhile,
//! and between two of them no database transaction is open and no connection is held.
//!
//! A batch is a page: so many points whose keys come after the last one's. As long as nobody has written since, pages
//! are read from the live rows; from then on from the version rows of that state, which do not change.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int16Type, Int64Type, Schema, SchemaRef};

use crate::error::Result;
use crate::filter::{Checked, Filter, Resolver, Selection, Subject};
use crate::history::retained;
use crate::iamc::named::{Dictionary, NAMED, Named, UsedTimes, column, field};
use crate::iamc::tabulate::{columns_of, of_state};
use crate::ids::TransactionId;
use crate::run::{Access, Run, last_transaction};
use crate::schema::tables::datapoints;
use crate::schema::{Column, RUN_ID, TableDescription, VersionedTable};
use crate::store::rows::{Bind, schema_of, select_in_order};
use crate::store::{AnyConnection, column_list, quote};

/// How many series are looked at in one go, to find out which names there are.
const SERIES_AT_ONCE: usize = 1 << 16;

/// The columns of the key that make a series, in the key's order.
const SERIES: usize = 4;

/// Points batch by batch, all of one state; what [`Iamc::batches`](crate::Iamc::batches) yields.
///
/// An error ends it: nothing comes after.
pub struct PointBatches {
    pages: Pages,
    names: [Named; 3],
    times: UsedTimes,
    schema: SchemaRef,
    last: Option<Vec<Bind>>,
    ended: bool,
}

/// What is read in pages.
struct Pages {
    run: Run,
    table: TableDescription,
    at: TransactionId,
    selection: Selection,
    size: usize,
}

impl PointBatches {
    pub(super) fn begin(access: Access<'_>, filter: &Filter, size: NonZeroUsize) -> Result<Self> {
        let run = access.run();
        let checked = Checked::of(filter, Subject::Points)?;
        run.core.store.read(|connection| {
            let at = match access.at() {
                Some(at) => at,
                None => last_transaction(connection, run.id())?,
            };
            let pages = Pages {
                run: run.clone(),
                table: datapoints::table::description(),
                at,
                selection: Resolver { connection }.points(&checked)?,
                size: size.get(),
            };
            let (names, times) = pages.survey(connection)?;
            let mut batches = Self {
                pages,
                names,
                times,
                schema: Arc::new(Schema::empty()),
                last: None,
                ended: false,
            };
            let columns = columns_of(&batches.pages.table);
            let none = RecordBatch::new_empty(schema_of(&columns));
            batches.schema = batches.named(&none)?.schema();
            Ok(batches)
        })
    }

    /// The columns of every batch: those of [`Iamc::tabulate`](crate::Iamc::tabulate), with the same names in each
    /// dictionary.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn read(&mut self) -> Result<Option<RecordBatch>> {
        let pages = &self.pages;
        let after = self.last.as_deref();
        let rows = pages
            .run
            .core
            .store
            .read(|connection| pages.points(connection, after))?;
        self.ended = rows.num_rows() < pages.size;
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        self.last = Some(key_of_last(&rows, pages.key()));
        self.named(&rows).map(Some)
    }

    fn named(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
        for ((name, id, _), names) in NAMED.iter().zip(&mut self.names) {
            columns.push((name, names.of(&column(rows, id))?));
        }
        columns.extend(self.times.columns(rows));
        columns.push(("value", column(rows, "value")));
        let (fields, arrays): (Vec<_>, Vec<_>) = columns
            .into_iter()
            .map(|(name, array)| (field(name, Some(&array)), array))
            .unzip();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }
}

impl Iterator for PointBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.ended = true;
        }
        read.transpose()
    }
}

impl std::iter::FusedIterator for PointBatches {}

impl Pages {
    /// The key without the run.
    fn key(&self) -> impl Iterator<Item = &Column> {
        self.table.key_columns().filter(|key| key.name != RUN_ID)
    }

    /// Which names and kinds of times there are.
    fn survey(&self, connection: &mut AnyConnection) -> Result<([Named; 3], UsedTimes)> {
        let series: Vec<_> = self.key().take(SERIES).cloned().collect();
        let mut dictionaries = NAMED.map(|_| Dictionary::default());
        let mut types = Vec::new();
        let mut last = None;
        loop {
            let rows = self.page(connection, (true, &series), last.as_deref(), SERIES_AT_ONCE)?;
            for ((_, id, _), dictionary) in NAMED.iter().zip(&mut dictionaries) {
                dictionary.keys(&column(&rows, id));
            }
            let found = column(&rows, "point_type");
            types.extend_from_slice(found.as_primitive::<Int16Type>().values());
            types.sort_unstable();
            types.dedup();
            if rows.num_rows() < SERIES_AT_ONCE {
                break;
            }
            last = Some(key_of_last(&rows, series.iter()));
        }
        let names = Dictionary::named(dictionaries, connection)?;
        Ok((names, UsedTimes::of(&types)))
    }

    /// The points after a key.
    fn points(
        &self,
        connection: &mut AnyConnection,
        after: Option<&[Bind]>,
    ) -> Result<RecordBatch> {
        let columns = columns_of(&self.table);
        self.page(connection, (false, &columns), after, self.size)
    }

    /// Up to so many rows (distinct ones, of columns that begin the key; or points, of all columns) after a key, or a
    /// part of it from its begin.
    fn page(
        &self,
        connection: &mut AnyConnection,
        (distinct, columns): (bool, &[Column]),
        after: Option<&[Bind]>,
        size: usize,
    ) -> Result<RecordBatch> {
        let engine = self.run.core.store.engine();
        let is_present = last_transaction(connection, self.run.id())? == self.at;
        let at = (!is_present).then_some(self.at);
        if let Some(at) = at {
            retained::check(connection, self.run.id(), at)?;
        }
        let mut binds = Vec::new();
        let relation = of_state(engine, &self.table, self.run.id(), at, &mut binds);
        // Once there is a key to go on from, that is what is searched by, and not the filter.
        let filtered = match after {
            None => "d".to_owned(),
            Some(_) => format!("{}d", engine.not_by_index()),
        };
        let conditions = self.selection.conditions(&filtered, engine, &mut binds);
        let order: Vec<_> = self
            .key()
            .filter(|key| columns.iter().any(|column| column.name == key.name))
            .map(|key| format!("d.{}", quote(&key.name)))
            .collect();
        let order = order.join(", ");
        let from = after.map_or(String::new(), |after| {
            let parameters: Vec<_> = after
                .iter()
                .map(|value| {
                    binds.push(value.clone());
                    format!("${}", binds.len())
                })
                .collect();
            format!(" AND ({order}) > ({})", parameters.join(", "))
        });
        binds.push(Bind::BigInt(size as i64));
        let sql = format!(
            "SELECT {}{} FROM {relation} d WHERE d.run_id = $1{conditions}{from} ORDER BY {order} LIMIT ${}",
            if distinct { "DISTINCT " } else { "" },
            column_list("d", columns.iter()),
            binds.len(),
        );
        select_in_order(connection, &sql, &binds, columns)
    }
}

/// The values of key columns in the last row.
fn key_of_last<'c>(rows: &RecordBatch, key: impl Iterator<Item = &'c Column>) -> Vec<Bind> {
    let last = rows.num_rows() - 1;
    key.map(|key| {
        let array = column(rows, &key.name);
        if let Some(numbers) = array.as_primitive_opt::<Int64Type>() {
            Bind::BigInt(numbers.value(last))
        } else if let Some(numbers) = array.as_primitive_opt::<Int16Type>() {
            Bind::BigInt(numbers.value(last).into())
        } else {
            Bind::Text(array.as_string::<i32>().value(last).to_owned())
        }
    })
    .collect()
}
