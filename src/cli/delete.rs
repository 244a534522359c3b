//! `stratalog delete`

use super::failure::Failure;
use super::run_and_target::RunArgument;
use super::session::Session;

/// Delete a run; its history stays, and it can be restored
#[derive(clap::Args)]
#[command(after_help = "\
All rows of the run are deleted under its lock, as one logged transaction. `stratalog runs --deleted` lists what was \
deleted, `stratalog restore` brings it back.

Examples:
  stratalog delete MESSAGEix/SSP2-1.5C/2
  stratalog delete 12 --json")]
pub(super) struct Delete {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
}

impl Delete {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        let run = self.run.find(&platform)?;
        platform.runs().delete(&run)?;
        if session.out.is_json() {
            return session.out.json(run.info());
        }
        session.out.line(&format!(
            "{} is deleted; `stratalog restore {}` brings it back",
            run.label(),
            run.id()
        ))
    }
}
