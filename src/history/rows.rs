//! Rows that come in: staged, compared with what is there, written as a change set.

use arrow::array::{AsArray, Int16Array, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, kernels::cmp::neq};
use arrow::datatypes::Int16Type;
use arrow::row::OwnedRow;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::error::{Error, Result};
use crate::history::changes::ChangeSet;
use crate::history::compare::compare;
use crate::history::counts::ChangeCounts;
use crate::history::extent::{Extent, Held, binds_of, of_this_run};
use crate::history::revert;
use crate::history::source::Source;
use crate::history::whole;
use crate::history::write::Write;
use crate::input::{key_arrays, key_converter};
use crate::schema::TableDescription;
use crate::store::bulk::{Live, Load, SetBased, Staging, UNCHANGED, Unchanged, load_live};
use crate::store::rows::Plan;
use crate::store::{
    BulkRecording, column_list, doing, failpoint, keys_equal, quote, sql, values_from,
};

/// What to do with the rows that come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOperation {
    /// Insert what is new, update what differs.
    Add,
    /// Delete what is there.
    Remove,
}

impl RowOperation {
    /// The operation type of rows that are staged as they are.
    fn as_given(self) -> i16 {
        match self {
            Self::Add => 0,
            Self::Remove => 2,
        }
    }

    /// The operation type of rows that change one that is there.
    fn as_change(self) -> i16 {
        match self {
            Self::Add => 1,
            Self::Remove => 2,
        }
    }
}

/// In how many parts rows come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// In one, or in several of one that was sorted: no key comes twice.
    One,
    /// In more, of which one may have a key of another.
    Many,
}

/// How many rows wait in memory at most, at 60 bytes each.
const ROWS_IN_MEMORY: usize = 1 << 20;

/// Rows of the transaction's run on their way in.
pub(crate) struct Incoming<'t> {
    table: &'t TableDescription,
    operation: RowOperation,
    parts: Parts,
    way: Way,
    rows: usize,
    /// The key of the last row, while all came in the order of the key.
    last: Option<OwnedRow>,
    in_order: bool,
}

/// The way that rows go in.
enum Way {
    /// Nowhere yet: so far each of them changes what is there. If they are all that the run has, they go from memory straight
    /// into the live table.
    Whole { held: Held, rows: Vec<RecordBatch> },
    /// Straight into the live table, because the run has nothing there and never had: its version rows are what is there
    /// in the end.
    Direct(SetBased),
    /// Into the statements that write them, which triggers record: few rows.
    Given(Vec<RecordBatch>),
    /// Into a staging table first.
    Staged {
        staging: Staging,
        /// What the run has; `None` where triggers record.
        held: Option<Held>,
        comparing: Comparing,
    },
}

/// How rows are compared with the live ones as they are staged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparing {
    /// Not: triggers see what changes, or there are no live ones.
    Not,
    /// Many at once, which lie side by side.
    SideBySide,
    /// Each one with the live one of its key, because too many others lie in between.
    OneByOne,
}

impl<'t> Incoming<'t> {
    /// `parts`: what comes in; of one, all keys are known to be different. `rows`: how many they are.
    pub(crate) fn begin(
        write: &mut Write<'_>,
        table: &'t TableDescription,
        operation: RowOperation,
        parts: Parts,
        rows: usize,
    ) -> Result<Self> {
        let held = match write.engine().bulk_recording() {
            BulkRecording::Triggers => None,
            BulkRecording::SetBased => Some(Held::by_run(write, table)?),
        };
        let way = match (held, operation) {
            (
                Some(Held {
                    has_rows: false,
                    has_history: false,
                }),
                RowOperation::Add,
            ) => Way::Direct(SetBased::begin(write.connection, table, rows)?),
            (Some(held), _) if parts == Parts::One && held.has_rows && rows <= ROWS_IN_MEMORY => {
                Way::Whole {
                    held,
                    rows: Vec::new(),
                }
            }
            (None, _) if parts == Parts::One && rows <= Plan::FEW => Way::Given(Vec::new()),
            (held, _) => Way::Staged {
                staging: Staging::create(write.connection, table)?,
                comparing: match (&held, operation) {
                    (None, _) => Comparing::Not,
                    (Some(held), RowOperation::Add) if !held.has_rows => Comparing::Not,
                    (Some(_), _) => Comparing::SideBySide,
                },
                held,
            },
        };
        Ok(Self {
            table,
            operation,
            parts,
            way,
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
        if let Way::Given(so_far) = &mut self.way {
            self.rows += rows.num_rows();
            so_far.push(rows.clone());
            failpoint::reach("load", "loaded")?;
            return progress(rows.num_rows());
        }
        self.in_order = self.in_order && self.follow(rows)?;
        if !self.in_order {
            self.stage(write)?;
        }
        self.rows += rows.num_rows();
        let side_by_side = match &self.way {
            Way::Direct(_) => {
                return load_live(write.connection, self.table, Live::New, rows, progress);
            }
            Way::Whole { .. } => true,
            Way::Given(_) => false,
            Way::Staged { comparing, .. } => *comparing == Comparing::SideBySide,
        };
        if side_by_side {
            if let Some(known) = compare(write, self.table, self.operation, rows)? {
                return self.take_compared(write, rows, &known, progress);
            }
            self.stage(write)?;
        }
        let Way::Staged {
            staging, comparing, ..
        } = &mut self.way
        else {
            return Ok(());
        };
        if side_by_side {
            *comparing = Comparing::OneByOne;
        }
        let load = match (*comparing, self.parts) {
            (Comparing::Not, _) => Load::As(self.operation.as_given()),
            (_, Parts::One) => Load::Compared(self.operation.as_given(), Unchanged::LeftOut),
            (_, Parts::Many) => Load::Compared(self.operation.as_given(), Unchanged::Kept),
        };
        staging.load(write.connection, self.table, load, rows, progress)
    }

    /// Takes rows of which it is known what they change.
    fn take_compared(
        &mut self,
        write: &mut Write<'_>,
        rows: &RecordBatch,
        known: &RecordBatch,
        progress: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        if let Way::Whole { rows: so_far, .. } = &mut self.way {
            if all_are(known, self.operation.as_change()) {
                so_far.push(rows.clone());
                return progress(rows.num_rows());
            }
            self.stage(write)?;
        }
        let staged = match self.parts {
            Parts::One => &changes_of(known)?,
            Parts::Many => known,
        };
        if let Way::Staged { staging, .. } = &self.way {
            staging.load(write.connection, self.table, Load::Known, staged, progress)?;
        }
        progress(rows.num_rows() - staged.num_rows())
    }

    /// From here on rows are staged, and those that came in before now. That is where rows that do not come in the order
    /// of the key are looked at together, for keys that come twice.
    fn stage(&mut self, write: &mut Write<'_>) -> Result<()> {
        // What goes into a statement has no key twice.
        if let Way::Staged { .. } | Way::Given(_) = self.way {
            return Ok(());
        }
        let staging = Staging::create(write.connection, self.table)?;
        let (held, comparing) = match &self.way {
            Way::Whole { held, rows } => {
                let load = Load::As(self.operation.as_change());
                for rows in rows {
                    staging.load(write.connection, self.table, load, rows, &mut |_| Ok(()))?;
                }
                (*held, Comparing::SideBySide)
            }
            Way::Direct(_) | Way::Given(_) | Way::Staged { .. } => {
                self.take_back(write, &staging)?;
                (Held::nothing(), Comparing::Not)
            }
        };
        let way = Way::Staged {
            staging,
            held: Some(held),
            comparing,
        };
        match std::mem::replace(&mut self.way, way) {
            Way::Direct(recording) => recording.end(write.connection),
            Way::Whole { .. } | Way::Given(_) | Way::Staged { .. } => Ok(()),
        }
    }

    /// Moves what went into the live table.
    fn take_back(&self, write: &mut Write<'_>, staging: &Staging) -> Result<()> {
        let (live, binds) = (quote(&self.table.name), binds_of(write));
        for (what, text) in [
            (
                "staging rows",
                format!(
                    "INSERT INTO {} SELECT 0, {} FROM {live} WHERE {}",
                    staging.name,
                    column_list("", self.table.columns.iter()),
                    of_this_run(&live)
                ),
            ),
            (
                "taking rows back",
                format!("DELETE FROM {live} WHERE {}", of_this_run(&live)),
            ),
        ] {
            write.execute(&text, &binds).map_err(doing(what))?;
        }
        Ok(())
    }

    /// Whether the rows come after those before, in the order of the key.
    fn follow(&mut self, rows: &RecordBatch) -> Result<bool> {
        let keys = key_arrays(self.table, rows);
        let converter = key_converter(&keys)?;
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
    pub(crate) fn write(mut self, write: &mut Write<'_>) -> Result<ChangeCounts> {
        write.plan_for(self.rows)?;
        let mut counts = ChangeCounts::default();
        let mut known = None;
        if let Way::Whole { .. } = self.way {
            counts.count(self.operation.as_change(), self.rows as i64);
            if Extent::of(write, self.table, counts)? != Extent::All {
                self.stage(write)?;
                known = Some((counts, Extent::Some));
            }
        } else {
            counts.inserted = self.rows as u64;
        }
        let (staging, held, comparing) = match self.way {
            Way::Direct(recording) => {
                failpoint::reach("changes", "known")?;
                whole::record_first(write, self.table)?;
                failpoint::reach("changes", "written")?;
                recording.end(write.connection)?;
                return Ok(counts);
            }
            Way::Whole { rows, .. } => {
                failpoint::reach("changes", "known")?;
                write_whole(write, self.table, self.operation, self.rows, &rows)?;
                return Ok(counts);
            }
            Way::Given(rows) => {
                let source = Source::given(&self.table.columns, &rows)?;
                return write_directly(write, self.table, self.operation, &source, self.rows);
            }
            Way::Staged {
                staging,
                held,
                comparing,
            } => (staging, held, comparing),
        };
        let order = if self.in_order {
            String::new()
        } else {
            refuse_duplicates(write, self.table, &staging)?;
            format!(" ORDER BY {}", column_list("c", self.table.key_columns()))
        };
        let Some(held) = held else {
            let source = Source::staged(&staging);
            return write_directly(write, self.table, self.operation, &source, self.rows);
        };
        if comparing == Comparing::Not {
            known = Some((counts, held.extent_of_new_rows()));
        }
        let changes = ChangeSet::staged(write, self.table, &staging, known)?;
        changes.apply_in_order(write, &order)?;
        Ok(changes.counts())
    }
}

/// Gives all rows of the run other values, or deletes them.
fn write_whole(
    write: &mut Write<'_>,
    table: &TableDescription,
    operation: RowOperation,
    count: usize,
    rows: &[RecordBatch],
) -> Result<()> {
    match operation {
        RowOperation::Remove => whole::delete(write, table, count),
        RowOperation::Add => whole::update(write, table, count, |write| {
            rows.iter().try_for_each(|rows| {
                load_live(
                    write.connection,
                    table,
                    Live::Changed,
                    rows,
                    &mut |_| Ok(()),
                )
            })
        }),
    }
}

/// Whether all rows, with what they change before them, change the same.
fn all_are(known: &RecordBatch, operation_type: i16) -> bool {
    known
        .column(0)
        .as_primitive_opt::<Int16Type>()
        .is_some_and(|types| types.values().iter().all(|is| *is == operation_type))
}

/// Of rows with what they change, those that change something.
fn changes_of(known: &RecordBatch) -> Result<RecordBatch> {
    let changes = neq(known.column(0), &Int16Array::new_scalar(UNCHANGED))?;
    Ok(filter_record_batch(known, &changes)?)
}

/// Keys that came in more than once, in rows that were loaded apart.
fn refuse_duplicates(
    write: &mut Write<'_>,
    table: &TableDescription,
    staging: &Staging,
) -> Result<()> {
    let keys = column_list("c", table.key_columns());
    let label = revert::key_label(write.core, table);
    let twice: Option<Twice> = sql(format!(
        "SELECT {label} AS label, rows FROM (SELECT {keys}, count(*) AS rows FROM {} c
         GROUP BY {keys} HAVING count(*) > 1) k ORDER BY 1 LIMIT 1",
        staging.name
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

/// Into the live table, where triggers record it.
fn write_directly(
    write: &mut Write<'_>,
    table: &TableDescription,
    operation: RowOperation,
    source: &Source,
    rows: usize,
) -> Result<ChangeCounts> {
    failpoint::reach("changes", "known")?;
    let mut counts = ChangeCounts::default();
    let (from, live) = (&source.relation, quote(&table.name));
    let same_key = keys_equal(table, "l", "c");
    let execute = |write: &mut Write<'_>, what: &str, text: &str| -> Result<u64> {
        let rows = write.execute(text, &source.binds).map_err(doing(what))?;
        failpoint::reach("changes", "written").map(|()| rows as u64)
    };
    if operation == RowOperation::Remove {
        let delete = format!("DELETE FROM {live} l USING {from} WHERE {same_key}");
        counts.deleted = execute(write, "deleting rows", &delete)?;
        return Ok(counts);
    }
    let insert = format!(
        "INSERT INTO {live} ({}) SELECT {} FROM {from}",
        column_list("", table.columns.iter()),
        column_list("c", table.columns.iter())
    );
    // An empty run has no rows to compare many with; few are sooner looked for.
    if rows > Plan::FEW && !Held::by_run(write, table)?.has_rows {
        counts.inserted = execute(write, "inserting rows", &insert)?;
        return Ok(counts);
    }
    let set = values_from(table, "c");
    if !set.is_empty() {
        let update = format!(
            "UPDATE {live} l SET {set} FROM {from} WHERE {same_key} AND {}",
            write.engine().any_differs(table.value_columns(), "l", "c")
        );
        counts.updated = execute(write, "updating rows", &update)?;
    }
    if counts.updated < rows as u64 {
        let insert = format!("{insert} WHERE NOT EXISTS (SELECT 1 FROM {live} l WHERE {same_key})");
        counts.inserted = execute(write, "inserting rows", &insert)?;
    }
    Ok(counts)
}

#[derive(QueryableByName)]
struct Twice {
    #[diesel(sql_type = Text)]
    label: String,
    #[diesel(sql_type = BigInt)]
    rows: i64,
}
