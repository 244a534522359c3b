//! `stratalog doctor`

use super::failure::Failure;
use super::output::counted;
use super::session::Session;
use crate::doctor::{DoctorReport, Finding};

/// Look at what protects the data: the role that is connected, the guards, the server
#[derive(clap::Args)]
#[command(after_help = "\
On PostgreSQL: the server's version, whether the role of the connection could change history, whether \
all triggers and functions are there as this program makes them, and always enabled. On SQLite: the \
library's version, the write-ahead log, the triggers. Exit code 3 when there is a problem; notes are \
none. Rows are looked at by `stratalog verify`.

Examples:
  stratalog doctor
  stratalog --db postgresql://me@server/scenarios doctor
  stratalog doctor --json | jq '.findings[] | select(.severity == \"problem\")'")]
pub(super) struct Doctor {}

#[derive(serde::Serialize)]
struct Document<'a> {
    is_ok: bool,
    database: String,
    #[serde(flatten)]
    report: &'a DoctorReport,
}

impl Doctor {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        let report = platform.doctor()?;
        if session.out.is_json() {
            session.out.json(&Document {
                is_ok: report.is_ok(),
                database: platform.url(),
                report: &report,
            })?;
        } else {
            show(session, &report)?;
        }
        match report.problems().count() {
            0 => Ok(()),
            problems => Err(Failure::Problems(problems)),
        }
    }
}

fn show(session: &Session<'_>, report: &DoctorReport) -> Result<(), Failure> {
    for Finding {
        check,
        severity,
        what,
        advice,
        ..
    } in &report.findings
    {
        session.out.line(&format!("{severity:8} {check}: {what}"))?;
        if let Some(advice) = advice {
            session.out.line(&format!("         {advice}"))?;
        }
    }
    if report.is_ok() {
        let looked_at = counted(report.findings.len(), "thing");
        return session
            .out
            .line(&format!("OK: {looked_at} looked at, no problem"));
    }
    Ok(())
}
