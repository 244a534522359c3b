//! `stratalog default`

use super::failure::Failure;
use super::run_and_target::RunArgument;
use super::session::Session;

/// Make a run the default version of its scenario
#[derive(clap::Args)]
#[command(after_help = "\
The default version is what one gets without naming a version.

Examples:
  stratalog default MESSAGEix/SSP2-1.5C/2
  stratalog default 12 --unset")]
pub(super) struct Default {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    /// Make it the default no longer
    #[arg(long)]
    unset: bool,
}

impl Default {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        let run = self.run.find(&platform)?;
        if self.unset {
            platform.runs().unset_as_default(run.id())?;
        } else {
            platform.runs().set_as_default(run.id())?;
        }
        if session.out.is_json() {
            return session
                .out
                .json(platform.runs().get_by_id(run.id())?.info());
        }
        let state = if self.unset {
            "not the default version"
        } else {
            "the default version"
        };
        session.out.line(&format!("{} is {state} now", run.label()))
    }
}
