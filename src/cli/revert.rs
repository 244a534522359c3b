//! `stratalog revert`

use std::time::Duration;

use super::diff;
use super::failure::Failure;
use super::run_and_target::{RunArgument, seconds, target};
use super::selection::Selection;
use super::session::Session;
use crate::history::ChangeCounts;
use crate::run::{RevertOptions, RunInfo, Target};

/// Set a run back to an earlier state
#[derive(clap::Args)]
#[command(after_help = "\
One logged transaction that ends in a checkpoint of its own: nothing is lost, and reverting the \
revert brings the later state back. With a selection only those points are set back.

Examples:
  stratalog revert MESSAGEix/SSP2-1.5C \"raw data\"
  stratalog revert 12 '#40' --timeout 60
  stratalog revert 12 @345 --dry-run
  stratalog revert 12 \"raw data\" --region World --variable 'Primary Energy*'")]
pub(super) struct Revert {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    /// The state to go back to: a checkpoint's message, '#ID' or '@TRANSACTION'
    #[arg(value_parser = target)]
    target: Target,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    selection: Selection,
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
        let only = self.selection.filter();
        if self.dry_run {
            let title = format!(
                "{}, what reverting to {} would change",
                run.label(),
                self.target
            );
            let diff = run.diff_of_revert(self.target.clone())?.only(only);
            return diff::show_dry(session, &title, &run, &diff);
        }
        let is_whole = only.is_all();
        let options = RevertOptions {
            only,
            lock: session.lock_options(self.timeout),
        };
        let changes = run.revert_with(self.target.clone(), options)?;
        if session.out.is_json() {
            return session.out.json(&Document {
                run: run.info(),
                target: self.target.to_string(),
                changes,
            });
        }
        let what = if is_whole {
            ""
        } else {
            ", the selected points,"
        };
        session.out.line(&format!(
            "{}{what} is at {} again: {changes}",
            run.label(),
            self.target
        ))
    }
}
