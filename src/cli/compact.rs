//! `stratalog compact`

use chrono::NaiveDateTime;

use super::failure::Failure;
use super::output::{bytes, count, spinner};
use super::run_and_target::{RunArgument, time_utc};
use super::session::Session;
use super::table::{Table, number, text};
use crate::history::{CompactOptions, CompactReport, Keep};

/// Remove history that no kept state needs
#[derive(clap::Args)]
#[command(after_help = "\
The present state always stays, and what is kept reads as before. The rest is gone for good: looking at it is an error \
that says so. Runs that somebody has locked are passed over. It can be broken off: the next one goes on. The room is \
used again by the database; VACUUM (PostgreSQL: VACUUM FULL) gives it back to the disk.

Examples:
  stratalog compact --checkpoints --dry-run
  stratalog compact MESSAGEix/SSP2-1.5C --checkpoints
  stratalog compact --before 2026-01-01
  stratalog compact --last 5")]
pub(super) struct Compact {
    /// Only this run: an id, model/scenario or model/scenario/version
    run: Option<RunArgument>,
    #[command(flatten)]
    keep: Policy,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Policy {
    /// Keep the states that checkpoints name
    #[arg(long)]
    checkpoints: bool,
    /// Remove what is older than this time (UTC), checkpoints too
    #[arg(long, value_name = "TIME", value_parser = time_utc)]
    before: Option<NaiveDateTime>,
    /// Keep everything from the last so many checkpoints of each run on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    last: Option<u32>,
}

impl Policy {
    fn keep(&self) -> Keep {
        match (self.before, self.last) {
            (Some(before), _) => Keep::Since(before),
            (_, Some(last)) => Keep::LastCheckpoints(last),
            _ => Keep::Checkpoints,
        }
    }
}

#[derive(serde::Serialize)]
struct Document<'a> {
    dry_run: bool,
    #[serde(flatten)]
    report: &'a CompactReport,
}

impl Compact {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        let run = self
            .run
            .as_ref()
            .map(|run| run.find(&platform))
            .transpose()?;
        let spinner = spinner("compacting");
        let mut tell = |progress: crate::history::CompactProgress| {
            spinner.set_message(format!(
                "compacting run {}: {} of {} version rows",
                progress.run_id,
                count(progress.looked_at),
                count(progress.total)
            ));
            (session.interrupt)()
        };
        let options = CompactOptions {
            dry_run: self.dry_run,
            progress: Some(&mut tell),
        };
        let report = platform.compact(
            run.as_ref().map(std::slice::from_ref),
            self.keep.keep(),
            options,
        );
        spinner.finish_and_clear();
        let report = report?;
        if session.out.is_json() {
            return session.out.json(&Document {
                dry_run: self.dry_run,
                report: &report,
            });
        }
        show(session, &report, self.dry_run)
    }
}

fn show(session: &Session<'_>, report: &CompactReport, dry_run: bool) -> Result<(), Failure> {
    if report.runs.is_empty() {
        session.out.line("nothing to remove")?;
    } else {
        let mut table = Table::new(vec![
            number("id"),
            text("run"),
            number("version rows"),
            number(if dry_run { "would go" } else { "removed" }),
        ]);
        for run in &report.runs {
            table.row(vec![
                run.run_id.to_string(),
                run.run.clone(),
                count(run.rows_before),
                count(run.rows_before - run.rows_after),
            ]);
        }
        session.out.table(&table)?;
        if !dry_run {
            session.out.line(&format!(
                "in use: {} before, {} now",
                bytes(report.bytes_before),
                bytes(report.bytes_after)
            ))?;
        }
    }
    for run in &report.locked {
        session.out.line(&format!(
            "passed over: {} (id {}) is locked by {}",
            run.run, run.run_id, run.holder
        ))?;
    }
    Ok(())
}
