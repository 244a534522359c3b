//! `stratalog migrate`

use super::failure::Failure;
use super::session::Session;
use crate::platform::Platform;

/// Make a database, or bring one to this program's schema
#[derive(clap::Args)]
#[command(after_help = "\
All of it happens or nothing; two processes that do it at once take turns. A backup first is wise.

Examples:
  stratalog migrate scenarios.db
  stratalog migrate postgresql://me@server/scenarios
  stratalog --db scenarios.db migrate --json")]
pub(super) struct Migrate {
    /// The database, if not given with --db
    url: Option<String>,
}

#[derive(serde::Serialize)]
struct Document<'a> {
    applied: &'a [String],
}

impl Migrate {
    pub(super) fn run(&self, session: &Session<'_>) -> Result<(), Failure> {
        let url = self.url.as_deref().map_or_else(|| session.url(), Ok)?;
        let applied = Platform::migrate(url)?;
        if session.out.is_json() {
            return session.out.json(&Document { applied: &applied });
        }
        if applied.is_empty() {
            return session.out.line("up to date already");
        }
        session.out.line(&format!("applied {}", applied.join(", ")))
    }
}
