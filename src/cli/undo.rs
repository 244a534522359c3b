//! `stratalog undo`

use std::time::Duration;

use super::diff;
use super::failure::Failure;
use super::run_and_target::{RunArgument, seconds, transaction};
use super::session::Session;
use crate::history::ChangeCounts;
use crate::ids::TransactionId;
use crate::run::RunInfo;

/// Take back what one transaction of a run changed
#[derive(clap::Args)]
#[command(after_help = "\
Nothing of what was changed since is touched: if rows of the transaction were changed again, nothing is done, \
and they are named. One logged transaction that ends in a checkpoint of its own. `stratalog log RUN` shows the \
transactions.

Examples:
  stratalog undo MESSAGEix/SSP2-1.5C 345 --dry-run
  stratalog undo 12 @345 --timeout 60")]
pub(super) struct Undo {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    /// The transaction, as `stratalog log` shows it
    #[arg(value_parser = transaction)]
    transaction: TransactionId,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait so long for the run's lock [default: not at all]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    run: &'a RunInfo,
    transaction: TransactionId,
    changes: ChangeCounts,
}

impl Undo {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let run = self.run.find(&session.open()?)?;
        if self.dry_run {
            let title = format!(
                "{}, what undoing transaction {} would change",
                run.label(),
                self.transaction
            );
            let diff = run.diff_of_undo(self.transaction)?;
            return diff::show_dry(session, &title, &run, &diff);
        }
        let changes = run.undo_with(self.transaction, session.lock_options(self.timeout))?;
        if session.out.is_json() {
            return session.out.json(&Document {
                run: run.info(),
                transaction: self.transaction,
                changes,
            });
        }
        session.out.line(&format!(
            "transaction {} of {} is undone: {changes}",
            self.transaction,
            run.label()
        ))
    }
}
