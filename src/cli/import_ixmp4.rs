//! `stratalog import-ixmp4`

use super::failure::Failure;
use super::output::{count, counted};
use super::session::Session;
use super::table::{Table, number, text};
use crate::error::Error;
use crate::ixmp4::{Ixmp4Options, Ixmp4Report, Ixmp4Run, Ixmp4RunState, Ixmp4Step, check_source};
use crate::platform::Platform;
use crate::progress::Ixmp4Bar;
use crate::store::Location;

/// Copy an ixmp4 database: runs, data, checkpoints and history
#[derive(clap::Args)]
#[command(
    name = "import-ixmp4",
    after_help = "\
SOURCE is a database of ixmp4 0.14 to 0.17: an SQLite file, or a URL as `ixmp4 platforms list` shows it. It is only \
read, on one snapshot. The database of --db is made if it is not there; what it has already stays as it is.

All of SOURCE is looked at before anything is written, and what cannot be kept is told at once. Runs keep their version \
numbers. On PostgreSQL their history comes along: what ixmp4 did to a run within ten seconds, and without a checkpoint \
in between, is one transaction here, with the time it had there. It can be broken off: the same command goes on, and \
a run that is there is not copied again. At the end both sides are compared.

Exit codes: 0 both sides are the same, 1 they differ, or it cannot be imported.

Examples:
  stratalog --db scenarios.db import-ixmp4 ixmp4.sqlite3 --dry-run
  stratalog --db scenarios.db import-ixmp4 ixmp4.sqlite3
  stratalog --db postgresql://me@server/scenarios import-ixmp4 postgresql+psycopg://me@server/ixmp4
  stratalog --db scenarios.db import-ixmp4 postgresql://me@server/ixmp4 --no-history --json"
)]
pub(super) struct ImportIxmp4 {
    /// The ixmp4 database: a path, sqlite:///path.sqlite3 or postgresql+psycopg://user@host/database
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Show what would be copied, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Copy the present state only
    #[arg(long)]
    no_history: bool,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    is_ok: bool,
    #[serde(flatten)]
    report: &'a Ixmp4Report,
}

impl ImportIxmp4 {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        // A wrong source must not leave a new database behind.
        check_source(&self.source)?;
        let location = Location::parse(session.url()?)?;
        location.check()?;
        let platform = if self.dry_run && location.is_missing() {
            Platform::open("sqlite://:memory:")?
        } else {
            session.open_or_make()?
        };
        let progress = Ixmp4Bar::default();
        let mut tell = |step: Ixmp4Step<'_>| progress.step(step);
        let report = platform.import_ixmp4(
            &self.source,
            Ixmp4Options {
                dry_run: self.dry_run,
                without_history: self.no_history,
                progress: Some(&mut tell),
                interrupt: Some(session.interrupt),
            },
        );
        progress.clear();
        let report = report.map_err(failure)?;
        if session.out.is_json() {
            session.out.json(&Document {
                is_ok: report.is_ok(),
                report: &report,
            })?;
        } else {
            show(session, &report)?;
        }
        match (report.problems.len(), report.differences.len()) {
            (0, 0) => Ok(()),
            (0, differences) => Err(Failure::Other(format!(
                "{} between the two sides: see above",
                counted(differences, "difference")
            ))),
            (problems, _) => Err(Failure::Other(format!(
                "it cannot be imported as it is ({}: see above)",
                counted(problems, "problem")
            ))),
        }
    }
}

fn failure(error: Error) -> Failure {
    const GOES_ON: &str =
        "what has been copied stays: the same command goes on where this one ended";
    match error {
        Error::Interrupted => Failure::BrokenOff(GOES_ON),
        error @ (Error::Ixmp4Unfit { .. } | Error::Ixmp4 { .. } | Error::InvalidUrl { .. }) => {
            error.into()
        }
        error => Failure::Error(error, vec![GOES_ON.to_owned()]),
    }
}

fn show(session: &Session<'_>, report: &Ixmp4Report) -> Result<(), Failure> {
    let mut table = Table::new([
        number("id there"),
        text("model"),
        text("scenario"),
        number("version"),
        number("checkpoints"),
        number("transactions there"),
        number("here"),
        number("run"),
        text("state"),
    ]);
    for run in &report.runs {
        table.row([
            run.source_id.to_string(),
            run.model.clone(),
            run.scenario.clone(),
            run.version.to_string(),
            count(run.checkpoints),
            count(run.transactions_there),
            count(run.transactions),
            run.run_id.map_or(String::new(), |id| id.to_string()),
            state(run, report.dry_run).to_owned(),
        ]);
    }
    session.out.table(&table)?;
    let mut table = if report.dry_run {
        Table::new([text("to be copied"), number("how many")])
    } else {
        Table::new([text("compared"), number("there"), number("here")])
    };
    for row in &report.counts {
        let mut cells = vec![row.what.clone(), count(row.there)];
        cells.extend(row.here.map(count));
        table.row(cells);
    }
    session.out.table(&table)?;
    for (word, lines) in [
        ("note", &report.notes),
        ("problem", &report.problems),
        ("difference", &report.differences),
    ] {
        for line in lines {
            session.out.line(&format!("{word}: {line}"))?;
        }
    }
    if report.is_ok() && !report.dry_run {
        session.out.line("both sides are the same")?;
    }
    Ok(())
}

fn state(run: &Ixmp4Run, dry_run: bool) -> &'static str {
    match (run.state, dry_run) {
        (Ixmp4RunState::Imported, false) => "imported",
        (Ixmp4RunState::Imported, true) => "to be imported",
        (Ixmp4RunState::Continued, false) => "the rest imported",
        (Ixmp4RunState::Continued, true) => "the rest to be imported",
        (Ixmp4RunState::Unchanged, _) => "imported before",
        (Ixmp4RunState::Deleted, _) => "deleted here, left out",
        (Ixmp4RunState::Taken, _) => "version taken",
    }
}
