//! `stratalog restore`

use super::failure::Failure;
use super::session::Session;
use crate::ids::RunId;

/// Bring a deleted run back
#[derive(clap::Args)]
#[command(after_help = "\
The run comes back as it was, under its old id and version number, with all its history. It is not the default. Regions \
and units that it needs must exist.

Examples:
  stratalog runs --deleted
  stratalog restore 12")]
pub(super) struct Restore {
    /// The run's id, as `stratalog runs --deleted` shows it
    id: i64,
}

impl Restore {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let run = session.open()?.runs().restore(RunId(self.id))?;
        if session.out.is_json() {
            return session.out.json(run.info());
        }
        session.out.line(&format!("{} is back", run.label()))
    }
}
