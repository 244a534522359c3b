//! `stratalog verify`

use super::failure::Failure;
use super::output::{count, counted, spinner};
use super::session::Session;
use crate::history::{Problem, VerifyReport};

/// Prove that the change log and the data agree
#[derive(clap::Args)]
#[command(after_help = "\
For every table, both ways: each row there is has its open version row and the other way round. Then \
the intervals of version rows, transactions, checkpoints and locks. Exit code 3 when anything is wrong.

Examples:
  stratalog verify
  stratalog verify --json | jq '.problems[].rows'")]
pub(super) struct Verify {}

#[derive(serde::Serialize)]
struct Document<'a> {
    is_ok: bool,
    #[serde(flatten)]
    report: &'a VerifyReport,
}

impl Verify {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        let spinner = spinner("verifying");
        let report =
            platform.verify_with(|table| spinner.set_message(format!("verifying {table}")));
        spinner.finish_and_clear();
        let report = report?;
        if session.out.is_json() {
            session.out.json(&Document {
                is_ok: report.is_ok(),
                report: &report,
            })?;
        } else {
            show(session, &report)?;
        }
        if report.is_ok() {
            Ok(())
        } else {
            Err(Failure::Problems(report.problems.len()))
        }
    }
}

fn show(session: &Session<'_>, report: &VerifyReport) -> Result<(), Failure> {
    for Problem {
        table,
        problem,
        count: rows,
        rows: named,
        ..
    } in &report.problems
    {
        session
            .out
            .line(&format!("{table}: {} {problem}", count(*rows)))?;
        for row in named {
            session.out.line(&format!("  {row}"))?;
        }
        if let Some(more) = rows
            .checked_sub(named.len() as u64)
            .filter(|more| *more > 0)
        {
            session.out.line(&format!("  … and {} more", count(more)))?;
        }
    }
    for redaction in &report.redactions {
        session.out.line(&format!(
            "redacted: {} of run {} by {} on {} UTC: {}",
            counted(
                usize::try_from(redaction.rows).unwrap_or(usize::MAX),
                "past value"
            ),
            redaction.run_id,
            redaction.actor,
            redaction.redacted_at.format("%Y-%m-%d %H:%M:%S"),
            redaction.reason
        ))?;
    }
    let looked_at = format!(
        "{} rows and {} version rows in {}",
        count(report.live_rows),
        count(report.version_rows),
        counted(report.tables.len(), "table"),
    );
    if report.is_ok() {
        return session.out.line(&format!("OK: {looked_at} agree"));
    }
    session.out.line(&format!("looked at {looked_at}"))
}
