//! `stratalog checkpoints`

use super::failure::Failure;
use super::run_and_target::RunArgument;
use super::session::Session;
use super::table::{Table, number, seconds, text, time};

/// List a run's checkpoints, oldest first
#[derive(clap::Args)]
#[command(after_help = "\
These are what one can revert to. A message means the latest checkpoint that has it.

Examples:
  stratalog checkpoints MESSAGEix/SSP2-1.5C
  stratalog checkpoints 12 --json | jq -r '.[].message'")]
pub(super) struct Checkpoints {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
}

impl Checkpoints {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let run = self.run.find(&session.open()?)?;
        let checkpoints = run.checkpoints()?;
        if session.out.is_json() {
            return session.out.json(&checkpoints);
        }
        if checkpoints.is_empty() {
            return session
                .out
                .line(&format!("{} has no checkpoints yet", run.label()));
        }
        let mut table = Table::new([
            number("id"),
            time("time (UTC)"),
            text("who"),
            number("transaction"),
            text("message"),
        ]);
        for checkpoint in checkpoints {
            table.row([
                checkpoint.id.to_string(),
                seconds(checkpoint.created_at),
                checkpoint.actor,
                checkpoint.transaction_id.to_string(),
                checkpoint.message,
            ]);
        }
        session.out.table(&table)
    }
}
