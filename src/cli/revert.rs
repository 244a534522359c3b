//! `stratalog revert`

use std::time::Duration;

use super::failure::Failure;
use super::run_and_target::{RunArgument, seconds, target};
use super::session::Session;
use crate::history::ChangeCounts;
use crate::run::{RunInfo, Target};

/// Set a run back to an earlier state
#[derive(clap::Args)]
#[command(after_help = "\
One logged transaction that ends in a checkpoint of its own: nothing is lost, and reverting the \
revert brings the later state back. `stratalog diff RUN TARGET` shows what it would undo.

Examples:
  stratalog revert MESSAGEix/SSP2-1.5C \"raw data\"
  stratalog revert 12 '#40' --timeout 60
  stratalog revert 12 @345")]
pub(super) struct Revert {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    /// The state to go back to: a checkpoint's message, '#ID' or '@TRANSACTION'
    #[arg(value_parser = target)]
    target: Target,
    /// Wait so long for the run's lock [default: not at all]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    run: &'a RunInfo,
    target: String,
    changes: ChangeCounts,
}

impl Revert {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let run = self.run.find(&session.open()?)?;
        let changes = run.revert_with(self.target.clone(), session.lock_options(self.timeout))?;
        if session.out.is_json() {
            return session.out.json(&Document {
                run: run.info(),
                target: self.target.to_string(),
                changes,
            });
        }
        session.out.line(&format!(
            "{} is at {} again: {changes}",
            run.label(),
            self.target
        ))
    }
}
