//! `stratalog diff`

use arrow::array::RecordBatch;

use super::failure::Failure;
use super::output::count;
use super::points::{ChangedPoint, Points};
use super::run_and_target::{RunArgument, target};
use super::selection::Selection;
use super::session::Session;
use super::table::{Look, Table, number, text, time};
use crate::files::number_text;
use crate::history::{Diff as History, DiffSummary, Difference, SeriesDifference};
use crate::ids::TransactionId;
use crate::run::{Run, RunInfo, Target};

/// How many points are shown unless somebody says otherwise.
const LIMIT: usize = 20;

/// Show what changed in a run from one state to another, or how two runs differ
#[derive(clap::Args)]
#[command(after_help = "\
Counts per table, and the points that changed. Between two states of one run it costs what changed, not what is \
there; two runs are compared whole.

Examples:
  stratalog diff MESSAGEix/SSP2-1.5C \"raw data\"
  stratalog diff 12 \"raw data\" corrected --summary
  stratalog diff 12 '@340' '#12' --region World --limit 0
  stratalog diff m/s/1 --with m/s/2
  stratalog diff 12 @0 --json | jq '.points | length'")]
pub(super) struct Diff {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    /// The state to start from: a TARGET, see `stratalog --help`
    #[arg(value_parser = target, required_unless_present = "with")]
    from: Option<Target>,
    /// The state to compare with [default: the present one]
    #[arg(value_parser = target)]
    to: Option<Target>,
    /// Compare with another run: its present state, or its TO
    #[arg(long, value_name = "RUN")]
    with: Option<RunArgument>,
    /// Show counts per region and variable instead of points
    #[arg(long)]
    summary: bool,
    /// Show at most so many points, 0 for all; with --json there are always all
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: usize,
    #[command(flatten)]
    selection: Selection,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    run: &'a RunInfo,
    /// The transaction after which the first state was.
    from: TransactionId,
    /// The transaction after which the second state was.
    to: TransactionId,
    tables: &'a [Difference],
    summary: Vec<SeriesDifference>,
    points: Vec<ChangedPoint>,
}

impl Diff {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        let run = self.run.find(&platform)?;
        let view = |run: &Run, target: &Option<Target>| match target {
            Some(target) => run.as_of(target.clone()),
            None => run.as_of_now(),
        };
        let state = |target: &Option<Target>| {
            target
                .as_ref()
                .map_or_else(|| "now".to_owned(), Target::to_string)
        };
        let other = match &self.with {
            Some(other) => other.find(&platform)?,
            None => run.clone(),
        };
        let diff = platform
            .diff(&view(&run, &self.from)?, &view(&other, &self.to)?)?
            .only(self.selection.filter());
        let to = match &self.with {
            Some(_) => format!("{} {}", other.label(), state(&self.to)),
            None => state(&self.to),
        };
        let title = format!("{}, from {} to {to}", run.label(), state(&self.from));
        if self.summary && !session.out.is_json() {
            return show_summary(session, &title, &diff);
        }
        let limit = (self.limit, "--limit 0 shows all");
        show(session, &title, &run, &diff, limit)
    }
}

fn show_summary(session: &Session<'_>, title: &str, diff: &History) -> Result<(), Failure> {
    let summary = diff.summary()?;
    if summary.is_empty() {
        return session.out.line(&format!("{title}: no difference"));
    }
    session.out.line(&format!("{title}:"))?;
    session.out.line("")?;
    let mut table = Table::new([
        text("table"),
        text("region"),
        text("variable"),
        number("inserted"),
        number("updated"),
        number("deleted"),
    ]);
    for series in summary {
        table.row([
            series.table,
            series.region.unwrap_or_default(),
            series.variable.unwrap_or_default(),
            count(series.changes.inserted),
            count(series.changes.updated),
            count(series.changes.deleted),
        ]);
    }
    session.out.table(&table)
}

/// Shows what a command would do.
pub(super) fn show_dry(
    session: &Session<'_>,
    title: &str,
    run: &Run,
    diff: &History,
) -> Result<(), Failure> {
    show(session, title, run, diff, (LIMIT, "--json has all"))
}

/// Shows a diff: counts per table, then at most so many points (0: all). `rest`: how to get the rest.
fn show(
    session: &Session<'_>,
    title: &str,
    run: &Run,
    diff: &History,
    (limit, rest): (usize, &str),
) -> Result<(), Failure> {
    let tables = diff.counts()?;
    if session.out.is_json() {
        return session.out.json(&Document {
            run: run.info(),
            from: diff.before(),
            to: diff.after(),
            tables: &tables,
            summary: diff.summary()?,
            points: Points::new(&diff.points()?)?.all_changed(),
        });
    }
    if tables.is_empty() {
        return session.out.line(&format!("{title}: no difference"));
    }
    session.out.line(&format!("{title}:"))?;
    session.out.line("")?;
    session.out.table(&counts(&tables))?;
    let total: u64 = tables
        .iter()
        .filter(|table| table.table == "datapoints")
        .map(|table| table.changes.total())
        .sum();
    if total == 0 {
        return Ok(());
    }
    let shown = diff.first_points((limit > 0).then_some(limit as u64))?;
    session.out.line("")?;
    session.out.table(&changed_points(&shown)?)?;
    match total.saturating_sub(shown.num_rows() as u64) {
        0 => Ok(()),
        more => session
            .out
            .line(&format!("… and {} more: {rest}", count(more))),
    }
}

fn counts(summary: &DiffSummary) -> Table {
    let mut table = Table::new([
        text("table"),
        number("inserted"),
        number("updated"),
        number("deleted"),
    ]);
    for Difference {
        table: name,
        changes,
    } in summary
    {
        table.row([
            name.clone(),
            count(changes.inserted),
            count(changes.updated),
            count(changes.deleted),
        ]);
    }
    table
}

/// Only the columns of times that are in use.
fn changed_points(points: &RecordBatch) -> Result<Table, Failure> {
    let has = |name: &str| points.column_by_name(name).is_some();
    let (has_year, has_part, has_datetime) = (has("year"), has("subannual"), has("datetime"));
    let mut columns = vec![
        text("change"),
        text("region"),
        text("variable"),
        text("unit"),
    ];
    columns.extend(has_year.then(|| number("year")));
    columns.extend(has_part.then(|| text("subannual")));
    columns.extend(has_datetime.then(|| time("datetime (UTC)")));
    columns.extend([number("before"), number("after")]);
    let mut table = Table::new(columns);
    for point in Points::new(points)?.all_changed() {
        let look = Look::of(&point.operation);
        let mut cells = vec![point.operation, point.region, point.variable, point.unit];
        if has_year {
            cells.push(point.year.map(|year| year.to_string()).unwrap_or_default());
        }
        if has_part {
            cells.push(point.subannual.unwrap_or_default());
        }
        if has_datetime {
            let datetime = point.datetime.unwrap_or_default();
            cells.push(datetime.trim_end_matches('Z').replace('T', " "));
        }
        cells.extend(
            [point.value_before, point.value_after]
                .map(|value| value.map(number_text).unwrap_or_default()),
        );
        table.looking(cells.into_iter().map(|cell| (cell, look)));
    }
    Ok(table)
}
