//! `stratalog clone`

use super::failure::Failure;
use super::run_and_target::RunArgument;
use super::session::Session;
use crate::run::CloneOptions;

/// Copy a run, with all that it has, into a new one
#[derive(clap::Args)]
#[command(after_help = "\
The rows are copied within the database, as the run is now. The new run is the next version of the same model and \
scenario, or of those that are named; it is not the default. It remembers what it was cloned from.

Examples:
  stratalog clone MESSAGEix/SSP2-1.5C
  stratalog clone 12 --scenario \"what if\" --without-solution")]
pub(super) struct Clone {
    /// The run: an id, model/scenario or model/scenario/version
    run: RunArgument,
    /// The model of the copy [default: the same]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The scenario of the copy [default: the same]
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Leave out the data of optimization variables and equations
    #[arg(long)]
    without_solution: bool,
}

impl Clone {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let platform = session.open()?;
        let run = self.run.find(&platform)?;
        let options = CloneOptions {
            model: self.model.as_deref(),
            scenario: self.scenario.as_deref(),
            keep_solution: !self.without_solution,
        };
        let clone = platform.runs().clone_run(&run, &options)?;
        if session.out.is_json() {
            return session.out.json(clone.info());
        }
        session.out.line(&format!(
            "{} (id {}) is a copy of {} now",
            clone.label(),
            clone.id(),
            run.label()
        ))
    }
}
