//! `stratalog diff`

use arrow::array::RecordBatch;

use super::failure::Failure;
use super::output::count;
use super::points::{ChangedPoint, Points};
use super::run_and_target::{RunArgument, target};
use super::session::Session;
use super::table::{Table, number, text, time};
use crate::files::number_text;
use crate::history::{DiffSummary, Difference};
use crate::run::{Run, RunInfo, Target};

/// Show what changed in a run from one state to another
#[derive(clap::Args)]
#[command(after_help = "\
Counts per table, and the points that changed. Costs what changed, not what is there.

Examples:
  stratalog diff MESSAGEix/SSP2-1.5C \"raw data\"
  stratalog diff 12 \"raw data\" corrected --limit 0
  stratalog diff 12 '@340' '#12'
  stratalog diff 12 @0 --json | jq '.points | length'")]
pub(super) struct Diff {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    /// The state to start from: a checkpoint's message, '#ID' or '@TRANSACTION'
    #[arg(value_parser = target)]
    from: Target,
    /// The state to compare with [default: the present one]
    #[arg(value_parser = target)]
    to: Option<Target>,
    /// Show at most so many points, 0 for all; with --json there are always all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    run: &'a RunInfo,
    from: String,
    to: Option<String>,
    tables: &'a [Difference],
    points: Vec<ChangedPoint>,
}

impl Diff {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let run = self.run.find(&session.open()?)?;
        let summary = run.diff_summary(self.from.clone(), self.to.clone())?;
        let points = run.iamc().difference(self.from.clone(), self.to.clone())?;
        if session.out.is_json() {
            return session.out.json(&Document {
                run: run.info(),
                from: self.from.to_string(),
                to: self.to.as_ref().map(Target::to_string),
                tables: &summary,
                points: Points::new(&points)?.all_changed(),
            });
        }
        self.show(session, &run, &summary, &points)
    }

    fn show(
        &self,
        session: &Session<'_>,
        run: &Run,
        summary: &DiffSummary,
        points: &RecordBatch,
    ) -> Result<(), Failure> {
        let to = self
            .to
            .as_ref()
            .map_or_else(|| "now".to_owned(), Target::to_string);
        let title = format!("{}, from {} to {to}:", run.label(), self.from);
        if summary.is_empty() {
            return session.out.line(&format!("{title} no difference"));
        }
        session.out.line(&title)?;
        session.out.line("")?;
        session.out.table(&counts(summary))?;
        if points.num_rows() == 0 {
            return Ok(());
        }
        let shown = match self.limit {
            0 => points.num_rows(),
            limit => limit.min(points.num_rows()),
        };
        session.out.line("")?;
        session
            .out
            .table(&changed_points(&points.slice(0, shown))?)?;
        match points.num_rows() - shown {
            0 => Ok(()),
            more => session
                .out
                .line(&format!("… and {} more: --limit 0 shows all", count(more))),
        }
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
        table.row(cells);
    }
    Ok(table)
}
