//! `stratalog history`

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDateTime};

use super::failure::Failure;
use super::output::count;
use super::run_and_target::RunArgument;
use super::selection::Selection;
use super::session::Session;
use super::table::{Look, Table, number, seconds, text, time};
use crate::error::Result;
use crate::files::number_text;
use crate::run::RunInfo;

/// Show every version of points: what was written, when and by whom
#[derive(clap::Args)]
#[command(after_help = "\
By point, oldest first. The checkpoint is the one in force: the run's last one at or before the transaction.

Examples:
  stratalog history MESSAGEix/SSP2-1.5C --region World --variable 'Primary Energy|Coal'
  stratalog history 12 --year 2030 --limit 0
  stratalog history 12 --variable 'Price*' --json | jq '.versions[-1]'")]
pub(super) struct History {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    #[command(flatten)]
    selection: Selection,
    /// Show at most so many, 0 for all; with --json there are always all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    run: &'a RunInfo,
    versions: Vec<Version>,
}

#[derive(serde::Serialize)]
struct Version {
    region: String,
    variable: String,
    unit: String,
    year: Option<i64>,
    subannual: Option<String>,
    datetime: Option<NaiveDateTime>,
    operation: String,
    value: Option<f64>,
    transaction_id: i64,
    issued_at: NaiveDateTime,
    actor: String,
    what: String,
    checkpoint: Option<String>,
}

impl History {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let run = self.run.find(&session.open()?)?;
        let found = run.iamc().history(&self.selection.filter())?;
        if session.out.is_json() {
            return session.out.json(&Document {
                run: run.info(),
                versions: versions(&found)?,
            });
        }
        let total = found.num_rows();
        if total == 0 {
            return session.out.line("no such points, now or ever");
        }
        let shown = match self.limit {
            0 => total,
            limit => limit.min(total),
        };
        // A heading per point: with its names in each row too, no terminal would be wide enough.
        let versions = versions(&found.slice(0, shown))?;
        for (nth, point) in versions.chunk_by(|a, b| a.point() == b.point()).enumerate() {
            if nth > 0 {
                session.out.line("")?;
            }
            session.out.line(&point[0].point().join(", "))?;
            session.out.table(&table_of(point))?;
        }
        match total - shown {
            0 => Ok(()),
            more => session.out.line(&format!(
                "… and {} more: --limit 0 shows all",
                count(more as u64)
            )),
        }
    }
}

impl Version {
    /// Region, variable, unit, and "2030", "2030 summer" or "2030-06-17 12:00:00".
    fn point(&self) -> [String; 4] {
        let year = self.year.map(|year| year.to_string()).unwrap_or_default();
        let time = match (&self.datetime, &self.subannual) {
            (Some(datetime), _) => seconds(*datetime),
            (None, Some(part)) => format!("{year} {part}"),
            (None, None) => year,
        };
        [
            self.region.clone(),
            self.variable.clone(),
            self.unit.clone(),
            time,
        ]
    }
}

fn table_of(versions: &[Version]) -> Table {
    let mut table = Table::new([
        text("change"),
        number("value"),
        number("id"),
        time("written (UTC)"),
        text("who"),
        text("what"),
        text("checkpoint"),
    ]);
    for version in versions {
        let look = Look::of(&version.operation);
        let cells = [
            version.operation.clone(),
            version.value.map(number_text).unwrap_or_default(),
            version.transaction_id.to_string(),
            seconds(version.issued_at),
            version.actor.clone(),
            version.what.clone(),
            version.checkpoint.clone().unwrap_or_default(),
        ];
        let looks = [look, look].into_iter().chain([Look::Plain; 5]);
        table.looking(cells.into_iter().zip(looks));
    }
    table
}

fn versions(rows: &arrow::array::RecordBatch) -> Result<Vec<Version>> {
    let texts = |name: &str| -> Result<_> {
        rows.column_by_name(name)
            .map(|array| Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone()))
            .transpose()
    };
    let (region, variable, unit) = (texts("region")?, texts("variable")?, texts("unit")?);
    let (operation, actor, what) = (texts("operation")?, texts("actor")?, texts("what")?);
    let (part, checkpoint) = (texts("subannual")?, texts("checkpoint")?);
    let text = |array: &Option<arrow::array::StringArray>, row: usize| {
        let array = array.as_ref().filter(|array| array.is_valid(row))?;
        Some(array.value(row).to_owned())
    };
    let integer = |name: &str, row: usize| {
        let array = rows.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        array.is_valid(row).then(|| array.value(row))
    };
    let moment = |name: &str, row: usize| {
        let array = rows.column_by_name(name)?;
        let array = array.as_primitive_opt::<TimestampMicrosecondType>()?;
        let micros = array.is_valid(row).then(|| array.value(row))?;
        Some(DateTime::from_timestamp_micros(micros)?.naive_utc())
    };
    let value = |row: usize| {
        let array = rows.column_by_name("value")?;
        let array = array.as_primitive_opt::<Float64Type>()?;
        array.is_valid(row).then(|| array.value(row))
    };
    Ok((0..rows.num_rows())
        .map(|row| Version {
            region: text(&region, row).unwrap_or_default(),
            variable: text(&variable, row).unwrap_or_default(),
            unit: text(&unit, row).unwrap_or_default(),
            year: integer("year", row),
            subannual: text(&part, row),
            datetime: moment("datetime", row),
            operation: text(&operation, row).unwrap_or_default(),
            value: value(row),
            transaction_id: integer("transaction_id", row).unwrap_or_default(),
            issued_at: moment("issued_at", row).unwrap_or_default(),
            actor: text(&actor, row).unwrap_or_default(),
            what: text(&what, row).unwrap_or_default(),
            checkpoint: text(&checkpoint, row),
        })
        .collect())
}
