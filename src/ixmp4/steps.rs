//! In which transactions a run's history is replayed.
//!
//! ixmp4 draws a transaction per statement, and with some drivers per row. Of one run, those become one transaction
//! here that follow each other within ten seconds and have no checkpoint in between: a checkpoint names the state that
//! it named there. It has the time of the last of them, so that the run as of a time holds nothing from later.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDateTime, TimeDelta};

use super::names::OPERATION;
use super::runs::{Record, SourceRun};
use super::source::{Source, Span};
use crate::error::Result;
use crate::history::write::Origin;
use crate::run::check_message;
use crate::schema::{Column, ColumnType};

/// How soon after another a transaction belongs to it.
const TOGETHER: TimeDelta = TimeDelta::seconds(10);

/// Whether what was done at a time belongs to what was done at an earlier one.
pub(super) fn follows(before: Option<NaiveDateTime>, at: Option<NaiveDateTime>) -> bool {
    match (before, at) {
        (Some(before), Some(at)) => at - before <= TOGETHER,
        (None, None) => true,
        _ => false,
    }
}

/// What one transaction copies.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) span: Span,
    pub(super) what: What,
    /// How far the run is after it: the last transaction there, or without a history −1, −2, −3.
    pub(super) position: i64,
    pub(super) operation: String,
    pub(super) origin: Origin,
    /// What the run's checkpoints say that name the state after it.
    pub(super) checkpoints: Vec<SourceCheckpoint>,
    /// How many transactions there, and the first of them.
    pub(super) transactions: u64,
    first: i64,
}

/// Which of a run's rows a step copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    All,
    Points,
    Meta,
    Items,
}

impl What {
    pub(super) fn points(self) -> bool {
        matches!(self, Self::All | Self::Points)
    }

    pub(super) fn meta(self) -> bool {
        matches!(self, Self::All | Self::Meta)
    }

    pub(super) fn items(self) -> bool {
        matches!(self, Self::All | Self::Items)
    }
}

#[derive(Clone, Debug)]
pub(super) struct SourceCheckpoint {
    pub(super) id: i64,
    pub(super) message: String,
    pub(super) created_at: Option<NaiveDateTime>,
    /// The transaction whose state it names, where there is a history.
    transaction: Option<i64>,
}

impl SourceCheckpoint {
    /// Its message here. What cannot be one, nothing and the word that stands for the last checkpoint, says its number.
    pub(super) fn message_here(&self) -> String {
        match check_message(&self.message) {
            Ok(()) => self.message.clone(),
            Err(_) => format!("ixmp4 checkpoint {}", self.id),
        }
    }
}

/// The tables whose rows say that a run changed, with the condition on a version row of theirs (`v`).
fn changes(source: &Source, run: i64) -> String {
    let mut queries = Vec::new();
    let series = source.ever("iamc_timeseries", "id, run__id");
    queries.push(format!(
        "SELECT v.transaction_id FROM iamc_datapoint_universal_version v
         JOIN {series} s ON s.id = v.time_series__id WHERE s.run__id = {run}"
    ));
    for table in [
        "runmetaentry",
        "opt_idx",
        "opt_sca",
        "opt_tab",
        "opt_par",
        "opt_var",
        "opt_equ",
    ] {
        queries.push(format!(
            "SELECT v.transaction_id FROM {table}_version v WHERE v.run__id = {run}"
        ));
    }
    for (table, item, parent) in [
        ("opt_idx_data", "indexset__id", "opt_idx"),
        ("opt_tab_idx_association", "table__id", "opt_tab"),
        ("opt_par_idx_association", "parameter__id", "opt_par"),
        ("opt_var_idx_association", "variable__id", "opt_var"),
        ("opt_equ_idx_association", "equation__id", "opt_equ"),
    ] {
        let parents = source.ever(parent, "id, run__id");
        queries.push(format!(
            "SELECT v.transaction_id FROM {table}_version v
             JOIN {parents} p ON p.id = v.{item} WHERE p.run__id = {run}"
        ));
    }
    queries.join(" UNION ")
}

fn checkpoints(source: &mut Source, run: i64) -> Result<Vec<SourceCheckpoint>> {
    let issued = source.db.utc("t.issued_at");
    let mut found = source.rows(
        &format!(
            "SELECT CAST(c.id AS bigint) AS id, c.message, {issued} AS issued_at, CAST(c.transaction__id AS bigint) AS transaction__id
             FROM checkpoint c LEFT JOIN \"transaction\" t ON t.id = c.transaction__id
             WHERE c.run__id = {run} ORDER BY c.id"
        ),
        &[
            ("id", ColumnType::BigInt),
            ("message", ColumnType::Text),
            ("issued_at", ColumnType::Timestamp),
            ("transaction__id", ColumnType::BigInt),
        ],
        |row| {
            Ok(SourceCheckpoint {
                id: row.id(0),
                message: row.name(1),
                created_at: row.time(2),
                transaction: row.int(3),
            })
        },
    )?;
    // Those of which it is not known which state they name come last: the present one.
    found.sort_by_key(|checkpoint| (checkpoint.transaction.unwrap_or(i64::MAX), checkpoint.id));
    Ok(found)
}

/// The steps that copy a run.
pub(super) fn of_run(source: &mut Source, run: &SourceRun) -> Result<Vec<Step>> {
    let checkpoints = checkpoints(source, run.id)?;
    if !source.has_history {
        return Ok(of_present(run, checkpoints));
    }
    let mut steps = Steps {
        run,
        checkpoints: checkpoints.into_iter().peekable(),
        steps: Vec::new(),
        last_time: None,
    };
    let issued = source.db.utc("t.issued_at");
    let text = format!(
        "SELECT CAST(c.transaction_id AS bigint) AS id, {issued} AS issued_at FROM ({}) c
         LEFT JOIN \"transaction\" t ON t.id = c.transaction_id ORDER BY 1",
        changes(source, run.id)
    );
    let columns = [
        Column::of_result("id", ColumnType::BigInt),
        Column::of_result("issued_at", ColumnType::Timestamp),
    ];
    source.db.stream(&text, &columns, |batch| {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let times = batch.column(1).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let time = times
                .is_valid(row)
                .then(|| DateTime::from_timestamp_micros(times.value(row)))
                .flatten();
            steps.add(ids.value(row), time.map(|time| time.naive_utc()));
        }
        Ok(())
    })?;
    Ok(steps.finish())
}

/// Where there is no history: what is there now, one kind of data after the other; which state a checkpoint named is
/// not known, so all of them name the outcome.
fn of_present(run: &SourceRun, checkpoints: Vec<SourceCheckpoint>) -> Vec<Step> {
    let mut steps: Vec<_> = present(run).collect();
    if let Some(last) = steps.last_mut() {
        last.checkpoints = checkpoints;
    }
    steps
}

/// What makes the present state of a run that of its tables.
pub(super) fn present(run: &SourceRun) -> impl Iterator<Item = Step> {
    let kinds = [
        (What::Points, "time series"),
        (What::Meta, "meta indicators"),
        (What::Items, "optimization items"),
    ];
    let origin = run.last_changed();
    (1..).zip(kinds).map(move |(number, (what, words))| Step {
        span: Span::Present,
        what,
        position: -number,
        operation: format!("{OPERATION}: {words}"),
        origin: origin.clone(),
        checkpoints: Vec::new(),
        transactions: 0,
        first: 0,
    })
}

struct Steps<'a> {
    run: &'a SourceRun,
    checkpoints: std::iter::Peekable<std::vec::IntoIter<SourceCheckpoint>>,
    steps: Vec<Step>,
    last_time: Option<NaiveDateTime>,
}

impl Steps<'_> {
    fn add(&mut self, id: i64, time: Option<NaiveDateTime>) {
        let ends_here = self.checkpoints_before(id);
        // A clock that was set back does not bring the order into disorder.
        let time = time.max(self.last_time);
        let goes_on = !ends_here && follows(self.last_time, time);
        match self.steps.last_mut() {
            Some(step) if goes_on && step.checkpoints.is_empty() => step.extend(id, time),
            last => {
                let after = last.map_or(0, |step| step.position);
                let mut step = self.step(after);
                step.extend(id, time);
                self.steps.push(step);
            }
        }
        self.last_time = time;
    }

    /// A step that copies nothing yet.
    fn step(&self, after: i64) -> Step {
        Step {
            span: Span::Between {
                after,
                until: after,
            },
            what: What::All,
            position: after,
            operation: OPERATION.to_owned(),
            origin: Origin {
                actor: self.run.created.actor.clone(),
                issued_at: self.last_time,
            },
            checkpoints: Vec::new(),
            transactions: 0,
            first: 0,
        }
    }

    /// Gives the last step the checkpoints that name its state, which are those older than a transaction.
    fn checkpoints_before(&mut self, id: i64) -> bool {
        let mut any = false;
        while let Some(checkpoint) = self
            .checkpoints
            .next_if(|checkpoint| checkpoint.transaction.is_some_and(|at| at < id))
        {
            self.give(checkpoint);
            any = true;
        }
        any
    }

    fn give(&mut self, checkpoint: SourceCheckpoint) {
        if self.steps.is_empty() {
            // Of the empty run.
            let step = self.step(0);
            self.steps.push(step);
        }
        if let Some(step) = self.steps.last_mut() {
            step.checkpoints.push(checkpoint);
        }
    }

    fn finish(mut self) -> Vec<Step> {
        while let Some(checkpoint) = self.checkpoints.next() {
            self.give(checkpoint);
        }
        self.steps
    }
}

/// Refuses to go on with history where it was begun without, and the other way round.
pub(super) fn check_way(source: &Source, run: &SourceRun, record: &Record) -> Result<()> {
    let (was, way) = match record.copied_until {
        0 => return Ok(()),
        1.. if source.has_history => return Ok(()),
        1.. => ("with its history", "without --no-history"),
        _ if !source.has_history => return Ok(()),
        _ => ("without its history", "with --no-history"),
    };
    Err(source.broken(format!(
        "the import of run {} was begun {was} and broken off: go on {way}",
        run.label()
    )))
}

impl Step {
    /// Whether its rows have been copied.
    pub(super) fn is_done(&self, record: &Record) -> bool {
        match self.span {
            Span::Between { .. } => self.position <= record.copied_until,
            Span::Present => self.position >= record.copied_until,
        }
    }

    fn extend(&mut self, id: i64, time: Option<NaiveDateTime>) {
        let Span::Between { after, .. } = self.span else {
            return;
        };
        self.span = Span::Between { after, until: id };
        self.position = id;
        self.transactions += 1;
        self.origin.issued_at = time;
        self.operation = if self.transactions == 1 {
            self.first = id;
            format!("{OPERATION}: transaction {id}")
        } else {
            format!("{OPERATION}: transactions {} to {id}", self.first)
        };
    }
}
