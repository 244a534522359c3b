//! `stratalog import`

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::ProgressBar;

use super::failure::Failure;
use super::output::{count, spinner};
use super::run_and_target::seconds;
use super::session::Session;
use super::table::{Table, number, text};
use crate::files::{Failed, ImportOptions, ImportStep, Imported, import};
use crate::iamc::PointType;
use crate::progress::RowBar;

/// Import IAMC files (CSV, Excel, OpenDocument), long or wide
#[derive(clap::Args)]
#[command(after_help = "\
Each model and scenario of each file becomes a new run version, written under its lock and finished \
with a checkpoint; --version writes into a version that is there instead, where points are added \
and updated. All files are checked before anything is written, and a run is imported whole or not at all.

Columns: Model, Scenario, Region, Variable, Unit, and either Year (or Datetime, or Time for both; with \
Subannual for parts of years) and Value, or a column per year or date, where an empty cell is no \
point. Of a workbook the sheet \"data\" is read, or else the first.

Examples:
  stratalog import figures.csv --create
  stratalog import figures.xlsx --model MESSAGEix --scenario SSP2-1.5C --message \"first try\"
  stratalog import corrected.csv --version 2 --timeout 60
  stratalog import *.csv --set-default --json")]
pub(super) struct Import {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The model, for files without such a column
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The scenario, for files without such a column
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Write into this version, which is there already, not into a new one
    #[arg(long, value_name = "N")]
    version: Option<i32>,
    /// Make the regions and units that do not exist (and the database)
    #[arg(long)]
    create: bool,
    /// Refuse points of other types: yearly, categorical or datetime
    #[arg(long = "type", value_name = "TYPE")]
    point_type: Option<PointType>,
    /// The checkpoint's message [default: import FILE]
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// Wait so long for the lock of a run that is there already [default: not at all]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Make each run the default version of its scenario
    #[arg(long)]
    set_default: bool,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    imported: &'a [Imported],
    /// The run that was not imported.
    failed: Option<&'a str>,
}

impl Import {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = if self.create {
            session.open_or_make()?
        } else {
            session.open()?
        };
        let options = ImportOptions {
            model: self.model.clone(),
            scenario: self.scenario.clone(),
            version: self.version,
            create_missing: self.create,
            point_type: self.point_type,
            message: self.message.clone(),
            timeout: self.timeout,
            set_default: self.set_default,
            interrupt: Some(session.interrupt),
        };
        let progress = Progress::default();
        let result = import(&platform, &self.files, &options, &mut |step| {
            progress.step(step)
        });
        progress.clear();
        match result {
            Ok(imported) => report(session, &imported, None),
            Err(failed) => Err(report_failure(session, *failed)),
        }
    }
}

fn report_failure(session: &Session<'_>, failed: Failed) -> Failure {
    let Failed {
        error,
        run,
        imported,
        left_behind,
        ..
    } = failed;
    // What was imported is told even though the command fails.
    if (!imported.is_empty() || session.out.is_json())
        && let Err(failure) = report(session, &imported, run.as_deref())
    {
        return failure;
    }
    let mut notes = Vec::new();
    if let (Some(run), false) = (run, imported.is_empty()) {
        notes.push(format!(
            "this was at {run}; the runs above are imported and stay"
        ));
    }
    notes.extend(left_behind);
    Failure::Error(error, notes)
}

fn report(
    session: &Session<'_>,
    imported: &[Imported],
    failed: Option<&str>,
) -> Result<(), Failure> {
    if session.out.is_json() {
        return session.out.json(&Document { imported, failed });
    }
    let mut table = Table::new([
        number("run"),
        text("model"),
        text("scenario"),
        number("version"),
        number("points"),
        number("inserted"),
        number("updated"),
        text("checkpoint"),
    ]);
    for Imported {
        run,
        points,
        changes,
        checkpoint,
        ..
    } in imported
    {
        table.row([
            run.id.to_string(),
            run.model.clone(),
            run.scenario.clone(),
            run.version.to_string(),
            count(*points),
            count(changes.inserted),
            count(changes.updated),
            checkpoint.message.clone(),
        ]);
    }
    session.out.table(&table)
}

/// What is drawn while it goes on.
#[derive(Default)]
struct Progress {
    reading: RefCell<Option<ProgressBar>>,
    writing: RefCell<Option<RowBar>>,
}

impl Progress {
    fn step(&self, step: ImportStep<'_>) {
        match step {
            ImportStep::Read(file) => {
                self.clear();
                *self.reading.borrow_mut() = Some(spinner(&format!("reading {}", file.display())));
            }
            ImportStep::Begin { run, points } => {
                self.clear();
                *self.writing.borrow_mut() = Some(RowBar::new(&run.label(), points));
            }
            ImportStep::Points(points) => {
                if let Some(bar) = &*self.writing.borrow() {
                    bar.advance(points);
                }
            }
            ImportStep::End(_) | ImportStep::Failed => self.clear(),
        }
    }

    fn clear(&self) {
        if let Some(spinner) = self.reading.take() {
            spinner.finish_and_clear();
        }
        if let Some(bar) = self.writing.take() {
            bar.clear();
        }
    }
}
