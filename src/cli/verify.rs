//! `stratalog verify`

use std::path::PathBuf;

use super::failure::Failure;
use super::output::{count, counted, spinner};
use super::session::Session;
use crate::error::Error;
use crate::history::{ChainHead, Problem, VerifyReport};

/// Prove that the change log and the data agree
#[derive(clap::Args)]
#[command(after_help = "\
For every table, both ways: each row there is has its open version row and the other way round. Then \
the intervals of version rows, transactions, checkpoints and locks. Exit code 3 when anything is wrong.

Examples:
  stratalog verify
  stratalog verify --chain --heads heads-2026-03-31.json
  stratalog verify --json | jq '.problems[].rows'")]
pub(super) struct Verify {
    /// Follow the hash chains too
    #[arg(long)]
    chain: bool,
    /// Compare them with heads kept elsewhere: the output of `stratalog chain heads --json`
    #[arg(long, value_name = "FILE", requires = "chain")]
    heads: Option<PathBuf>,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    is_ok: bool,
    #[serde(flatten)]
    report: &'a VerifyReport,
}

impl Verify {
    fn heads(&self) -> Result<Vec<ChainHead>, Failure> {
        let Some(path) = &self.heads else {
            return Ok(Vec::new());
        };
        let unusable = |problem: String| {
            Failure::from(Error::File {
                path: path.display().to_string(),
                problem,
            })
        };
        let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        let heads: Vec<ChainHead> = serde_json::from_str(&text).map_err(|error| {
            unusable(format!(
                "not what `stratalog chain heads --json` writes: {error}"
            ))
        })?;
        if heads.is_empty() {
            return Err(unusable("there are no heads in it".into()));
        }
        Ok(heads)
    }

    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        let spinner = spinner("verifying");
        let tell = |table: &str| spinner.set_message(format!("verifying {table}"));
        let report = if self.chain {
            platform.verify_chain(&self.heads()?, tell)
        } else {
            platform.verify_with(tell)
        };
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
    if let Some(chain) = &report.chain {
        let links = |links: u64, what| counted(usize::try_from(links).unwrap_or(usize::MAX), what);
        session.out.line(&format!(
            "{} of {} followed, {} found again; {} without a link yet",
            links(chain.links, "link"),
            links(chain.chains, "chain"),
            links(chain.heads, "kept head"),
            links(chain.unlinked, "new transaction"),
        ))?;
    }
    if report.is_ok() {
        return session.out.line(&format!("OK: {looked_at} agree"));
    }
    session.out.line(&format!("looked at {looked_at}"))
}
