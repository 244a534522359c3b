//! `stratalog unlock`

use super::failure::Failure;
use super::run_and_target::RunArgument;
use super::session::Session;
use crate::history::ChangeCounts;
use crate::ids::LockToken;
use crate::run::RunInfo;

/// Take a run's lock from its holder, roll the run back to its last checkpoint, leave it free
#[derive(clap::Args)]
#[command(after_help = "\
Whoever holds the lock can write nothing more under it. A holder whose process has ended on this \
machine, or whose lease has run out, needs no unlocking: the next one to lock the run takes over. \
This is for a holder elsewhere that is known to be dead, or alive and in the way.

`stratalog locks` shows the token. It names one holding: if the lock has passed to somebody else \
meanwhile, nothing is done. `stratalog locks --events` keeps the reason.

Examples:
  stratalog unlock 12 --token 7 --reason \"its machine was switched off\"
  stratalog unlock MESSAGEix/SSP2-1.5C/2 --token 3 --reason \"left open over the holidays\"")]
pub(super) struct Unlock {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    /// The token of the holding that is to end, as `stratalog locks` shows it
    #[arg(long, value_name = "N")]
    token: i64,
    /// Why, for others to read
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    run: &'a RunInfo,
    token: LockToken,
    changes: ChangeCounts,
}

impl Unlock {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        let run = self.run.find(&platform)?;
        let token = LockToken(self.token);
        let changes = platform.locks().force_unlock(&run, token, &self.reason)?;
        if session.out.is_json() {
            return session.out.json(&Document {
                run: run.info(),
                token,
                changes,
            });
        }
        let undone = if changes.total() == 0 {
            "nothing had to be undone".to_owned()
        } else {
            format!("rolled back to its last checkpoint ({changes})")
        };
        session
            .out
            .line(&format!("{} is free: {undone}", run.label()))
    }
}
